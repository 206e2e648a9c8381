import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../base/index.ts';
import { recordDigest } from '../../solver/index.ts';
import { recordGraphs } from '../testing/record-graphs.ts';
import { atOnce } from '../testing/walked.ts';
import {
  type CacheConfig,
  chainOf,
  encodeCacheConfig,
  type RecordToWrite,
  readCacheConfig,
  readInlineRecords,
} from './cache-config.ts';
import { ConfigKeys, unreachedRecords } from './config-keys.ts';

const parse = (bytes: Uint8Array): CacheConfig => atOnce(readCacheConfig(bytes));
const digest = (name: number | string): Digest => digestOf(String(name));

const graphs = recordGraphs({ names: 20, latest: 2 ** 40 });

/** What a record says, whatever its place. */
function meanings(records: readonly RecordToWrite[]): string[] {
  const said: string[] = [];
  for (const { digest: id, inputs, results } of records)
    said.push(
      digestOf(
        JSON.stringify([
          id,
          inputs.map((ways) => ways.map(({ selector, link }) => `${selector} ${said[link]}`).sort()),
          results.map(({ blobs, createdAt }) => [blobs, createdAt]),
        ]),
      ),
    );
  return said.sort();
}

test('what was written is read again: keys, ways and the layers of each result', () => {
  fc.assert(
    fc.property(graphs, (records) => {
      const { bytes, blobs } = atOnce(encodeCacheConfig(records));
      const read = parse(bytes);
      expect(read.layers.map(({ blob }) => blob)).toEqual(blobs);
      // A record may come after what it leads to there, so it is put in order first.
      const order: number[] = [];
      const visit = (n: number): void => {
        if (order.includes(n)) return;
        for (const { link } of read.records[n]!.inputs.flat()) visit(link);
        order.push(n);
      };
      for (const n of read.records.keys()) visit(n);
      const again = order.map((n): RecordToWrite => {
        const { digest: id, inputs, results } = read.records[n]!;
        return {
          digest: id,
          inputs: inputs.map((ways) => ways.map(({ selector, link }) => ({ selector, link: order.indexOf(link) }))),
          results: results.map(({ createdAt, ...result }) => ({
            blobs: chainOf(read, { ...result, createdAt }).map((at) => read.layers[at]!.blob),
            createdAt,
          })),
        };
      });
      expect(meanings(again)).toEqual(meanings(records));
    }),
  );
});

test('equal caches have equal bytes, in whatever order they were found', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(digest) as [Digest, Digest, Digest];
  const result = (...blobs: Digest[]) => [{ blobs, createdAt: 1 }];
  const forwards = atOnce(
    encodeCacheConfig([
      { digest: a, inputs: [], results: result(a) },
      { digest: b, inputs: [], results: result(a, b) },
      {
        digest: c,
        inputs: [
          [
            { selector: '', link: 0 },
            { selector: 's', link: 1 },
          ],
        ],
        results: result(a, b, c),
      },
    ]),
  );
  const backwards = atOnce(
    encodeCacheConfig([
      { digest: b, inputs: [], results: result(a, b) },
      { digest: a, inputs: [], results: result(a) },
      {
        digest: c,
        inputs: [
          [
            { selector: 's', link: 0 },
            { selector: '', link: 1 },
          ],
        ],
        results: result(a, b, c),
      },
    ]),
  );
  expect(Buffer.from(forwards.bytes).toString()).toBe(Buffer.from(backwards.bytes).toString());
});

const chain = (length: number) => Array.from({ length }, (_, n) => ({ blob: digest(n), parent: n - 1 }));
const text = (value: unknown) => Buffer.from(JSON.stringify(value));

test('a parent that is left out is layer 0, as Go writes it', () => {
  const config = parse(
    text({
      layers: [{ blob: digest('low'), parent: -1 }, { blob: digest('high') }],
      records: [{ digest: digest('r'), layers: [{ layer: 1, createdAt: '2026-01-02T03:04:05.678901234Z' }, {}] }],
    }),
  );
  const { results } = config.records[0]!;
  expect(results.map((result) => chainOf(config, result))).toEqual([[0, 1], [0]]);
  expect(results.map(({ createdAt }) => createdAt)).toEqual([Date.UTC(2026, 0, 2, 3, 4, 5, 678), 0]);
});

test('records of an image count its layers from the bottom', () => {
  const config = atOnce(
    readInlineRecords(text([{ digest: digest('r'), layers: [{ layer: 1 }], chains: [{ layers: [0, 2] }] }]), [
      ...['a', 'b', 'c'].map(digest),
    ]),
  );
  expect(config.records[0]?.results.map((result) => chainOf(config, result))).toEqual([
    [0, 1],
    [0, 2],
  ]);
});

