import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cName, decodeName, encodeName } from './names.ts';

test('any bytes come back from their string', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(encodeName(decodeName(bytes)).equals(Buffer.from(bytes))).toBe(true);
    }),
  );
});

test('UTF-8 is itself, and only other bytes are escaped', () => {
  for (const text of ['plain', 'ünï', '\u{1f6a2}', '\ufeffbom', '']) {
    expect(decodeName(Buffer.from(text))).toBe(text);
    expect(cName(text)).toBe(text);
  }
  expect(decodeName(Buffer.from([0x61, 0xff, 0xc3, 0xa9]))).toBe('a\udcffé');
  // An encoded surrogate is no UTF-8: taken as text it would collide with an escape.
  expect(decodeName(Buffer.from([0xed, 0xb3, 0xbf]))).toBe('\udced\udcb3\udcbf');
});
