import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildHash, canonicalJson } from './hash.ts';

const spec = {
  dockerfile: { inline: 'FROM scratch' },
  outputs: [{ image: 'a', tags: ['1', '2'] }],
  args: [{ name: 'A', value: '1' }],
};
const hash = (change: object = {}, annotations: Record<string, string> = {}) =>
  buildHash({ spec: { ...spec, ...change }, metadata: { annotations } });

describe('the hash of a Build', () => {
  test('changes with what is built and the rerun annotation', () => {
    const all = [
      hash(),
      hash({ args: [{ name: 'A', value: '2' }] }),
      hash({ outputs: [{ image: 'a', tags: ['1'] }] }),
      hash({}, { 'slipway.build/rerun': '1' }),
      hash({}, { 'slipway.build/rerun': '2' }),
      hash({ cache: { noCache: true } }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('does not change with when, where and how long', () => {
    for (const change of [
      { historyLimit: 3 },
      { suspend: true },
      { priority: 5 },
      { timeout: '3s' },
      { queueTimeout: '3s' },
      { retry: { limit: 1 } },
      { poolRef: { name: 'x' } },
      { triggers: { git: true } },
    ])
      expect(hash(change)).toBe(hash());
    expect(hash({}, { other: 'annotation' })).toBe(hash());
  });

  test('is the same for the same object, however it is written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const shuffle = (one: unknown): unknown =>
          Array.isArray(one)
            ? one.map(shuffle)
            : typeof one === 'object' && one !== null
              ? Object.fromEntries(
                  Object.entries(one)
                    .reverse()
                    .map(([key, member]) => [key, shuffle(member)]),
                )
              : one;
        expect(canonicalJson(shuffle(value))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
