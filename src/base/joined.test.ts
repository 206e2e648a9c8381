import fc from 'fast-check';
import { expect, test } from 'vitest';
import { joined } from './joined.ts';

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
