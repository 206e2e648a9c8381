import { describe, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { type CacheLink, type KeyReader, type KeyStore, recordDigest, rootKey } from '../../solver/index.ts';
import type { ManifestRecord } from './manifest-keys.ts';
import { walked } from './walked.ts';

const scopes = ['main'];
const [base, content] = [rootKey(digestOf('base'), 0), rootKey(digestOf('content'), -1)] as const;
const [copy, run] = [recordDigest(digestOf('copy'), 0), recordDigest(digestOf('run'), 1)] as const;
/** A copy that is reached from its base and, by a selector or without one, from a content; a step on both of them. */
const RECORDS: readonly ManifestRecord[] = [
  { digest: base as ManifestRecord['digest'] },
  { digest: content as ManifestRecord['digest'] },
  { digest: copy, inputs: [[{ link: 0 }], [{ link: 1 }, { link: 1, selector: 'sel' }]] },
  { digest: run, inputs: [[{ link: 2 }], [{ link: 0, selector: 'all' }]] },
];
const hasResult = ({ digest }: ManifestRecord) => digest === run || digest === base;

/** The same graph as a store has it. */
export function fill(
  store: KeyStore,
  records: readonly ManifestRecord[],
  has: (record: ManifestRecord) => boolean,
): KeyReader {
  const idOf = (n: number) => (records[n]!.inputs === undefined ? (records[n]!.digest as string) : `key ${n}`);
  for (const [n, record] of records.entries()) {
    for (const [input, ways] of (record.inputs ?? []).entries())
      for (const { link, selector = '' } of ways)
        store.addLink(idOf(link), { input, record: record.digest, selector }, idOf(n), 'main');
    if (has(record)) store.addResult(idOf(n), `result ${n}`, 1, 'main');
  }
  return store;
}

/** What every {@link KeyReader} holds to, be it a store or what another builder wrote; `open` is given what it says. */
export function keyReaderSuite(
  name: string,
  open: (records: readonly ManifestRecord[], hasResult: (record: ManifestRecord) => boolean) => KeyReader,
): void {
  describe(`key reader: ${name}`, () => {
    const reader = () => open(RECORDS, hasResult);
    const follow = (keys: KeyReader, from: string, link: CacheLink): string => {
      const found = keys.links(from, link, scopes);
      expect(found).toHaveLength(1);
      return found[0]!;
    };
    const toCopy: CacheLink = { input: 0, record: copy, selector: '' };
    const toRun: CacheLink = { input: 0, record: run, selector: '' };

    test('leads from roots, whose ids are BuildKit’s record digests, to the results, by whatever input one comes', () => {
      const keys = reader();
      const copied = follow(keys, base, toCopy);
      expect(follow(keys, content, { ...toCopy, input: 1 })).toBe(copied);
      expect(follow(keys, content, { ...toCopy, input: 1, selector: 'sel' })).toBe(copied);
      const ran = follow(keys, copied, toRun);
      expect(follow(keys, base, { input: 1, record: run, selector: 'all' })).toBe(ran);
      expect([base, content, copied, ran].map((id) => keys.results(id, scopes).length)).toEqual([1, 0, 0, 1]);
      const [result] = keys.results(ran, scopes);
      expect(result).toEqual({ resultId: expect.any(String), createdAt: 1 });
      expect(result?.resultId).not.toBe(keys.results(base, scopes)[0]?.resultId);
    });

    test('by exactly one link, and nowhere from what it does not know', () => {
      const keys = reader();
      for (const other of [
        { ...toCopy, input: 1 },
        { ...toCopy, selector: 'sel' },
        { ...toCopy, record: recordDigest(digestOf('copy'), 1) },
        { ...toCopy, record: recordDigest(digestOf('another'), 0) },
      ])
        expect(keys.links(base, other, scopes)).toEqual([]);
      const unknown = rootKey(digestOf('unknown'), 0);
      expect([
        keys.links(unknown, toCopy, scopes),
        keys.results(unknown, scopes),
        keys.backlinks(unknown, scopes),
      ]).toEqual([[], [], []]);
    });

    test('the way back is the way there', () => {
      const keys = reader();
      const copied = follow(keys, base, toCopy);
      const ran = follow(keys, copied, toRun);
      for (const [id, count] of [
        [base, 0],
        [content, 0],
        [copied, 3],
        [ran, 2],
      ] as const) {
        const back = keys.backlinks(id, scopes);
        expect(back).toHaveLength(count);
        for (const { from, link } of back) expect(keys.links(from, link, scopes)).toEqual([id]);
      }
    });

    test('is walked down to the roots and written as it was read', () => {
      const keys = reader();
      const ran = follow(keys, follow(keys, base, toCopy), toRun);
      const all = walked(keys, [ran], scopes);
      const placeOf = new Map(all.map(({ id }, n) => [id, n]));
      const said = all.map(({ digest, inputs, results }) => ({
        digest,
        inputs: inputs.map((ways) =>
          ways.map(({ selector, from }) => `${all[placeOf.get(from)!]!.digest} ${selector}`).toSorted(),
        ),
        results: results.length,
      }));
      expect(said.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))).toEqual(
        RECORDS.map((record) => ({
          digest: record.digest,
          inputs: (record.inputs ?? []).map((ways) =>
            ways.map(({ link, selector = '' }) => `${RECORDS[link]!.digest} ${selector}`).toSorted(),
          ),
          results: hasResult(record) ? 1 : 0,
        })).toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
      );
    });

    test('says the same when it is asked again', () => {
      const keys = reader();
      const once = [keys.links(base, toCopy, scopes), keys.results(base, scopes)];
      expect([keys.links(base, toCopy, scopes), keys.results(base, scopes)]).toEqual(once);
    });
  });
}
