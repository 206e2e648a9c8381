import { expect, test } from 'vitest';
import { type Digest, digestOf, HOUSE, neverAborted, Semaphore } from '../../base/index.ts';
import type { ImmutableRef, Layer } from '../../cache/ports.ts';
import type { ResultStore } from '../../solver/index.ts';
import { MemoryKeyStore } from '../../solver/testing/memory-key-store.ts';
import type { UpdateContext } from '../engine/index.ts';
import { Outflow } from '../exporters/index.ts';
import { LayersAhead } from './ahead.ts';
import type { CacheStore } from './store.ts';

const [base, upper, top] = ['base', 'upper', 'top'].map((name) => digestOf(name)) as [Digest, Digest, Digest];

/** A chain of three keys, each with a result of one layer of its own, and a store that takes them. */
function world({ verifies = true, host = 'registry.example.com' } = {}) {
  const keys = new MemoryKeyStore();
  for (const id of [base, upper, top]) keys.addResult(id, id, 1, 'here');
  const link = (record: Digest) => ({ input: 0, selector: '', record });
  keys.addLink(base, link(upper), upper, 'here');
  keys.addLink(upper, link(top), top, 'here');
  const said: string[] = [];
  let held = 0;
  const packed = new Set<string>();
  const refOf = (id: Digest): ImmutableRef => {
    held++;
    const layer = { descriptor: { mediaType: 'x', digest: id, size: 1 }, diffId: id } as Layer;
    return {
      lazy: false,
      packed: () => (packed.has(id) ? [layer] : undefined),
      layers: async () => {
        said.push(`packs ${nameOf(id)}`);
        packed.add(id);
        return [layer];
      },
      check: async () => void said.push(`checks ${nameOf(id)}`),
      clone: () => refOf(id),
      release: async () => void held--,
    } as unknown as ImmutableRef;
  };
  const results = {
    load: async (id: string) => ({ id, value: refOf(id as Digest) }),
  } as unknown as ResultStore<ImmutableRef>;
  const takes = { put: async () => {} };
  const store = {
    verifies,
    place: { kind: 'registry', host, repository: 'app' },
    putBlob: async ({ descriptor }: { descriptor: { digest: string } }) => {
      said.push(`puts ${nameOf(descriptor.digest)}`);
      await takes.put();
    },
  } as unknown as CacheStore;
  const ahead = new LayersAhead(
    { open: async () => store, gives: true, compression: { type: 'gzip' }, oci: true },
    { keys, results, outflow: new Outflow() },
  );
  const hurry = new AbortController();
  /** Whether there are threads that nobody wants. */
  const threads = { spare: true };
  const context = {
    ...{ signal: neverAborted, owner: HOUSE, sessions: () => [], exporterId: 0, hurry: hurry.signal },
    progress: { status() {}, log() {}, warn() {} },
    spare: {
      run: async (work: (signal: AbortSignal) => Promise<unknown>) =>
        threads.spare ? { value: await work(neverAborted) } : undefined,
    },
    ...{ uploads: new Semaphore(1), imageHosts: new Set(['images.example.com']) },
  } as unknown as UpdateContext;
  const update = (...roots: Digest[]) => ahead.update({ roots, scopes: ['here'] }, context);
  return { ahead, update, said, threads, takes, hurry, held: () => held };
}

const nameOf = (id: string) => (id === base ? 'base' : id === upper ? 'upper' : 'top');

test('each result is packed once, those first that others are made of, and given once', async () => {
  const { ahead, update, said, held } = world();
  expect(await update(upper)).toBe(true);
  await ahead.settled();
  expect(said).toEqual(expect.arrayContaining(['packs base', 'packs upper', 'puts base', 'puts upper']));
  expect(said.indexOf('packs base')).toBeLessThan(said.indexOf('packs upper'));
  said.length = 0;
  expect(await update(upper, top)).toBe(true);
  await ahead.settled();
  expect(said).toEqual(['packs top', 'puts top']);
  expect([await ahead.has(base), await ahead.has(top), held()]).toEqual([true, true, 0]);
});

test('one that is given up for others is tried again, some times, and then left', async () => {
  const { ahead, update, said, threads } = world();
  threads.spare = false;
  expect([await update(base), await update(base)]).toEqual([false, false]);
  expect(await update(base)).toBe(true);
  threads.spare = true;
  expect(await update(base)).toBe(true);
  expect([said, await ahead.has(base)]).toEqual([[], false]);
});

test('a store that does not verify is given what was looked at', async () => {
  const { ahead, update, said } = world({ verifies: false });
  await update(base);
  await ahead.settled();
  expect(said).toEqual(['packs base', 'checks base', 'puts base']);
});

test('a store that fails once is given nothing more; the rest is packed', async () => {
  const { ahead, update, said, takes, held } = world();
  takes.put = async () => {
    throw new Error('no');
  };
  await update(base);
  await ahead.settled();
  await update(upper);
  await ahead.settled();
  expect(said).toEqual(['packs base', 'puts base', 'packs upper']);
  expect([await ahead.has(base), held()]).toEqual([false, 0]);
});

test('a registry that has an image of the build is given nothing', async () => {
  const { ahead, update, said } = world({ host: 'images.example.com' });
  await update(base);
  await ahead.settled();
  expect(said).toEqual(['packs base']);
});

test('the export waits for what is under way, and nothing is begun beside it', async () => {
  const { ahead, update, said, takes, hurry } = world();
  const put = Promise.withResolvers<void>();
  takes.put = () => put.promise;
  await update(base);
  await expect.poll(() => said).toContain('puts base');
  await update(upper);
  hurry.abort();
  const has = ahead.has(base);
  expect(await update(top)).toBe(true);
  put.resolve();
  expect(await has).toBe(true);
  await ahead.settled();
  expect(said).toEqual(['packs base', 'puts base', 'packs upper']);
  expect(await ahead.has(upper)).toBe(false);
});

test('what the store turns out not to have is not said to be there', async () => {
  const { ahead, update } = world();
  expect(ahead.forget()).toBe(false);
  await update(base);
  await ahead.settled();
  expect([ahead.forget(), await ahead.has(base)]).toEqual([true, false]);
});
