import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { KeyFilter, keyMark, MARK_BYTES, scopeMark } from './key-filter.ts';

const scope = scopeMark('a');
/** As of a key's digest, but made fast. */
const mark = (n: number, of = scope) => {
  const view = new DataView(new ArrayBuffer(MARK_BYTES));
  let x = Math.imul(n + 1, 0x9e3779b1);
  for (let at = 0; at < MARK_BYTES; at += 4) {
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) + 0x1234567;
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    view.setUint32(at, x);
  }
  return new Uint8Array(view.buffer).map((byte, at) => byte ^ (of[at] as number));
};
const sketch = (numbers: readonly number[], of = scope) => Buffer.concat(numbers.map((n) => mark(n, of)));
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);

function filterOf(count: number, all: Iterable<number>): KeyFilter {
  const filter = KeyFilter.for(count);
  for (const n of all) filter.add(mark(n));
  return filter;
}

test('what was entered is found, in whatever order it was, and the bytes are the same', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(100_000), { maxLength: 300 }), (all) => {
      const filter = filterOf(all.length, all);
      for (const n of all) expect(filter.has(mark(n))).toBe(true);
      if (all.length > 0) expect(filter.share(sketch(all))).toBe(1);
      const other = filterOf(all.length, [...all].reverse());
      expect(other.bytes).toEqual(filter.bytes);
      expect(KeyFilter.read(filter.bytes)?.share(sketch(all))).toBe(filter.share(sketch(all)));
      for (const n of all) expect(filter.add(mark(n))).toBe(false);
    }),
  );
});

test('how much of a sketch it has is about right, also where a million keys share 256 KiB', () => {
  for (const count of [30, 1000, 30_000, 1_000_000]) {
    const filter = filterOf(count, numbers(0, count));
    expect(filter.bytes.length).toBeLessThanOrEqual(1 + (256 << 10));
    for (const held of [0, 16, 32]) {
      // Over many sketches: one of them is off by chance.
      const shares = numbers(0, 30).map((at) =>
        filter.share(
          sketch([...numbers(at % count, held).map((n) => n % count), ...numbers(2e6 + at * 32, 32 - held)]),
        ),
      );
      const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length;
      expect(Math.abs(mean - held / 32), `${held} of ${count}`).toBeLessThan(0.1);
    }
  }
});

test('marks of one scope say nothing of another', () => {
  const filter = filterOf(1000, numbers(0, 1000));
  expect(filter.share(sketch(numbers(0, 32), scopeMark('b')))).toBeLessThan(0.1);
});

test('what is no filter, and no key, is told apart', () => {
  expect(keyMark('random:x', scope)).toBeUndefined();
  expect(keyMark(digestOf('x'), scope)).toHaveLength(MARK_BYTES);
  for (const bytes of [
    new Uint8Array(),
    new Uint8Array(1025),
    new Uint8Array(1 << 20).fill(1),
    new Uint8Array(1026).fill(1),
  ])
    expect(KeyFilter.read(bytes)).toBeUndefined();
  expect(KeyFilter.for(1).share(new Uint8Array(5))).toBe(0);
});
