import { createHook } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { createGunzip, gunzipSync, gzipSync, constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../../base/testing/runs.ts';
import { encodeTarHeader, tarPadding } from '../tar/index.ts';
import { WHOLE_GZIP } from './compressor.ts';
import { type CompressionChoice, compressorIds, decompress, detectCompression, openCompressor } from './index.ts';

async function pack(
  choice: CompressionChoice,
  data: Uint8Array,
  cut = data.length || 1,
  isAlone = () => false,
): Promise<Buffer> {
  const out: Buffer[] = [];
  const compressor = openCompressor(choice, (bytes) => void out.push(Buffer.from(bytes)), isAlone);
  for (let at = 0; at < data.length; at += cut) await compressor.write(Buffer.from(data.subarray(at, at + cut)));
  await compressor.finish();
  return Buffer.concat(out);
}

async function* cut(data: Uint8Array, size: number) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function unpack(source: AsyncIterable<Uint8Array>, maxBytes?: number, use?: 'zlib'): Promise<Buffer> {
  const out: Uint8Array[] = [];
  for await (const chunk of decompress(source, { maxBytes, use, borrowed: true })) out.push(Buffer.from(chunk));
  return Buffer.concat(out);
}

/** What the machine has, which is mostly ISA-L, and what is there everywhere. */
const libraries = [
  { library: 'the fast library', use: undefined },
  { library: 'zlib', use: 'zlib' },
] as const;

const LARGE = WHOLE_GZIP + 1_700_000;
let large: Buffer | undefined;

/** So many bytes of it, {@link LARGE} at most. */
function sample(size: number): Buffer {
  large ??= makeSample(LARGE);
  return Buffer.from(large.subarray(0, size));
}

function makeSample(size: number): Buffer {
  const data = Buffer.alloc(size);
  let state = 7;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    data[i] = (i >> 16) % 2 ? state >>> 24 : (i * 31) & 0x3f;
  }
  return data;
}

const choices: CompressionChoice[] = [
  { type: 'gzip' },
  { type: 'gzip', implementation: 'zlib' },
  { type: 'gzip', level: 9 },
  { type: 'zstd' },
  { type: 'zstd', level: 1 },
  { type: 'uncompressed' },
];

describe.each(choices)('compressing as %o', (choice) => {
  test('gives back the input, and the same bytes for every cut of it', async () => {
    const data = sample(1_500_123);
    const packed = await pack(choice, data);
    expect((await unpack(cut(packed, 70_001))).equals(data)).toBe(true);
    for (const size of [1 << 18, 999, 1_000_000]) expect((await pack(choice, data, size)).equals(packed)).toBe(true);
  });

  test('gives the same bytes on one thread and on many, also when that changes meanwhile', async () => {
    const data = sample(WHOLE_GZIP + 1_000_000);
    const whole = await pack(choice, data);
    let blocks = 0;
    for (const isAlone of [() => true, () => blocks++ % 3 > 0])
      expect(whole.equals(await pack(choice, data, 70_000, isAlone))).toBe(true);
  });

  test('gives memory back only once it is needed no more', async () => {
    const data = sample(LARGE);
    const out: Buffer[] = [];
    using compressor = openCompressor(choice, (bytes) => void out.push(Buffer.from(bytes)));
    const idle: Buffer[] = [];
    let used = 0;
    for (let at = 0; at < data.length; at += 1 << 20) {
      const memory = idle.pop() ?? Buffer.alloc(1 << 20);
      const chunk = memory.subarray(0, data.copy(memory, 0, at));
      await compressor.write(chunk, () => {
        // As whoever fills it anew.
        memory.fill(0xff);
        idle.push(memory);
        used++;
      });
    }
    await compressor.finish();
    expect(used).toBeGreaterThan(4);
    expect(Buffer.concat(out).equals(await pack(choice, data))).toBe(true);
  });

  test('takes nothing at all', async () => {
    expect(await unpack(cut(await pack(choice, Buffer.alloc(0)), 5))).toHaveLength(0);
  });
});

test('gzip output is valid for other tools', async () => {
  for (const implementation of [undefined, 'zlib'] as const) {
    const data = sample(700_000);
    const packed = await pack({ type: 'gzip', implementation }, data);
    expect(gunzipSync(packed).equals(data)).toBe(true);
    expect(execFileSync('gzip', ['-dc'], { input: packed, maxBuffer: 1 << 24 }).equals(data)).toBe(true);
  }
  const data = sample(700_000);
  expect(zstdDecompressSync(await pack({ type: 'zstd' }, data)).equals(data)).toBe(true);
});

