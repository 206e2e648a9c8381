import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Descriptor, digestOf, HOUSE, hostPlatform, neverAborted, newId } from '../../base/index.ts';
import { FileActions, image, type State as Llb, scratch } from '../../llb/index.ts';
import { anonymous, RegistryClient, type Repository } from '../../oci/registry-client/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { VertexEvent } from '../../solver/ports.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import type { BuildObserver } from './solve.ts';

const signal = neverAborted;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const SECRET = 'what only tenant A may read';

const cleanup = new AsyncDisposableStack();
let folder: string;
let server: RegistryServer;
/** A registry whose repository `a/private` asks for credentials, which only A's builds have; and which B may push to. */
let registry: FaultProxy;
/** A registry of B's. */
let hostile: FaultProxy;
let builder: Builder;
let busybox: Buffer;
/** The private image of A; its last layer holds the secret. */
let layers: readonly Descriptor[];
let diffIds: readonly string[];
let root: Descriptor;
let isTenantA = true;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-tenants-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  server = cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
  registry = cleanup.use(await FaultProxy.start(server.url));
  hostile = cleanup.use(await FaultProxy.start());
  const [rootfs, secret] = [join(folder, 'rootfs'), join(folder, 'secret')];
  for (const directory of [rootfs, secret]) mkdirSync(directory);
  makeBusyboxRoot(rootfs);
  writeFileSync(join(secret, 'secret.txt'), SECRET);
  const tars = [rootfs, secret].map((directory) =>
    execFileSync('tar', ['-C', directory, '--owner=0', '--group=0', '-cf', '-', '.'], { maxBuffer: 64 << 20 }),
  );
  busybox = tars[0]!;
  diffIds = tars.map((tar) => digestOf(tar));
  const repository = repositoryOf('a/private');
  layers = await Promise.all(tars.map((tar) => push(repository, LAYER, tar)));
  const config = await push(repository, CONFIG, configOf(diffIds));
  const bytes = json({ schemaVersion: 2, mediaType: MANIFEST, config, layers });
  root = await repository.putManifest('latest', { mediaType: MANIFEST, bytes }, { signal });
  registry.fault = (req, res) => {
    if (isTenantA || !req.url?.startsWith('/v2/a/private/')) return false;
    res.writeHead(401, { 'www-authenticate': 'Basic realm="a"' }).end();
    return true;
  };
  builder = await openTestBuilder(join(folder, 'root'), cleanup, { maxParallelism: 2 });
  isTenantA = true;
  expect(await solve('a', step(image(`${registry.host}/a/private`), 'cat /secret.txt'), registry.host)).toContain(
    SECRET,
  );
  // The blobs are there, as are the snapshots.
  for (const { digest } of layers) expect(builder.state.content.has(digest)).toBe(true);
});
beforeEach(() => {
  isTenantA = false;
});
afterAll(() => cleanup.disposeAsync());

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const configOf = (of: readonly string[]) =>
  json({ ...hostPlatform(), config: {}, rootfs: { type: 'layers', diff_ids: of } });
const step = (on: Llb, script: string): Llb => on.run({ args: ['sh', '-ec', script] }).root;

function repositoryOf(path: string): Repository {
  return cleanup.use(new RegistryClient()).repository({ domain: server.host, path }, anonymous);
}

async function push(repository: Repository, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const open = async () => ReadableStream.from([new Uint8Array(bytes)]);
  await repository.pushBlob({ digest: digestOf(bytes), size: bytes.length, open }, { signal });
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Solves for a tenant, and pushes to `<host>/<tenant>/out`. @returns what the steps printed */
async function solve(tenant: 'a' | 'b', target: Llb, pushTo?: string): Promise<string> {
  const log: Buffer[] = [];
  let watching: Promise<void> | undefined;
  const began: BuildObserver = ({ build }) => {
    watching = (async () => {
      for await (const events of build.job.watch({ signal }))
        for (const event of events as VertexEvent[]) if (event.kind === 'log') log.push(Buffer.from(event.data));
    })();
    return {};
  };
  const name = `${pushTo}/${tenant}/out:latest`;
  try {
    await builder.engine.solve(
      {
        ...{ ref: newId(), session: '', definition: target.marshal() },
        ...{ frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] },
        exporters: pushTo === undefined ? [] : [{ type: 'image', attrs: { name, push: 'true' } }],
        ...{ scope: { write: tenant, read: [tenant] }, observer: began },
      },
      { signal },
    );
  } finally {
    await watching;
  }
  return Buffer.concat(log).toString();
}

