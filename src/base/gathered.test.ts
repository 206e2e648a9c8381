import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Gathered } from './gathered.ts';

test('what is gathered is what came, however it was cut, and the rest of a chunk is left', () => {
  const lengths = fc.constantFrom(0, 1, 5, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20);
  const cuts = fc.array(fc.integer({ min: 1, max: 1 << 20 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(lengths, cuts, (length, sizes) => {
      const all = Buffer.alloc(length + 10, 'abcdefg');
      const gathered = new Gathered(length);
      let at = 0;
      for (let n = 0; gathered.missing > 0; n++) {
        const chunk = all.subarray(at, at + sizes[n % sizes.length]!);
        at += gathered.take(chunk, 0);
        expect([gathered.has, gathered.missing]).toEqual([at, length - at]);
      }
      expect(gathered.take(all, 3)).toBe(3);
      expect(at).toBe(length);
      expect(Buffer.compare(gathered.bytes, all.subarray(0, length))).toBe(0);
    }),
    { numRuns: 40 },
  );
});

test('what comes in one piece is not copied', () => {
  const chunk = Buffer.alloc(3 << 20);
  const gathered = new Gathered(2 << 20);
  expect(gathered.take(chunk, 10)).toBe((2 << 20) + 10);
  expect([gathered.bytes.buffer, gathered.bytes.byteOffset]).toEqual([chunk.buffer, chunk.byteOffset + 10]);
});
