import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { neverAborted, newId } from '../../base/index.ts';
import { FileActions, type State as Llb, scratch } from '../../llb/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import type { PulledBytes } from '../engine/pulled-bytes.ts';
import { type ToldSteps, watchSteps } from '../engine/testing/told-steps.ts';
import { inCircles } from './testing/in-circles.ts';
import { azureWorld, ghaWorld, type StoreWorld, s3World } from './testing/store-worlds.ts';

const signal = neverAborted;
const timestamp = 1_500_000_000n * 10n ** 9n;
const text = (name: string, on: Llb = scratch(), content = name) =>
  on.file(new FileActions().mkfile(`/${name}`, 0o644, Buffer.from(content), { timestamp }), { name });
/** Reads what is below it, so that it must be mounted. */
const copied = (from: Llb, path: string, to: string) =>
  scratch().file(new FileActions().copy(from, path, `/${to}`), { name: to });
const graph = () => text('three', text('two', text('one')));
const secondOf = (content?: string) => copied(text('two', text('one', scratch(), content), content), '/two', 'copied');

type Fault = (req: IncomingMessage, res: ServerResponse, world: StoreWorld) => boolean;

const isIndex: Fault = (req, _res, world) => world.isIndex(req);
const isLayer: Fault = (req, _res, world) => world.isLayer(req);

/** Answers so where `which` holds. */
const answers =
  (which: Fault, status: number, body: string | Buffer = '', headers: Readonly<Record<string, string>> = {}): Fault =>
  (req, res, world) => {
    if (!which(req, res, world)) return false;
    res.writeHead(status, headers).end(body);
    return true;
  };

const missing =
  (which: Fault): Fault =>
  (req, res, world) =>
    answers(which, world.missing.status, world.missing.body, world.missing.headers)(req, res, world);

