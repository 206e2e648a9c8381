import fc from 'fast-check';
import { digestOf } from '../../base/index.ts';
import type { RecordToWrite } from '../remote/index.ts';

const digest = (name: number) => digestOf(String(name));

/** Records of caches as they are walked, inputs before what they lead to: of so many different steps, with results up to `latest`. */
export function recordGraphs({ names, latest }: { readonly names: number; readonly latest: number }) {
  const results = fc.record({
    blobs: fc.array(fc.nat(6).map(digest), { minLength: 1, maxLength: 4 }),
    createdAt: fc.integer({ min: 1, max: latest }),
  });
  const ways = fc.array(fc.record({ selector: fc.constantFrom('', 's'), link: fc.nat() }), {
    minLength: 1,
    maxLength: 3,
  });
  const record = fc.record({
    digest: fc.nat(names).map(digest),
    inputs: fc.array(ways, { maxLength: 2 }),
    results: fc.array(results, { maxLength: 1 }),
  });
  return fc.array(record, { maxLength: 12 }).map((records) =>
    records.map(
      (one, n): RecordToWrite => ({
        ...one,
        inputs: n === 0 ? [] : one.inputs.map((all) => all.map(({ selector, link }) => ({ selector, link: link % n }))),
      }),
    ),
  );
}
