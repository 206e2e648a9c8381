import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOUSE, neverAborted, newId } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { refResult } from '../../cache/refs/index.ts';
import { encodeDefinition, FileActions, type State as Llb, scratch } from '../../llb/index.ts';
import type { ImportedCache } from '../../solver/index.ts';
import { createPools } from '../../sys/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import type { BridgeCacheImport } from '../frontends/index.ts';
import { openState, type State } from '../state/index.ts';
import type { CacheImporter } from './cache-imports.ts';
import { type ToldSteps, watchSteps } from './testing/told-steps.ts';

const signal = neverAborted;
let cleanup: AsyncDisposableStack;
let folder: string;

beforeEach(() => {
  cleanup = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), 'slipway-imports-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

async function open(root: string, importer?: CacheImporter): Promise<Builder> {
  return await openTestBuilder(join(folder, root), cleanup, {
    maxParallelism: 2,
    ...(importer === undefined ? {} : { cacheImporters: new Map([['test', importer]]) }),
  });
}

/** Another builder's state as a cache that can be read: keys as they stand, layers in its directory. */
function cacheOf(elsewhere: State, builder: () => Builder): ImportedCache<ImmutableRef> {
  const { keys, refs, layout } = elsewhere;
  const theirs = ['there'];
  return {
    id: 'elsewhere',
    keys: {
      links: (id, link) => keys.links(id, link, theirs),
      backlinks: (id) => keys.backlinks(id, theirs),
      results: (id) => keys.results(id, theirs),
    },
    results: {
      exists: (record) => refs.exists(record),
      load: async (record, context) => {
        const ref = await refs.get(record);
        if (ref === undefined) return undefined;
        try {
          const layers = await ref.layers({ signal: context.signal, owner: HOUSE, sessions: () => [] });
          return refResult(
            await builder().state.refs.fromLayers(layers, {
              ...{ signal: context.signal, owner: HOUSE, scope: context.scope, description: 'imported' },
              places: [
                { kind: 'local', directory: join(folder, 'nowhere') },
                { kind: 'local', directory: layout.root },
              ],
            }),
          );
        } finally {
          await ref.release();
        }
      },
    },
  };
}

const text = (name: string, on: Llb = scratch()) =>
  on.file(new FileActions().mkfile(`/${name}`, 0o644, Buffer.from(name)), { name });
const graph = () => text('two', text('one'));

async function solve(
  builder: Builder,
  target: Llb,
  scope: string,
  imports: readonly (string | BridgeCacheImport)[] = [],
): Promise<ToldSteps> {
  const { observer, told } = watchSteps();
  await builder.engine.solve(
    {
      ...{ ref: newId(), session: '', definition: target.marshal() },
      ...{ frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] },
      exporters: [{ type: 'image', attrs: {} }],
      cacheImports: imports.map((one) => (typeof one === 'string' ? { type: one, attrs: { ref: one } } : one)),
      ...{ scope: { write: scope, read: [scope] }, observer },
    },
    { signal },
  );
  return await told();
}

test('what another builder made is found by the keys of its cache and had from its places, and is this builder’s own then', async () => {
  const elsewhere = await open('elsewhere');
  await solve(elsewhere, graph(), 'there');
  await elsewhere[Symbol.asyncDispose]();
  const pools = cleanup.use(createPools({ short: 1, bulk: 1 }));
  const state = await openState({ root: join(folder, 'elsewhere'), pools });
  let opened = 0;
  const importer: CacheImporter = {
    open: async (attrs, context) => {
      opened++;
      expect([attrs, context.scope]).toEqual([{ ref: 'test' }, 'here']);
      return [cacheOf(state, () => builder)];
    },
  };
  const builder = await open('here', importer);
  const first = await solve(builder, graph(), 'here', ['test', 'test']);
  expect(first).toMatchObject({ cached: ['one', 'two'], failed: [], warnings: [] });
  expect(first.ran).toEqual(['importing cache manifest from test', 'exporting to image']);
  expect(opened).toBe(1);
  // Another tenant, and who does not ask for it, gets nothing of it.
  const others = await solve(builder, graph(), 'other');
  expect(others.ran).toEqual(['one', 'two', 'exporting to image']);

  // What is made on it runs on its files, and it is not needed any more.
  await solve(builder, text('three', graph()), 'here', ['test']);
  await state[Symbol.asyncDispose]();
  rmSync(join(folder, 'elsewhere'), { recursive: true });
  const again = await solve(builder, text('four', text('three', graph())), 'here');
  expect(again.ran).toEqual(['four', 'exporting to image']);
  await builder[Symbol.asyncDispose]();
});

test.each([
  true,
  false,
  undefined,
])('whether a client is the builder’s own (%s) is told of what it asks for itself; a frontend never is', async (direct) => {
  const asked: unknown[] = [];
  const importer: CacheImporter = {
    open: async ({ ref }, context) => {
      asked.push([ref, context.direct]);
      return [];
    },
  };
  const builder = cleanup.use(await open('here', importer));
  const ref = newId();
  const cacheImports = ['client', 'both'].map((name) => ({ type: 'test', attrs: { ref: name } }));
  const solving = builder.engine.solve(
    {
      ...{ ref, session: '', frontendAttrs: new Map(), frontendInputs: new Map(), exporters: [], entitlements: [] },
      ...{ scope: { write: 'here', read: ['here'] }, cacheImports },
      ...(direct === undefined ? {} : { direct }),
    },
    { signal },
  );
  const build = await builder.engine.build('here', ref, { signal, waitMs: 10_000 });
  const ofFrontend = ['both', 'frontend'].map((name) => ({ type: 'test', attrs: { ref: name } }));
  await build
    .bridge(new Map())
    .solve({ definition: encodeDefinition(graph().marshal()), cacheImports: ofFrontend }, { signal });
  build.giveResult({ result: { metadata: new Map() } });
  await solving;
  expect(asked).toEqual([
    ['client', direct === true],
    ['both', direct === true],
    ['frontend', false],
  ]);
});

test('a cache that cannot be opened, or is of a type that is not known, is told of and costs nothing else', async () => {
  const fails: CacheImporter = {
    open: () => Promise.reject(new Error('no such manifest')),
  };
  const builder = cleanup.use(await open('here', fails));
  const outcome = await solve(builder, graph(), 'here', ['test', 'strange']);
  expect(outcome.failed).toEqual(['importing cache manifest from test']);
  expect(outcome.ran).toEqual(expect.arrayContaining(['one', 'two']));
  expect(outcome.warnings.toSorted()).toEqual([
    'the cache strange is not used: this builder does not read caches of type strange yet',
    'the cache test is not used: no such manifest',
  ]);
});

test('of more caches than a build reads those that are left out are told of, each with why', async () => {
  const none: CacheImporter = { open: async () => [] };
  const builder = cleanup.use(await open('here', none));
  const names = Array.from({ length: 34 }, (_, i) => `cache ${i}`);
  const outcome = await solve(
    builder,
    graph(),
    'here',
    names.map((ref) => ({ type: 'test', attrs: { ref } })),
  );
  expect(outcome.warnings.toSorted()).toEqual([
    'the cache cache 32 is not used: a build reads 32 caches at most',
    'the cache cache 33 is not used: a build reads 32 caches at most',
  ]);
});
