import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { digestOf, HOUSE, neverAborted } from '../../../base/index.ts';
import { DIRECT } from '../../../base/proxy.ts';
import { pullLoss } from '../../../cache/refs/fetching.ts';
import { StreamPool, WorkerPool } from '../../../sys/index.ts';
import { ExportOptions } from '../../exporters/index.ts';
import { fakeContext } from '../../exporters/testing/fakes.ts';
import type { CacheStore } from '../store.ts';
import { CacheStores } from '../stores.ts';
import { layerToWrite } from '../testing/cache-store-suite.ts';
import { azureWorld, ghaWorld, type StoreWorld, s3World } from '../testing/store-worlds.ts';
import { azureOptions } from './azblob-options.ts';
import { ghaOptions } from './gha-options.ts';
import { s3Options } from './s3-options.ts';
import { objectCaches } from './store.ts';

const MIB = 1 << 20;
/** Five segments. */
const BYTES = randomBytes(40 * MIB - 123);
const LAYER = layerToWrite(BYTES);

const WORLDS = [
  ['s3', s3World, s3Options],
  ['azblob', azureWorld, azureOptions],
  ['gha', ghaWorld(1), ghaOptions],
  ['gha, its second API', ghaWorld(2), ghaOptions],
] as const;

/** Azure's library takes no answer without one. */
const ETAG = { etag: '"1"' };

interface Asked {
  readonly from: number;
  /** Undefined where the end was not said. */
  readonly to: number | undefined;
}

