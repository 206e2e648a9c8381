import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import type { Layer } from '../ports.ts';
import { makeRef } from '../testing/make-ref.ts';
import { openTestState } from '../testing/open-state.ts';
import { TestRepositories } from '../testing/places.ts';

/** Blobs that are made of layers for images, and are not the layers themselves. */
const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const LONG_AGO = 1_000_000_000;
const LATER = 4_000_000_000;
const gzip = { type: 'gzip' } as const;
const digestsOf = (layers: readonly Layer[]) => layers.map(({ descriptor }) => descriptor.digest);

test('a layer with its times brought down is made once, and the ref keeps its own', async () => {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, 'a'), 'one'));
  const [layer] = (await ref.layers(options)) as [Layer];
  const clamped = await ref.clamped(layer, { ...options, compression: gzip, latest: LONG_AGO });
  expect(clamped.diffId).not.toBe(layer.diffId);
  expect(clamped.descriptor.digest).not.toBe(layer.descriptor.digest);
  const [again, packed] = await Promise.all([
    ref.clamped(layer, { ...options, compression: gzip, latest: LONG_AGO }),
    ref.clamped(layer, { ...options, compression: { type: 'zstd' }, latest: LONG_AGO }),
  ]);
  expect(again).toEqual(clamped);
  expect(packed).toMatchObject({ diffId: clamped.diffId, descriptor: { mediaType: expect.stringMatching(/zstd$/) } });
  for (const one of [clamped, packed]) expect(state.content.has(one.descriptor.digest)).toBe(true);
  expect((await Array.fromAsync(await ref.openBlob(clamped.descriptor, options))).length).toBeGreaterThan(0);
  // Nothing else is told of them.
  expect(digestsOf(await ref.layers(options))).toEqual([layer.descriptor.digest]);
  expect(digestsOf(await ref.layers({ ...options, compression: { type: 'zstd' } }))).toEqual([layer.descriptor.digest]);
  expect(digestsOf(ref.packed({ compression: gzip }) ?? [])).toEqual([layer.descriptor.digest]);
});

test('a layer without later times stays itself, and is looked through once', async () => {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, 'a'), 'one'));
  const [layer] = (await ref.layers(options)) as [Layer];
  let converted = 0;
  const { convert } = state.refs.records.options.tools;
  Object.assign(state.refs.records.options.tools, {
    convert: (...args: Parameters<typeof convert>) => {
      converted++;
      return convert(...args);
    },
  });
  for (const latest of [LATER, LATER, LATER + 1])
    expect(await ref.clamped(layer, { ...options, compression: gzip, latest })).toEqual(layer);
  expect(converted).toBe(1);
  // It is packed as it was asked for all the same.
  const zstd = { ...options, compression: { type: 'zstd' }, latest: LATER } as const;
  expect(await ref.clamped(layer, zstd)).toMatchObject({
    diffId: layer.diffId,
    descriptor: { mediaType: expect.stringMatching(/zstd$/) },
  });
});

test('estargz is told by its annotations, and what is made of it has no table of its own', async () => {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, 'a'), 'one'));
  const estargz = { type: 'estargz' } as const;
  const [table] = (await ref.layers({ ...options, compression: estargz })) as [Layer];
  expect(Object.keys(table.descriptor.annotations ?? {})).toContain('containerd.io/snapshot/stargz/toc.digest');
  const [plain] = (await ref.layers({ ...options, compression: gzip })) as [Layer];
  expect(plain.descriptor.digest).not.toBe(table.descriptor.digest);
  expect(plain.descriptor.annotations).not.toHaveProperty(['containerd.io/snapshot/stargz/toc.digest']);
  expect(digestsOf(await ref.layers({ ...options, compression: estargz }))).toEqual(digestsOf([table]));

  // Given by a registry, it is pulled like any other, and packed as a layer without a table is.
  const bytes = new Map([[table.descriptor.digest, readFileSync(state.content.path(table.descriptor.digest))]]);
  const repositories = new TestRepositories();
  await using other = await openTestState({ fetchers: repositories.fetchers });
  const { place } = repositories.repository(bytes);
  const pulled = await other.refs.fromLayers([table], { ...options, description: 'pulled', places: [place] });
  const force = { ...options, compression: { ...gzip, force: true } };
  expect(digestsOf(await pulled.layers(force))).toEqual(digestsOf([plain]));
  expect(digestsOf(await pulled.layers({ ...options, compression: { ...estargz, force: true } }))).toEqual(
    digestsOf([table]),
  );
  await using mounted = await pulled.mount(options);
  expect(readFileSync(join(mounted.root, 'a'), 'utf8')).toBe('one');
  expect(() => readFileSync(join(mounted.root, 'stargz.index.json'))).toThrow(/ENOENT/);
});

