import fc from 'fast-check';
import { expect, test } from 'vitest';
import { joined, joinedInSlices } from './joined.ts';
import { neverAborted as signal } from './signals.ts';
import { turnsDuring } from './testing/turns.ts';

test('all bytes in their order, in parts of the length that was asked for or longer', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 50 });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 40 }), (all, bytes) => {
      const parts = [...joined(all, bytes)];
      expect(Buffer.concat(parts)).toEqual(Buffer.concat(all));
      expect(parts.every(({ length }) => length > 0)).toBe(true);
      // Shorter is only what comes before a long piece, and the last.
      const short = parts.filter(
        ({ length }, i) => length < bytes && i < parts.length - 1 && parts[i + 1]!.length < bytes,
      );
      expect(short).toEqual([]);
      for (const part of parts) expect(part.length).toBeLessThan(2 * bytes + 30);
    }),
  );
});

test('a long piece is not copied', () => {
  const long = new Uint8Array(100);
  expect([...joined([new Uint8Array(1), long], 50)][1]).toBe(long);
});

test('the same in slices, of which one ends wherever its time does', async () => {
  function* pieces() {
    for (let n = 0; n < 10; n++) {
      for (const began = performance.now(); performance.now() - began < 6; );
      yield new Uint8Array([n]);
    }
  }
  let parts: readonly Uint8Array[] = [];
  const turns = await turnsDuring(async () => {
    parts = await joinedInSlices(pieces(), 100, { signal });
  });
  expect(parts).toEqual([Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])]);
  expect(turns).toBeGreaterThanOrEqual(9);
});
