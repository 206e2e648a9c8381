import { expect, test } from 'vitest';
import { CodedError, type Digest, digestOf, neverAborted } from '../../base/index.ts';
import { RegistryError } from '../../oci/registry-client/index.ts';
import { CACHE_CONFIG_TYPE } from '../remote/cache-config.ts';
import { chooseCaches, type KeepCaches, pruneCaches } from './prune.ts';
import { readTags, type Tagged } from './tagged.ts';

const DAY = 86_400_000;
const NOW = 100 * DAY;

function cache(tag: string, days: number | undefined, blobs: Readonly<Record<string, number>>): Tagged {
  const digest = digestOf(tag.replace(/ .*/, ''));
  return {
    ...{
      tag: tag.replace(/^.* /, ''),
      digest,
      kind: 'cache',
      manifests: [digest],
      manifestBytes: 10,
      records: 1,
      signed: false,
    },
    blobs: new Map(Object.entries(blobs).map(([name, size]) => [digestOf(name), size])),
    ...(days === undefined ? {} : { createdAt: NOW - days * DAY }),
  };
}

const CACHES = [
  cache('old', 30, { base: 100, a: 10 }),
  cache('new', 1, { base: 100, b: 20 }),
  cache('middle', 10, { base: 100, c: 30 }),
  cache('new again', 1, { base: 100, b: 20 }),
];

test.each<readonly [string, KeepCaches, readonly string[]]>([
  ['the newest ones, each under all its names', { keepLast: 1 }, ['middle', 'old']],
  ['as many as there are', { keepLast: 9 }, []],
  ['none', { keepLast: 0 }, ['new+again', 'middle', 'old']],
  ['what is young enough', { olderThanMs: 9 * DAY }, ['middle', 'old']],
  ['what is young enough, and the newest anyway', { keepLast: 2, olderThanMs: DAY / 2 }, ['old']],
  ['what there is room for, what is shared counted once', { maxBytes: 150 }, ['old']],
  ['nothing that is too large', { maxBytes: 110 }, ['new+again', 'middle', 'old']],
  ['both', { maxBytes: 150, olderThanMs: 5 * DAY }, ['middle', 'old']],
])('keeps %s', (_what, keep, doomed) => {
  const chosen = chooseCaches(CACHES, keep, NOW);
  expect(chosen.doomed.map(({ tags }) => tags.join('+'))).toEqual(doomed);
  expect(chosen.kept.length + chosen.doomed.length).toBe(3);
});

test('what says nothing of its age is never too old, images are never chosen, nor what an index is made of', () => {
  const part = cache('part', 90, { x: 1 });
  const index: Tagged = { ...cache('index', 90, { x: 1 }), kind: 'other', manifests: [digestOf('index'), part.digest] };
  const image: Tagged = { ...cache('image', 90, { y: 1 }), kind: 'other' };
  const unreadable: Tagged = { ...cache('unreadable', undefined, { z: 1 }), fault: 'malformed' };
  const { kept, doomed } = chooseCaches([part, index, image, unreadable], { olderThanMs: DAY }, NOW);
  expect(kept.map(({ digest }): Digest => digest).sort()).toEqual([part.digest, unreadable.digest].sort());
  expect(doomed).toEqual([]);
});

test.each<readonly [string, KeepCaches, readonly string[]]>([
  ['the newest', { keepLast: 1 }, ['middle', 'old']],
  ['what there is room for', { maxBytes: 150 }, ['old']],
  ['what is young enough', { keepLast: 1, olderThanMs: DAY / 2 }, ['middle', 'old']],
  ['none', { keepLast: 0 }, ['unreadable', 'new+again', 'middle', 'old']],
])('a cache without an age takes the place of no other where what stays is %s', (_what, keep, doomed) => {
  const unreadable: Tagged = { ...cache('unreadable', undefined, { z: 1000 }), fault: 'malformed' };
  const chosen = chooseCaches([unreadable, ...CACHES], keep, NOW);
  expect(chosen.doomed.map(({ tags }) => tags.join('+'))).toEqual(doomed);
  expect(chosen.kept.length + chosen.doomed.length).toBe(4);
});

