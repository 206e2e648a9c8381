import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { encodeTarHeader, type TarEntry, TarWriter } from '../tar/index.ts';
import { contentEnd, EstargzWriter } from './estargz.ts';

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly size?: number;
  readonly offset?: number;
  readonly chunkOffset?: number;
  readonly chunkSize?: number;
  readonly chunkDigest?: string;
  readonly digest?: string;
}

const file = (name: string, content: Buffer) => ({
  entry: { type: 'file', name, size: content.length } as const,
  content,
});
type Member = { readonly entry: Partial<TarEntry> & Pick<TarEntry, 'type' | 'name'>; readonly content?: Buffer };

function tarOf(members: readonly Member[]): Buffer {
  const writer = new TarWriter();
  const chunks: Buffer[] = [];
  for (const { entry, content = Buffer.alloc(0) } of members) {
    writer.header({ mode: 0o644, uid: 1, gid: 2, size: 0, mtime: 1_500_000_000_600_000_000n, ...entry });
    if (content.length > 0) writer.write(content);
    while (writer.ready) chunks.push(writer.take()!);
  }
  writer.finish();
  while (writer.ready) chunks.push(writer.take()!);
  return Buffer.concat(chunks);
}

function packed(tar: Buffer, chunk = tar.length, level?: number) {
  const out: Buffer[] = [];
  const writer = new EstargzWriter(level, (bytes) => void out.push(Buffer.from(bytes)));
  for (let at = 0; at < tar.length; at += chunk) writer.push(tar.subarray(at, at + chunk));
  return { result: writer.finish(), blob: Buffer.concat(out) };
}

