import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Digest, digestOf, neverAborted } from '../../base/index.ts';
import { createPools, type Pools } from '../../sys/index.ts';
import { FsContentStore } from '../content/index.ts';
import type { Refs } from '../refs/index.ts';
import { collectBlobs } from './blobs.ts';

const options = { signal: neverAborted };
let folder: string;
let pools: Pools;
let content: FsContentStore;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-blobs-'));
  pools = createPools({ short: 2, bulk: 2 });
  content = new FsContentStore({
    blobs: path.join(folder, 'blobs'),
    tmp: path.join(folder, 'tmp'),
    pools,
    background: pools.bulk,
    rebooted: false,
  });
});
afterEach(async () => {
  await content.close();
  await pools[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** All that the collector asks of refs: which blobs are held. */
const refsThatHold = (held: ReadonlySet<string>): Refs =>
  ({
    records: {
      places: { forgetDeliveries: () => {} },
      options: { content, db: { get: (_: string, digest: string) => (held.has(digest) ? {} : undefined) } },
    },
  }) as unknown as Refs;

async function takeOld(text: string): Promise<Digest> {
  const { digest } = await content.ingest(Buffer.from(text), {}, options);
  utimesSync(content.path(digest), 1, 1);
  return digest;
}

test('a blob that is taken while it is being collected is there afterwards', async () => {
  const texts = Array.from({ length: 100 }, (_, n) => `blob ${n}`.repeat(100));
  for (const text of texts) await takeOld(text);
  const held = new Set<string>();
  const taken: Digest[] = [];
  const takes: Promise<void>[] = [];
  // Each removal waits for a thread; a build whose turn comes meanwhile takes the same blob, by its digest or without knowing it.
  const remove = content.remove.bind(content);
  content.remove = (digest, how) => {
    const removing = remove(digest, how);
    const take = async () => {
      await new Promise(setImmediate);
      const bytes = Buffer.from(texts.find((text) => digestOf(text) === digest) as string);
      await content.ingest(bytes, takes.length % 2 === 0 ? { digest, size: bytes.length } : {}, options);
      held.add(digest);
      taken.push(digest);
    };
    takes.push(take());
    return removing;
  };
  await collectBlobs(refsThatHold(held), { ...options, graceMs: 600_000 });
  await Promise.all(takes);
  expect(taken).toHaveLength(100);
  expect(taken.filter((digest) => !content.has(digest))).toEqual([]);
});

test('one that was found here by an ingest is as good as new, and none that work under way has taken goes', async () => {
  const found = await takeOld('found');
  const forgotten = await takeOld('forgotten');
  await content.ingest(Buffer.from('found'), { digest: found }, options);
  await collectBlobs(refsThatHold(new Set()), { ...options, graceMs: 600_000 });
  expect([found, forgotten].map((digest) => content.has(digest))).toEqual([true, false]);

  let busySince = Date.now();
  const { digest } = await content.ingest(Buffer.from('manifest'), {}, options);
  // Without any grace, as prune asks.
  const collect = () => collectBlobs(refsThatHold(new Set()), { ...options, graceMs: 0, busySince: () => busySince });
  await collect();
  expect(content.has(digest)).toBe(true);
  busySince = Number.POSITIVE_INFINITY;
  await collect();
  expect(content.has(digest)).toBe(false);
});

test('others have their turn while many blobs are looked at', async () => {
  const digests = Array.from({ length: 40 }, (_, n) => digestOf(`${n}`));
  async function* list() {
    for (const digest of digests) yield { digest, size: 1, writtenAt: 0 };
  }
  const get = () => {
    for (const end = performance.now() + 2; performance.now() < end; );
    return {};
  };
  const refs = { records: { options: { content: { list }, db: { get } } } } as unknown as Refs;
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await collectBlobs(refs, { ...options, graceMs: 0 });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
});