test.each([
  ['no JSON', Buffer.from('{')],
  ['no object', text([1])],
  ['a blob that is no digest', text({ layers: [{ blob: '../../x', parent: -1 }] })],
  ['a layer that lies on itself', text({ layers: [{ blob: digest('a') }] })],
  ['a layer on one that is not there', text({ layers: [{ blob: digest('a'), parent: 3 }] })],
  [
    'layers in a circle',
    text({
      layers: [{ blob: digest('a'), parent: 1 }, { blob: digest('b') }],
      records: [{ digest: digest('r'), layers: [{}] }],
    }),
  ],
  ['a result of a layer that is not there', text({ records: [{ digest: digest('r'), layers: [{ layer: 1 }] }] })],
  ['a chain of layers that are not there', text({ records: [{ digest: digest('r'), chains: [{ layers: [1] }] }] })],
  ['a link that leads nowhere', text({ records: [{ digest: digest('r'), inputs: [[{ link: 1 }]] }] })],
  ['a slot that nothing leads into', text({ records: [{ digest: digest('r'), inputs: [[]] }] })],
  ['a number below zero', text({ records: [{ digest: digest('r'), inputs: [[{ link: -1 }]] }] })],
  ['layers one on the other without end', text({ layers: chain(501) })],
  [
    'more results of one record than are read at one go',
    text({ layers: chain(1), records: [{ digest: digest('r'), layers: Array(2001).fill({}) }] }),
  ],
  [
    'more ways to one record than are read at one go',
    text({ records: [{ digest: digest('r'), inputs: Array(50).fill(Array(50).fill({})) }] }),
  ],
  [
    'a result of more layers than can be mounted',
    text({ layers: chain(1), records: [{ digest: digest('r'), chains: [{ layers: Array(501).fill(0) }] }] }),
  ],
  ['more objects than its bytes are worth', text({ records: Array(60_001).fill({}) })],
  ['more than anybody reads', Buffer.alloc((1 << 20) + 1, ' ')],
])('refuses %s', (_what, bytes) => {
  expect(() => parse(bytes)).toThrow(/malformed cache config|bytes, more than/);
});

test('whatever bytes come, they are read or refused as a cache config', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.json().map((json) => `{"records":${json}}`),
        fc.string(),
      ),
      (json) => {
        try {
          parse(Buffer.from(json));
        } catch (error) {
          expect(error).toMatchObject({ reason: 'CACHE_MALFORMED' });
        }
      },
    ),
  );
});

test('records that lead to each other lead nobody astray: whoever asks gets what one link leads to', () => {
  const [a, b] = ['a', 'b'].map(digest) as [Digest, Digest];
  const config = parse(
    text({
      records: [
        { digest: a, inputs: [[{ link: 1 }]] },
        { digest: b, inputs: [[{ link: 0 }]] },
        { digest: recordDigest(a, 0) },
      ],
    }),
  );
  const keys = atOnce(ConfigKeys.of(config));
  const root = recordDigest(a, 0);
  expect(keys.links(root, { input: 0, record: a, selector: '' })).toEqual([]);
  const [looped] = keys.links('record 1', { input: 0, record: a, selector: '' });
  expect(looped).toBe('record 0');
  expect(keys.results('record 0')).toEqual([]);
});

test('a small document is read a record at a time, and no result is spread out before it is loaded', () => {
  const steps = readCacheConfig(
    text({
      layers: chain(500),
      records: Array.from({ length: 100 }, (_, n) => ({ digest: digest(n), layers: Array(200).fill({ layer: 499 }) })),
    }),
  );
  let taken = 0;
  for (let step = steps.next(); ; step = steps.next(), taken++) {
    if (step.done !== true) continue;
    const { records } = step.value;
    expect(records.flatMap(({ results }) => results).every(({ layers }) => layers === 499)).toBe(true);
    expect(chainOf(step.value, records[0]!.results[0]!)).toHaveLength(500);
    break;
  }
  expect(taken).toBeGreaterThan(600);
});

test('records that lead in circles, and what is reached from them alone, are counted', () => {
  const record = (...inputs: readonly (readonly number[])[]) => ({
    ...{ digest: digest(inputs.length), results: [] },
    inputs: inputs.map((slot) => slot.map((link) => ({ selector: '', link }))),
  });
  const unreached = (...records: CacheConfig['records']) => atOnce(unreachedRecords({ layers: [], records }));
  expect(unreached()).toBe(0);
  expect(unreached(record(), record([0], [0]), record([1, 2]))).toBe(0);
  expect(unreached(record([0]))).toBe(1);
  expect(unreached(record([1]), record([0]), record([1]), record())).toBe(3);
  expect(unreached(record(), record([0], [2]), record([1]))).toBe(2);
});
