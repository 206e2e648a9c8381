import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { newId } from '../../base/index.ts';
import { FileActions, type State as Llb, scratch } from '../../llb/index.ts';
import { GatedBuilds, text } from './testing/gated-builds.ts';

/** The whole cache, written at the end. */
const MAX = { to: [{ mode: 'max' }] };

let world: GatedBuilds;

beforeAll(async () => {
  world = await GatedBuilds.start();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.begin());
afterEach(() => world.end());

/** So many steps, each with a layer. */
function steps(count: number): Llb {
  let target = world.base;
  for (let n = 0; n < count; n++) target = text(`step-${n}`, target);
  return target;
}
/** What these are made on: the archive, and what is unpacked of it. */
const BASE_LAYERS = 2;
const failing = (on: Llb) => on.file(new FileActions().copy(scratch(), '/no', '/where'), { name: 'failing' });

const requests = (method: string, part: string) =>
  world.proxy.requests.filter((request) => request.method === method && request.path.includes(part));
/** Blobs that were sent, by digest. */
const sent = () =>
  requests('PUT', '/blobs/uploads/').map(({ path }) => new URL(path, 'http://registry').searchParams.get('digest')!);
const manifests = () => requests('PUT', '/manifests/');
/** Layers that were ever packed. */
const packed = () =>
  world.builder.state.db.all<{ n: number }>('SELECT COUNT(*) AS n FROM ref_blobs WHERE held = 1')[0]!.n;
const until = async (what: () => number, count: number) => await expect.poll(what).toBeGreaterThanOrEqual(count);

test('what steps have made is packed and in the registry before the last one is done, and after it nothing is left to do of them', async () => {
  const target = world.gated('last', steps(39));
  const building = world.solve(newId(), target, MAX);
  await until(() => sent().length, 39 + BASE_LAYERS);
  await until(() => world.waiting.length, 1);
  expect(manifests()).toEqual([]);
  const before = packed();
  world.proxy.requests.length = 0;
  world.open();
  expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  expect(packed()).toBe(before + 1);
  // The last layer and the records; no other is asked for.
  expect(sent()).toHaveLength(2);
  expect(requests('HEAD', '/blobs/').length).toBeLessThanOrEqual(2);
  expect(manifests()).toHaveLength(1);
  expect((await world.written())?.layers).toHaveLength(40 + BASE_LAYERS);
  const other = await world.solve(newId(), target, { from: [{}] });
  expect(other).toMatchObject({ cached: expect.arrayContaining(['step-0', 'step-38', 'last']) as string[] });
});

test('what an image of the build has in the same registry is not sent for the cache as well', async () => {
  const image = `${world.proxy.host}/image-${newId()}:1`;
  const building = world.solve(newId(), world.gated('last', steps(3)), { ...MAX, image });
  // By the image: the base and three files.
  await until(() => sent().length, 4);
  world.open();
  expect(await building).toMatchObject({ error: undefined, failed: [] });
  expect(new Set(sent()).size).toBe(sent().length);
  expect((await world.written())?.layers).toHaveLength(4 + BASE_LAYERS);
});

test('two caches in one registry are sent each layer once', async () => {
  const building = world.solve(newId(), world.gated('last', steps(3)), {
    to: [{ mode: 'max' }, { mode: 'max', ref: `${world.proxy.host}/other-${newId()}:cache` }],
  });
  await until(() => sent().length, 3 + BASE_LAYERS);
  world.open();
  expect(await building).toMatchObject({ error: undefined, failed: [] });
  // The records are of both.
  expect(sent().length - new Set(sent()).size).toBeLessThanOrEqual(1);
});

test('a build that fails names nothing in the registry, and waits for no upload that hangs', async () => {
  let held = 0;
  world.proxy.fault = ({ method }) => method === 'PUT' && ++held > 0;
  const building = world.solve(newId(), failing(world.gated('gate', steps(3))), MAX);
  await until(() => held, 1);
  await until(() => world.waiting.length, 1);
  world.open();
  const { error, failed } = await building;
  expect(String(error)).toMatch(/no such file|not found/);
  expect(failed).toEqual(['failing']);
  expect(manifests()).toEqual([]);
  const { db, refs } = world.builder.state;
  const ids = db.all<{ id: string }>('SELECT id FROM refs').map(({ id }) => id);
  await expect.poll(() => ids.filter((id) => refs.records.inUse(id))).toEqual([]);
});

test('a registry that refuses what comes early is not asked again before the end, and has it all then', async () => {
  world.proxy.fault = ({ method }, res) => {
    if (method !== 'POST') return false;
    res.writeHead(403).end();
    return true;
  };
  const building = world.solve(newId(), world.gated('last', steps(3)), MAX);
  await until(() => requests('POST', '/blobs/').length, 1);
  await until(() => world.waiting.length, 1);
  world.proxy.fault = () => undefined;
  const asked = requests('POST', '/blobs/').length;
  world.open();
  expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  expect(asked).toBeLessThanOrEqual(2);
  expect((await world.written())?.layers).toHaveLength(4 + BASE_LAYERS);
});

test('what the registry has lost by the end is sent again', async () => {
  const building = world.solve(newId(), world.gated('last', steps(3)), MAX);
  await until(() => sent().length, 3 + BASE_LAYERS);
  const [lost] = sent();
  expect((await fetch(`http://${world.api}/blobs/${lost}`, { method: 'DELETE' })).status).toBe(202);
  world.open();
  expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  expect(sent().filter((digest) => digest === lost)).toHaveLength(2);
  expect((await world.written())?.layers).toHaveLength(4 + BASE_LAYERS);
});
