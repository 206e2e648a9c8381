import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atOnce } from '../../base/index.ts';
import * as canonical from './canonical.ts';
import { decodeDefinition } from './index.ts';
import * as pb from './messages.ts';
import { decodeMessage, encodeMessage, type Schema } from './schema.ts';

const vectors: { definitions: Record<string, { wire: string }> } = JSON.parse(
  readFileSync(new URL('../testdata/go-client.json', import.meta.url), 'utf8'),
);
const definitions = Object.values(vectors.definitions).map(({ wire }) => Uint8Array.fromBase64(wire));
const ops = definitions.flatMap((bytes) => decodeDefinition(bytes).ops);
const isCanonical = (schema: Schema, bytes: Uint8Array) => atOnce(canonical.isCanonical(schema, bytes));
const again = (schema: Schema, bytes: Uint8Array) => encodeMessage(schema, decodeMessage(schema, bytes));

test('what a Go client writes is known to be canonical', () => {
  expect(ops.length).toBeGreaterThan(20);
  for (const op of ops) expect([isCanonical(pb.Op, op), again(pb.Op, op)]).toEqual([true, new Uint8Array(op)]);
});

test('whatever is said to be canonical is written as it was read, however it was bent', () => {
  let bent = 0;
  let canonical = 0;
  const edit = fc.record({
    at: fc.nat(10_000),
    kind: fc.nat(4),
    byte: fc.nat(255),
    length: fc.nat(12),
    to: fc.nat(10_000),
  });
  fc.assert(
    fc.property(fc.nat(ops.length - 1), fc.array(edit, { minLength: 1, maxLength: 3 }), (which, edits) => {
      let bytes = Buffer.from(ops[which]!);
      for (const { at: place, kind, byte, length, to } of edits) {
        const at = place % (bytes.length + 1);
        const [before, piece, after] = [
          bytes.subarray(0, at),
          bytes.subarray(at, at + length),
          bytes.subarray(at + length),
        ];
        if (kind === 0) bytes = Buffer.concat([before, Buffer.of(byte), bytes.subarray(at + 1)]);
        else if (kind === 1) bytes = Buffer.concat([before, Buffer.of(byte), bytes.subarray(at)]);
        else if (kind === 2) bytes = Buffer.concat([before, after]);
        else if (kind === 3) bytes = Buffer.concat([before, piece, piece, after]);
        else {
          const rest = Buffer.concat([before, after]);
          const there = to % (rest.length + 1);
          bytes = Buffer.concat([rest.subarray(0, there), piece, rest.subarray(there)]);
        }
      }
      let written: Uint8Array;
      try {
        written = again(pb.Op, bytes);
      } catch {
        return;
      }
      bent++;
      if (!isCanonical(pb.Op, bytes)) return;
      canonical++;
      expect(Buffer.from(written).equals(bytes)).toBe(true);
    }),
    { numRuns: 20_000 },
  );
  expect([bent > 500, canonical > 50]).toEqual([true, true]);
});

/** What is read alike must not be named alike unless it is written alike. */
test.each([
  ['fields in another order', [0x12, 1, 0x61, 0x0a, 1, 0x62], pb.HostIP],
  ['one that comes twice', [0x0a, 1, 0x61, 0x0a, 1, 0x62], pb.HostIP],
  ['one that is not known', [0x0a, 1, 0x61, 0x78, 1], pb.HostIP],
  ['one at its default', [0x0a, 0], pb.HostIP],
  ['a number that is longer than it must be', [0x10, 0x81, 0], pb.Input],
  ['a number above its type', [0x08, 0x80, 0x80, 0x80, 0x80, 0x08], pb.Location],
  ['a negative number cut short', [0x08, 0xff, 0xff, 0xff, 0xff, 0x0f], pb.Location],
  ['a length that is longer than it must be', [0x0a, 0x81, 0, 0x61], pb.HostIP],
  ['a truth that is 2', [0x08, 2], pb.ExportCache],
  [
    'keys in another order',
    [0x12, 6, 0x0a, 1, 0x62, 0x12, 1, 0x61, 0x12, 6, 0x0a, 1, 0x61, 0x12, 1, 0x61],
    pb.SourceOp,
  ],
  [
    'a key that comes twice',
    [0x12, 6, 0x0a, 1, 0x61, 0x12, 1, 0x61, 0x12, 6, 0x0a, 1, 0x61, 0x12, 1, 0x61],
    pb.SourceOp,
  ],
  ['an entry without a value', [0x12, 3, 0x0a, 1, 0x61], pb.SourceOp],
  ['a list of numbers that is not packed', [0x10, 1], pb.PassthroughOp],
  ['a list in two parts', [0x12, 1, 1, 0x12, 1, 1], pb.PassthroughOp],
  ['an empty list', [0x12, 0], pb.PassthroughOp],
])('%s is not', (_, bytes, schema) => {
  const given = Uint8Array.from(bytes);
  expect(isCanonical(schema, given)).toBe(false);
});

test.each([
  ['a negative number', [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], pb.Location],
  ['a list of numbers', [0x12, 2, 1, 0], pb.PassthroughOp],
  ['an entry of defaults', [0x12, 4, 0x0a, 0, 0x12, 0], pb.SourceOp],
])('%s is', (_, bytes, schema) => {
  const given = Uint8Array.from(bytes);
  expect([isCanonical(schema, given), again(schema, given)]).toEqual([true, given]);
});