/** The table, found by the footer as its specification says. */
function tableOf(blob: Buffer): { readonly at: number; readonly json: Buffer; readonly entries: readonly Entry[] } {
  const footer = blob.subarray(-51);
  expect(footer.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  expect(gunzipSync(footer)).toHaveLength(0);
  const at = Number.parseInt(/([0-9a-f]{16})STARGZ/.exec(footer.toString('latin1'))![1]!, 16);
  const tar = gunzipSync(blob.subarray(at, -51));
  expect(tar.toString('latin1', 0, 17)).toBe('stargz.index.json');
  const json = tar.subarray(512, 512 + Number.parseInt(tar.toString('latin1', 124, 135), 8));
  return { at, json, entries: (JSON.parse(json.toString()) as { entries: Entry[] }).entries };
}

const sha = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const big = randomBytes((9 << 20) + 5);
const members: readonly Member[] = [
  { entry: { type: 'directory', name: 'd' } },
  file('d/small', Buffer.from('small')),
  file('d/empty', Buffer.alloc(0)),
  file('big', big),
  file('exact', big.subarray(0, 8 << 20)),
  { entry: { type: 'symlink', name: 'l', linkname: 'big' } },
  { entry: { type: 'hardlink', name: 'h', linkname: 'big' } },
  { entry: { type: 'char', name: 'null', devmajor: 1, devminor: 3 } },
  {
    entry: { type: 'file', name: 'x', size: 1, xattrs: new Map([['user.a', Buffer.from([0, 255])]]) },
    content: Buffer.from('x'),
  },
  file(`${'long/'.repeat(60)}ü`, Buffer.from('long')),
];

describe('eStargz', () => {
  const tar = tarOf(members);
  const { result, blob } = packed(tar);

  test('is gzip of the tar as it was, with the table behind its end', () => {
    const whole = gunzipSync(blob);
    expect(whole.subarray(0, tar.length).equals(tar)).toBe(true);
    expect(result).toMatchObject({ diffId: sha(whole), diffSize: whole.length });
    const { at, json } = tableOf(blob);
    expect(result.annotations).toEqual({
      'containerd.io/snapshot/stargz/toc.digest': sha(json),
      'io.containers.estargz.uncompressed-size': String(whole.length),
    });
    expect(gunzipSync(blob.subarray(0, at)).equals(tar)).toBe(true);
  });

  test('is the same however the tar comes, also where much of it has no content', () => {
    const names = Array.from({ length: 18_000 }, (_, n) => `empty/${n}`);
    const empty = names.map((name) => ({ entry: { type: 'symlink', name, linkname: name } as const }));
    const hollow = tarOf([file('a', big.subarray(0, 100)), ...empty, file('b', big.subarray(0, 1000))]);
    expect(hollow.length).toBeGreaterThan(9 << 20);
    const digests = [hollow.length, 1 << 18, 70_001].map((chunk) => sha(packed(hollow, chunk, 1).blob));
    expect(new Set(digests).size).toBe(1);
    expect(
      gunzipSync(packed(hollow, 99_999, 1).blob)
        .subarray(0, hollow.length)
        .equals(hollow),
    ).toBe(true);
  });

  test('each part of each file is read by the table alone', () => {
    const { entries } = tableOf(blob);
    const contents = new Map(
      members.map(({ entry, content }) => [entry.type === 'directory' ? `${entry.name}/` : entry.name, content]),
    );
    const parts = Map.groupBy(entries, ({ name }) => name);
    for (const [encoded, content] of contents) {
      const name = Buffer.from(encoded, 'latin1').toString();
      const own = parts.get(name) ?? parts.get(encoded)!;
      const [first] = own as [Entry];
      if (content === undefined) {
        expect([own.length, first.offset, first.digest]).toEqual([1, undefined, undefined]);
        continue;
      }
      expect(first).toMatchObject({ type: 'reg', digest: sha(content) });
      if (content.length === 0) continue;
      for (const [n, part] of own.entries()) {
        const from = part.chunkOffset ?? 0;
        expect(from).toBe(n * (4 << 20));
        const wanted = content.subarray(from, part.chunkSize === undefined ? undefined : from + part.chunkSize);
        // One member, without what comes before it.
        const read = inflateRawSync(blob.subarray(part.offset! + 10)).subarray(0, wanted.length);
        expect(read.equals(wanted)).toBe(true);
        expect(part.chunkDigest).toBe(sha(wanted));
      }
    }
    expect(parts.get('big')!.map(({ type }) => type)).toEqual(['reg', 'chunk', 'chunk']);
    expect(parts.get('exact')!.map(({ chunkSize }) => chunkSize)).toEqual([4 << 20, 4 << 20]);
  });

  test('is the same however the tar comes, and another with another level', () => {
    for (const chunk of [777, 512, 1 << 20]) expect(packed(tar, chunk).blob.equals(blob)).toBe(true);
    const stored = packed(tar, tar.length, 0);
    expect(stored.result.diffId).not.toBe('');
    expect(gunzipSync(stored.blob).subarray(0, tar.length).equals(tar)).toBe(true);
    expect(stored.blob.length).toBeGreaterThan(blob.length);
  });

  test('what is before its table is found again, and nothing is found in other files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-estargz-'));
    try {
      const end = (bytes: Buffer) => {
        writeFileSync(join(folder, 'blob'), bytes);
        return contentEnd(join(folder, 'blob'));
      };
      expect(end(blob)).toBe(tableOf(blob).at);
      for (const other of [Buffer.alloc(0), tar, blob.subarray(0, -1), Buffer.alloc(51)])
        expect(end(other)).toBeUndefined();
      // A table that would lie in its own footer.
      const lying = Buffer.from(blob);
      lying.write('ffffffffffffffff', blob.length - 51 + 16, 'latin1');
      expect(end(lying)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each([
    'stargz.index.json',
    './stargz.index.json',
    '/stargz.index.json',
  ])('a file %s of its own is refused', (name) => {
    expect(() => packed(tarOf([file(name, Buffer.from('{}'))]))).toThrow('cannot be packed as estargz');
  });

  test.each([
    256 * 2 ** 30,
    2 ** 40,
    2 ** 42,
    2 ** 50,
  ])('a header that claims %d bytes costs next to nothing', (size) => {
    const header = encodeTarHeader({ type: 'file', name: 'claimed', mode: 0o644, uid: 0, gid: 0, size, mtime: 0n });
    const pack = () => {
      const estargz = new EstargzWriter(undefined, () => {});
      estargz.push(header);
      estargz.finish();
    };
    // Beyond the table's measure at once, and else since nothing comes.
    const isTooLarge = size > 2 ** 40;
    expect(pack).toThrow(
      expect.objectContaining({ reason: isTooLarge ? 'TAR_TOO_MANY' : 'TAR_MALFORMED', code: 'invalid_argument' }),
    );
  });

  test('files, their parts, names and attributes beyond the measure of a table are refused before it is made', () => {
    const attributes = new Map([['user.a', Buffer.alloc(60_000)]]);
    const estargz = new EstargzWriter(undefined, () => {});
    const push = () => {
      for (let n = 0; n < 1200; n++) {
        const entry = { type: 'file', name: `${n}`, mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0n } as const;
        estargz.push(encodeTarHeader({ ...entry, xattrs: attributes }));
      }
    };
    expect(push).toThrow(expect.objectContaining({ reason: 'TAR_TOO_MANY' }));
  });
});
