import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Afterwork, type Digest, digestOf, HOUSE, neverAborted, type Platform } from '../../base/index.ts';
import type { SessionRegistry } from '../../builder-api/index.ts';
import { diskUsage, prune } from '../../cache/gc/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { openTestState } from '../../cache/testing/open-state.ts';
import { anonymous, RegistryClient, type Repository } from '../../oci/registry-client/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { OpContext } from '../../solver/ports.ts';
import { BUILDKIT_VERSION } from '../daemon/worker.ts';
import { sourceKeyDigest, sourceOp } from '../ops/source.ts';
import {
  ArtifactUnpacker,
  gitSource,
  httpSource,
  ImageResolver,
  imageSource,
  MirrorUpkeep,
  registryFetcher,
  SourceRegistry,
  type SourceSecrets,
} from './index.ts';
import { LocalReceiver, LocalStates, parseLocalSource } from './local/index.ts';
import type { ReceiveDirectoryArgs } from './local/receive-task.ts';
import { noSecrets } from './testing/no-secrets.ts';

const signal = neverAborted;
const context: OpContext = {
  signal,
  owner: HOUSE,
  sessions: () => [],
  limits: () => ({}),
  progress: { status: () => {}, log: () => {}, warn: () => {} },
  scope: 'default',
};
const amd64: Platform = { os: 'linux', architecture: 'amd64' };
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

let cleanup: AsyncDisposableStack;
let state: Awaited<ReturnType<typeof openTestState>>;
let resolver: ImageResolver;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [1, 1] } }));
  resolver = new ImageResolver({ client, credentials: () => anonymous });
  state = cleanup.use(await openTestState({ fetchers: { registry: registryFetcher(resolver) } }));
});
afterEach(() => cleanup.disposeAsync());

function sources(secrets: SourceSecrets = noSecrets): SourceRegistry {
  const registry = new SourceRegistry();
  const upkeep = cleanup.use(new MirrorUpkeep(state.refs, state.pools.short));
  const { refs, content, pools, layout } = state;
  const artifacts = new ArtifactUnpacker({
    ...{ refs, content, pool: pools.bulk, tempDirectory: layout.tmp, unpackLimits: undefined },
  });
  registry.register('docker-image', imageSource({ resolver, refs, artifacts }));
  registry.register('git', gitSource({ refs: state.refs, secrets, upkeep, pool: state.pools.short }));
  const http = httpSource({ refs: state.refs, secrets, pool: state.pools.streams });
  registry.register('http', http);
  registry.register('https', http);
  return registry;
}

/** Runs a source op as the solver does; the files are at `root`. */
async function solve(
  registry: SourceRegistry,
  identifier: string,
  attrs: Record<string, string> = {},
  platform?: Platform,
  within: OpContext = context,
) {
  const op = sourceOp({ identifier, attrs }, platform, { sources: registry });
  const { map, done } = await op.cacheMap(0, within);
  expect(done).toBe(true);
  const [result] = await op.exec([], within);
  const ref = (result as { value: ImmutableRef }).value;
  cleanup.defer(() => ref.release());
  return { key: map.digest, ref };
}

async function mounted(ref: ImmutableRef): Promise<string> {
  return cleanup.use(await ref.mount({ signal, owner: HOUSE, sessions: () => [] })).root;
}