interface Claim {
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  /** What the registry answers for a layer; zeros of the right length when absent. */
  readonly blob?: (req: IncomingMessage, res: ServerResponse) => void;
}

/** The hostile registry, or a repository `b/image` of the other, serves an image of these layers, and says to have whatever it is asked about. */
function serve({ layers: claimed, diffIds: of, blob }: Claim): (req: IncomingMessage, res: ServerResponse) => boolean {
  const config = configOf(of);
  const manifest = json({
    ...{ schemaVersion: 2, mediaType: MANIFEST, layers: claimed },
    config: { mediaType: CONFIG, digest: digestOf(config), size: config.length },
  });
  return (req, res) => {
    const [, , reference = ''] = /^\/v2\/b\/image\/(manifests|blobs)\/(.*)$/.exec(req.url ?? '') ?? [];
    if (reference === '') return false;
    const answer = (type: string, bytes: Buffer) => {
      res.writeHead(200, {
        'content-type': type,
        'content-length': bytes.length,
        'docker-content-digest': digestOf(bytes),
      });
      res.end(req.method === 'HEAD' ? undefined : bytes);
    };
    const layer = claimed.find(({ digest }) => digest === reference);
    if (req.url?.includes('/manifests/')) answer(MANIFEST, manifest);
    else if (reference === digestOf(config)) answer(CONFIG, config);
    else if (blob !== undefined && layer !== undefined) blob(req, res);
    else
      res
        .writeHead(200, { 'content-length': layer?.size ?? 0 })
        .end(req.method === 'HEAD' ? '' : Buffer.alloc(layer?.size ?? 0));
    return true;
  };
}

/** Every way in which a build comes by the files of an image. */
const uses: Record<string, (of: Llb) => Llb> = {
  'a step on it': (of) => step(of, 'cat /secret.txt'),
  'a copy from it': (of) => scratch().file(new FileActions().copy(of, '/secret.txt', '/secret.txt')),
  'all of it copied': (of) => scratch().file(new FileActions().copy(of, '/', '/')),
  'the image itself': (of) => of,
};

