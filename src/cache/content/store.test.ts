import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createPools } from '../../sys/index.ts';
import { contentStoreSuite } from '../testing/content-store-suite.ts';
import { FsContentStore } from './store.ts';

const pools = createPools({ short: 1, bulk: 1 });
afterAll(() => pools[Symbol.asyncDispose]());

contentStoreSuite('files', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'slipway-content-'));
  const store = new FsContentStore({ blobs: join(dir, 'blobs'), tmp: join(dir, 'tmp'), pools });
  return {
    store,
    leftovers: () => readdirSync(join(dir, 'tmp')).length,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      rmSync(dir, { recursive: true });
    },
  };
});
