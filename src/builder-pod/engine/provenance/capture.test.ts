import { expect, test } from 'vitest';
import { digestOf, inSlices, neverAborted } from '../../../base/index.ts';
import { leastLongestTurn } from '../../../base/testing/turns.ts';
import type { LlbVertex, Op } from '../../../llb/index.ts';
import { Capture, captureGraph } from './capture.ts';

const options = { signal: neverAborted };
/** So many vertices may hold up nobody. */
const MANY = 100_000;

function vertex(body: object, inputs: readonly LlbVertex[] = []): LlbVertex {
  return {
    digest: digestOf(JSON.stringify(body)),
    inputs: inputs.map((one) => ({ vertex: one, index: 0 })),
    op: { op: { body } as unknown as Op },
  } as unknown as LlbVertex;
}

const source = (identifier: string, attrs = {}) => vertex({ kind: 'source', source: { identifier, attrs } });
const exec = (secretEnv: readonly object[], inputs: readonly LlbVertex[] = [], mounts: readonly object[] = []) =>
  vertex({ kind: 'exec', exec: { mounts, secretEnv, network: 'none' } }, inputs);

const scrambled = <T>(count: number, one: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => one((n * 7919) % count));

const onMany = (identifier: (n: number) => string) => () =>
  exec(
    [],
    scrambled(MANY, (n) => source(identifier(n))),
  );

test.each([
  [
    'one step of many secrets',
    () => exec(scrambled(10_000, (n) => ({ id: `secret-${n}`, name: `S${n}`, optional: true }))),
  ],
  ['many files from the web', onMany((n) => `https://example.com/${n}`)],
  ['many repositories', onMany((n) => `git://example.com/${n}.git#main`)],
  ['many directories of the client', onMany((n) => `local://${n}`)],
  ['many images', onMany((n) => `docker-image://example.com/image:${n}`)],
])('no turn computes for long: %s', async (_, make) => {
  const root = make();
  const capture = async () => {
    const found = await inSlices(
      captureGraph(root, () => 'sha256:pin'),
      options,
    );
    const all = new Capture();
    await inSlices(all.merge(found), options);
    await inSlices(all.finish(), options);
  };
  expect(await leastLongestTurn(async () => capture)).toBeLessThan(20);
});

test('what is added of one step, or of what else was looked at, is added in portions', async () => {
  const steps = (work: Iterator<unknown>) => {
    for (let count = 0; ; count++) if (work.next().done) return count;
  };
  const named = scrambled(5000, (n) => ({ id: `s${n}`, name: 'A', optional: true }));
  const one = new Capture();
  expect(steps(one.addVertex(exec(named), undefined))).toBeGreaterThanOrEqual(20);
  const all = new Capture();
  expect(steps(all.merge(one))).toBeGreaterThanOrEqual(20);
  expect(steps(all.finish())).toBeGreaterThanOrEqual(20);
  expect(all.secrets).toHaveLength(5000);
});

test('each source is told once, in the order of their names; a secret is required where any step requires it', async () => {
  const root = exec(
    [
      ...scrambled(1000, (n) => ({ id: `s${n}`, name: 'A', optional: true })),
      { id: 's7', name: 'B', optional: false },
      { id: 's7', name: 'C', optional: true },
    ],
    [
      ...scrambled(1000, (n) => source(`https://me:secret@example.com/${n}`)),
      source('https://you@example.com/3'),
      source(`docker-image://example.com/image:1@sha256:${'0'.repeat(64)}`),
      source('docker-image://example.com/image:1'),
      source(`docker-image://example.com/other@sha256:${'0'.repeat(64)}`),
      source(`oci-layout://example.com/other@sha256:${'0'.repeat(64)}`),
      source('local://context'),
      source('local://context'),
    ],
    [{ type: 'ssh', ssh: undefined }],
  );
  const found = await inSlices(
    captureGraph(root, () => 'sha256:pin'),
    options,
  );
  const capture = new Capture();
  await inSlices(capture.merge(found), options);
  await inSlices(capture.merge(found), options);
  await inSlices(capture.finish(), options);
  const secrets = Array.from({ length: 1000 }, (_, n) => `s${n}`).sort();
  expect(capture.secrets).toEqual(secrets.map((id) => ({ id, optional: id !== 's7' })));
  expect(capture.http.map(({ url }) => url)).toEqual(
    [
      ...Array.from({ length: 1000 }, (_, n) => `https://xxxxx:xxxxx@example.com/${n}`),
      'https://xxxxx@example.com/3',
    ].sort(),
  );
  expect(capture.images.map(({ ref, local }) => [ref.slice(0, 20), local])).toEqual([
    ['example.com/image:1', false],
    ['example.com/other@sh', false],
    ['example.com/other@sh', true],
  ]);
  expect([capture.locals, capture.ssh]).toEqual([['context'], [{ id: 'default', optional: false }]]);
  expect([capture.incomplete, capture.networkAccess]).toEqual([false, false]);
});