/** Passes on another index, or less or more of what was asked for, than the store has. */
const changed =
  (which: Fault, change: (body: Buffer) => Buffer, length?: (body: Buffer) => number): Fault =>
  (req, res, world) => {
    if (!which(req, res, world)) return false;
    const headers = req.headers as Record<string, string>;
    void (async () => {
      const asked = request(`${world.target}${req.url}`, { headers }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      const given = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
      const body = change(given);
      res.writeHead(answer.statusCode ?? 0, { 'content-length': length?.(given) ?? body.length });
      res.end(body, () => res.destroy());
    })();
    return true;
  };

const forged = (from: RegExp, to: string) =>
  changed(isIndex, (body) => Buffer.from(body.toString().replaceAll(from, to)));

/** What the cache cannot say or give any more is made anew, and the rest of the build is as if there had been no cache. */
const FAULTS: readonly (readonly [string, Fault])[] = [
  ['there is none', missing(isIndex)],
  ['it may not be read', answers(isIndex, 403)],
  ['it is no JSON', answers(isIndex, 200, 'nonsense')],
  ['it is cut off', changed(isIndex, (body) => body.subarray(0, 50))],
  ['it is larger than any', changed(isIndex, (body) => Buffer.concat([body, Buffer.alloc(2 << 20, ' ')]))],
  ['its store is asked too much', answers(isIndex, 429, '', { 'retry-after': '1' })],
  ['its store does not answer', (req, res, world) => isIndex(req, res, world)],
  ['its layers are not there', missing(isLayer)],
  ['its layers are refused', answers(isLayer, 403)],
  ['its store fails', answers(isLayer, 503)],
  ['its layers are others', changed(isLayer, (body) => Buffer.alloc(body.length, 'x'))],
  ['its layers are longer', changed(isLayer, (body) => Buffer.concat([body, body]))],
  ['its layers are cut off', changed(isLayer, (body) => body.subarray(0, 50))],
  [
    'its layers never come whole',
    changed(
      isLayer,
      (body) => body.subarray(0, 50),
      (body) => body.length,
    ),
  ],
  ['its links lead in circles', changed(isIndex, (body) => Buffer.from(inCircles(body.toString())))],
  ['its links lead nowhere', forged(/"link":\d+/g, '"link":99')],
  ['its layers are said to be what they are not', forged(/("diffID":"sha256:)[0-9a-f]{64}/g, `$1${'0'.repeat(64)}`)],
  ['nothing is said of its layers', forged(/"annotations":\{[^}]*\}/g, '"annotations":{}')],
];

const WORLDS = { s3: s3World, gha: ghaWorld(1), 'gha-second': ghaWorld(2), azblob: azureWorld } as const;

const cleanup = new AsyncDisposableStack();
const worlds = new Map<string, StoreWorld>();
let builder: Builder;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-objects-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  for (const [kind, open] of Object.entries(WORLDS)) worlds.set(kind, cleanup.use(await open(join(folder, kind))));
  builder = await openTestBuilder(join(folder, 'state'), cleanup, { maxParallelism: 2 });
});
afterAll(() => cleanup.disposeAsync());

/** A cache in a store of a kind. */
interface Place {
  readonly kind: string;
  readonly world: StoreWorld;
  readonly name: string;
}

interface Caches {
  readonly from?: object;
  readonly to?: object;
  readonly scope?: string;
}

/** Scopes have nothing of each other: each is a builder of its own to its builds, with nothing in it. */
async function solveWith(
  { kind, world, name }: Place,
  target: Llb,
  { from, to, scope = newId() }: Caches = {},
): Promise<ToldSteps & { readonly image: string; readonly pulled: PulledBytes }> {
  const { observer, told } = watchSteps();
  let pulled: PulledBytes = new Map();
  const cache = (attrs: object | undefined) =>
    attrs === undefined ? [] : [{ type: typeOf(kind), attrs: { ...world.attrs(name), ...attrs } }];
  try {
    const { exporterResponse } = await builder.engine.solve(
      {
        ...{ ref: newId(), session: '', definition: target.marshal() },
        frontendAttrs: new Map([['build-arg:SOURCE_DATE_EPOCH', '1']]),
        ...{ frontendInputs: new Map(), entitlements: [], exporters: [{ type: 'image', attrs: {} }] },
        ...{ cacheImports: cache(from), cacheExports: cache(to) },
        scope: { write: scope, read: [scope] },
        observer: (solve) => {
          pulled = solve.build.pulled;
          return observer(solve);
        },
      },
      { signal },
    );
    const { cached, ran, failed, warnings } = await told();
    const steps = (names: readonly string[]) =>
      names.filter((one) => !/^(?:exporting to image|importing)/.test(one)).sort();
    return {
      ...{ cached: steps(cached), ran: steps(ran), failed: [...failed], warnings },
      image: exporterResponse['containerimage.digest'] ?? '',
      pulled,
    };
  } finally {
    await told();
  }
}

const typeOf = (kind: string) => kind.replace(/-.*/, '');

/** How often the store behind the proxy was asked for such. */
const asked = (world: StoreWorld, which: 'isIndex' | 'isLayer') =>
  world.proxy.requests.filter(({ method, path }) => world[which]({ method, url: path } as never)).length;

describe.each(Object.keys(WORLDS))('%s', (kind) => {
  let world: StoreWorld;
  let name: string;

  beforeEach(() => {
    world = worlds.get(kind)!;
    name = newId();
    world.proxy.requests.length = 0;
  });
  afterEach(() => {
    world.proxy.fault = () => undefined;
  });

  const solve = (target: Llb, caches?: Caches) => solveWith({ kind, world, name }, target, caches);
  const requests = (which: 'isIndex' | 'isLayer') => asked(world, which);

  test('what another builder made is found, and a layer moves where a step mounts it', async () => {
    const first = await solve(graph(), { to: { mode: 'max' } });
    expect(first).toMatchObject({ failed: [], warnings: [] });
    const scope = newId();
    const second = await solve(graph(), { from: {}, scope });
    expect(second).toMatchObject({ cached: ['one', 'three', 'two'], failed: [], warnings: [] });
    expect(second.pulled).toEqual(new Map());
    expect([requests('isIndex') > 0, requests('isLayer')]).toEqual([true, 0]);
    const third = await solve(secondOf(), { from: {}, scope });
    expect(third).toMatchObject({ cached: ['one', 'two'], ran: ['copied'], failed: [] });
    expect(requests('isLayer')).toBe(2);
    const [[source, bytes] = [], ...others] = third.pulled;
    expect([source, others]).toEqual([expect.stringMatching(new RegExp(`^${typeOf(kind)}\\b`)), []]);
    expect(bytes).toBeGreaterThan(100);
    expect((await solve(secondOf(), { from: {}, scope })).pulled).toEqual(new Map());
  });

  test('what is there is kept beside what is new, where that is asked for', async () => {
    await solve(text('two', text('one')), { to: { mode: 'max' } });
    await solve(text('other', text('one')), { to: { mode: 'max', merge: 'true' } });
    for (const last of ['two', 'other'])
      expect(await solve(text(last, text('one')), { from: {} })).toMatchObject({
        cached: ['one', last].sort(),
        ran: [],
      });
    await solve(text('third', text('one')), { to: { mode: 'max' } });
    expect(await solve(text('two', text('one')), { from: {} })).toMatchObject({ cached: ['one'] });
  });

  test('of what is there nothing is kept that its store has let go of', async () => {
    await solve(text('two', text('one')), { to: { mode: 'max' } });
    await world.loseLayers(name);
    await solve(text('other', text('new')), { to: { mode: 'max', merge: 'true' } });
    expect(await solve(text('other', text('new')), { from: {} })).toMatchObject({ cached: ['new', 'other'] });
    expect(await solve(text('two', text('one')), { from: {} })).toMatchObject({ cached: [], ran: ['one', 'two'] });
  });

  test('a cache that cannot be written fails the build, unless it is not to; secrets are told nowhere', async () => {
    world.proxy.fault = (_req, res) => {
      res.writeHead(403).end();
      return true;
    };
    const failed = await solve(graph(), { to: { mode: 'max' } }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Error);
    for (let error = failed as Error | undefined; error !== undefined; error = error.cause as Error | undefined)
      for (const secret of world.secrets) expect(`${error.message} ${error.stack}`).not.toContain(secret);
    const outcome = await solve(graph(), { to: { mode: 'max', 'ignore-error': 'true' } });
    expect(outcome.failed).toHaveLength(1);
    expect(outcome.image).toMatch(/^sha256:/);
  });

  // The parameter is of s3 alone.
  if (kind === 's3') {
    test('so many layers are written at once as upload_parallelism says', async () => {
      for (const most of [1, 3]) {
        let open = 0;
        let seen = 0;
        const all = Promise.withResolvers<void>();
        world.proxy.fault = (req, res, forward) => {
          if (req.method !== 'PUT' || req.url?.includes('/blobs/') !== true) return false;
          seen = Math.max(seen, ++open);
          res.once('close', () => open--);
          // Those that may be under way together are, and there is time for one more to come.
          if (open === most) setTimeout(all.resolve, 200);
          void all.promise.then(forward);
          return true;
        };
        const steps = ['a', 'b', 'c', 'd', 'e'].map((step) => `${step}-${newId()}`);
        const target = steps.reduce((on, step) => text(step, on), scratch());
        await solve(target, { to: { mode: 'max', upload_parallelism: String(most) } });
        expect(seen).toBe(most);
      }
    });
  }
});

// Most of the time goes by with waiting for what does not come: all at once, each with a proxy of its own.
describe.concurrent('a cache costs time only when', () => {
  const cases = FAULTS.flatMap(([what, fault]) => Object.keys(WORLDS).map((kind) => [kind, what, fault] as const));
  test.each(cases)('%s: %s', async (kind, _what, fault) => {
    await using world = await worlds.get(kind)!.beside();
    const name = newId();
    const solve = (target: Llb, caches?: Caches) => solveWith({ kind, world, name }, target, caches);
    await solve(secondOf(name), { to: { mode: 'max' } });
    // The result itself must be made, so that what was found below it is mounted.
    const beyond = () => copied(secondOf(name), '/copied', 'last');
    const right = await solve(beyond());
    world.proxy.requests.length = 0;
    world.proxy.fault = (req, res) => fault(req, res, world);
    const outcome = await solve(beyond(), { from: {} });
    expect(outcome.image).toBe(right.image);
    expect(outcome.failed.filter((one) => !one.startsWith('importing'))).toEqual([]);
    expect(asked(world, 'isIndex') + asked(world, 'isLayer')).toBeGreaterThan(0);
    // A client that goes on where a transfer was cut may have all of it in the end.
    if (outcome.cached.length === 3) return;
    expect(outcome.warnings).toEqual([expect.stringMatching(/^the cache .* is not used(?: as a whole)?: /)]);
    expect(outcome.warnings[0]).toContain(name);
  });
});
