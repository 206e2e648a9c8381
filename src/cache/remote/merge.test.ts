import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../base/index.ts';
import type { Layer } from '../ports.ts';
import { recordGraphs } from '../testing/record-graphs.ts';
import { atOnce } from '../testing/walked.ts';
import { encodeCacheConfig, type RecordToWrite, readCacheConfig } from './cache-config.ts';
import { type CacheBounds, mergeCaches } from './merge.ts';
import type { RemoteCacheContent } from './remote-cache.ts';

const digest = (name: number | string): Digest => digestOf(String(name));
const SIZE = 10;
const NOW = 1_000_000;

/** As another builder has written and this one has read it. */
function content(records: readonly RecordToWrite[]): RemoteCacheContent {
  const { bytes } = atOnce(encodeCacheConfig(records));
  const config = atOnce(readCacheConfig(bytes));
  const layers = new Map(
    config.layers.map(({ blob }): [Digest, Layer] => [
      blob,
      { diffId: blob, descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: blob, size: SIZE } },
    ]),
  );
  return { config, layers };
}

const merged = (own: readonly RecordToWrite[], others: readonly RecordToWrite[][], bounds: CacheBounds = {}) =>
  atOnce(mergeCaches(own, others.map(content), { sizeOf: () => SIZE, now: NOW, ...bounds }));

/** Every result with the whole of what leads to it. */
function meanings(records: readonly RecordToWrite[]): Set<string> {
  const said: string[] = [];
  const results = new Set<string>();
  for (const { digest: id, inputs, results: own } of records) {
    const name = digestOf(
      JSON.stringify([id, inputs.map((ways) => ways.map(({ selector, link }) => `${selector} ${said[link]}`).sort())]),
    );
    said.push(name);
    for (const { blobs } of own) results.add(JSON.stringify([name, blobs]));
  }
  return results;
}

const step = (name: string, at: number, below: readonly number[] = [], blobs = [name]): RecordToWrite => ({
  digest: digest(name),
  inputs: below.map((link) => [{ selector: '', link }]),
  results: [{ blobs: blobs.map(digest), createdAt: at }],
});

const graphs = recordGraphs({ names: 8, latest: NOW });

describe('without bounds', () => {
  test('all results of all caches are there, reached as before', () => {
    fc.assert(
      fc.property(graphs, graphs, (own, other) => {
        const both = meanings(merged(own, [other]).records);
        expect(both).toEqual(meanings(own).union(meanings(other)));
      }),
    );
  });

  test('a cache that is merged into itself does not grow', () => {
    fc.assert(
      fc.property(graphs, (own) => {
        const once = merged(own, []).records;
        expect(merged(once, [[...once]]).records).toHaveLength(once.length);
        expect(merged([], [[...once]]).records).toHaveLength(once.length);
      }),
    );
  });

  test('one step that has come to another result has both', () => {
    const [record] = merged([step('run', 5, [], ['new'])], [[step('run', 3, [], ['old'])]]).records;
    expect(record?.results.map(({ blobs }) => blobs)).toEqual([[digest('new')], [digest('old')]]);
  });
});

describe('within bounds', () => {
  test('every record that is kept has all that leads to it, and leads to a result', () => {
    const bounds = fc.record(
      {
        keepLast: fc.integer({ min: 1, max: 3 }),
        maxAgeMs: fc.integer({ min: 1, max: NOW }),
        maxBytes: fc.integer({ min: 0, max: 60 }),
        mostOthers: fc.nat(5),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(graphs, graphs, bounds, (own, other, bound) => {
        const { records, others } = merged(own, [other], bound);
        const linked = new Set(records.flatMap(({ inputs }) => inputs.flat().map(({ link }) => link)));
        for (const [at, { inputs, results }] of records.entries()) {
          for (const slot of inputs) {
            expect(slot.length).toBeGreaterThan(0);
            for (const { link } of slot) expect(link).toBeLessThan(at);
          }
          expect(results.length > 0 || linked.has(at)).toBe(true);
        }
        // What is kept means what it meant.
        expect(meanings(records).difference(meanings(own).union(meanings(other))).size).toBe(0);
        if (bound.maxBytes === undefined) expect(meanings(own).difference(meanings(records)).size).toBe(0);
        else
          expect(
            new Set(records.flatMap(({ results }) => results.flatMap(({ blobs }) => blobs))).size * SIZE,
          ).toBeLessThanOrEqual(bound.maxBytes);
        if (bound.mostOthers !== undefined) expect(others).toBeLessThanOrEqual(bound.mostOthers);
      }),
    );
  });

  const versions = Array.from({ length: 6 }, (_, n) => [
    step(`source ${n}`, n),
    { ...step('run', n, [0], [`run ${n}`]) },
  ]).flat();
  const ordered = versions.map((record, n) =>
    n % 2 === 1 ? { ...record, inputs: [[{ selector: '', link: n - 1 }]] } : record,
  );

  test('of a step the last few are kept, with what they stand on', () => {
    const { records } = merged([], [ordered], { keepLast: 2 });
    const runs = records.filter((record) => record.digest === digest('run'));
    expect(runs.flatMap(({ results }) => results.map(({ createdAt }) => createdAt)).sort()).toEqual([4, 5]);
    for (const { inputs } of runs) expect(records[inputs[0]![0]!.link]?.digest).toMatch(/^sha256:/);
  });

  test('what is too old goes, but not what a younger one needs, nor what this build has', () => {
    const own = [step('ancient', 1)];
    const other = [step('base', 2), step('younger', 900, [0]), step('old', 3)];
    const { records } = merged(own, [other], { maxAgeMs: NOW - 500 });
    expect(records.map((record) => [record.digest, record.results.length])).toEqual([
      [digest('ancient'), 1],
      [digest('base'), 0],
      [digest('younger'), 1],
    ]);
  });

  test('the newest fit into a size, blobs that are shared counted once', () => {
    const other = [step('a', 1, [], ['x']), step('b', 2, [0], ['x', 'y']), step('c', 3, [], ['z'])];
    const results = (maxBytes: number) =>
      merged([], [other], { maxBytes })
        .records.filter((record) => record.results.length > 0)
        .map((record) => record.digest);
    expect(results(30).sort()).toEqual(['a', 'b', 'c'].map(digest).sort());
    expect(results(20).sort()).toEqual(['a', 'c'].map(digest).sort());
    expect(results(10)).toEqual([digest('c')]);
  });

  test('records of others that lead in circles are left out', () => {
    const { config, layers } = content([step('a', 1), step('b', 2, [0])]);
    const circular = config.records.map((record) => ({
      ...record,
      inputs: [
        [
          { selector: '', link: 0 },
          { selector: '', link: 1 },
        ],
      ],
    }));
    const { records } = atOnce(
      mergeCaches([step('own', 1)], [{ config: { ...config, records: circular }, layers }], {
        sizeOf: () => SIZE,
        now: NOW,
      }),
    );
    expect(records.map((record) => record.digest)).toEqual([digest('own')]);
  });
});
