import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Descriptor, type Digest, digestOf, hostPlatform, neverAborted, newId } from '../../base/index.ts';
import { diskUsage, prune } from '../../cache/gc/index.ts';
import { FileActions, image, type State as Llb, scratch } from '../../llb/index.ts';
import { parseManifestOrIndex } from '../../oci/manifest/index.ts';
import { anonymous, RegistryClient, type Repository } from '../../oci/registry-client/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { VertexEvent } from '../../solver/ports.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import type { BuildObserver } from './solve.ts';

// As many attempts as ever, with less time between them.
vi.mock(import('../../oci/blob-download/retry.ts'), async (original) => {
  const actual = await original();
  return { ...actual, defaultRetryPolicy: { ...actual.defaultRetryPolicy, delaysMs: [10, 20, 40] } };
});

const signal = neverAborted;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

let cleanup: AsyncDisposableStack;
let folder: string;
let server: RegistryServer;
let proxy: FaultProxy;
let builder: Builder;
let base: { readonly digest: Digest; readonly layers: readonly Digest[] };

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), 'slipway-lost-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  server = cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
  proxy = cleanup.use(await FaultProxy.start(server.url));
  base = await pushBase('base');
  await open();
});
afterEach(() => cleanup.disposeAsync());

async function open(): Promise<void> {
  builder = await openTestBuilder(join(folder, 'root'), cleanup, { maxParallelism: 2 });
}

function repositoryOf(path: string): Repository {
  return cleanup.use(new RegistryClient()).repository({ domain: server.host, path }, anonymous);
}

/** The tars of busybox and of a marker. */
const baseLayers = (() => {
  let made: Buffer[] | undefined;
  return (): readonly Buffer[] => {
    if (made !== undefined) return made;
    const at = mkdtempSync(join(tmpdir(), 'slipway-lost-base-'));
    try {
      const [rootfs, marker] = [join(at, 'rootfs'), join(at, 'marker')];
      for (const directory of [rootfs, marker]) mkdirSync(directory);
      makeBusyboxRoot(rootfs);
      writeFileSync(join(marker, 'base.txt'), 'base\n');
      const args = ['--owner=0', '--group=0', '--mtime=@0', '--sort=name', '-cf', '-', '.'];
      made = [rootfs, marker].map((directory) =>
        execFileSync('tar', ['-C', directory, ...args], { maxBuffer: 64 << 20 }),
      );
      return made;
    } finally {
      rmSync(at, { recursive: true });
    }
  };
})();

/** An image of two layers. */
async function pushBase(path: string): Promise<typeof base> {
  const repository = repositoryOf(path);
  const push = async (bytes: Buffer) => {
    const digest = digestOf(bytes);
    const open = async () => ReadableStream.from([new Uint8Array(bytes)]);
    await repository.pushBlob({ digest, size: bytes.length, open }, { signal });
    return { digest, size: bytes.length };
  };
  const tars = baseLayers();
  const rootFs = { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) };
  const config = Buffer.from(JSON.stringify({ ...hostPlatform(), config: {}, rootfs: rootFs }));
  const layers = [];
  for (const tar of tars) layers.push({ mediaType: LAYER, ...(await push(tar)) });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: CONFIG, ...(await push(config)) },
    layers,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const { digest } = await repository.putManifest('latest', { mediaType: MANIFEST, bytes }, { signal });
  return { digest, layers: layers.map((layer) => layer.digest) };
}

const from = (path: string, host = proxy.host): Llb => image(`${host}/${path}:latest`);
const step = (on: Llb, script: string): Llb => on.run({ args: ['sh', '-ec', script] }).root;

interface Outcome {
  /** Names of the steps that ran, and how often the last one printed. */
  readonly ran: readonly string[];
  readonly cached: readonly string[];
  readonly log: string;
  readonly errors: readonly string[];
}