const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf('layer'), size: 10 };
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

function manifestOf(config: typeof LAYER, layer: typeof LAYER) {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const bytes = json({ schemaVersion: 2, mediaType, config, layers: [layer] });
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

/** Caches by tags, the first the oldest; the records of the last are asked for in vain. */
function repositoryOf(tags: readonly string[], failure: CodedError) {
  const caches = tags.map((tag, day) => {
    const layer = { ...LAYER, digest: digestOf(`${tag} layer`) };
    const results = [{ layer: 0, createdAt: new Date(day * DAY + 1).toISOString() }];
    const records = json({
      layers: [{ blob: layer.digest, parent: -1 }],
      records: [{ digest: digestOf(tag), layers: results }],
    });
    const config = { mediaType: CACHE_CONFIG_TYPE, digest: digestOf(records), size: records.length };
    return { tag, records, config, ...manifestOf(config, layer) };
  });
  const lost = caches.at(-1)!.config.digest;
  const others: (ReturnType<typeof manifestOf> & { readonly tag: string })[] = [];
  const deleted: string[] = [];
  const blobs: Digest[] = [];
  const find = (reference: string) => {
    const found = [...caches, ...others]
      .filter(({ tag }) => !deleted.includes(tag))
      .find(({ tag, descriptor }) => tag === reference || descriptor.digest === reference);
    if (found === undefined) throw refused(404);
    return found;
  };
  return {
    ...{ deleted, blobs },
    /** Puts something under a tag that is no cache. */
    add: (tag: string) => others.push({ tag, ...manifestOf({ ...LAYER, digest: digestOf(`${tag} config`) }, LAYER) }),
    digestOf: (tag: string) => find(tag).descriptor.digest,
    tags: async () =>
      [...tags, ...others.map(({ tag }) => tag)].filter((tag) => !deleted.includes(tag) && !tag.startsWith('untagged')),
    resolve: async (tag: string) => find(tag).descriptor,
    getManifest: async (reference: string) => find(reference),
    getBlob: async ({ digest }: { readonly digest: Digest }) => {
      if (digest === lost) throw failure;
      return caches.find(({ config }) => config.digest === digest)!.records;
    },
    referrers: async () => [],
    deleteManifest: async (digest: Digest) => deleted.push(find(digest).tag) > 0,
    deleteBlob: async (digest: Digest) => blobs.push(digest) > 0,
  };
}

const PRUNE = { keep: { keepLast: 1 }, blobs: false, dryRun: false, now: NOW, signal: neverAborted };
const refused = (status: number) =>
  new RegistryError(status === 404 ? 'not_found' : 'unavailable', `status ${status}`, { status, url: '' });

test.each([
  ['too many requests', refused(429)],
  ['an unwell registry', refused(503)],
  ['a cut connection', CodedError.of('REGISTRY_CUT', 'unexpected EOF')],
])('%s where records are read stops a prune before it begins', async (_what, failure) => {
  const repository = repositoryOf(['a', 'b', 'c'], failure);
  await expect(pruneCaches(repository, PRUNE)).rejects.toBe(failure);
  expect(repository.deleted).toEqual([]);
});

test.each([
  ['gone', refused(404)],
  ['damaged', CodedError.of('OCI_DIGEST_MISMATCH', 'the blob is not what its digest says')],
  ['malformed', CodedError.of('CACHE_MALFORMED', 'malformed cache config')],
])('records that are %s cost none of the caches that can be read', async (_what, failure) => {
  const repository = repositoryOf(['a', 'b', 'c'], failure);
  const { kept } = await pruneCaches(repository, PRUNE);
  expect(repository.deleted).toEqual(['a']);
  expect(kept.flatMap(({ tags }) => tags).sort()).toEqual(['b', 'c']);
});

test('blobs, which a writer may just have found there, are deleted only where that is said', async () => {
  const repository = repositoryOf(['a', 'b'], refused(404));
  const { blobs } = await pruneCaches(repository, { ...PRUNE, keep: { keepLast: 0 } });
  expect(repository.deleted.sort()).toEqual(['a', 'b']);
  expect(repository.blobs).toEqual([]);
  expect(blobs).toMatchObject({ count: 4, left: expect.stringContaining('--blobs') });
  const other = repositoryOf(['a', 'b'], refused(404));
  await pruneCaches(other, { ...PRUNE, keep: { keepLast: 0 }, blobs: true });
  expect(other.blobs).toHaveLength(4);
});

const signatureOf = (digest: Digest) => `${digest.replace(':', '-')}.sig`;

test('signatures go with what they are of, and those stay of what stays', async () => {
  const repository = repositoryOf(['a', 'b', 'untagged', 'c'], refused(404));
  const of = (tag: string) => signatureOf(repository.digestOf(tag));
  const [ofA, ofB, ofReplaced, ofGone] = [of('a'), of('b'), of('untagged'), signatureOf(digestOf('gone'))];
  repository.add('image');
  repository.add('untagged image');
  const [ofImage, ofUntagged] = [of('image'), of('untagged image')];
  for (const tag of [ofA, ofB, ofReplaced, ofGone, ofImage, ofUntagged]) repository.add(tag);
  const tags = await readTags(repository, { signal: neverAborted });
  const signed = tags.filter(({ signed: isSigned }) => isSigned).map(({ tag }) => tag);
  expect(signed.sort()).toEqual(['a', 'b', 'image']);
  expect(tags.filter(({ kind }) => kind === 'attached')).toHaveLength(6);
  expect(await readTags(repository, { signal: neverAborted, only: 'b' })).toMatchObject([{ tag: 'b', signed: true }]);

  const dry = await pruneCaches(repository, { ...PRUNE, dryRun: true });
  expect(repository.deleted).toEqual([]);
  const { attached, deleted } = await pruneCaches(repository, PRUNE);
  expect(dry.attached).toEqual(attached);
  // An image that has no tag may have been pushed so, and its signature is its own.
  expect([...attached].sort()).toEqual([ofA, ofReplaced, ofGone].sort());
  expect(deleted.flatMap((group) => group.tags)).toEqual(['a']);
  expect(repository.deleted).toEqual(['a', ofA, ...attached.filter((tag) => tag !== ofA)]);
  expect(await pruneCaches(repository, PRUNE)).toMatchObject({ deleted: [], attached: [] });
});

test.each([
  ['has been made within the hour', 3_600_000, 'read'],
  ['cannot be read', 30 * DAY, 'lost'],
])('a signature stays whose cache has no name yet, where that %s', async (_what, age, records) => {
  const repository = repositoryOf(['untagged', 'last'], refused(404));
  if (records === 'lost') Object.assign(repository, { getBlob: () => Promise.reject(refused(404)) });
  const signature = signatureOf(repository.digestOf('untagged'));
  repository.add(signature);
  // Its newest result is of one millisecond after the beginning.
  const pruned = await pruneCaches(repository, { ...PRUNE, now: age + 1 });
  expect([pruned.attached, repository.deleted]).toEqual([[], []]);
  if (records === 'read')
    expect(await pruneCaches(repository, { ...PRUNE, now: age + 2 })).toMatchObject({ attached: [signature] });
});

test('what is attached under another name as well is left alone', async () => {
  const repository = repositoryOf(['a', 'b', 'c'], refused(404));
  const tag = signatureOf(repository.digestOf('a'));
  repository.add(tag);
  const { bytes, descriptor } = await repository.getManifest(tag);
  const tags = repository.tags;
  const both = {
    ...repository,
    tags: async () => [...(await tags()), 'backup'],
    resolve: async (name: string) => (name === 'backup' ? descriptor : await repository.resolve(name)),
    getManifest: async (name: string) => (name === 'backup' ? { bytes, descriptor } : repository.getManifest(name)),
  };
  expect(await pruneCaches(both, PRUNE)).toMatchObject({ attached: [] });
  expect(repository.deleted).toEqual(['a']);
});
