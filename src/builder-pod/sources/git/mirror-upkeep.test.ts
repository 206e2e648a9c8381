import { expect, test } from 'vitest';
import { neverAborted as signal } from '../../../base/index.ts';
import type { RefManager } from '../../../cache/ports.ts';
import { WorkerPool } from '../../../sys/index.ts';
import { MirrorUpkeep } from './mirror-upkeep.ts';

test('a build that wants a mirror does not wait until it is packed, one that stops neither', async () => {
  const begun: string[] = [];
  const ended: string[] = [];
  // A lock that never comes stands for work that takes long.
  const refs = {
    openNamed: ({ key }: { key: string }, options: { signal: AbortSignal }) =>
      new Promise((_, reject) => {
        begun.push(key);
        options.signal.addEventListener('abort', () => {
          ended.push(key);
          reject(options.signal.reason);
        });
      }),
  } as unknown as RefManager;
  await using cleanup = new AsyncDisposableStack();
  await using upkeep = new MirrorUpkeep(refs, cleanup.use(new WorkerPool({ name: 'test', threads: 1 })));
  const mirror = (url: string) => ({ scope: 'a', url, sha256: false });
  await upkeep.giveWay(mirror('one'), { signal });
  for (const url of ['one', 'two']) upkeep.fetched(mirror(url));
  upkeep.fetched(mirror('one'));
  expect(begun).toEqual(['git-mirror:one', 'git-mirror:two']);
  await upkeep.giveWay(mirror('one'), { signal });
  expect(ended).toEqual(['git-mirror:one']);
  upkeep.fetched(mirror('one'));
  await upkeep[Symbol.asyncDispose]();
  expect(ended.sort()).toEqual(['git-mirror:one', 'git-mirror:one', 'git-mirror:two']);
  upkeep.fetched(mirror('one'));
  expect(begun).toHaveLength(3);
});