/** Solves, and pushes to `push`. */
async function solve(target: Llb, push?: string, attrs: Record<string, string> = {}): Promise<Outcome> {
  const log: Buffer[] = [];
  const states = new Map<string, Extract<VertexEvent, { kind: 'vertex' }>['vertex']>();
  let watching: Promise<void> | undefined;
  const began: BuildObserver = ({ build }) => {
    watching = (async () => {
      for await (const events of build.job.watch({ signal }))
        for (const event of events) {
          if (event.kind === 'log') log.push(Buffer.from(event.data));
          if (event.kind === 'vertex') states.set(event.vertex.digest, event.vertex);
        }
    })();
    return {};
  };
  try {
    await builder.engine.solve(
      {
        ...{
          ref: newId(),
          session: '',
          definition: target.marshal(),
          frontendAttrs: new Map(),
          frontendInputs: new Map(),
        },
        exporters:
          push === undefined
            ? []
            : [{ type: 'image', attrs: { name: `${server.host}/${push}:latest`, push: 'true', ...attrs } }],
        ...{ entitlements: [], scope: { write: 'default', read: ['default'] }, observer: began },
      },
      { signal },
    );
  } finally {
    await watching;
  }
  const all = [...states.values()];
  return {
    ran: all.filter(({ started, cached }) => started !== undefined && !cached).map(({ name }) => name),
    cached: all.filter(({ cached }) => cached).map(({ name }) => name),
    log: Buffer.concat(log).toString(),
    errors: all.flatMap(({ error }) => (error === undefined ? [] : [error])),
  };
}

/** The directory of the snapshot that a step, or an image's layer, made. */
function snapshotOf(description: string): string {
  const { db, snapshotter } = builder.state;
  const row = db.get<{ snapshot: string }>(
    'SELECT snapshot FROM refs WHERE description LIKE ? AND snapshot IS NOT NULL',
    `%${description}%`,
  );
  return snapshotter.upperDir(row!.snapshot);
}

const loseSnapshot = (description: string) => rmSync(dirname(snapshotOf(description)), { recursive: true });
const blobFile = (digest: Digest) => builder.state.content.path(digest);
const damage = (digest: Digest) => {
  const { size } = statSync(blobFile(digest));
  writeFileSync(blobFile(digest), Buffer.alloc(size, 7));
};
const isLayer = (req: IncomingMessage) => base.layers.some((digest) => req.url?.includes(`/a/blobs/${digest}`));

/** The layers of a pushed image, as the registry has them, oldest first. */
async function pushed(path: string): Promise<readonly Descriptor[]> {
  const { bytes } = await repositoryOf(path).getManifest('latest', { signal });
  const parsed = parseManifestOrIndex(bytes, MANIFEST);
  return parsed.kind === 'manifest' ? parsed.manifest.layers : [];
}

/** The files of a pushed image's top layer, joined. */
async function topOf(path: string): Promise<string> {
  const top = (await pushed(path)).at(-1)!;
  const tar = await repositoryOf(path).getBlob(top, { signal, maxBytes: 1 << 20 });
  return execFileSync('tar', ['-xzO'], { input: tar }).toString();
}

describe('files of a cached step are gone', () => {
  const one = () => step(from('base'), 'echo one > /one');
  const two = () => step(one(), 'cat /one > /two; echo two >> /two');
  const three = () => step(two(), 'cat /two /base.txt');

  test.each(['echo one', 'cat /one', 'pulled from'])('%s: it and what stands on it are made again', async (lost) => {
    await solve(two());
    loseSnapshot(lost);
    const again = await solve(three());
    expect(again.errors).toEqual([]);
    expect(again.log).toBe('one\ntwo\nbase\n');
    expect((await solve(three())).ran).toEqual([]);
    expect(builder.state.db.all('SELECT id FROM refs WHERE stored = 1').length).toBeGreaterThan(0);
  });

  test('what was made again is there after a restart', async () => {
    await solve(three());
    loseSnapshot('echo one');
    expect((await solve(step(three(), 'cat /two'))).log).toBe('one\ntwo\nbase\none\ntwo\n');
    await builder[Symbol.asyncDispose]();
    await open();
    // Nor is anything kept of what was lost.
    const hollow =
      'SELECT id FROM refs WHERE snapshot IS NULL AND NOT EXISTS (SELECT 1 FROM ref_blobs WHERE ref = refs.id)';
    expect(builder.state.db.all(hollow)).toEqual([]);
    const listed = builder.state.snapshotter.list().filter(({ kind }) => kind === 'committed');
    expect(listed.length).toBe(builder.state.db.all('SELECT id FROM refs WHERE snapshot IS NOT NULL').length);
    expect((await solve(step(three(), 'cat /two'))).ran).toEqual([]);
  });

  test('an export packs what is made again', async () => {
    await solve(two());
    loseSnapshot('cat /one');
    expect((await solve(two(), 'out')).errors).toEqual([]);
    expect(await pushed('out')).toHaveLength(4);
    expect(await topOf('out')).toBe('one\ntwo\n');
  });

  test('content that decides about a later step is read anew', async () => {
    await solve(two());
    loseSnapshot('cat /one');
    const copied = scratch().file(new FileActions().copy(two(), '/two', '/copied'));
    expect((await solve(copied, 'copy')).errors).toEqual([]);
    expect(await topOf('copy')).toBe('one\ntwo\n');
  });
});