test('compressor ids tell implementations, levels and sizes apart', async () => {
  const all: CompressionChoice[] = [...choices, { type: 'gzip', level: 4 }];
  const byBytes = new Map<string, Set<string>>();
  for (const size of [10_000, WHOLE_GZIP + 10_000])
    for (const choice of all) {
      const out: Buffer[] = [];
      const compressor = openCompressor(choice, (bytes) => void out.push(Buffer.from(bytes)));
      await compressor.write(sample(size));
      const id = await compressor.finish();
      expect(compressorIds(choice)).toContain(id);
      const named = `${size} ${id}`;
      const bytes = createHash('sha256').update(Buffer.concat(out)).digest('hex');
      byBytes.set(named, (byBytes.get(named) ?? new Set()).add(bytes));
    }
  // Equal ids, equal bytes.
  for (const [id, bytes] of byBytes) expect(bytes.size, id).toBe(1);
  // What needs no library of the machine: of gzip without a level both, by size.
  const pinned = compressorIds({ type: 'gzip', implementation: 'zlib' });
  expect(pinned).toEqual([
    expect.stringMatching(/^gzip\/zlib-.*-l7-filtered-to-4194304$/),
    expect.stringMatching(/^gzip\/zlib-.*-l4-from-4194304$/),
  ]);
  expect(pinned).not.toContain(compressorIds({ type: 'gzip', level: 4 })[0]);
});

/** Digests of images hang on it: a Node whose zlib or zstd makes other bytes is told of in the changelog. */
test('zlib and zstd make what they make on every machine', async () => {
  const data = sample(WHOLE_GZIP + 1_000_000);
  const digests = await Promise.all(
    [data.subarray(0, 1_000_000), data].map(async (part) => {
      const made = [await pack({ type: 'gzip', implementation: 'zlib' }, part), await pack({ type: 'zstd' }, part)];
      return made.map((bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16));
    }),
  );
  expect(digests.flat()).toEqual(['690286c64b9f95ca', 'ca218aa0b73d1bfd', '31724450f023fb2a', '3a08ec32f247416b']);
});

/** A tar of small files. */
function smallFiles(count: number, content: (i: number) => string): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const data = Buffer.from(content(i));
    const [name, mtime] = [`app/file-${i}`, 1_500_000_000_000_000_000n];
    parts.push(
      encodeTarHeader({ name, type: 'file', size: data.length, mode: 0o644, uid: 0, gid: 0, mtime }),
      data,
      Buffer.alloc(tarPadding(data.length)),
    );
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const random = (seed: number) => createHash('shake256', { outputLength: 1000 }).update(`${seed}`).digest();

describe('gzip of small and large content', () => {
  test.each<[string, (i: number) => string]>([
    ['equal', () => 'hello\n'],
    ['numbered', (i) => `content of file ${i}\n`],
    ['empty', () => ''],
    ['of text', (i) => `import { a${i} } from './module-${i % 7}.ts';\n`.repeat(i % 9)],
  ])('small files, %s, are no larger than by zlib by default', async (_, content) => {
    const tar = smallFiles(2000, content);
    const packed = await pack({ type: 'gzip' }, tar, 1 << 16);
    expect(packed.length).toBeLessThanOrEqual(gzipSync(tar).length);
    // The same on a builder without ISA-L, and after other content.
    await pack({ type: 'gzip' }, sample(300_000));
    expect((await pack({ type: 'gzip', implementation: 'zlib' }, tar)).equals(packed)).toBe(true);
  });

  test.each<[string, (i: number) => string]>([
    ['hexadecimal digits', (i) => random(i).toString('hex')],
    ['numbers', (i) => new Uint32Array(new Uint8Array(random(i)).buffer).join(',')],
  ])('small files of %s are made without short matches, which would make them larger', async (_, content) => {
    const tar = smallFiles(300, content);
    const packed = await pack({ type: 'gzip' }, tar, 1 << 16);
    expect(gunzipSync(packed).equals(tar)).toBe(true);
    expect(packed.length).toBeLessThan(gzipSync(tar).length);
  });

  test.each([undefined, 'zlib'] as const)('the size alone decides how it is packed (by %s)', async (implementation) => {
    // What repeats itself is soon packed.
    const data = Buffer.alloc(WHOLE_GZIP + 1, sample(5000));
    const choice = { type: 'gzip', implementation } as const;
    for (const [size, isWhole] of [
      [WHOLE_GZIP - 1, true],
      [WHOLE_GZIP, true],
      [WHOLE_GZIP + 1, false],
    ] as const) {
      const content = data.subarray(0, size);
      const packed = await pack(choice, content, 1 << 19);
      expect(gunzipSync(packed).equals(content)).toBe(true);
      const wholes = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED].map((strategy) =>
        gzipSync(content, { level: 7, strategy }),
      );
      expect(wholes.some((whole) => whole.subarray(10).equals(packed.subarray(10)))).toBe(isWhole);
      for (const cut of [65_537, size - 1, size, size + 1])
        expect((await pack(choice, content, cut)).equals(packed)).toBe(true);
    }
  });

  test('a level that is asked for is that of small content too', async () => {
    const tar = smallFiles(300, (i) => `${i}\n`);
    const [fast, best] = await Promise.all([1, 9].map((level) => pack({ type: 'gzip', level }, tar)));
    expect(fast!.length).toBeGreaterThan((await pack({ type: 'gzip' }, tar)).length);
    expect(best!.length).toBeLessThan(fast!.length);
  });
});

