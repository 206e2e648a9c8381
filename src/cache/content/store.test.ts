import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { digestOf, neverAborted } from '../../base/index.ts';
import { createPools } from '../../sys/index.ts';
import { contentStoreSuite } from '../testing/content-store-suite.ts';
import { FsContentStore } from './store.ts';

const pools = createPools({ short: 1, bulk: 1 });
afterAll(() => pools[Symbol.asyncDispose]());

contentStoreSuite('files', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'slipway-content-'));
  const dirs = { blobs: join(dir, 'blobs'), tmp: join(dir, 'tmp') };
  const store = new FsContentStore({ ...dirs, pools, background: pools.bulk, rebooted: false });
  return {
    store,
    leftovers: () => readdirSync(join(dir, 'tmp')).length,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      rmSync(dir, { recursive: true });
    },
  };
});

test('what may not have been on the disk when the machine lost its power is not taken for whole, and nothing else is lost', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'slipway-content-'));
  const [first, second] = ['first', 'second'];
  const has = (store: FsContentStore) => [first, second].map((text) => store.has(digestOf(text)));
  /** As it is at first, and then does something. */
  const life = async (rebooted: boolean, work: (store: FsContentStore) => Promise<unknown> = async () => {}) => {
    const dirs = { blobs: join(dir, 'blobs'), tmp: join(dir, 'tmp') };
    await using store = new FsContentStore({ ...dirs, pools, background: pools.bulk, rebooted, syncDelayMs: 1e6 });
    const found = has(store);
    await work(store);
    return found;
  };
  const put = (store: FsContentStore, text: string) =>
    store.ingest(ReadableStream.from([Buffer.from(text)]), { digest: digestOf(text) }, { signal: neverAborted });
  try {
    await life(false, async (store) => {
      await put(store, first);
      await store.sync();
      await put(store, second);
    });
    // Who was only killed has lost nothing.
    expect(await life(false)).toEqual([true, true]);
    expect(await life(true)).toEqual([true, false]);
    // Written anew, it is as young as the rest.
    await life(false, async (store) => {
      await put(store, second);
      await store.sync();
      await put(store, first);
    });
    expect(await life(true)).toEqual([false, true]);
    // What one life has left, the next one puts on the disk.
    await life(false, (store) => put(store, first));
    await life(false, (store) => store.sync());
    expect(await life(true)).toEqual([true, true]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