describe('what a random step made of one content is never found by another', () => {
  /** Copies of /v, each of the one before: found by content alone. */
  const copies = (source: Llb, count: number): Llb => {
    let at = source;
    for (let n = 0; n < count; n++)
      at = scratch().file(new FileActions().copy(at, n === 0 ? '/v' : `/copy${n}`, `/copy${n + 1}`));
    return at;
  };
  const random = () => step(from('base'), 'cat /proc/sys/kernel/random/uuid > /v; touch -d @0 /v');
  const certain = (text: string) => step(from('base'), `printf '%s\\n' ${text.trim()} > /v; touch -d @0 /v`);
  const made = async (target: Llb) => {
    await solve(target, 'made');
    return await topOf('made');
  };

  test('when its record and that of a copy are pruned, and it runs again', async () => {
    const first = await made(copies(random(), 2));
    await prune(builder.state.refs, {
      filters: ['description~=cat./proc', 'description~=^copy./v'],
      signal,
    });
    const second = await made(copies(random(), 1));
    expect(second).not.toBe(first);
    expect(await made(copies(certain(first), 1))).toBe(first);
    expect(await made(copies(certain(second), 2))).toBe(second);
  });

  test('when its files are gone while a copy works on them, and it is made anew', async () => {
    const first = await made(copies(random(), 1));
    loseSnapshot('cat /proc');
    const other = (source: Llb) => scratch().file(new FileActions().copy(source, '/v', '/other'));
    const second = await made(other(random()));
    expect(second).not.toBe(first);
    expect(await made(other(certain(first)))).toBe(first);
    expect(await made(other(certain(second)))).toBe(second);
  });
});

test('what an earlier version knew to be cached is made anew once, and its records can be pruned', async () => {
  const target = step(from('base'), 'echo one > /one');
  await solve(target);
  const records = (await diskUsage(builder.state.refs, { signal })).length;
  const { db } = builder.state;
  db.run(`UPDATE schema_version SET version = 1 WHERE room = 'keys'`);
  for (const table of ['cache_bare', 'cache_dropped']) db.run(`DROP TABLE ${table}`);
  // Links were named by op and output then.
  db.run('DROP TABLE cache_link_kind');
  db.run(
    'CREATE TABLE cache_link_kind (num INTEGER PRIMARY KEY, input INTEGER, output INTEGER, digest TEXT, selector TEXT)',
  );
  await builder[Symbol.asyncDispose]();
  await open();
  expect((await solve(target)).ran).toContain('sh -ec echo one > /one');
  expect((await solve(target)).ran).toEqual([]);
  expect((await diskUsage(builder.state.refs, { signal })).length).toBeGreaterThan(records);
  await prune(builder.state.refs, { all: true, signal });
  expect(await diskUsage(builder.state.refs, { signal })).toEqual([]);
});

