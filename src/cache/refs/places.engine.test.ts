import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CodedError, type Digest, HOUSE, neverAborted } from '../../base/index.ts';
import { findLostResult, type LossKind } from '../../solver/ports.ts';
import type { BlobFetcher, BlobFetchers, BlobPlace, Layer } from '../ports.ts';
import { openTestState } from '../testing/open-state.ts';
import { blobUnknown, repositoryPlace, TestRepositories } from '../testing/places.ts';
import { localFetcher, refResult } from './index.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => ['s'] };
const describing = { ...options, description: 'test' };

let layers: readonly Layer[];
const bytes = new Map<Digest, Buffer>();
/** An OCI layout with the layers. */
let layout: string;

beforeAll(async () => {
  layout = mkdtempSync(join(tmpdir(), 'slipway-layout-'));
  await using state = await openTestState({ root: layout });
  const mutable = await state.refs.create(undefined, describing);
  {
    await using view = await mutable.mount(options);
    writeFileSync(join(view.root, 'a'), 'one');
  }
  const ref = await mutable.commit(options);
  layers = await ref.layers(options);
  for (const { descriptor } of layers)
    bytes.set(descriptor.digest, readFileSync(state.content.path(descriptor.digest)));
  await ref.release();
});
afterAll(() => rmSync(layout, { recursive: true, force: true }));

const refused = () => new CodedError('permission_denied', 'not yours');
const cut = () => new CodedError('unavailable', 'cut');

