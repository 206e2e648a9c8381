import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CodedError, type Digest, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import { RegistryError } from '../../oci/registry-client/index.ts';
import { findLostResult, type LossKind } from '../../solver/ports.ts';
import { prune } from '../gc/index.ts';
import type { ImmutableRef, Layer, RefOptions } from '../ports.ts';
import { makeRef as build } from '../testing/make-ref.ts';
import { openTestState as openState } from '../testing/open-state.ts';
import { repositoryPlace, TestRepositories, type TestRepository } from '../testing/places.ts';
import { refResult } from './index.ts';
import { placeText } from './places.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const describing = { ...options, description: 'test' };

/** A registry: the layers of an image, made once in a state of its own. */
async function image(): Promise<{ layers: readonly Layer[]; bytes: Map<Digest, Buffer> }> {
  made ??= makeImage();
  const { layers, bytes } = await made;
  return { layers, bytes: new Map(bytes) };
}

let made: ReturnType<typeof makeImage> | undefined;

async function makeImage() {
  await using state = await openTestState();
  const one = await build(state, undefined, (root) => {
    writeFileSync(join(root, 'a'), 'one');
    writeFileSync(join(root, 'gone'), 'one');
  });
  const two = await build(state, one, (root) => {
    writeFileSync(join(root, 'b'), 'two');
    rmSync(join(root, 'gone'));
  });
  const layers = await two.layers(options);
  const bytes = new Map(layers.map(({ descriptor: { digest } }) => [digest, readFileSync(state.content.path(digest))]));
  return { layers, bytes };
}

const repositories = new TestRepositories();
const provider = (bytes: ReadonlyMap<Digest, Uint8Array>, reference?: string) =>
  repositories.repository(bytes, reference);
const openTestState = (given: Parameters<typeof openState>[0] = {}) =>
  openState({ fetchers: repositories.fetchers, ...given });

/** A layer without annotations, which tell of the ref and not of the bytes. */
function withoutNotes({ descriptor: { digest, size, mediaType }, diffId }: Layer) {
  return { digest, size, mediaType, diffId };
}

