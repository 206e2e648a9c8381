import { inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { ISAL_BLOCK, ISAL_DICTIONARY, openIsalDeflater } from './isal.ts';
import { openIsalInflater } from './isal-inflate.ts';

const levels = [1, 2] as const;
const END = Buffer.from([0x03, 0x00]);
const data = Buffer.from(Array.from({ length: ISAL_BLOCK }, (_, i) => (i * i) >> 5));

test.runIf(openIsalDeflater(1) !== undefined).each(levels)(
  'level %d: blocks join to one stream, each from its own dictionary',
  async (level) => {
    const deflater = openIsalDeflater(level)!;
    expect(deflater.id).toMatch(new RegExp(`^isal-[\\w.]+-l${level}-[0-9a-f]{8}$`));
    expect(openIsalDeflater(level)).toBe(deflater);
    const [first, second] = await Promise.all([
      deflater.deflate(data),
      deflater.deflate(data.subarray(0, 1000), data.subarray(-ISAL_DICTIONARY)),
    ]);
    expect(
      inflateRawSync(Buffer.concat([first, second, END])).equals(Buffer.concat([data, data.subarray(0, 1000)])),
    ).toBe(true);
    // What was compressed before leaves no trace.
    expect(await deflater.deflate(data)).toEqual(first);
    await expect(deflater.deflate(Buffer.alloc(ISAL_BLOCK + 1))).rejects.toThrow(RangeError);
  },
);

test.runIf(openIsalDeflater(2) !== undefined)('the ids name the bytes: those of 2.30 are pinned', () => {
  const ids = levels.map((level) => openIsalDeflater(level)?.id ?? '');
  for (const [index, id] of ids.entries())
    if (id.startsWith('isal-2.0.30-')) expect(id).toBe(['isal-2.0.30-l1-ece3b8f8', 'isal-2.0.30-l2-901106e5'][index]);
});

test('where it compresses it unpacks, too: Debian has one library for both', () => {
  expect(openIsalInflater() === undefined).toBe(openIsalDeflater(1) === undefined);
});

test.runIf(openIsalInflater() !== undefined)('damage ends a stream that is unpacked', async () => {
  // A stored block (RFC 1951, 3.2.4), and one of a kind that there is not.
  const content = data.subarray(0, 5000);
  const packed = Buffer.concat([Buffer.from([0, 0x88, 0x13, 0x77, 0xec]), content, Buffer.from([7])]);
  const stream = openIsalInflater()!;
  stream.feed(packed);
  const output = Buffer.alloc(1 << 20);
  // What came before is told first.
  const { size } = await stream.step(output);
  expect(output.subarray(0, size).equals(content)).toBe(true);
  await expect(stream.step(output)).rejects.toThrow('invalid deflate data');
});
