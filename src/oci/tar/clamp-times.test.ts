import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeTarHeader, type TarEntry, TarReader, TimeClamp } from './index.ts';

const EPOCH = 1_600_000_000;
const temp = mkdtempSync(join(tmpdir(), 'slipway-clamp-'));
const long = `${'long-'.repeat(40)}name`;
beforeAll(() => {
  const at = (name: string) => join(temp, 'tree', name);
  mkdirSync(at('d'), { recursive: true });
  for (const [name, size] of [
    ['early', 5],
    ['late', 700],
    [long, 3],
    ['d/empty', 0],
  ] as const)
    writeFileSync(at(name), 'x'.repeat(size));
  writeFileSync(at('sparse'), 'begin');
  truncateSync(at('sparse'), 100_000);
  symlinkSync('late', at('link'));
  utimesSync(at('early'), 1_500_000_000.25, 1_500_000_000.25);
});
afterAll(() => rmSync(temp, { recursive: true, force: true }));

function clamped(archive: Buffer, epoch: number, chunk = archive.length): Buffer {
  const clamp = new TimeClamp(epoch);
  const out: Buffer[] = [];
  for (let at = 0; at < archive.length; at += chunk)
    for (const part of clamp.push(Buffer.from(archive.subarray(at, at + chunk)))) out.push(Buffer.from(part));
  clamp.finish();
  return Buffer.concat(out);
}

/** Entries with their contents' sizes and sums. */
function read(archive: Buffer): (TarEntry & { content: number })[] {
  const entries: (TarEntry & { content: number })[] = [];
  const reader = new TarReader({
    entry: (entry) => void entries.push({ ...entry, content: 0 }),
    data: (chunk) => {
      const last = entries.at(-1)!;
      for (const byte of chunk) last.content = (last.content * 31 + byte) % 1_000_003;
    },
  });
  reader.push(archive);
  reader.close();
  return entries;
}

const archives: Record<string, readonly string[]> = {
  ustar: ['--format=ustar', `--exclude=${long}`],
  v7: ['--format=v7', `--exclude=${long}`],
  gnu: ['--format=gnu'],
  'gnu sparse': ['--format=gnu', '--sparse'],
  pax: ['--format=pax'],
  'pax without times of its own': ['--format=pax', '--pax-option=delete=atime,delete=ctime'],
  'pax sparse': ['--format=pax', '--sparse'],
  'pax sparse 0.1': ['--format=pax', '--sparse', '--sparse-version=0.1'],
  'a global header': ['--format=pax', '--pax-option=globexthdr.name=g,mtime=1700000000.5,comment=x'],
};

test.each(Object.entries(archives))('%s: late times are brought down, and nothing else changes', (_, options) => {
  const tar = (...args: readonly string[]) => execFileSync('tar', args, { maxBuffer: 1 << 26 });
  const archive = tar('-cf', '-', '--sort=name', ...options, '-C', join(temp, 'tree'), '.');
  const out = clamped(archive, EPOCH);
  const late = BigInt(EPOCH) * 1_000_000_000n;
  expect(read(out)).toEqual(
    read(archive).map((entry) => ({ ...entry, mtime: entry.mtime > late ? late : entry.mtime })),
  );
  for (const chunk of [100, 511, 512, 513, 10_000]) expect(clamped(archive, EPOCH, chunk).equals(out)).toBe(true);
  expect(clamped(out, EPOCH).equals(out)).toBe(true);
  expect(clamped(archive, 4_000_000_000).equals(archive)).toBe(true);
  // No other reader finds a late time either.
  const script = `import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
  times = [m.mtime] + [float(m.pax_headers[k]) for k in ("mtime", "atime", "ctime") if k in m.pax_headers]
  assert max(times) <= ${EPOCH}, (m.name, times)`;
  execFileSync('python3', ['-c', script], { input: out });
});

test('a fraction above the second is brought down, and its record with it', () => {
  const entry = { type: 'file', name: 'a', mode: 0o644, uid: 0, gid: 0, size: 0 } as const;
  const end = Buffer.alloc(1024);
  const precise = Buffer.concat([encodeTarHeader({ ...entry, mtime: BigInt(EPOCH) * 1_000_000_000n + 1n }), end]);
  const plain = Buffer.concat([encodeTarHeader({ ...entry, mtime: BigInt(EPOCH) * 1_000_000_000n }), end]);
  expect(clamped(precise, EPOCH).equals(plain)).toBe(true);
});

test('times of access in headers of GNU’s own format are brought down, too', () => {
  const entry = { type: 'file', name: 'a', mode: 0o644, uid: 0, gid: 0, size: 0 } as const;
  const header = encodeTarHeader({ ...entry, mtime: 0n });
  header.write('ustar  \0', 257, 'latin1');
  for (const at of [345, 357]) header.write('14524770400\0', at, 'latin1');
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const out = clamped(Buffer.concat([header, Buffer.alloc(1024)]), EPOCH);
  expect(read(out)).toHaveLength(1);
  for (const at of [345, 357]) expect(Number.parseInt(out.toString('latin1', at, at + 11), 8)).toBe(EPOCH);
});

test('times before 1970 and after 2242 can be what others are brought down to', () => {
  const entry = { type: 'file', name: 'a', mode: 0o644, uid: 0, gid: 0, size: 0 } as const;
  const archive = Buffer.concat([
    encodeTarHeader({ ...entry, mtime: 10_000_000_000n * 1_000_000_000n }),
    Buffer.alloc(1024),
  ]);
  for (const epoch of [-5, 0, 9_000_000_000])
    expect(read(clamped(archive, epoch))).toMatchObject([{ mtime: BigInt(epoch) * 1_000_000_000n }]);
});

test('what follows the end stays; what is cut off is told', () => {
  const archive = Buffer.concat([Buffer.alloc(1024), Buffer.from('more')]);
  expect(clamped(archive, 0).equals(archive)).toBe(true);
  expect(() => clamped(Buffer.alloc(100), 0)).toThrow(/unexpected EOF/);
  expect(() => clamped(Buffer.alloc(512, 1), 0)).toThrow(/no octal number|checksum/);
});
