import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Descriptor, type Digest, digestOf } from '../../base/index.ts';
import { parseManifestOrIndex } from '../../oci/manifest/index.ts';
import { decodeMount, encodeMount, MAX_MOUNT_CHUNKS, mountKey, mountTag, type SavedMount } from './artifact.ts';
import { mountManifestOf } from './document-task.ts';

const MIB = 1 << 20;
const blobOf = (name: string): Descriptor => ({ mediaType: '', digest: digestOf(`blob ${name}`), size: MIB });
const chunk = (name: string) => ({ digest: digestOf(name), size: MIB, blob: blobOf(name) });
const KEY = mountKey({ scope: 'team', id: 'go' });

function mountOf(names: readonly string[]): SavedMount {
  return {
    ...{ id: 'go', key: KEY, savedAt: Date.parse('2026-01-02T03:04:05.000Z'), diffId: digestOf('tar') },
    ...{ diffSize: names.length * MIB, root: { mode: 0o1777, uid: 0, gid: 5 }, chunks: names.map(chunk) },
  };
}

/** As a registry gives it back, something in it changed. */
function reread(
  mount: SavedMount,
  change: (config: Record<string, unknown>) => object = (config) => config,
): SavedMount {
  const { config, manifest } = encodeMount(mount);
  const parsed = parseManifestOrIndex(manifest.bytes, manifest.descriptor.mediaType);
  if (parsed.kind === 'index') throw new Error('it is an index');
  const said = change(JSON.parse(Buffer.from(config.bytes).toString()) as Record<string, unknown>);
  return decodeMount(Buffer.from(JSON.stringify(said)), parsed.manifest.layers);
}

test('what is written of a mount is read again; a chunk that comes twice is one layer', () => {
  const mount = mountOf(['a', 'b', 'a']);
  const { manifest } = encodeMount(mount);
  const { layers } = mountManifestOf({ bytes: manifest.bytes, mediaType: manifest.descriptor.mediaType })!;
  expect(layers.map(({ digest }) => digest)).toEqual([blobOf('a').digest, blobOf('b').digest]);
  const read = reread(mount);
  expect({ ...read, chunks: read.chunks.map(({ blob, ...one }) => ({ ...one, blob: blob.digest })) }).toEqual({
    ...mount,
    chunks: mount.chunks.map(({ blob, ...one }) => ({ ...one, blob: blob.digest })),
  });
});

test('a chunk that cannot be compressed may be as large as zstd makes it', () => {
  const packed = (size: number) => ({
    ...mountOf([]),
    diffSize: MIB,
    chunks: [{ ...chunk('a'), blob: { ...blobOf('a'), size } }],
  });
  const most = MIB + (MIB >> 7) + 1024;
  expect(most).toBeGreaterThan(zstdCompressSync(randomBytes(MIB)).length);
  expect(reread(packed(most)).chunks).toHaveLength(1);
  expect(() => reread(packed(most + 1))).toThrow(`a chunk of ${MIB} bytes is in a blob of ${most + 1}`);
});

test('the largest one fits what registries and readers take', () => {
  const { config, manifest } = encodeMount(mountOf(Array.from({ length: MAX_MOUNT_CHUNKS }, (_, n) => `${n}`)));
  for (const { bytes } of [config, manifest]) expect(bytes.length).toBeLessThan(4 * MIB);
  expect(parseManifestOrIndex(manifest.bytes).kind).toBe('manifest');
});

test('scope, id and seed are each of their own in the name', () => {
  const seed: Digest = digestOf('seed');
  const of = (scope: string, id: string, more?: Digest) => mountKey({ scope, id, seed: more });
  const keys = [of('a', 'b'), of('ab', ''), of('', 'ab'), of('b', 'a'), of('a', 'b', seed), of('a', `b${seed}`)];
  expect(new Set(keys).size).toBe(keys.length);
  expect(mountTag(undefined, KEY)).toMatch(/^mount-[0-9a-f]{64}$/);
  expect(mountTag('x'.repeat(63), KEY)).toHaveLength(128);
});

test.each<readonly [string, (config: Record<string, unknown>) => object]>([
  ['another version', (config) => ({ ...config, version: 2 })],
  ['a chunk that the manifest does not have', (config) => ({ ...config, chunks: [[digestOf('x'), MIB, 7]] })],
  ['a chunk before the first', (config) => ({ ...config, chunks: [[digestOf('x'), MIB, -1]] })],
  ['sizes that do not add up', (config) => ({ ...config, diffSize: 5 })],
  ['a chunk larger than any', (config) => ({ ...config, chunks: [[digestOf('x'), 1 << 30, 0]], diffSize: 1 << 30 })],
  ['a digest that is none', (config) => ({ ...config, diffId: 'sha256:../../etc' })],
  ['a mode with a type', (config) => ({ ...config, root: { mode: 0o104755, uid: 0, gid: 0 } })],
  [
    'a blob that is larger than its chunk can be',
    (config) => ({ ...config, chunks: [[digestOf('a'), 5, 0]], diffSize: 5 }),
  ],
  [
    'a blob of which one of its chunks is too small a part',
    (config) => ({ ...config, chunks: [...[[digestOf('a'), MIB, 0]], [digestOf('b'), 0, 0]] }),
  ],
  ['no time', (config) => ({ ...config, savedAt: 'yesterday' })],
  [
    '100,000 chunks',
    (config) => ({ ...config, chunks: Array(100_000).fill([digestOf('a'), 1, 0]), diffSize: 100_000 }),
  ],
])('%s is refused', (_what, change) => {
  expect(() => reread(mountOf(['a']), change)).toThrow(expect.objectContaining({ reason: 'CACHE_MALFORMED' }));
});

test('what is no saved cache mount is none', () => {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('x'), size: 1 };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }));
  expect(mountManifestOf({ bytes, mediaType })).toBeUndefined();
  expect(() => decodeMount(Buffer.from('nonsense'), [])).toThrow(
    expect.objectContaining({ reason: 'CACHE_MALFORMED' }),
  );
});