test('concatenated gzip members and zstd frames are one stream', async () => {
  const [a, b] = [Buffer.from('first '), Buffer.from('second')];
  expect((await unpack(cut(Buffer.concat([gzipSync(a), gzipSync(b)]), 7))).toString()).toBe('first second');
  const skippable = Buffer.from('502a4d1804000000deadbeef', 'hex');
  const frames = Buffer.concat([zstdCompressSync(a), zstdCompressSync(b), skippable]);
  expect((await unpack(cut(frames, 7))).toString()).toBe('first second');
});

test('round trip property', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 5000 }),
      fc.integer({ min: 1, max: 600 }),
      fc.constantFrom(...choices),
      async (data, size, choice) => {
        const packed = await pack(choice, data, size);
        // Plain data that happens to look packed is told by its magic: not what is tested here.
        if (choice.type === 'uncompressed' && detectCompression(data) !== 'uncompressed') return;
        for (const { use } of libraries)
          expect((await unpack(cut(packed, size), undefined, use)).equals(data)).toBe(true);
      },
    ),
    runs(60),
  );
});

describe.each(libraries)('what follows a gzip stream, by $library', ({ use }) => {
  const data = sample(300_000);
  const whole = gzipSync(data);

  test.each([99, 4096, 1 << 19])('is told apart after all content was given, in pieces of %i bytes', async (size) => {
    const content = data.subarray(0, 1000 * size);
    const packed = gzipSync(content);
    for (const tail of ['garbage', '\x1fgarbage']) {
      const out: Uint8Array[] = [];
      const reading = (async () => {
        for await (const chunk of decompress(cut(Buffer.concat([packed, Buffer.from(tail)]), size), { use }))
          out.push(chunk);
      })();
      await expect(reading).rejects.toMatchObject({ reason: 'COMPRESSION_TRAILING' });
      expect(Buffer.concat(out).equals(content)).toBe(true);
    }
    const padded = Buffer.concat([packed, Buffer.alloc(100), packed, Buffer.alloc(1)]);
    expect((await unpack(cut(padded, size), undefined, use)).equals(Buffer.concat([content, content]))).toBe(true);
  });

  test.each([1000, 70_000, 1 << 19])('members of any size are all read, in pieces of %i bytes', async (size) => {
    const sizes = [0, 1, 60_000, 65_536, 70_000, 262_144, 262_145, 300_000, 0, 0];
    const members = sizes.flatMap((length) => [sample(length), Buffer.alloc(length)]);
    const all = Buffer.concat(members.map((one, n) => gzipSync(one, { level: n % 3 === 0 ? 0 : 6 })));
    expect((await unpack(cut(all, size), undefined, use)).equals(Buffer.concat(members))).toBe(true);
  });

  test('a small member costs no stream of its own', async () => {
    // An image may have a member to each file, and somebody who wants to keep a builder busy any number of them.
    const member = gzipSync('x');
    const count = 3000;
    // Threads that were waited for.
    let waits = 0;
    const handles = new Set<number>();
    const hook = createHook({
      init: (id, type) => void (type === 'ZLIB' && handles.add(id)),
      before: (id) => void (handles.has(id) && waits++),
    }).enable();
    try {
      await text(createGunzip().end(member));
      expect(waits).toBeGreaterThan(0);
      waits = 0;
      const all = Buffer.concat(Array.from({ length: count }, () => member));
      expect(await unpack(cut(all, 1 << 19), undefined, use)).toHaveLength(count);
    } finally {
      hook.disable();
    }
    expect(waits).toBeLessThan(10);
  });

  test('what comes before the damage, or before the end that is missing, is given first', async () => {
    const tail = Buffer.concat([whole.subarray(0, whole.length >> 1), Buffer.alloc(5000, 0xff)]);
    for (const packed of [whole.subarray(0, -9), tail, whole.subarray(0, 4000)]) {
      let given = 0;
      const reading = (async () => {
        for await (const chunk of decompress(cut(packed, 1 << 19), { use })) given += chunk.length;
      })();
      await expect(reading).rejects.toMatchObject({ reason: 'COMPRESSION_CORRUPT' });
      expect(given).toBeGreaterThan(1000);
    }
  });

  test('headers with all their fields are read', async () => {
    const fields = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 4, 0]),
      Buffer.from('moreNAME\0COMMENT\0'),
      Buffer.from([1, 2]),
    ]);
    const small = data.subarray(0, 1000);
    expect(
      (await unpack(cut(Buffer.concat([fields, gzipSync(small).subarray(10)]), 3), undefined, use)).equals(small),
    ).toBe(true);
  });

  test.each([
    ['the trailer', whole.subarray(0, -1)],
    ['a wrong checksum', Buffer.concat([whole.subarray(0, -8), Buffer.alloc(4), whole.subarray(-4)])],
    ['a wrong length', Buffer.concat([whole.subarray(0, -4), Buffer.alloc(4)])],
    ['a second member that is cut off', Buffer.concat([whole, whole.subarray(0, 5000)])],
    ['a second member of an unknown method', Buffer.concat([whole, Buffer.from([0x1f, 0x8b, 9]), Buffer.alloc(9)])],
  ])('%s is damage', async (_, packed) => {
    await expect(unpack(cut(packed, 999), undefined, use)).rejects.toMatchObject({ reason: 'COMPRESSION_CORRUPT' });
  });
});

