import { beforeEach, describe, expect, test } from 'vitest';
import { type Digest, digestOf, HOUSE, neverAborted } from '../../../base/index.ts';
import { pullLoss } from '../../../cache/refs/fetching.ts';
import type { CacheWritten } from '../../engine/index.ts';
import type { ExportContext, LayerSource } from '../../exporters/index.ts';
import { fakeContext } from '../../exporters/testing/fakes.ts';
import type { CacheContent, CacheStore, LayerToWrite } from '../store.ts';

/** One cache that nothing was written into yet. */
export interface CacheStoreWorld {
  /** The store as who writes opens it, anew each time. */
  writer(): CacheStore;
  /** The same as who reads does, who knows what writing answered last. */
  reader(written: CacheWritten): CacheStore;
  /** What may be told to nobody. */
  readonly secrets: readonly string[];
}

/** A layer of these bytes, which may be said to be others. */
export function layerToWrite(bytes: Uint8Array, digest: Digest = digestOf(bytes)): LayerToWrite {
  const diffId = digestOf(`unpacked ${digest}`);
  const descriptor = {
    ...{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: bytes.length },
    annotations: { 'containerd.io/uncompressed': diffId },
  };
  const { annotations: _own, ...named } = descriptor;
  const source: LayerSource = {
    ...{ descriptor: named, sources: {}, check: async () => {}, givenTo: () => {} },
    open: async () => ReadableStream.from([bytes.subarray(0, 1000), bytes.subarray(1000)]),
  };
  return { descriptor, diffId, source };
}

/** What every {@link CacheStore} holds to. */
export function cacheStoreSuite(name: string, open: () => CacheStoreWorld): void {
  describe(`cache store: ${name}`, () => {
    let world: CacheStoreWorld;
    beforeEach(() => {
      world = open();
    });

    const contextOf = (signal = neverAborted): ExportContext => fakeContext(signal);
    const access = { signal: neverAborted, sessions: () => ['s'], owner: HOUSE };
    const layers = ['lower', 'upper'].map((text) => layerToWrite(Buffer.alloc(5000, text)));
    const [lower, upper] = layers.map(({ descriptor }) => descriptor.digest) as [Digest, Digest];
    const createdAt = Date.UTC(2020, 1, 1);
    /** A root, and what a step made on it. */
    const content: CacheContent = {
      layers: new Map(layers.map((layer) => [layer.descriptor.digest, layer])),
      records: [
        { digest: digestOf('root'), inputs: [], results: [{ blobs: [lower], createdAt }] },
        {
          ...{ digest: digestOf('step'), inputs: [[{ selector: 's', link: 0 }]] },
          results: [{ blobs: [lower, upper], createdAt }],
        },
      ],
    };

    async function write(written: CacheContent, store = world.writer()): Promise<CacheWritten> {
      const index = await store.encode(written, { signal: neverAborted });
      for (const blob of index.blobs) {
        const layer = written.layers.get(blob);
        if (layer !== undefined) await store.putBlob(layer.source, contextOf(), () => {});
      }
      await index.begin?.(contextOf());
      return await index.write(contextOf());
    }
    const bytesIn = async (store: CacheStore, layer: LayerToWrite) =>
      Buffer.concat(await Array.fromAsync(await store.openBlob(layer.source.descriptor, access)));

    test('says that there is nothing where nothing was written', async () => {
      const reader = world.reader({ response: {}, digest: digestOf('nothing') });
      const read = await reader.read(access).catch((error: unknown) => error);
      if (read instanceof Error) expect(read).toMatchObject({ code: 'not_found' });
      else expect(read).toEqual([]);
    });

    test('gives what was written: records and what is to be known of layers', async () => {
      const store = world.writer();
      const index = await store.encode(content, { signal: neverAborted });
      expect([...index.blobs].sort()).toEqual([lower, upper].sort());
      expect(index.size).toBeGreaterThan(0);
      const written = await write(content, store);
      const [read, ...others] = await world.reader(written).read(access);
      expect(others).toEqual([]);
      expect(read?.digest).toBe(written.digest);
      expect(read?.configDigest).toBe(index.configDigest);
      expect(read?.config.records.map(({ digest }) => digest).sort()).toEqual(
        content.records.map(({ digest }) => digest).sort(),
      );
      for (const { descriptor, diffId } of layers)
        expect(read?.layers.get(descriptor.digest)).toMatchObject({
          diffId,
          descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
        });
    });

    test('an index takes the place of the one before as a whole', async () => {
      await write(content);
      const written = await write({ ...content, records: content.records.slice(0, 1) });
      const [read] = await world.reader(written).read(access);
      expect(read?.config.records.map(({ digest }) => digest)).toEqual([digestOf('root')]);
      expect([...(read?.layers.keys() ?? [])]).toEqual([lower]);
    });

    test('a blob is given whole, and written again it is what it was', async () => {
      const store = world.writer();
      const layer = layers[0]!;
      for (let n = 0; n < 2; n++) {
        await store.putBlob(layer.source, contextOf(), () => {});
        expect(digestOf(await bytesIn(world.writer(), layer))).toBe(lower);
      }
    });

    test('a blob that is not there is gone', async () => {
      const { descriptor } = layerToWrite(Buffer.from('never written')).source;
      const given = world.writer().openBlob(descriptor, access);
      const read = given.then((stream) => Array.fromAsync(stream));
      expect(await read.then(() => 'given', pullLoss)).toBe('gone');
    });

    test('takes no bytes that are not what their digest says, where it says so', async () => {
      const store = world.writer();
      if (!store.verifies) return;
      const wrong = layerToWrite(Buffer.alloc(5000, 'wrong'), digestOf('right'));
      await expect(store.putBlob(wrong.source, contextOf(), () => {})).rejects.toThrow();
      const read = store.openBlob(wrong.source.descriptor, access).then((stream) => Array.fromAsync(stream));
      expect(await read.then(() => 'given', pullLoss)).toBe('gone');
    });

    test('does nothing for who has gone', async () => {
      const store = world.writer();
      const gone = AbortSignal.abort(new Error('enough'));
      await store.putBlob(layers[0]!.source, contextOf(), () => {});
      await expect(store.openBlob(layers[0]!.source.descriptor, { ...access, signal: gone })).rejects.toThrow('enough');
      await expect(store.putBlob(layers[1]!.source, contextOf(gone), () => {})).rejects.toThrow('enough');
      const index = await store.encode(content, { signal: neverAborted });
      if (index.begin !== undefined) await expect(index.begin(contextOf(gone))).rejects.toThrow('enough');
      await expect(index.write(contextOf(gone))).rejects.toThrow('enough');
      await expect(store.read({ ...access, signal: gone })).rejects.toThrow('enough');
    });

    test('goes by the same names whenever it is opened, with no secrets in them', () => {
      const [first, second] = [world.writer(), world.writer()];
      expect(second.id).toBe(first.id);
      expect(second.place).toEqual(first.place);
      const told = JSON.stringify([first.name, first.id, first.place]);
      for (const secret of world.secrets) expect(told).not.toContain(secret);
    });
  });
}
