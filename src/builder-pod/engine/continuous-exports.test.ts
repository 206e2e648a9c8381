import { expect, test } from 'vitest';
import { HOUSE, neverAborted, silentLogger } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { FileActions, loadDefinition, scratch, type VertexOp } from '../../llb/index.ts';
import { solverObserverSuite } from '../../solver/testing/observer-suite.ts';
import type { CachedBuild, ContinuousCache } from './cache-exports.ts';
import { ContinuousExports } from './continuous-exports.ts';
import { SpareThreads } from './spare-threads.ts';

const { vertex } = loadDefinition(scratch().file(new FileActions().mkdir('/d', 0o755)).marshal())!.root;

/** One cache that grows with the build `job`. */
function growing(cache: ContinuousCache) {
  const exports = new ContinuousExports({ spare: new SpareThreads({} as never), log: silentLogger });
  const build = exports.begin({
    ...{ job: 'job', scopes: ['here'], signal: neverAborted, caches: new Map([[cache, undefined]]) },
    context: { owner: HOUSE, sessions: () => [], exporterId: 0, imageHosts: new Set() },
  });
  const told = (keys: readonly string[], job = 'job') =>
    exports.observer.resulted?.({
      ...{ vertex, output: 0, scope: 'here', jobs: [job], found: undefined, keys },
      result: {} as never,
    });
  return { exports, build, told };
}

solverObserverSuite<VertexOp, ImmutableRef>('caches that grow with their builds', () => {
  const { exports, build } = growing({ intervalMs: 0, update: async () => true });
  const end = async () => await build[Symbol.asyncDispose]();
  return { observer: exports.observer, vertex, job: 'job', value: {} as never, end, [Symbol.asyncDispose]: end };
});

test('an update has all that was finished until then, and of a build that is over there is none', async () => {
  const updates: CachedBuild[] = [];
  const cache: ContinuousCache = { intervalMs: 0, update: async (build) => updates.push(build) > 0 };
  const { build, told } = growing(cache);
  told(['a', 'b']);
  told(['of another'], 'another');
  await expect.poll(() => updates).toEqual([{ roots: ['a', 'b'], scopes: ['here'] }]);
  told(['c']);
  await expect.poll(() => updates.at(-1)?.roots).toEqual(['a', 'b', 'c']);
  await build[Symbol.asyncDispose]();
  const { length } = updates;
  told(['late']);
  expect([updates.length, build.hasMore(cache)]).toEqual([length, false]);
});