describe.each(libraries)('hostile streams, by $library', ({ use }) => {
  test('a bomb is cut at the bound', async () => {
    const bomb = gzipSync(Buffer.alloc(50 << 20));
    await expect(unpack(cut(bomb, 1 << 16), 1 << 20, use)).rejects.toMatchObject({ reason: 'COMPRESSION_TOO_LARGE' });
  });

  test.each([
    ['truncated gzip', gzipSync(sample(100_000)).subarray(0, 5000)],
    ['flipped gzip', Buffer.from(gzipSync(sample(100_000))).fill(0x55, 3000, 3020)],
    ['zstd that asks for 2 GiB of memory', Buffer.concat([Buffer.from('28b52ffd0000a8', 'hex'), Buffer.alloc(100, 1)])],
    ['truncated zstd', zstdCompressSync(sample(100_000)).subarray(0, 5000)],
  ])('%s fails as damaged', async (_, data) => {
    await expect(unpack(cut(data, 1 << 12), undefined, use)).rejects.toMatchObject({ reason: 'COMPRESSION_CORRUPT' });
  });

  test('xz and bzip2 are named in the refusal', async () => {
    const xz = execFileSync('xz', ['-c'], { input: 'hello' });
    await expect(unpack(cut(xz, 100))).rejects.toMatchObject({ code: 'unimplemented', message: /xz/ });
    expect(detectCompression(execFileSync('bzip2', ['-c'], { input: 'hello' }))).toBe('bzip2');
  });

  test('an error of the source comes through as it is, and the source is closed when reading stops early', async () => {
    const failure = new Error('cut connection');
    const packed = gzipSync(sample(300_000));
    const failing = (async function* () {
      yield packed.subarray(0, 4000);
      throw failure;
    })();
    await expect(unpack(failing, undefined, use)).rejects.toBe(failure);
    let closed = false;
    const endless = (async function* () {
      try {
        for (;;) yield packed;
      } finally {
        closed = true;
      }
    })();
    for await (const _ of decompress(endless, { use })) break;
    expect(closed).toBe(true);
  });
});
