import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CodedError, silentLogger } from '../../base/index.ts';
import { startInformer } from './informer.ts';
import { uncheckedType } from './kube-client.ts';
import type { KubeClient, KubeObject, WatchEvent } from './ports.ts';

/** What the informer did, in order: `list`, `watch`, `pause`. */
let did: string[] = [];
beforeEach(() => {
  did = [];
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((resume: () => void) => {
    did.push('pause');
    queueMicrotask(resume);
  }) as typeof setTimeout);
});
afterEach(() => void vi.restoreAllMocks());

const things = uncheckedType({ group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true });
const event = (version: number): WatchEvent => ({
  type: 'MODIFIED',
  object: {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { name: 'a', namespace: 'n', uid: 'a', resourceVersion: String(version) },
  } satisfies KubeObject,
});
const tooOld = new CodedError('out_of_range', 'too old');
const down = new CodedError('unavailable', 'down');

/** Runs an informer through what these watches bring (events, then an error or their end), and stops it. */
async function through(...watches: readonly (readonly (WatchEvent | CodedError)[])[]): Promise<readonly string[]> {
  const over = new AbortController();
  const waiting = [...watches];
  const client = {
    listPage: async () => {
      did.push('list');
      return { items: [], resourceVersion: '1', continue: undefined, bytes: 0 };
    },
    watch: async function* () {
      const now = waiting.shift();
      if (now === undefined) return over.abort(new CodedError('cancelled', 'over'));
      did.push('watch');
      for (const one of now)
        if (one instanceof CodedError) throw one;
        else yield one;
    },
  } as unknown as KubeClient;
  await startInformer(client, things, { log: silentLogger, signal: over.signal }).ended;
  return did.slice(0, did.lastIndexOf('watch') + 1);
}

test('after an outage a watch that is too old makes it list at once', async () => {
  expect(await through([event(2), down], [down], [down], [tooOld], [])).toEqual([
    ...['list', 'watch', 'pause', 'watch', 'pause', 'watch', 'pause'],
    ...['watch', 'list', 'watch'],
  ]);
});

test('a list that is too old itself is not asked for again without a pause', async () => {
  expect(await through([tooOld], [tooOld], [])).toEqual([
    'list',
    'watch',
    'pause',
    'list',
    'watch',
    'pause',
    'list',
    'watch',
  ]);
});

test('an object that does not fit is told of, and what was known of it stays', async () => {
  const over = new AbortController();
  const told: string[] = [];
  const client = {
    listPage: async () => ({ items: [event(1).object], resourceVersion: '1', continue: undefined, bytes: 0 }),
    watch: async function* () {
      yield event(2);
      over.abort(new CodedError('cancelled', 'over'));
    },
  } as unknown as KubeClient;
  const parse = (value: unknown) => {
    const object = value as KubeObject;
    if (object.metadata.resourceVersion === '2') throw new Error('status.phase: unknown');
    return object;
  };
  const informer = startInformer(
    client,
    { ...things, parse },
    {
      ...{ log: silentLogger, signal: over.signal },
      onMisfit: ({ metadata }, { message }) => told.push(`${metadata.name} ${metadata.resourceVersion} ${message}`),
    },
  );
  await informer.ended;
  expect(told).toEqual(['a 2 status.phase: unknown']);
  expect(informer.list().map(({ metadata }) => metadata.resourceVersion)).toEqual(['1']);
});

test('a watch that ends at once is begun again after a pause, from where it was', async () => {
  expect(await through([], [event(2)], [])).toEqual(['list', 'watch', 'pause', 'watch', 'pause', 'watch']);
});

test('pages grow while objects are small, and shrink to few large ones', async () => {
  const limits: number[] = [];
  const over = new AbortController();
  const sizes = [50_000, 200_000, 5_000_000, 100_000_000, 100_000_000, 40_000];
  const client = {
    listPage: async (_: unknown, { limit }: { limit: number }) => {
      limits.push(limit);
      const bytes = sizes[limits.length - 1];
      const items = Array.from({ length: limit }, (_, at) => ({ metadata: { name: String(at) } }));
      return { items, resourceVersion: '1', continue: limits.length < sizes.length ? 'more' : undefined, bytes };
    },
    watch: () => {
      over.abort(new CodedError('cancelled', 'over'));
      throw over.signal.reason;
    },
  } as unknown as KubeClient;
  await startInformer(client, things, { log: silentLogger, signal: over.signal }).ended;
  expect(limits).toEqual([50, 100, 200, 250, 20, 1]);
});