describe('blobs of cached layers', () => {
  const made = () => step(from('base'), 'echo made > /made');

  test.each(['gone', 'damaged', 'cut short'])('%s: pushed whole all the same', async (how) => {
    await solve(made(), 'first');
    const layers = (await pushed('first')).map(({ digest }) => digest);
    for (const digest of [layers[0]!, layers.at(-1)!]) {
      if (how === 'gone') rmSync(blobFile(digest));
      else if (how === 'damaged') damage(digest);
      else writeFileSync(blobFile(digest), readFileSync(blobFile(digest)).subarray(0, 20));
    }
    // Another registry, which has none of the blobs.
    server = cleanup.use(await RegistryServer.start({ root: join(folder, 'other'), durable: false }));
    expect((await solve(made(), 'second')).errors).toEqual([]);
    expect((await pushed('second')).slice(0, 2).map(({ digest }) => digest)).toEqual(layers.slice(0, 2));
    expect(await topOf('second')).toBe('made\n');
  });

  test('a base layer that went bad before it was unpacked is fetched again', async () => {
    await solve(made());
    loseSnapshot('pulled from');
    for (const digest of base.layers) damage(digest);
    expect((await solve(step(made(), 'cat /made'))).log).toBe('made\n');
  });

  test('several that went bad and are to be packed anew', async () => {
    await solve(made());
    for (const digest of base.layers) damage(digest);
    expect((await solve(made(), 'packed', { compression: 'zstd', 'force-compression': 'true' })).errors).toEqual([]);
    expect(await pushed('packed')).toMatchObject(
      Array.from({ length: 3 }, () => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' })),
    );
  });
});

describe('a lazy base', () => {
  const faults: Record<string, (req: IncomingMessage, res: ServerResponse) => boolean> = {
    'not there (404)': (_, res) => refuse(res, 404),
    'forbidden (403)': (_, res) => refuse(res, 403),
    'not for us (401)': (_, res) => refuse(res, 401),
    'off (cut connections)': (_, res) => {
      res.destroy();
      return true;
    },
    'other bytes': (req, res) => {
      const digest = base.layers.find((one) => req.url?.endsWith(one))!;
      const size = statSync(join(folder, 'registry', 'blobs', ...digest.split(':'))).size;
      res.writeHead(200, { 'content-length': size }).end(Buffer.alloc(size));
      return true;
    },
  };
  const refuse = (res: ServerResponse, status: number): boolean => {
    res.writeHead(status).end();
    return true;
  };

  test.each(
    Object.keys(faults),
  )('%s where it was found; a build that names another place gets it there', async (name) => {
    await pushBase('a');
    await pushBase('b');
    // Known by its descriptors only: nothing has needed its files.
    await solve(from('a'));
    proxy.fault = (req, res) => (isLayer(req) ? faults[name]!(req, res) : false);
    // What the lost place cost is told before.
    expect((await solve(step(from('b'), 'cat /base.txt'))).log).toMatch(/(^|\n)base\n$/);
  });

  test.each([
    'not there (404)',
    'forbidden (403)',
  ])('%s and in no other place: the error says what the registry said', async (name) => {
    await pushBase('a');
    await solve(from('a'));
    proxy.fault = (req, res) => (isLayer(req) ? faults[name]!(req, res) : false);
    const status = name.slice(-4, -1);
    await expect(solve(step(from('a'), 'true'))).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`/v2/a/blobs/sha256:.*: ${status}`)) as string,
      reason: 'REGISTRY_REFUSED',
    });
    // And once it is there again, nothing is in the way.
    proxy.fault = () => undefined;
    expect((await solve(step(from('a'), 'cat /base.txt'))).log).toBe('base\n');
  });

  test.each(
    Object.keys(faults).filter((name) => !name.startsWith('not there')),
  )('%s for one build, and the records of it stay for the others', async (name) => {
    await pushBase('a');
    await solve(from('a'));
    proxy.fault = (req, res) => (isLayer(req) ? faults[name]!(req, res) : false);
    await expect(solve(step(from('a'), 'true'))).rejects.toThrow();
    proxy.fault = () => undefined;
    expect((await solve(from('a'))).ran).toEqual([]);
    expect((await solve(step(from('a'), 'cat /base.txt'))).log).toBe('base\n');
  });

  test('pushed to another registry from where it still is', async () => {
    await pushBase('a');
    await pushBase('b');
    await solve(from('a'));
    proxy.fault = (req, res) => (isLayer(req) ? refuse(res, 404) : false);
    server = cleanup.use(await RegistryServer.start({ root: join(folder, 'other'), durable: false }));
    await solve(from('b'), 'moved');
    expect((await pushed('moved')).map(({ digest }) => digest)).toEqual(base.layers);
  });
});