const STARGZ = /stargz/;
/** As a cache or a Docker media type leaves it. */
const unannotated = ({ descriptor, diffId }: Layer): Layer => {
  const kept = Object.entries(descriptor.annotations ?? {}).filter(([name]) => !STARGZ.test(name));
  return { descriptor: { ...descriptor, annotations: Object.fromEntries(kept) }, diffId };
};

/** A gzip stream that ends as an eStargz does whose table begins at `at`. */
function endingIn(content: Uint8Array, at: number): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, 0x53, 0x47, 22, 0]);
  const field = Buffer.from(`${at.toString(16).padStart(16, '0')}STARGZ`, 'latin1');
  return Buffer.concat([content, head, field, Buffer.from([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0])]);
}

async function convertedFrom(layer: Layer, blob: Buffer): Promise<readonly Layer[]> {
  const repositories = new TestRepositories();
  await using state = await openTestState({ fetchers: repositories.fetchers });
  const { place } = repositories.repository(new Map([[layer.descriptor.digest, blob]]));
  const pulled = await state.refs.fromLayers([layer], { ...options, description: 'pulled', places: [place] });
  return await pulled.layers({ ...options, compression: { type: 'zstd', force: true } });
}

test('estargz is converted, and held to its diff id, whether or not its descriptor tells of it', async () => {
  await using state = await openTestState();
  const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, 'a'), 'one'));
  const [table] = (await ref.layers({ ...options, compression: { type: 'estargz' } })) as [Layer];
  const [zstd] = (await ref.layers({ ...options, compression: { type: 'zstd', force: true } })) as [Layer];
  const blob = readFileSync(state.content.path(table.descriptor.digest));
  for (const layer of [table, unannotated(table)])
    expect(digestsOf(await convertedFrom(layer, blob))).toEqual(digestsOf([zstd]));
  const other: Layer = { ...table, diffId: zstd.diffId };
  const lying = { ...other, descriptor: { ...other.descriptor, annotations: { ...table.descriptor.annotations } } };
  lying.descriptor.annotations['containerd.io/uncompressed'] = zstd.diffId;
  for (const layer of [lying, unannotated(lying)])
    await expect(convertedFrom(layer, blob)).rejects.toMatchObject({ reason: 'REF_LAYER_MISDESCRIBED' });
});

test('no file of a layer is lost to an end that tells of a table where there is none', async () => {
  await using state = await openTestState();
  const packed = async (name: string) => {
    const ref = await makeRef(state, undefined, (root) => writeFileSync(join(root, name), name));
    const [{ descriptor }] = (await ref.layers({ ...options, compression: gzip })) as [Layer];
    return gunzipSync(readFileSync(state.content.path(descriptor.digest)));
  };
  // Without the end of its archive.
  const [first, second] = [(await packed('a')).subarray(0, -1024), await packed('b')];
  const head = gzipSync(first);
  const blob = endingIn(Buffer.concat([head, gzipSync(second)]), head.length);
  const diffId = digestOf(Buffer.concat([first, second]));
  const annotations = { 'containerd.io/uncompressed': diffId };
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const descriptor = { mediaType, digest: digestOf(blob), size: blob.length, annotations };
  await expect(convertedFrom({ descriptor, diffId }, blob)).rejects.toMatchObject({ reason: 'TAR_MALFORMED' });
});