describe('lazy refs', () => {
  test('nothing is pulled until it is mounted; then each blob once, for all that wait', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const from = provider(bytes);
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    const same = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    expect(same.id).toBe(ref.id);
    expect(ref.lazy).toBe(true);
    expect((await ref.layers(options)).map(withoutNotes)).toEqual(layers.map(withoutNotes));
    expect(from.opened).toEqual([]);

    const rows: string[] = [];
    const watching: RefOptions = {
      ...options,
      sessions: () => ['s1'],
      onProgress: ({ id, completed }) => completed && rows.push(id),
    };
    const others: string[] = [];
    const watchingToo = { ...watching, onProgress: ({ id }: { id: string }) => void others.push(id) };
    await Promise.all([
      ref.mounts(watching),
      // Another step of that build: the rows are shown once.
      ref.mounts(watchingToo),
      same.mounts({ ...options, sessions: () => ['s2'] }),
      ref.mounts(options),
    ]);
    expect(others).toEqual([]);
    const digests = layers.map(({ descriptor }) => descriptor.digest);
    expect(from.opened.toSorted()).toEqual(digests.toSorted());
    expect(from.sessions[0]).toEqual(['s1', 's2']);
    expect(rows.toSorted()).toEqual([...digests, ...digests.map((digest) => `extracting ${digest}`)].toSorted());
    expect(ref.lazy).toBe(false);
    await using view = await ref.mount(options);
    expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);

    // A chain that shares its lower part shares the snapshot.
    const lower = await state.refs.fromLayers(layers.slice(0, 1), { ...describing, places: [from.place] });
    expect(lower.lazy).toBe(false);
  });

  test('a base is one file that each life mounts; one that is damaged is unpacked again, and one that is pruned leaves nothing', async () => {
    const { layers, bytes } = await image();
    const root = mkdtempSync(join(tmpdir(), 'slipway-state-'));
    const mounted = () =>
      readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes(root));
    const life = async (isLazy: boolean, between: (file: string) => void) => {
      await using state = await openTestState({ root, minImageBytes: 0 });
      const { refs, snapshotter } = state;
      const ref = await refs.fromLayers(layers, { ...describing, places: [provider(bytes).place] });
      expect(ref.lazy).toBe(isLazy);
      {
        await using view = await ref.mount(options);
        expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
        expect(readFileSync(join(view.root, 'a'), 'utf8')).toBe('one');
      }
      const [base] = snapshotter.list().filter(({ parent }) => parent === undefined);
      const directory = snapshotter.upperDir(base!.name);
      expect(mounted()).toEqual([expect.stringContaining(`${directory} erofs ro`)]);
      // What stands on it may link its files, and is packed as if they lay in a directory.
      const onTop = await build(state, ref, (view) => writeFileSync(join(view, 'a'), 'changed'));
      expect((await onTop.layers(options)).length).toBe(3);
      await onTop.release();
      await ref.release();
      between(join(dirname(directory), 'image'));
    };
    try {
      await life(true, (file) => expect(existsSync(file)).toBe(true));
      expect(mounted()).toEqual([]);
      await life(false, (file) => writeFileSync(file, 'damaged'));
      await life(true, () => {});
      {
        await using state = await openTestState({ root, minImageBytes: 0 });
        await prune(state.refs, { ...options, all: true, blobGraceMs: -60_000 });
        await state.trash.idle();
        expect(state.snapshotter.list()).toEqual([]);
        expect(readdirSync(state.layout.snapshots)).toEqual([]);
        expect(mounted()).toEqual([]);
      }
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test('a build’s limit on what a layer unpacks to is told by name, and costs one that joined without it nothing', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [provider(bytes).place] });
    const held = {
      ...options,
      limits: () => ({ unpackedLayerBytes: { most: 2, name: 'limits.x of the BuilderPool ci' } }),
    };
    const refused = expect.objectContaining({
      reason: 'UNPACK_LIMIT',
      message: expect.stringMatching(/^it unpacks to more than 2 bytes \(limits\.x of the BuilderPool ci\)$/),
      hint: expect.stringContaining('raise limits.x of the BuilderPool ci'),
    });
    await expect(ref.mounts(held)).rejects.toEqual(refused);
    expect(ref.lazy).toBe(true);
    // The first two are in the same unpacking, whose limits were set when the other came.
    const unpacking = Promise.withResolvers<void>();
    const watched: RefOptions = {
      ...held,
      onProgress: ({ id, completed }) => {
        if (id.startsWith('extracting ') && !completed) unpacking.resolve();
      },
    };
    const first = ref.mounts(watched).then(
      () => 'mounted',
      (error: unknown) => error,
    );
    await unpacking.promise;
    await ref.mounts(options);
    expect(await first).toEqual(refused);
    // What is here already is used as it is.
    await ref.mounts(held);
  });

  test('a build’s limit holds also for what is unpacked to make a layer of a difference, and costs no other build anything', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const places = [provider(bytes).place];
    const refs = layers.map((layer) => state.refs.fromLayers([layer], { ...describing, places }));
    const [lower, upper] = (await Promise.all(refs)) as [ImmutableRef, ImmutableRef];
    const diff = await state.refs.diff(lower, upper, describing);
    const limits = () => ({ unpackedLayerBytes: { most: 2, name: 'a limit' } });
    await expect(diff.layers({ ...options, limits })).rejects.toMatchObject({ reason: 'UNPACK_LIMIT' });
    expect(await diff.layers(options)).toHaveLength(1);
  });

  test('pulls that hang, however many one client has, keep no other client from the same registry', async () => {
    const layers: Layer[] = [];
    const bytes = new Map<Digest, Buffer>();
    {
      await using made = await openTestState();
      for (let n = 0; n < 8; n++) {
        const ref = await build(made, undefined, (root) => writeFileSync(join(root, 'n'), `${n}`));
        for (const layer of await ref.layers(options)) {
          layers.push(layer);
          bytes.set(layer.descriptor.digest, readFileSync(made.content.path(layer.descriptor.digest)));
        }
      }
    }
    await using state = await openTestState();
    const lazy = (layer: Layer, from: TestRepository) =>
      state.refs.fromLayers([layer], { ...describing, places: [from.place] });
    const hanging = Object.assign(provider(bytes), { hang: true });
    const [mine, ...theirs] = layers;
    const stop = new AbortController();
    const stuck = theirs.map(async (layer) =>
      (await lazy(layer, hanging)).mounts({ signal: stop.signal, owner: HOUSE, sessions: () => ['s1'] }),
    );
    const ended = Promise.allSettled(stuck);
    await expect.poll(() => hanging.opened.length).toBe(6);
    const ref = await lazy(mine!, provider(bytes));
    await ref.mounts({ ...options, sessions: () => ['s2'] });
    expect(ref.lazy).toBe(false);
    stop.abort(new Error('enough'));
    expect((await ended).map(({ status }) => status)).toEqual(theirs.map(() => 'rejected'));
  });

  test('a failed or aborted pull leaves nothing half, and the next one succeeds', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const from = provider(bytes);
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    from.fail = new CodedError('unauthenticated', 'no access');
    await expect(ref.mounts(options)).rejects.toMatchObject({ code: 'unauthenticated' });
    delete from.fail;
    from.hang = true;
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('gone')), 100);
    await expect(ref.mounts({ ...options, signal: controller.signal })).rejects.toThrow('gone');
    expect(ref.lazy).toBe(true);
    from.hang = false;
    const right = bytes.get(layers[1]?.descriptor.digest as Digest) as Buffer;
    bytes.set(layers[1]?.descriptor.digest as Digest, Buffer.alloc(right.length));
    await expect(ref.mounts(options)).rejects.toMatchObject({ code: 'data_loss' });
    await expect.poll(() => readdirSync(state.layout.tmp)).toEqual(['trash']);
    bytes.set(layers[1]?.descriptor.digest as Digest, right);
    await ref.mounts(options);
    expect(state.snapshotter.list().map(({ kind }) => kind)).toEqual(['committed', 'committed']);
  });

  test('a layer whose unpacking the database has no room for leaves no files', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [provider(bytes).place] });
    state.db.run(
      `CREATE TEMP TRIGGER full BEFORE UPDATE OF snapshot ON main.refs BEGIN SELECT RAISE (ABORT, 'full'); END`,
    );
    await expect(ref.mounts(options)).rejects.toThrow('full');
    expect(state.snapshotter.list()).toEqual([]);
    state.db.run('DROP TRIGGER full');
    expect(await ref.mounts(options)).toHaveLength(1);
  });

  test('one of several that wait may leave', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const from = provider(bytes);
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    const controller = new AbortController();
    const leaving = expect(ref.mounts({ ...options, signal: controller.signal })).rejects.toThrow('left');
    const staying = ref.mounts(options);
    setTimeout(() => controller.abort(new Error('left')), 5);
    await leaving;
    await staying;
    expect(from.opened).toHaveLength(2);
  });

  test('another scope gets neither the snapshot nor the blob without asking the registry', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const mine = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [provider(bytes).place] });
    await mine.mounts(options);
    const theirs = provider(bytes);
    theirs.fail = new CodedError('permission_denied', 'not yours');
    const other = await state.refs.fromLayers(layers, { ...describing, scope: 'b', places: [theirs.place] });
    expect(other.lazy).toBe(true);
    await expect(other.mounts(options)).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(other.openBlob(layers[0]!.descriptor, options)).rejects.toMatchObject({ code: 'permission_denied' });
    delete theirs.fail;
    await other.mounts(options);
    expect(other.lazy).toBe(false);
  });

  test('whoever names a blob that others brought gets it once its own registry has delivered every byte', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const mine = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [provider(bytes).place] });
    await mine.mounts(options);
    const zeros = () => new Map([...bytes].map(([digest, { length }]) => [digest, Buffer.alloc(length)]));
    // Another tenant's registry, another repository of the same tenant, and the same repository named by another tenant.
    const claims = [
      { scope: 'b', reference: 'hostile.example/x' },
      { scope: 'a', reference: 'hostile.example/x' },
      { scope: 'b', reference: 'registry.example/image' },
    ];
    for (const { scope, reference } of claims) {
      const theirs = provider(zeros(), reference);
      const other = await state.refs.fromLayers(layers, { ...describing, scope, places: [theirs.place] });
      expect(other.id).not.toBe(mine.id);
      expect(other.lazy).toBe(true);
      await expect(other.mounts(options)).rejects.toMatchObject({ code: 'data_loss' });
      await expect(other.check({ ...options, blob: layers[0]!.descriptor })).rejects.toMatchObject({
        code: 'data_loss',
      });
      const forced = { ...options, compression: { type: 'zstd', force: true } } as const;
      await expect(other.layers(forced)).rejects.toMatchObject({ code: 'data_loss' });
      const streamed = await other.openBlob(layers[0]!.descriptor, options);
      expect(Buffer.concat(await Array.fromAsync(streamed)).every((byte) => byte === 0)).toBe(true);
      expect(other.lazy).toBe(true);
      // The owner has lost nothing by it.
      for (const { descriptor } of layers) expect(await state.content.verify(descriptor.digest, options)).toBe(true);

      const right = provider(bytes, reference);
      const again = await state.refs.fromLayers(layers, { ...describing, scope, places: [right.place] });
      await using view = await again.mount(options);
      expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
      expect(right.opened).toHaveLength(layers.length);
    }
  });

  test('one repository delivers a blob to a scope once; what two have delivered is unpacked once', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const first = provider(bytes, 'registry.example/image:1');
    const one = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [first.place] });
    await one.mounts(options);
    const second = provider(bytes, 'registry.example/image:2');
    const swapped = await state.refs.fromLayers(layers.toReversed(), {
      ...describing,
      scope: 'a',
      places: [second.place],
    });
    await swapped.mounts(options);
    expect(second.opened).toEqual([]);

    const committed = () => state.snapshotter.list().length;
    const before = committed();
    const other = provider(bytes, 'registry.example/other');
    const two = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [other.place] });
    await two.mounts(options);
    expect(other.opened).toHaveLength(layers.length);
    expect(committed()).toBe(before);
    // And stays when the one that unpacked it goes.
    await one.release();
    for (const { id } of state.refs.records.layersOf(one.id).reverse()) expect(await state.refs.remove(id)).toBe(true);
    await using view = await two.mount(options);
    expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
    await swapped.release();
  });

  test('what was pushed somewhere is had from there without its bytes, while the blob is here', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const first = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [provider(bytes).place] });
    await first.mounts(options);
    for (const { descriptor } of layers) first.givenTo(descriptor, repositoryPlace('registry.example/out:latest'));
    // Not what the ref has no layer of, nor what the scope has never had itself: a registry may say that it has it already.
    const lazy = await state.refs.fromLayers(layers, { ...describing, scope: 'b', places: [provider(bytes).place] });
    for (const { descriptor } of layers) lazy.givenTo(descriptor, repositoryPlace('registry.example/out:latest'));
    first.givenTo({ ...layers[0]!.descriptor, digest: digestOf('other') }, repositoryPlace('registry.example/out'));
    expect(state.db.all('SELECT DISTINCT digest FROM blob_deliveries')).toHaveLength(layers.length);
    for (const [scope, opened] of [
      ['a', 0],
      ['b', layers.length],
    ] as const) {
      const out = provider(bytes, 'registry.example/out:latest');
      const ref = await state.refs.fromLayers(layers, { ...describing, scope, places: [out.place] });
      await ref.mounts(options);
      expect(out.opened).toHaveLength(opened);
      await ref.release();
    }
    await first.release();
    await prune(state.refs, { ...options, all: true, blobGraceMs: -60_000 });
    expect(state.db.all('SELECT * FROM blob_deliveries')).toEqual([]);
  });

  test('pushed under ever new names, a blob is remembered for the newest of them', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const ref = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [provider(bytes).place] });
    await ref.mounts(options);
    const { descriptor } = layers[0]!;
    for (let i = 0; i < 1000; i++) ref.givenTo(descriptor, repositoryPlace(`registry.example/out${i}`));
    const places = 'SELECT place FROM blob_deliveries WHERE digest = ?';
    const known = state.db.all<{ place: string }>(places, descriptor.digest).map(({ place }) => place);
    expect(known.length).toBeLessThanOrEqual(256);
    expect(known).toContain(placeText(repositoryPlace('registry.example/out999')));
    await ref.release();
  });

  test('a manifest that lies about sizes or diff ids costs its own build, and nobody a blob', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const mine = await state.refs.fromLayers(layers, { ...describing, scope: 'a', places: [provider(bytes).place] });
    await mine.mounts(options);
    const [bottom, top] = layers as [Layer, Layer];
    const lies: Record<string, Layer> = {
      smaller: { ...bottom, descriptor: { ...bottom.descriptor, size: bottom.descriptor.size - 1 } },
      larger: { ...bottom, descriptor: { ...bottom.descriptor, size: bottom.descriptor.size + 1 } },
      'another diff id': { ...bottom, diffId: top.diffId },
    };
    for (const scope of ['a', 'b']) {
      for (const [lie, layer] of Object.entries(lies)) {
        const theirs = provider(bytes, 'hostile.example/x');
        const ref = await state.refs.fromLayers([layer, top], { ...describing, scope, places: [theirs.place] });
        await expect(ref.mounts(options), lie).rejects.toMatchObject(
          lie === 'another diff id'
            ? { code: 'invalid_argument', message: expect.stringContaining(top.diffId) as string }
            : { code: 'data_loss' },
        );
        expect(ref.lazy).toBe(true);
        for (const { descriptor } of layers) expect(await state.content.verify(descriptor.digest, options)).toBe(true);
      }
      // Nor has the scope anything to do with it that is told the truth, be it by the same repository.
      const honest = provider(bytes, 'hostile.example/x');
      const right = await state.refs.fromLayers(layers, { ...describing, scope, places: [honest.place] });
      await using view = await right.mount(options);
      expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
    }
    await using view = await mine.mount(options);
    expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
  });

  const refusal = (status: number, code?: string) =>
    new RegistryError(
      status === 404 ? 'not_found' : status < 500 ? 'permission_denied' : 'unavailable',
      `status ${status}`,
      {
        ...{ status, url: 'http://registry.example/v2/' },
        diagnostics: code === undefined ? [] : [{ code, message: '' }],
      },
    );

  test.each<[string, Error | 'wrong bytes', LossKind]>([
    ['401', new CodedError('unauthenticated', 'log in'), 'refused'],
    ['403', refusal(403), 'refused'],
    ['404 of the repository', refusal(404, 'NAME_UNKNOWN'), 'refused'],
    ['429', refusal(429), 'unavailable'],
    ['503', refusal(503), 'unavailable'],
    ['no connection', new CodedError('unavailable', 'cut'), 'unavailable'],
    [
      'no trust',
      new CodedError('failed_precondition', 'self-signed', { reason: 'REGISTRY_CERTIFICATE' }),
      'unavailable',
    ],
    ['other bytes', 'wrong bytes', 'unavailable'],
    ['404 of the blob', refusal(404, 'BLOB_UNKNOWN'), 'gone'],
  ])('a pull that meets %s costs that build; only what is gone is forgotten', async (_, failure, kind) => {
    const { layers, bytes } = await image();
    const dropped: string[] = [];
    await using state = await openTestState({ onResultDropped: (id) => void dropped.push(id) });
    const from = provider(
      failure === 'wrong bytes' ? new Map([...bytes].map(([d, b]) => [d, Buffer.alloc(b.length)])) : bytes,
    );
    if (failure !== 'wrong bytes') from.fail = failure;
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    await state.results.save(refResult(ref.clone()));
    const forced = { ...options, compression: { type: 'zstd', force: true } } as const;
    for (const work of [
      () => ref.mounts(options),
      () => ref.layers(forced),
      () => ref.check({ ...options, blob: layers[0]!.descriptor }),
    ])
      expect(findLostResult(await work().catch((error: unknown) => error))).toMatchObject({
        kind,
        resultIds: [ref.id],
      });
    expect(new Set(dropped)).toEqual(new Set(kind === 'gone' ? [ref.id] : []));
    const right = provider(bytes);
    const again = await state.refs.fromLayers(layers, { ...describing, places: [right.place] });
    expect(again.id).toBe(ref.id);
    await again.mounts(options);
  });

  test('compression: blobs are converted only when forced, and keep their diff id', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [provider(bytes).place] });
    const kept = await ref.layers({ ...options, compression: { type: 'zstd' } });
    expect(kept.map(withoutNotes)).toEqual(layers.map(withoutNotes));
    const forced = await ref.layers({ ...options, compression: { type: 'zstd', force: true } });
    expect(forced.map(({ descriptor }) => descriptor.mediaType)).toEqual([
      'application/vnd.oci.image.layer.v1.tar+zstd',
      'application/vnd.oci.image.layer.v1.tar+zstd',
    ]);
    expect(forced.map(({ diffId }) => diffId)).toEqual(layers.map(({ diffId }) => diffId));
    const stream = await ref.openBlob(forced[0]!.descriptor, options);
    expect(Buffer.concat(await Array.fromAsync(stream))).toHaveLength(forced[0]!.descriptor.size);
    expect(ref.lazy).toBe(true);
  });

  test('a blob that went bad here is fetched again', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const from = provider(bytes);
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    await ref.layers({ ...options, compression: { type: 'uncompressed', force: true } });
    const { digest, size } = layers[0]!.descriptor;
    writeFileSync(state.content.path(digest), Buffer.alloc(size));
    // What was made of it is the better blob while it is there.
    state.db.run(`DELETE FROM ref_blobs WHERE origin = 'made'`);
    await expect(ref.mounts(options)).rejects.toMatchObject({ code: 'data_loss' });
    await ref.mounts(options);
    expect(from.opened.filter((one) => one === digest)).toHaveLength(2);
  });

  test('a chain that comes from another registry in another form is pulled from there', async () => {
    const { layers, bytes } = await image();
    await using state = await openTestState();
    const first = provider(bytes);
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [first.place] });
    const zstd = await ref.layers({ ...options, compression: { type: 'zstd', force: true } });
    const others = new Map(
      zstd.map(({ descriptor: { digest } }) => [digest, readFileSync(state.content.path(digest))] as const),
    );
    await using fresh = await openTestState();
    const gone = provider(bytes);
    gone.fail = new CodedError('unavailable', 'registry is gone');
    await fresh.refs.fromLayers(layers, { ...describing, places: [gone.place] });
    const second = await fresh.refs.fromLayers(zstd, { ...describing, places: [provider(others).place] });
    await second.mounts(options);
    expect(second.lazy).toBe(false);
  });

  test('after a restart a lazy ref is there with a provider, gone without', async () => {
    const { layers, bytes } = await image();
    const { mkdtempSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const root = mkdtempSync(join(tmpdir(), 'slipway-state-'));
    try {
      let id: string;
      {
        await using state = await openTestState({ root });
        const ref = await state.refs.fromLayers(layers, { ...describing, places: [provider(bytes).place] });
        ref.setMetadata('digest', 'x');
        id = await state.results.save({
          id: ref.id,
          value: ref,
          clone: () => {
            throw new Error();
          },
          release: async () => {},
        });
      }
      {
        await using state = await openTestState({ root, fetchers: {} });
        expect(state.results.exists(id)).toBe(false);
        expect(await state.results.load(id, { signal: neverAborted, owner: HOUSE })).toBeUndefined();
      }
      await using state = await openTestState({ root });
      const ref = (await state.results.load(id, { signal: neverAborted, owner: HOUSE }))?.value as ImmutableRef;
      expect(ref.getMetadata('digest')).toBe('x');
      await using view = await ref.mount(options);
      expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
