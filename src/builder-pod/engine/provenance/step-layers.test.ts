import { expect, test } from 'vitest';
import { type Descriptor, digestOf, inSlices, neverAborted } from '../../../base/index.ts';
import { slowMachine, WorkInTurns } from '../../../base/testing/turns.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import type { KeyedOutput, KeyedVertex, OpContext, Result } from '../../../solver/index.ts';
import { type StepLayerStores, stepLayers, stepOutputs } from './step-layers.ts';

const RUN = { kind: 'run' } as const;
const IDLE = { kind: 'idle' } as const;

/** A step of a build, whose own key (of the op alone) it may share with others. */
function step(name: string, output: Pick<KeyedOutput, 'outcome'> & Partial<KeyedOutput>): KeyedVertex {
  const maps = [{ digest: digestOf('the same op'), inputs: [] }];
  return { digest: digestOf(name), name, maps, inputs: [], outputs: [{ output: 0, keys: [], ground: [], ...output }] };
}

/** What is told of these steps; `stored` are the records of keys, all of them packed, in a layer of their name. */
async function told(steps: readonly KeyedVertex[], stored: Readonly<Record<string, readonly string[]>> = {}) {
  const layer = (record: string): Descriptor => ({ mediaType: 'layer', digest: digestOf(record), size: 1 });
  const load = async (record: string) =>
    ({
      id: record,
      value: { packed: () => [{ descriptor: layer(record) }] } as unknown as ImmutableRef,
      release: async () => {},
    }) as Result<ImmutableRef>;
  const digests = new Map(steps.map(({ digest, name }) => [digestOf(`wire ${name}`), digest]));
  const outputs = await inSlices(stepOutputs(steps, { digests }), { signal: neverAborted });
  const keys: StepLayerStores['keys'] = {
    results: (id) => (stored[id] ?? []).map((resultId, n) => ({ resultId, createdAt: -n })),
  };
  const context = { signal: neverAborted } as OpContext;
  const found = await stepLayers(outputs, ['a'], { keys, results: { load } }, context);
  const names = new Map(
    [...steps.map(({ name }) => `wire ${name}`), 'own', 'newer', 'older', 'first', 'second'].map((name) => [
      digestOf(name) as string,
      name,
    ]),
  );
  return found.map(({ op, output, chain }) => [
    names.get(op)?.slice(5),
    output,
    chain.map(({ digest }) => names.get(digest)),
  ]);
}

test('of a step the result is told that the build has used, whatever else its key has', async () => {
  const keys = ['key'];
  const steps = [
    step('ran', { outcome: RUN, record: 'own', keys }),
    step('found', { outcome: { kind: 'found', cache: '' }, record: 'older', keys }),
    step('not kept', { outcome: RUN, keys }),
  ];
  expect(await told(steps, { key: ['newer', 'own', 'older'] })).toEqual([
    ['ran', 0, ['own']],
    ['found', 0, ['older']],
  ]);
});

test('of a step whose result was not needed the only one is told, and none of several', async () => {
  const steps = [
    step('one', { outcome: IDLE, keys: ['by name', 'by content'] }),
    step('several', { outcome: IDLE, keys: ['again'] }),
    step('in all', { outcome: IDLE, keys: ['by name', 'other'] }),
    step('none', { outcome: IDLE }),
  ];
  const stored = { 'by name': ['own'], 'by content': ['own'], again: ['newer', 'older'], other: ['older'] };
  expect(await told(steps, stored)).toEqual([['one', 0, ['own']]]);
});

test('steps that do the same on different inputs have each their own', async () => {
  const steps = [
    step('a', { outcome: RUN, record: 'first', keys: ['on a'] }),
    step('b', { outcome: IDLE, keys: ['on b'] }),
  ];
  expect(await told(steps, { 'on a': ['first'], 'on b': ['second'] })).toEqual([
    ['a', 0, ['first']],
    ['b', 0, ['second']],
  ]);
});

test('the steps of a large graph are looked at in portions', async () => {
  using _slow = await slowMachine();
  const work = new WorkInTurns();
  const digests = {
    *[Symbol.iterator]() {
      for (let n = 0; n < 1000; n++) {
        work.count();
        yield [`sha256:wire-${n}`, `sha256:vertex-${n}`];
      }
    },
  };
  expect(await inSlices(stepOutputs([], { digests } as never), { signal: neverAborted })).toEqual([]);
  expect(work.most).toBeLessThan(50);
});

test('layers of many results are looked for in portions, and no more are told than anybody reads', async () => {
  using _slow = await slowMachine();
  const work = new WorkInTurns();
  const layer = { descriptor: { mediaType: 'layer', digest: digestOf('layer'), size: 1 } };
  const load = async (id: string) => {
    work.count();
    const value = { packed: () => Array.from({ length: 100 }, () => layer) } as unknown as ImmutableRef;
    return { id, value, release: async () => {} } as Result<ImmutableRef>;
  };
  const outputs = Array.from({ length: 300 }, (_, n) => ({ op: `op ${n}`, output: 0, record: `record ${n}` }));
  const stores = { keys: { results: () => [] }, results: { load } };
  expect(await stepLayers(outputs, [], stores, { signal: neverAborted } as OpContext)).toHaveLength(100);
  expect(work.most).toBeLessThan(10);
});