describe('a blob at several places', () => {
  test('is had from the first that gives it, in their order, whole or as a stream', async () => {
    const repositories = new TestRepositories();
    await using state = await openTestState({ fetchers: repositories.fetchers });
    const from = [
      Object.assign(repositories.repository(bytes, 'one.example/a'), { fail: blobUnknown() }),
      repositories.repository(new Map([...bytes].map(([d, b]) => [d, Buffer.alloc(b.length)])), 'two.example/a'),
      repositories.repository(bytes, 'three.example/a'),
      repositories.repository(bytes, 'four.example/a'),
    ];
    const places = from.map(({ place }) => place);
    const ref = await state.refs.fromLayers(layers, { ...describing, places });
    const streamed = await ref.openBlob(layers[0]!.descriptor, options);
    await streamed.cancel();
    expect(from.map(({ opened }) => opened.length)).toEqual([1, 1, 0, 0]);
    await using view = await ref.mount(options);
    expect(readdirSync(view.root)).toEqual(['a']);
    // The second gave other bytes than it had promised.
    expect(from.map(({ opened }) => opened.length)).toEqual([2, 2, 1, 0]);
    // Only who delivered it vouches for it from now on.
    const alone = (n: number) => state.refs.fromLayers(layers, { ...describing, places: [places[n]!] });
    const again = await alone(2);
    const { digest } = layers[0]!.descriptor;
    const isHere = ({ id }: { id: string }) => {
      const { records } = state.refs;
      return records.isHere(records.row(id)!, records.blobs(id)[0]!);
    };
    expect([isHere(again), isHere(await alone(1)), isHere(await alone(3))]).toEqual([true, false, false]);
    expect(state.content.has(digest)).toBe(true);
    await ref.release();
    await again.release();
  });

  test.each<[readonly (() => Error)[], LossKind]>([
    [[blobUnknown, blobUnknown], 'gone'],
    [[blobUnknown, refused], 'refused'],
    [[refused, blobUnknown], 'refused'],
    [[blobUnknown, cut, refused], 'unavailable'],
  ])('%#: it is gone only when all of them say so', async (failures, kind) => {
    const repositories = new TestRepositories();
    const dropped: string[] = [];
    await using state = await openTestState({
      fetchers: repositories.fetchers,
      onResultDropped: (id) => void dropped.push(id),
    });
    const from = failures.map((fail, n) =>
      Object.assign(repositories.repository(bytes, `registry.example/${n}`), { fail: fail() }),
    );
    const places = from.map(({ place }) => place);
    const ref = await state.refs.fromLayers(layers, { ...describing, places });
    await state.results.save(refResult(ref.clone()));
    for (const work of [() => ref.mounts(options), () => ref.openBlob(layers[0]!.descriptor, options)])
      expect(findLostResult(await work().catch((error: unknown) => error))).toMatchObject({ kind });
    expect(dropped.length > 0).toBe(kind === 'gone');
    await ref.release();
  });

  test('what no other place can help with ends the search', async () => {
    const repositories = new TestRepositories();
    await using state = await openTestState({ fetchers: repositories.fetchers });
    const full = new CodedError('resource_exhausted', 'the disk is full');
    const first = Object.assign(repositories.repository(bytes, 'one.example/a'), { fail: full });
    const second = repositories.repository(bytes, 'two.example/a');
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [first.place, second.place] });
    await expect(ref.mounts(options)).rejects.toThrow('the disk is full');
    expect(second.opened).toEqual([]);
    await ref.release();
  });

  test('the same layers at other places are another ref: what one repository brought is not had by a list that names another', async () => {
    const repositories = new TestRepositories();
    await using state = await openTestState({ fetchers: repositories.fetchers });
    const owner = repositories.repository(bytes, 'private.example/image');
    const mine = await state.refs.fromLayers(layers, { ...describing, places: [owner.place] });
    await mine.mounts(options);
    const claims = ['hostile.example/x', 'hostile.example/y'].map((name) =>
      Object.assign(repositories.repository(bytes, name), { fail: blobUnknown() }),
    );
    const places = claims.map(({ place }) => place);
    const theirs = await state.refs.fromLayers(layers, { ...describing, places });
    expect([theirs.id === mine.id, theirs.lazy]).toEqual([false, true]);
    await expect(theirs.mounts(options)).rejects.toMatchObject({ code: 'not_found' });
    const inOtherOrder = await state.refs.fromLayers(layers, { ...describing, places: places.toReversed() });
    expect(inOtherOrder.id).toBe(theirs.id);
    await mine.release();
    await theirs.release();
    await inOtherOrder.release();
  });

  test('one that lives with a session is used while it is there, and not written down', async () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-places-'));
    try {
      const client: BlobFetcher<Extract<BlobPlace, { kind: 'local' }>> = {
        ...localFetcher(),
        lasting: false,
      };
      const fetchers: BlobFetchers = { local: client };
      const place: BlobPlace = { kind: 'local', directory: layout };
      let id: string;
      {
        await using state = await openTestState({ root, fetchers });
        const ref = await state.refs.fromLayers(layers, { ...describing, places: [place] });
        id = await state.results.save(refResult(ref.clone()));
        expect(state.results.exists(id)).toBe(true);
        expect(state.db.all('SELECT * FROM blob_places')).toEqual([]);
        await ref.release();
      }
      {
        await using state = await openTestState({ root, fetchers });
        expect([state.results.exists(id), state.refs.records.count()]).toEqual([false, 0]);
        const ref = await state.refs.fromLayers(layers, { ...describing, places: [place, place] });
        id = await state.results.save(refResult(ref.clone()));
        await ref.mounts(options);
        expect(state.db.all('SELECT * FROM blob_deliveries')).toEqual([]);
        await ref.release();
      }
      // What it delivered is here.
      await using state = await openTestState({ root });
      expect(state.results.exists(id)).toBe(true);
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  test('a layout on this machine that lost a blob is gone, one that is not there may come back', async () => {
    const fetcher = localFetcher();
    const { descriptor } = layers[0]!;
    const open = (directory: string, size = descriptor.size) =>
      fetcher.open({ kind: 'local', directory }, { ...descriptor, size }, options);
    const got = Buffer.concat(await Array.fromAsync(await open(layout)));
    expect(got.equals(bytes.get(descriptor.digest)!)).toBe(true);
    await expect(open(layout, 1)).rejects.toMatchObject({ code: 'data_loss' });
    await expect(open(join(dirname(layout), 'nowhere'))).rejects.toMatchObject({ code: 'unavailable' });
    const other = { ...descriptor, digest: `sha256:${'0'.repeat(64)}` as Digest };
    await expect(fetcher.open({ kind: 'local', directory: layout }, other, options)).rejects.toMatchObject({
      reason: 'REF_CONTENT_GONE',
    });
  });

  test('a push may mount it from every repository that has it; a lazy one only from those that it is said to be at', async () => {
    const repositories = new TestRepositories();
    await using state = await openTestState({ fetchers: repositories.fetchers });
    const from = repositories.repository(bytes, 'registry.example/from');
    const elsewhere = repositories.repository(bytes, 'registry.example/elsewhere');
    const ref = await state.refs.fromLayers(layers, { ...describing, places: [from.place] });
    const sources = async () =>
      (await ref.layers(options)).map(
        ({ descriptor }) => descriptor.annotations?.['containerd.io/distribution.source.registry.example'],
      );
    const other = await state.refs.fromLayers(layers, { ...describing, places: [elsewhere.place] });
    await other.mounts(options);
    expect(await sources()).toEqual(['from']);
    await ref.mounts(options);
    for (const { descriptor } of layers) ref.givenTo(descriptor, repositoryPlace('registry.example/pushed'));
    expect(await sources()).toEqual(['from,elsewhere,pushed']);
    await ref.release();
    await other.release();
  });
});