async function listen(handler: (req: IncomingMessage, res: ServerResponse) => void): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('docker-image', () => {
  let proxy: FaultProxy;
  let repository: Repository;
  beforeEach(async () => {
    const server = cleanup.use(
      await RegistryServer.start({ root: join(state.layout.root, 'registry'), durable: false }),
    );
    proxy = cleanup.use(await FaultProxy.start(server.url));
    repository = cleanup.use(new RegistryClient()).repository({ domain: server.host, path: 'team/app' }, anonymous);
  });

  const blob = async (bytes: Buffer) => {
    const source = {
      digest: digestOf(bytes),
      size: bytes.length,
      open: async () => ReadableStream.from([new Uint8Array(bytes)]),
    };
    await repository.pushBlob(source, { signal });
    return { digest: source.digest, size: source.size };
  };

  /** Pushes an image of two layers, with one file each. */
  async function pushImage(tag: string, content: string, platform: Platform = amd64) {
    const tars = ['a', 'b'].map((name) => {
      const folder = join(state.layout.root, `${tag}-${name}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), `${content}-${name}`);
      return execFileSync('tar', ['-C', folder, '--owner=0', '--group=0', '--mtime=@0', '-cf', '-', name]);
    });
    const rootfs = { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) };
    const config = Buffer.from(JSON.stringify({ ...platform, config: { Env: ['X=1'] }, rootfs }));
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await blob(config)) },
      layers: await Promise.all(
        tars.map(async (tar) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await blob(tar)) })),
      ),
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    return { ...(await repository.putManifest(tag, { mediaType: OCI_MANIFEST, bytes }, { signal })), platform };
  }

  async function pushIndex(tag: string, manifests: readonly object[]) {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
    return await repository.putManifest(tag, { mediaType: OCI_INDEX, bytes }, { signal });
  }

  test('an image is resolved at once and pulled only when it is mounted', async () => {
    const image = await pushImage('v1', 'one');
    const name = `${proxy.host}/team/app`;
    const { key, ref } = await solve(sources(), `docker-image://${name}:v1`, {}, amd64);
    const text = JSON.stringify({ Digest: image.digest, OS: 'linux', Arch: 'amd64' });
    expect(key).toBe(sourceKeyDigest(digestOf(text)));
    expect(ref.lazy).toBe(true);
    // HEAD of the tag, manifest, config.
    expect(proxy.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET', 'GET']);
    const root = await mounted(ref);
    expect(readdirSync(root).sort()).toEqual(['a', 'b']);
    expect(readFileSync(join(root, 'b'), 'utf8')).toBe('one-b');

    const before = proxy.requests.length;
    const again = await solve(sources(), `docker-image://${name}:v1@${image.digest}`, {}, amd64);
    expect(again.key).toBe(key);
    expect(proxy.requests.length).toBe(before);
    const other = { ...context, scope: 'other' };
    const op = sourceOp({ identifier: `docker-image://${name}@${image.digest}`, attrs: {} }, amd64, {
      sources: sources(),
    });
    await op.cacheMap(0, other);
    expect(proxy.requests.length).toBeGreaterThan(before);
  });

  test('an image without layers is an empty file system', async () => {
    const config = Buffer.from(JSON.stringify({ ...amd64, rootfs: { type: 'layers', diff_ids: null } }));
    const manifest = {
      ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, layers: null },
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await blob(config)) },
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    await repository.putManifest('none', { mediaType: OCI_MANIFEST, bytes }, { signal });
    const { ref } = await solve(sources(), `docker-image://${proxy.host}/team/app:none`, {}, amd64);
    expect(readdirSync(await mounted(ref))).toEqual([]);
    expect(await ref.layers({ signal, owner: HOUSE, sessions: () => [] })).toEqual([]);
  });

  test('a digest is had only under names that served it, whatever is known of it', async () => {
    const image = await pushImage('v1', 'one');
    const index = await pushIndex('multi', [image]);
    const registry = sources();
    for (const { digest } of [image, index])
      await mounted((await solve(registry, `docker-image://${proxy.host}/team/app@${digest}`, {}, amd64)).ref);
    const config = (reference: string) =>
      resolver.resolveImageConfig(reference, {
        ...{ signal, platform: amd64, mode: 'default', scope: 'default', sessions: () => [] },
      });
    await config(`${proxy.host}/team/app@${index.digest}`);
    // One that answers for any digest by HEAD, and names in an index of its own what another repository has.
    const stolen = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [image] });
    const hostile = await listen((req, res) => {
      const mine = req.url?.endsWith('/mine') || req.url?.endsWith(digestOf(stolen));
      if (req.method === 'HEAD' || mine)
        res.writeHead(200, {
          'content-type': mine ? OCI_INDEX : OCI_MANIFEST,
          'docker-content-digest': mine ? digestOf(stolen) : image.digest,
          'content-length': mine ? stolen.length : image.size,
        });
      else res.writeHead(404);
      res.end(req.method === 'GET' && mine ? stolen : undefined);
    });
    for (const name of [
      ...[image, index].flatMap(({ digest }) => [
        `${proxy.host}/team/nosuch@${digest}`,
        `${proxy.host}/team/app2:v1@${digest}`,
        `${hostile}/team/app@${digest}`,
      ]),
      `${hostile}/team/app:v1`,
      `${hostile}/team/app:mine`,
    ]) {
      await expect(solve(registry, `docker-image://${name}`, {}, amd64), name).rejects.toMatchObject({
        code: 'not_found',
      });
      await expect(config(name), name).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('an index gives the image of the platform, and never an attestation', async () => {
    const intel = await pushImage('amd64', 'intel');
    const arm = await pushImage('arm64', 'arm', { os: 'linux', architecture: 'arm64' });
    const attestation = {
      ...(await pushImage('att', 'att')),
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    };
    await pushIndex('v1', [attestation, intel, arm]);
    const name = `docker-image://${proxy.host}/team/app:v1`;
    const registry = sources();
    const x = await solve(registry, name, {}, amd64);
    expect(readFileSync(join(await mounted(x.ref), 'a'), 'utf8')).toBe('intel-a');
    const y = await solve(registry, name, {}, { os: 'linux', architecture: 'arm64' });
    expect(readFileSync(join(await mounted(y.ref), 'a'), 'utf8')).toBe('arm-a');
    expect(x.key).not.toBe(y.key);
    await expect(solve(registry, name, {}, { os: 'linux', architecture: 's390x' })).rejects.toMatchObject({
      code: 'not_found',
      hint: 'the image has linux/amd64, linux/arm64, not linux/s390x',
    });
  });

  test('frontends get config and digest, one lookup of a tag a build', async () => {
    const image = await pushImage('v1', 'one');
    const index = await pushIndex('multi', [image]);
    const memo = new Map();
    const ask = () =>
      resolver.resolveImageConfig(`${proxy.host}/team/app:multi`, {
        signal,
        platform: amd64,
        mode: 'default',
        scope: 's',
        sessions: () => [],
        memo,
      });
    const config = await ask();
    expect(config.digest).toBe(index.digest);
    expect(JSON.parse(Buffer.from(config.config).toString())).toMatchObject({ config: { Env: ['X=1'] } });
    await ask();
    expect(proxy.requests.filter(({ method }) => method === 'HEAD')).toHaveLength(1);
  });

  test('limits, checksums and wrong attributes', async () => {
    const image = await pushImage('v1', 'one');
    const name = `docker-image://${proxy.host}/team/app:v1`;
    const registry = sources();
    const one = await solve(registry, name, { 'image.layerlimit': '1' }, amd64);
    expect(readdirSync(await mounted(one.ref))).toEqual(['a']);
    await solve(registry, name, { 'image.checksum': image.digest }, amd64);
    for (const attrs of [
      { 'image.layerlimit': '3' },
      { 'image.layerlimit': 'x' },
      { 'image.checksum': digestOf('x') },
      { 'image.resolvemode': 'x' },
    ])
      await expect(solve(registry, name, attrs, amd64)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(solve(registry, `docker-image://${proxy.host}/team/app:none`)).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(solve(registry, 'docker-image://UPPER/x y')).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(solve(registry, 'nothing://x')).rejects.toMatchObject({ code: 'unimplemented' });
  });

  test('a manifest of another time, or one that lies, is refused', async () => {
    const host = await listen((req, res) => {
      const schema1 = req.url?.includes('old');
      const body = schema1 ? '{"schemaVersion":1}' : JSON.stringify({ schemaVersion: 2, layers: [{}], config: {} });
      res.writeHead(200, {
        'content-type': schema1 ? 'application/vnd.docker.distribution.manifest.v1+prettyjws' : OCI_MANIFEST,
        'docker-content-digest': digestOf(body),
        'content-length': body.length,
      });
      res.end(req.method === 'HEAD' ? undefined : body);
    });
    const old = solve(sources(), `docker-image://${host}/old:v1`);
    await expect(old).rejects.toMatchObject({ reason: 'OCI_MEDIA_TYPE', hint: expect.stringContaining('push') });
    const bad = solve(sources(), `docker-image://${host}/bad:v1`);
    await expect(bad).rejects.toMatchObject({ code: 'invalid_argument', reason: 'OCI_MALFORMED' });
  });
});

describe('http', () => {
  test('a file with its name, mode, owner and time; unchanged files are not sent again', async () => {
    let body = 'hello';
    const seen: string[] = [];
    const host = await listen((req, res) => {
      const etag = `"${digestOf(body)}"`;
      const isKnown = req.headers['if-none-match'] === etag;
      seen.push(`${req.method} ${isKnown ? 304 : 200}`);
      if (isKnown) res.writeHead(304).end();
      else res.writeHead(200, { etag, 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' }).end(body);
    });
    const registry = sources();
    const url = `http://${host}/dir/file.txt?x=1`;
    const attrs = { 'http.perm': '0640', 'http.uid': '7', 'http.gid': '8' };
    const first = await solve(registry, url, attrs);
    const text = `{"Filename":"file.txt","Perm":416,"UID":7,"GID":8,"Checksum":"${digestOf(body)}","LastModTime":"Tue, 14 Nov 2023 22:13:20 GMT"}`;
    expect(first.key).toBe(sourceKeyDigest(digestOf(text)));
    const info = statSync(join(await mounted(first.ref), 'file.txt'));
    expect([info.mode & 0o7777, info.uid, info.gid, info.size, info.mtimeMs]).toEqual([
      0o640, 7, 8, 5, 1_700_000_000_000,
    ]);
    const second = await solve(registry, url, attrs);
    expect(second.key).toBe(first.key);
    expect(second.ref.id).toBe(first.ref.id);
    expect(seen).toEqual(['GET 200', 'HEAD 304']);
    body = 'changed';
    expect((await solve(registry, url, attrs)).key).not.toBe(first.key);
    expect(seen).toEqual(['GET 200', 'HEAD 304', 'HEAD 200', 'GET 200']);
  });

  test('asks as BuildKit does: who it is, packed content, HEAD before a file is fetched again', async () => {
    const seen: string[] = [];
    const host = await listen((req, res) => {
      const { 'user-agent': agent, 'accept-encoding': encoding, 'if-none-match': condition = '' } = req.headers;
      seen.push(`${req.method} ${agent} ${encoding} ${condition}`.trim());
      res.writeHead(200, { etag: 'W/"1"', 'content-encoding': 'gzip' }).end(gzipSync('unpacked'));
    });
    const registry = sources();
    const { ref } = await solve(registry, `http://${host}/f`);
    expect(readFileSync(join(await mounted(ref), 'f'), 'utf8')).toBe('unpacked');
    // The server answers each request in full; the ETag that is the same tells.
    expect((await solve(registry, `http://${host}/f`)).ref.id).toBe(ref.id);
    const [, minor] = BUILDKIT_VERSION.version.split('.');
    expect(seen).toEqual([`GET buildkit/v0.${minor} gzip`, `HEAD buildkit/v0.${minor} gzip "1"`]);
    const named = await solve(registry, `http://${host}/f`, { 'http.header.user-agent': 'mine' });
    expect(seen[2]).toBe('GET mine gzip');
    expect(named.key).not.toBe((await solve(registry, `http://${host}/f`)).key);
  });

  test('an ETag that the server does not confirm costs a download, never the build', async () => {
    let etag = '"1"';
    let wrong = false;
    const seen: string[] = [];
    const host = await listen((req, res) => {
      const conditional = req.headers['if-none-match'] !== undefined;
      seen.push(`${req.method}${conditional ? ' if' : ''}`);
      if (req.method === 'HEAD') res.writeHead(405).end();
      else if (conditional && wrong) res.writeHead(304, { etag: '"another"' }).end();
      else if (conditional) res.writeHead(304).end();
      else res.writeHead(200, { etag }).end(etag);
    });
    const registry = sources();
    const first = await solve(registry, `http://${host}/f`);
    expect((await solve(registry, `http://${host}/f`)).ref.id).toBe(first.ref.id);
    wrong = true;
    etag = '"2"';
    const second = await solve(registry, `http://${host}/f`);
    expect(readFileSync(join(await mounted(second.ref), 'f'), 'utf8')).toBe('"2"');
    expect(seen).toEqual(['GET', 'HEAD if', 'GET if', 'HEAD if', 'GET if', 'GET']);
  });

  test('statuses, in the words that scripts look for', async () => {
    let status = 404;
    const host = await listen((_req, res) => res.writeHead(status).end());
    const registry = sources();
    for (const [next, code] of [
      [404, 'not_found'],
      [403, 'permission_denied'],
      [500, 'unavailable'],
      [304, 'unavailable'],
      [204, 'ok'],
    ] as const) {
      status = next;
      const solved = solve(registry, `http://${host}/${status}`);
      if (code === 'ok') await solved;
      else await expect(solved).rejects.toMatchObject({ code, message: `invalid response status ${status}` });
    }
  });

  test('nine redirects are followed, a tenth and what leads elsewhere is told', async () => {
    const host = await listen((req, res) => {
      const left = Number(req.url?.slice(1));
      if (left === 0) res.end('there');
      else res.writeHead(302, { location: Number.isNaN(left) ? 'file:///etc/passwd' : `/${left - 1}` }).end();
    });
    await solve(sources(), `http://${host}/9`);
    await expect(solve(sources(), `http://${host}/10`)).rejects.toThrow(/stopped after 10 redirects$/);
    await expect(solve(sources(), `http://${host}/x`)).rejects.toThrow(/unsupported protocol scheme "file"$/);
  });

  test('a checksum is the key without a request, and is checked', async () => {
    let requests = 0;
    const host = await listen((_req, res) => {
      requests++;
      res.writeHead(200, { 'content-disposition': 'attachment; filename="../../etc/passwd"' }).end('hello');
    });
    const registry = sources();
    const op = sourceOp({ identifier: `http://${host}/f`, attrs: { 'http.checksum': digestOf('hello') } }, undefined, {
      sources: registry,
    });
    await op.cacheMap(0, context);
    expect(requests).toBe(0);
    const named = await solve(registry, `http://${host}/f`);
    expect(readdirSync(await mounted(named.ref))).toEqual(['passwd']);
    const good = await solve(registry, `http://${host}/f`, {
      'http.checksum': digestOf('hello'),
      'http.filename': 'g',
    });
    expect(readFileSync(join(await mounted(good.ref), 'g'), 'utf8')).toBe('hello');
    await expect(
      solve(registry, `http://${host}/f`, { 'http.checksum': digestOf('other'), 'http.filename': 'g' }),
    ).rejects.toMatchObject({ reason: 'HTTP_CHECKSUM' });
  });

  test('secrets go to their host only, and link-local addresses are closed', async () => {
    const other: (string | undefined)[] = [];
    const elsewhere = await listen((req, res) => {
      other.push(req.headers.authorization);
      res.end('x');
    });
    const host = await listen((req, res) => {
      if (req.headers.authorization !== 'Bearer t0ken') res.writeHead(401).end();
      else res.writeHead(302, { location: `http://${elsewhere}/x` }).end();
    });
    await expect(solve(sources(), `http://${host}/f`)).rejects.toMatchObject({ code: 'unauthenticated' });
    const secrets: SourceSecrets = {
      ...noSecrets,
      secret: async (id) => (id === 'HTTP_AUTH_TOKEN_127.0.0.1' ? Buffer.from('t0ken\n') : undefined),
    };
    await solve(sources(secrets), `http://${host}/f`);
    expect(other).toEqual([undefined]);
    await expect(solve(sources(), 'http://169.254.169.254/latest')).rejects.toMatchObject({
      reason: 'HTTP_LINK_LOCAL',
    });
    const redirecting = await listen((_req, res) => res.writeHead(302, { location: 'http://169.254.169.254/' }).end());
    await expect(solve(sources(), `http://${redirecting}/`)).rejects.toMatchObject({ reason: 'HTTP_LINK_LOCAL' });
    await expect(
      solve(sources(secrets), `http://${host}/f`, { 'http.authheadersecret': 'mine' }),
    ).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('a cut download and an abort leave nothing', async () => {
    const host = await listen((req, res) => {
      res.writeHead(200, { 'content-length': 100 });
      res.write('x', () => req.url === '/cut' && res.destroy());
    });
    const registry = sources();
    await expect(solve(registry, `http://${host}/cut`)).rejects.toMatchObject({ code: 'unavailable' });
    const controller = new AbortController();
    const op = sourceOp({ identifier: `http://${host}/slow`, attrs: {} }, undefined, {
      sources: registry,
    });
    const work = op.cacheMap(0, { ...context, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(work).rejects.toThrow('enough');
    expect(readdirSync(state.layout.mounts)).toEqual([]);
  });

  test('a download that the builder has no room to begin keeps no hold on the last one', async () => {
    const host = await listen((_, res) => res.writeHead(200, { etag: '"1"' }).end('x'));
    const registry = sources();
    const { ref } = await solve(registry, `http://${host}/file`);
    await ref.release();
    const create = state.refs.create;
    state.refs.create = async () => {
      throw new Error('no room');
    };
    const op = sourceOp({ identifier: `http://${host}/file`, attrs: {} }, undefined, { sources: registry });
    await expect(op.cacheMap(0, context)).rejects.toThrow('no room');
    state.refs.create = create;
    expect(await state.refs.remove(ref.id)).toBe(true);
  });
});

describe('local', () => {
  const source = parseLocalSource('context', {});
  const received = { progress: { bytes: 1, changes: 1 }, tree: undefined };
  const session = { id: 's', sharedKey: '', closed: signal, supports: () => true, run: async () => received };
  const registry = { get: async () => session, isLogical: () => false } as unknown as SessionRegistry;

  test.each([
    'commit',
    'remember',
  ] as const)('a directory that is received and cannot be kept goes: %s', async (step) => {
    const states = new LocalStates(state.db);
    if (step === 'remember') states.set = fails;
    const afterwork = cleanup.use(new Afterwork());
    if (step === 'commit') state.snapshotter.commit = fails;
    const receiver = new LocalReceiver({ registry, refs: state.refs, states, afterwork });
    const work = receiver.receive(source, { ...context, sessions: () => ['s'] });
    await expect(work).rejects.toThrow('no room');
    for (const record of await diskUsage(state.refs, { signal })) expect(record.inUse).toBe(false);
    await prune(state.refs, { signal, all: true });
    expect(state.snapshotter.list()).toEqual([]);
  });

  test('a directory that came as an image which cannot be mounted after all is received once more, as files', async () => {
    const asked: boolean[] = [];
    const run = async (_task: unknown, { directory, image }: ReceiveDirectoryArgs) => {
      asked.push(image !== undefined);
      writeFileSync(image?.path ?? join(directory!, 'f'), Buffer.alloc(8192, 1));
      return { ...received, isImage: image !== undefined };
    };
    const states = new LocalStates(state.db);
    const afterwork = cleanup.use(new Afterwork());
    const clients = { ...registry, get: async () => ({ ...session, run }) } as unknown as SessionRegistry;
    const receiver = new LocalReceiver({ registry: clients, refs: state.refs, states, afterwork });
    const ref = await receiver.receive(source, { ...context, sessions: () => ['s'] });
    expect(asked).toEqual([true, false]);
    expect(readdirSync(await mounted(ref))).toEqual(['f']);
    expect(state.snapshotter.list()).toHaveLength(1);
    await ref.release();
  });
});

function fails(): never {
  throw new Error('no room');
}

describe('git', () => {
  test('files of a commit in a ref, by a mirror that stays', async () => {
    const work = join(state.layout.root, 'repository');
    mkdirSync(work);
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
        cwd: work,
        env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null' },
      })
        .toString()
        .trim();
    git('init', '-q', '-b', 'main');
    mkdirSync(join(work, 'sub'));
    writeFileSync(join(work, 'sub/f'), 'one');
    git('add', '-A');
    git('commit', '-qm', 'one');
    git('update-server-info');
    const commit = git('rev-parse', 'HEAD');
    let requests = 0;
    // The dumb protocol: files of the repository, no git on the server.
    const host = await listen((req, res) => {
      requests++;
      try {
        res.end(readFileSync(join(work, '.git', new URL(req.url ?? '', 'http://x').pathname.replace('/app.git', ''))));
      } catch {
        res.writeHead(404).end();
      }
    });
    const registry = sources();
    const attrs = { 'git.fullurl': `http://${host}/app.git` };
    const { key, ref } = await solve(registry, `git://${host}/app.git#main:sub`, attrs);
    expect(key).toBe(
      `sha256:${createHash('sha256').update(`buildkit.source.v0:${commit}:sub`).digest('hex')}` as Digest,
    );
    expect(readdirSync(await mounted(ref))).toEqual(['f']);
    const before = requests;
    const again = await solve(registry, `git://${host}/app.git#${commit}`, attrs);
    expect(requests).toBe(before);
    expect(readdirSync(await mounted(again.ref))).toEqual(['sub']);
    for (const [identifier, more] of [
      [`git://${host}/app.git`, { 'git.fullurl': `http://evil.example.com/app.git` }],
      [`git://${host}/app.git#--upload-pack=x`, {}],
      ['git://ext::sh', {}],
      [`git://${host}/app.git#main`, { 'git.mtime': 'x' }],
      [`git://${host}/app.git#main`, { 'git.checksum': 'abcdef' }],
    ] as const)
      await expect(solve(registry, identifier, { ...attrs, ...more })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
  });
});

test('what the secrets of one scope fetched is not had in another, whatever is known of it', async () => {
  const work = join(state.layout.root, 'private');
  mkdirSync(work);
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
      ...{ cwd: work, encoding: 'utf8', env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null' } },
    }).trim();
  git('init', '-q', '-b', 'main');
  writeFileSync(join(work, 'f'), 'private');
  git('add', '-A');
  git('commit', '-qm', 'one');
  git('update-server-info');
  const commit = git('rev-parse', 'HEAD');
  const host = await listen((req, res) => {
    if (req.headers.authorization !== 'Bearer t0ken') return void res.writeHead(401).end();
    const { pathname } = new URL(req.url ?? '', 'http://x');
    if (pathname === '/file') return void res.writeHead(200, { etag: '"1"' }).end('private');
    try {
      res.end(readFileSync(join(work, '.git', pathname.replace('/app.git', ''))));
    } catch {
      res.writeHead(404).end();
    }
  });
  const secrets: SourceSecrets = {
    ...noSecrets,
    secret: async (id, sessions) => {
      if (!sessions.includes('owner')) return undefined;
      if (id === 'HTTP_AUTH_TOKEN_127.0.0.1') return Buffer.from('t0ken');
      return id.startsWith('GIT_AUTH_HEADER') ? Buffer.from('Bearer t0ken') : undefined;
    },
  };
  const checksum = { 'http.checksum': digestOf('private') };
  const attrs = { 'git.fullurl': `http://${host}/app.git`, 'git.authheadersecret': 'GIT_AUTH_HEADER' };
  const wanted: readonly [identifier: string, attrs: Record<string, string>][] = [
    [`http://${host}/file`, {}],
    [`http://${host}/file`, checksum],
    [`git://${host}/app.git#main`, attrs],
    [`git://${host}/app.git#${commit}`, attrs],
    [`git://${host}/app.git#refs/heads/main`, { ...attrs, 'git.fetchbycommit': 'true', 'git.checksum': commit }],
  ];
  const registry = sources(secrets);
  const owner = { ...context, sessions: () => ['owner'] };
  for (const [identifier, more] of wanted) await solve(registry, identifier, more, undefined, owner);
  const other = { ...context, scope: 'other' };
  for (const [identifier, more] of wanted)
    await expect(solve(registry, identifier, more, undefined, other), identifier).rejects.toThrow();
});