/** That B got nothing and A lost nothing. */
async function expectNothing(): Promise<void> {
  for (const { digest } of layers) {
    expect(await builder.state.content.verify(digest, { signal, owner: HOUSE })).toBe(true);
  }
  for (const path of ['b/out', 'b/image'])
    expect(await repositoryOf(path).hasBlob(layers.at(-1)!.digest, { signal })).toBeUndefined();
  expect(registry.requests.filter(({ path }) => /^\/v2\/b\/.*from=a/.test(path))).toEqual([]);
  isTenantA = true;
  const before = registry.requests.length;
  expect(await solve('a', step(image(`${registry.host}/a/private`), `cat /secret.txt; : ${newId()}`))).toBe(SECRET);
  // One look at the tag, and no byte.
  expect(registry.requests.slice(before).filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
}

const secretLast = () => layers.at(-1)!;
const claims: Record<string, () => Claim> = {
  'zeros of the right length': () => ({ layers, diffIds }),
  'nothing behind a HEAD': () => ({
    layers,
    diffIds,
    blob: (req, res) => void res.writeHead(req.method === 'HEAD' ? 200 : 404).end(),
  }),
  'an empty answer': () => ({
    ...{ layers, diffIds },
    blob: (_, res) => void res.writeHead(200, { 'content-length': 0 }).end(),
  }),
  'the other layer in its place': () => ({
    ...{ layers, diffIds },
    blob: (_, res) =>
      void res.writeHead(200, { 'content-length': secretLast().size }).end(busybox.subarray(0, secretLast().size)),
  }),
  'a wrong size': () => ({ layers: layers.map((layer) => ({ ...layer, size: layer.size + 512 })), diffIds }),
  'a size of nothing': () => ({ layers: layers.map((layer) => ({ ...layer, size: 0 })), diffIds }),
  'a wrong diff id': () => ({ layers, diffIds: diffIds.toReversed() }),
  'a base of its own below': () => ({
    ...{ layers, diffIds },
    blob: (req, res) => {
      const bytes = req.url?.endsWith(layers[0]!.digest) ? busybox : Buffer.alloc(secretLast().size);
      res.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    },
  }),
};

test.each(Object.keys(claims))('layers of another tenant, named by a registry of one’s own with %s', async (name) => {
  hostile.fault = serve(claims[name]!());
  for (const use of Object.values(uses)) {
    const stolen = solve('b', use(image(`${hostile.host}/b/image`)), server.host);
    await expect(stolen).rejects.toThrow();
  }
  await expectNothing();
});

test('layers of another tenant, named by a repository of one’s own at the same registry', async () => {
  const claim = serve({ layers, diffIds, blob: (_, res) => void res.writeHead(404).end() });
  const guard = registry.fault;
  registry.fault = (req, res, forward) => claim(req, res) || guard(req, res, forward);
  try {
    for (const use of Object.values(uses))
      await expect(solve('b', use(image(`${registry.host}/b/image`)), registry.host)).rejects.toThrow();
  } finally {
    registry.fault = guard;
  }
  await expectNothing();
});

test('the private image itself, by tag and by digest, where it lies and under other names', async () => {
  const names = ['a/private', 'b/image', 'a/other'].flatMap((path) => [`${path}:latest`, `${path}@${root.digest}`]);
  for (const name of names)
    for (const use of Object.values(uses))
      await expect(solve('b', use(image(`${registry.host}/${name}`)), registry.host), name).rejects.toThrow();
  await expectNothing();
});

test('layers of another tenant, said to be there already where they are pushed to', async () => {
  const claim = serve({ ...claims['nothing behind a HEAD']!(), layers: [secretLast()], diffIds: [diffIds.at(-1)!] });
  hostile.fault = (req, res) => {
    if (req.method === 'PUT') res.writeHead(201).end();
    else req.url = req.url?.replace('/b/out/', '/b/image/') ?? '';
    return req.method === 'PUT' || claim(req, res);
  };
  await solve('b', image(`${hostile.host}/b/image`), hostile.host);
  for (const use of Object.values(uses))
    await expect(solve('b', use(image(`${hostile.host}/b/out`)), server.host)).rejects.toThrow();
  await expectNothing();
});

test('what a scope has pushed it has back by that name; another scope only with its bytes', async () => {
  isTenantA = true;
  const use = () => step(image(`${registry.host}/a/out`), `cat /secret.txt; : ${newId()}`);
  const bytesOf = () =>
    registry.requests.filter(({ method, path }) => method === 'GET' && path.startsWith('/v2/a/out/blobs/'));
  const layersOf = (paths: readonly { readonly path: string }[]) =>
    layers.filter(({ digest }) => paths.some(({ path }) => path.endsWith(digest))).length;
  expect(await solve('a', use())).toBe(SECRET);
  expect(layersOf(bytesOf())).toBe(0);
  isTenantA = false;
  expect(await solve('b', use())).toBe(SECRET);
  expect(layersOf(bytesOf())).toBe(layers.length);
});

test('who has the bytes may use them: they come once more and are kept once', async () => {
  const claim = serve({
    ...{ layers, diffIds },
    blob: repositoryBlob,
  });
  hostile.fault = claim;
  expect(await solve('b', step(image(`${hostile.host}/b/image`), 'cat /secret.txt'))).toBe(SECRET);
  const asked = hostile.requests.filter(
    ({ path, method }) => method === 'GET' && layers.some(({ digest }) => path === `/v2/b/image/blobs/${digest}`),
  );
  expect(new Set(asked.map(({ path }) => path)).size).toBe(layers.length);
  const before = hostile.requests.length;
  expect(await solve('b', step(image(`${hostile.host}/b/image`), `cat /secret.txt; : ${newId()}`))).toBe(SECRET);
  expect(hostile.requests.slice(before).filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
});

function repositoryBlob(req: IncomingMessage, res: ServerResponse): void {
  const digest = req.url?.split('/').at(-1);
  const layer = layers.find((one) => one.digest === digest)!;
  void repositoryOf('a/private')
    .getBlob(layer, { signal, maxBytes: 64 << 20 })
    .then((bytes) => res.writeHead(200, { 'content-length': bytes.length }).end(bytes));
}