describe.each(WORLDS)('%s', (name, open, optionsOf) => {
  const opened = new AsyncDisposableStack();
  let world: StoreWorld;
  let store: CacheStore;

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-reads-'));
    opened.defer(() => rmSync(folder, { recursive: true, force: true }));
    const pool = opened.use(new WorkerPool({ name: 'documents', threads: 1 }));
    const streams = opened.use(new StreamPool({ name: 'streams' }));
    world = opened.use(await open(join(folder, 'store')));
    const type = objectCaches(
      { type: name.replace(/,.*/, ''), exporting: '', optionsOf },
      { pool, streams, stores: new CacheStores(), proxies: DIRECT, env: {}, ownIdentity: new Set() },
    );
    const options = new ExportOptions(`${name} cache`, world.attrs('large'));
    store = type.store(options, { as: 'exporter', direct: false })(() => ['s']);
    await store.putBlob(LAYER.source, fakeContext(neverAborted), () => {});
  });
  afterAll(() => opened.disposeAsync());
  afterEach(() => {
    world.proxy.fault = () => undefined;
  });

  const access = { signal: neverAborted, sessions: () => ['s'], owner: HOUSE };
  const read = async () =>
    digestOf(Buffer.concat(await Array.fromAsync(await store.openBlob(LAYER.source.descriptor, access))));

  function rangeOf({ headers }: IncomingMessage): Asked | undefined {
    const said = String(headers['x-ms-range'] ?? headers.range ?? '');
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(said) ?? [];
    return from === undefined ? undefined : { from: Number(from), to: to ? Number(to) + 1 : undefined };
  }

  /** Requests for the layer from now on; `fault` may answer one itself. */
  function watched(fault: (asked: Asked | undefined, res: ServerResponse, forward: () => void) => boolean) {
    const seen = { ranges: [] as (Asked | undefined)[], open: 0, most: 0 };
    world.proxy.fault = (req, res, forward) => {
      if (!world.isLayer(req)) return false;
      const range = rangeOf(req);
      seen.ranges.push(range);
      seen.most = Math.max(seen.most, ++seen.open);
      res.once('close', () => seen.open--);
      return fault(range, res, forward);
    };
    return seen;
  }

  /** Gives so many bytes of what is asked for, and cuts the connection. */
  function cut({ from, to = BYTES.length }: Asked, res: ServerResponse, bytes: number): boolean {
    const headers = {
      ...ETAG,
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${BYTES.length}`,
    };
    res.writeHead(206, headers);
    res.write(BYTES.subarray(from, Math.min(to, from + bytes)), () => res.destroy());
    return true;
  }

  /** Gives other bytes, of an object of so many. */
  function other({ from, to = BYTES.length }: Asked, res: ServerResponse, size: number): boolean {
    const headers = {
      ...ETAG,
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${size}`,
    };
    res.writeHead(206, headers).end(Buffer.alloc(to - from));
    return true;
  }

  test('a large layer comes by several ranges at once', async () => {
    const waiting: (() => void)[] = [];
    const seen = watched((range, _res, forward) => {
      waiting.push(forward);
      // After the first nothing is answered before three have asked, but for the last ones.
      if (range?.from === 0 || waiting.length >= 3 || seen.ranges.length > 4)
        for (const answer of waiting.splice(0)) answer();
      return true;
    });
    expect(await read()).toBe(LAYER.descriptor.digest);
    expect(seen.ranges.map((range) => range?.from).sort((a, b) => a! - b!)).toEqual(
      [0, 8, 16, 24, 32].map((at) => at * MIB),
    );
    expect(seen.most).toBeGreaterThanOrEqual(3);
    expect(seen.most).toBeLessThanOrEqual(4);
  });

  test('what was cut is gone on with where it was', async () => {
    const seen = watched((range, res) => range !== undefined && cut(range, res, 3 * MIB));
    expect(await read()).toBe(LAYER.descriptor.digest);
    // Whole mebibytes have arrived of each, and are not asked for again.
    expect(seen.ranges.every((range) => range !== undefined)).toBe(true);
    const asked = seen.ranges.reduce((sum, range) => sum + (range!.to ?? BYTES.length) - range!.from, 0);
    expect(asked).toBeLessThan(3 * BYTES.length);
    expect(new Set(seen.ranges.map((range) => range!.from)).size).toBeGreaterThan(10);
  });

  test.each([
    ['leaves ranges out of account', 200],
    ['refuses them', 416],
  ])('a store that %s gives it in one go', async (_, status) => {
    const seen = watched((range, res) => {
      if (range !== undefined && status === 416) res.writeHead(416).end();
      else res.writeHead(200, { ...ETAG, 'content-length': BYTES.length }).end(BYTES);
      return true;
    });
    expect(await read()).toBe(LAYER.descriptor.digest);
    expect(seen.ranges.length).toBeLessThanOrEqual(2);
  });

  test('an object that becomes another on the way is a loss, which its step is made anew for', async () => {
    watched((range, res) => range !== undefined && range.from > 0 && other(range, res, 2 * BYTES.length));
    expect(await read().then(() => 'given', pullLoss)).toBe('unavailable');
    // Of one that is as long as before its digest tells.
    watched((range, res) => range !== undefined && range.from > 0 && other(range, res, BYTES.length));
    expect(await read()).not.toBe(LAYER.descriptor.digest);
  });

  test('many at once take no more requests than a host is asked, and all come', async () => {
    const seen = watched(() => false);
    const all = await Promise.all(Array.from({ length: 6 }, read));
    expect(new Set(all)).toEqual(new Set([LAYER.descriptor.digest]));
    // Each its own, and six before their turn.
    expect(seen.most).toBeLessThanOrEqual(12);
  });

  test('a store that fails is asked four times, and no more', async () => {
    const seen = watched((_range, res) => {
      res.writeHead(503, { 'retry-after': '0' }).end();
      return true;
    });
    await expect(read()).rejects.toMatchObject({ code: 'unavailable' });
    expect(seen.ranges).toHaveLength(4);
  });

  test('who leaves has no request under way', async () => {
    const leaving = new AbortController();
    const seen = watched(() => false);
    const stream = await store.openBlob(LAYER.source.descriptor, { ...access, signal: leaving.signal });
    await stream.getReader().read();
    leaving.abort(new Error('enough'));
    await expect.poll(() => seen.open).toBe(0);
  });
});
