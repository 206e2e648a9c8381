import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { digestOf, HOUSE, hostPlatform, neverAborted, newId } from '../../base/index.ts';
import { FileActions, image, type State as Llb, scratch } from '../../llb/index.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { VertexEvent } from '../../solver/ports.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import type { BuildObserver, SolveRequest } from '../engine/index.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import { cacheExporterSuite, faultsOf } from './testing/cache-exporter-suite.ts';

const signal = neverAborted;
const cleanup = new AsyncDisposableStack();
let proxy: FaultProxy;
let server: RegistryServer;
let folder: string;
/** Two machines. */
let one: Builder;
let other: Builder;
let openOne: (root: string) => Promise<Builder>;
/** Of this test. */
let repository: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-mounts-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  server = cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
  proxy = cleanup.use(await FaultProxy.start(server.url));
  await pushBusybox(join(folder, 'rootfs'));
  openOne = async (root) => await openTestBuilder(join(folder, root), cleanup, { maxParallelism: 4 });
  [one, other] = await Promise.all([openOne('one'), openOne('other')]);
});
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  repository = `${proxy.host}/mounts-${newId()}`;
  proxy.requests.length = 0;
});
afterEach(() => {
  proxy.fault = () => undefined;
});

async function pushBusybox(rootfs: string): Promise<void> {
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  const tar = execFileSync('tar', ['-C', rootfs, '--owner=0', '--group=0', '-cf', '-', '.'], { maxBuffer: 64 << 20 });
  const to = cleanup.use(new RegistryClient()).repository({ domain: server.host, path: 'busybox' }, anonymous);
  const push = async (mediaType: string, bytes: Buffer) => {
    const open = async () => ReadableStream.from([new Uint8Array(bytes)]);
    await to.pushBlob({ digest: digestOf(bytes), size: bytes.length, open }, { signal });
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const layers = [await push('application/vnd.oci.image.layer.v1.tar', tar)];
  const rootFs = { type: 'layers', diff_ids: [digestOf(tar)] };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const config = await push(
    'application/vnd.oci.image.config.v1+json',
    json({ ...hostPlatform(), config: {}, rootfs: rootFs }),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  await to.putManifest(
    'latest',
    { mediaType, bytes: json({ schemaVersion: 2, mediaType, config, layers }) },
    { signal },
  );
}

interface Mount {
  readonly id?: string;
  readonly sharing?: 'shared' | 'private' | 'locked';
  readonly source?: Llb;
}

/** A step that is never cached, with a cache mount at /c. */
function step(script: string, { id = 'c', sharing = 'shared', source }: Mount = {}): Llb {
  const mount = { target: '/c', cache: { id, sharing }, ...(source === undefined ? {} : { source }) };
  const args = ['sh', '-ec', `${script}\n: ${newId()}`];
  return image(`${proxy.host}/busybox`).run({ args, mounts: [mount] }).root;
}

type Attrs = Readonly<Record<string, string>>;

interface Told {
  readonly log: string;
  readonly warnings: readonly string[];
}

async function solve(
  builder: Builder,
  target: Llb,
  {
    scope = 'team',
    reads = [],
    ...request
  }: Partial<Omit<SolveRequest, 'scope'>> & { readonly scope?: string; readonly reads?: readonly string[] },
): Promise<void> {
  await builder.engine.solve(
    {
      ...{ ref: newId(), session: '', definition: target.marshal(), exporters: [] },
      ...{ frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] },
      ...{ scope: { write: scope, read: reads }, ...request },
    },
    { signal },
  );
}

async function build(
  builder: Builder,
  target: Llb,
  {
    from,
    to,
    scope,
    reads,
  }: { readonly from?: Attrs; readonly to?: Attrs; readonly scope?: string; readonly reads?: readonly string[] } = {},
): Promise<Told> {
  const log: Buffer[] = [];
  const warnings: string[] = [];
  let watching: Promise<void> | undefined;
  const observer: BuildObserver = ({ build: { job } }) => {
    watching = (async () => {
      for await (const events of job.watch({ signal }))
        for (const event of events as VertexEvent[]) {
          if (event.kind === 'log') log.push(Buffer.from(event.data));
          if (event.kind === 'warning') warnings.push(event.warning.short);
        }
    })();
    return {};
  };
  const cache = (attrs: Attrs | undefined) =>
    attrs === undefined ? [] : [{ type: 'mounts', attrs: { ref: repository, ...attrs } }];
  try {
    const caches = { cacheImports: cache(from), cacheExports: cache(to) };
    const scopes = { ...(scope === undefined ? {} : { scope }), ...(reads === undefined ? {} : { reads }) };
    await solve(builder, target, { ...caches, ...scopes, observer });
  } finally {
    await watching;
  }
  return { log: Buffer.concat(log).toString(), warnings };
}

/** A step of a machine that has nothing of it. */
async function restored(script: string, from: Attrs = {}, mount: Mount = {}, scope = 'team'): Promise<Told> {
  await other.state.refs.forgetNamed({ scope, key: `cache-dir:${mount.id ?? 'c'}` });
  return await build(other, step(script, mount), { from, scope });
}

const WAIT = { wait: 'true' };

/** What is saved is waited for: else only the builder's log says how it went. */
cacheExporterSuite('cache mounts', async () => ({
  open: (attrs) => one.mountCaches.exporter({ ref: repository, ...WAIT, ...attrs }),
  run: async (exporter) => {
    const until = new AbortController();
    let owner = HOUSE;
    const observer: BuildObserver = ({ build: { job } }) => {
      owner = job.owner;
      exporter.begin?.({ owner, sessions: job.sessions, scope: job.scope.write, until: until.signal });
      return {};
    };
    await solve(one, step('echo kept > /c/file', { id: newId() }), { observer });
    return { build: { roots: [], scopes: ['team'] }, of: { owner } };
  },
  ...faultsOf(proxy, { domain: server.host, path: repository.split('/')[1]! }, cleanup.use(new RegistryClient())),
  [Symbol.asyncDispose]: async () => {},
}));
const fill = 'echo first > /c/file; mkdir /c/sub; ln -s ../file /c/sub/link; chmod 1777 /c; chown 3:4 /c/sub';
const show = 'cat /c/sub/link; stat -c "%a %u %n" /c; stat -c "%u:%g" /c/sub';
const isChunk = ({ method, url }: IncomingMessage) => method === 'GET' && url?.includes('/blobs/') === true;
/** Uploads that were begun. */
const uploads = () => proxy.requests.filter(({ method }) => method === 'POST').length;
test('what steps left in a mount is there on another machine, as they left it', async () => {
  const first = await build(one, step(`test -z "$(ls /c)"; ${fill}`), { to: WAIT });
  expect(first.warnings).toEqual([]);
  const second = await restored(show);
  expect(second).toEqual({ log: 'first\n1777 0 /c\n3:4\n', warnings: [] });
  // Then it is this machine's own.
  proxy.requests.length = 0;
  expect((await build(other, step('cat /c/file'), { from: {} })).log).toBe('first\n');
  expect(proxy.requests.filter(({ path }) => path.includes('/mounts-'))).toEqual([]);
});

test('the answer does not wait for what is saved, unless that is asked for', async () => {
  const held = Promise.withResolvers<void>();
  proxy.fault = (req, _res, forward) => {
    if (req.method !== 'PUT' || !req.url?.includes('/manifests/')) return false;
    void held.promise.then(forward);
    return true;
  };
  const { log, warnings } = await build(one, step('echo kept > /c/file', { id: 'later' }), { to: {} });
  expect([log, warnings]).toEqual([`saving cache mounts to ${repository} in the background: later\n`, []]);
  held.resolve();
  await one.mountCaches.settled();
  expect((await restored('cat /c/file', {}, { id: 'later' })).log).toBe('kept\n');
});

test('another version sends the chunks that differ', async () => {
  const random = (name: string, mib: number) => `head -c ${mib}m /dev/urandom > /c/${name}`;
  await build(one, step(`${random('a', 20)}; ${random('b', 20)}`, { id: 'big' }), { to: WAIT });
  const whole = uploads();
  proxy.requests.length = 0;
  await build(one, step('echo changed >> /c/b', { id: 'big' }), { to: WAIT });
  const changed = uploads();
  // The config is another one, too.
  expect(whole).toBeGreaterThan(8);
  expect(changed).toBeGreaterThan(1);
  expect(changed).toBeLessThanOrEqual(4);
  const sum = (builder: Builder, from?: Attrs) =>
    build(builder, step('cat /c/a /c/b | sha256sum', { id: 'big' }), from === undefined ? {} : { from });
  expect((await sum(other, {})).log).toBe((await sum(one)).log);
});

test('who has another scope, id or seed finds nothing of it', async () => {
  const seed = (text: string) => scratch().file(new FileActions().mkfile('/seed', 0o644, Buffer.from(text)));
  await build(one, step('echo mine > /c/file'), { to: WAIT, scope: 'mine' });
  await build(one, step('echo seeded > /c/file; rm /c/seed', { id: 's', source: seed('a') }), { to: WAIT });
  const ls = async (mount: Mount, scope = 'team') => (await restored('ls /c', {}, mount, scope)).log;
  expect(await ls({ id: 'c' }, 'mine')).toBe('file\n');
  expect(await ls({ id: 'c' }, 'yours')).toBe('');
  expect(await ls({ id: 'd' }, 'mine')).toBe('');
  expect(await ls({ id: 's' })).toBe('');
  expect(await ls({ id: 's', source: seed('b') })).toBe('seed\n');
  // What was deleted of the seed stays deleted.
  expect(await ls({ id: 's', source: seed('a') })).toBe('file\n');
});

test('a mount that the own scope has not comes from the nearest that is read, and is saved as its own alone', async () => {
  for (const scope of ['far', 'near', 'hidden']) await build(one, step(`echo ${scope} > /c/file`), { to: WAIT, scope });
  const own = async (
    script: string,
    reads: readonly string[],
    { to, scope = 'own' }: { to?: Attrs; scope?: string } = {},
  ) => {
    await other.state.refs.forgetNamed({ scope, key: 'cache-dir:c' });
    const asked = { from: {}, scope, reads, ...(to === undefined ? {} : { to }) };
    const { log, warnings } = await build(other, step(script), asked);
    expect(warnings).toEqual([]);
    return log;
  };
  expect(await own('ls /c', [])).toBe('');
  expect(await own('cat /c/file', ['absent', 'near', 'far'])).toBe('near\n');
  expect(await own('cat /c/file; echo own > /c/file', ['far', 'near'], { to: WAIT })).toBe('far\n');
  // Its own comes first from now on; what it had it from is as it was, and reads nothing of it.
  expect(await own('cat /c/file', ['far', 'near'])).toBe('own\n');
  for (const scope of ['far', 'near']) expect(await own('cat /c/file', [], { scope })).toBe(`${scope}\n`);
  expect(await own('ls /c', ['absent'], { scope: 'nobody' })).toBe('');
});

test('ids say which mounts, bounds say what is too large or too old, and each is told', async () => {
  const both = () => step('echo x > /c/file', { id: 'wanted' });
  await build(one, both(), { to: { ...WAIT, ids: 'other;wanted' } });
  await build(one, step('echo x > /c/file', { id: 'unwanted' }), { to: { ...WAIT, ids: 'other;wanted' } });
  expect((await restored('ls /c', {}, { id: 'wanted' })).log).toBe('file\n');
  expect((await restored('ls /c', { ids: 'other' }, { id: 'wanted' })).log).toBe('');
  expect((await restored('ls /c', { 'max-age': '1ms' }, { id: 'wanted' })).log).toBe('');
  expect((await restored('ls /c', {}, { id: 'unwanted' })).log).toBe('');
  const large = step('head -c 3m /dev/zero > /c/file', { id: 'large' });
  expect((await build(one, large, { to: { ...WAIT, 'max-size': '2MiB' } })).warnings).toEqual([
    'the cache mount large is not saved: it is larger than 2097152 bytes (max-size)',
  ]);
  await build(one, step('true', { id: 'large' }), { to: WAIT });
  const warned = await restored('ls /c', { 'max-size': '2MiB' }, { id: 'large' });
  expect(warned).toEqual({
    log: '',
    warnings: [`the cache mount large could not be restored from ${repository}: it starts empty`],
  });
  await expect(build(one, both(), { to: { ref: '' } })).rejects.toMatchObject({ reason: 'CACHE_ATTRIBUTE' });
});

test('holes stay holes on another machine, and zeros become some', async () => {
  const make = 'truncate -s 300M /c/sparse; echo end >> /c/sparse; head -c 50m /dev/zero > /c/zeros';
  await build(one, step(make, { id: 'holes' }), { to: WAIT });
  const { log, warnings } = await restored(
    'wc -c < /c/sparse; tail -n 1 /c/sparse | tail -c 4; du -sk /c',
    {},
    { id: 'holes' },
  );
  expect(warnings).toEqual([]);
  const [bytes, end, du] = log.split('\n');
  expect([bytes, end]).toEqual([`${300 * 2 ** 20 + 4}`, 'end']);
  expect(Number.parseInt(du!, 10)).toBeLessThan(200);
});

test('what is too large by its holes is told without being read', async () => {
  // Zeros for many minutes.
  const large = step('for n in 1 2 3 4; do truncate -s 2048G /c/$n; done', { id: 'endless' });
  expect((await build(one, large, { to: { ...WAIT, 'max-size': '7168GiB' } })).warnings).toEqual([
    `the cache mount endless is not saved: it is larger than ${7 * 2 ** 40} bytes (max-size)`,
  ]);
});

test('where there is no room for it a mount starts empty, with one warning, and nothing of it is pulled', async () => {
  await build(one, step('echo x > /c/file', { id: 'roomless' }), { to: WAIT });
  await using closing = new AsyncDisposableStack();
  const full = await openTestBuilder(join(folder, 'full'), closing, {
    leastFree: ({ total }) => total,
  });
  proxy.requests.length = 0;
  expect(await build(full, step('ls /c', { id: 'roomless' }), { from: {} })).toEqual({
    log: '',
    warnings: [`the cache mount roomless could not be restored from ${repository}: it starts empty`],
  });
  // Its config.
  expect(proxy.requests.filter(({ method, path }) => method === 'GET' && /mounts-.*\/blobs\//.test(path))).toHaveLength(
    1,
  );
  // It is not taken for damaged.
  expect((await restored('cat /c/file', {}, { id: 'roomless' })).log).toBe('x\n');
});

test('a mount that a step uses is not waited for', async () => {
  const busy = build(one, step('echo begun > /c/begun; while [ ! -e /c/enough ]; do sleep 0.1; done', { id: 'busy' }));
  const saved = await build(one, step('while [ ! -e /c/begun ]; do sleep 0.1; done', { id: 'busy' }), { to: WAIT });
  expect(saved.warnings).toEqual(['the cache mount busy is not saved: a step is using it']);
  await build(one, step('touch /c/enough', { id: 'busy' }), { to: WAIT });
  await busy;
});

test('two steps that ask at once have it restored once', async () => {
  await build(one, step('echo x > /c/file', { id: 'twice' }), { to: WAIT });
  proxy.requests.length = 0;
  const [first, second] = await Promise.all([
    build(other, step('cat /c/file', { id: 'twice' }), { from: {} }),
    build(other, step('cat /c/file', { id: 'twice' }), { from: {} }),
  ]);
  expect([first?.log, second?.log]).toEqual(['x\n', 'x\n']);
  expect(proxy.requests.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))).toHaveLength(2);
});

test('a step that is to run whatever is cached begins with an empty mount', async () => {
  await build(one, step('echo x > /c/file', { id: 'fresh' }), { to: WAIT });
  const mounts = [{ target: '/c', cache: { id: 'fresh' } }];
  const target = image(`${proxy.host}/busybox`).run({ args: ['ls', '/c'], mounts, ignoreCache: true }).root;
  expect((await build(other, target, { from: {} })).log).toBe('');
});

type Fault = (req: IncomingMessage, res: ServerResponse, forward: () => void) => boolean;
const answers =
  (which: (req: IncomingMessage) => boolean, status: number, body: string | Buffer = ''): Fault =>
  (req, res) => {
    if (!which(req)) return false;
    res.writeHead(status, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(body);
    return true;
  };
const isManifest = ({ method, url }: IncomingMessage) =>
  method === 'GET' && url?.includes('/mounts-') === true && url.includes('/manifests/');
const isMountBlob = (req: IncomingMessage) => isChunk(req) && req.url?.includes('/mounts-') === true;
/** The second blob that is asked for is the first chunk. */
const onlyChunks = (fault: (res: ServerResponse) => void): (() => Fault) => {
  return () => {
    let configs = 0;
    return (req, res) => {
      if (!isMountBlob(req) || configs++ === 0) return false;
      fault(res);
      return true;
    };
  };
};

const FAULTS: readonly (readonly [string, () => Fault])[] = [
  ['its registry fails', () => answers(isManifest, 500)],
  ['it may not be read', () => answers(isManifest, 403)],
  ['its manifest is no JSON', () => answers(isManifest, 200, 'nonsense')],
  ['its registry does not answer', () => (req) => isManifest(req)],
  ['its config is not there', () => answers(isMountBlob, 404)],
  ['its config is another', () => answers(isMountBlob, 200, 'x')],
  ['its chunks are not there', onlyChunks((res) => res.writeHead(404).end())],
  ['its chunks are refused', onlyChunks((res) => res.writeHead(403).end())],
  ['its chunks are others', onlyChunks((res) => res.writeHead(200).end('x'))],
  [
    'its chunks are cut off',
    onlyChunks((res) => res.writeHead(200, { 'content-length': '99999' }).end('x', () => res.destroy())),
  ],
  ['its chunks never come', onlyChunks(() => {})],
];

test.each(FAULTS)('where %s the mount starts empty, with one warning', async (_what, fault) => {
  await build(one, step('head -c 100k /dev/urandom > /c/file', { id: 'faulty' }), { to: WAIT });
  proxy.fault = fault();
  expect(await restored('ls /c', { timeout: '3s' }, { id: 'faulty' })).toEqual({
    log: '',
    warnings: [`the cache mount faulty could not be restored from ${repository}: it starts empty`],
  });
});

test('what is not signed by a key that is trusted is not restored', async () => {
  await build(one, step('echo x > /c/file', { id: 'signed' }), { to: WAIT });
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  expect(await restored('ls /c', { 'verify-key': key }, { id: 'signed' })).toEqual({
    log: '',
    warnings: [`the cache mount signed could not be restored from ${repository}: it starts empty`],
  });
});

const repositoryOf = () =>
  cleanup
    .use(new RegistryClient())
    .repository({ domain: proxy.host, path: repository.slice(repository.indexOf('/') + 1) }, anonymous);
/** The same bytes each time. */
const same = 'echo same > /c/file; touch -d @1 /c/file';

test('what the registry has lost of an earlier version is sent again', async () => {
  await build(one, step(same, { id: 'lost' }), { to: WAIT });
  const there = repositoryOf();
  const [tag = ''] = await there.tags({ signal });
  const { layers } = JSON.parse(Buffer.from((await there.getManifest(tag, { signal })).bytes).toString());
  for (const { digest } of layers) expect(await there.deleteBlob(digest, { signal })).toBe(true);
  expect((await build(one, step(same, { id: 'lost' }), { to: WAIT })).warnings).toEqual([]);
  expect(await restored('cat /c/file', {}, { id: 'lost' })).toEqual({ log: 'same\n', warnings: [] });
});

test('what is forged is not restored, nor taken up by what is saved next', async () => {
  await build(one, step(same, { id: 'forged' }), { to: WAIT });
  const there = repositoryOf();
  const [tag = ''] = await there.tags({ signal });
  const { descriptor, bytes } = await there.getManifest(tag, { signal });
  const manifest = JSON.parse(Buffer.from(bytes).toString());
  const wrong = zstdCompressSync(Buffer.alloc(4096, 'another'));
  const layer = { ...manifest.layers[0], digest: digestOf(wrong), size: wrong.length };
  await there.pushBlob({ ...layer, open: async () => ReadableStream.from([new Uint8Array(wrong)]) }, { signal });
  const forged = Buffer.from(JSON.stringify({ ...manifest, layers: [layer] }));
  await there.putManifest(tag, { mediaType: descriptor.mediaType, bytes: forged }, { signal });
  const warnings = [`the cache mount forged could not be restored from ${repository}: it starts empty`];
  await other.state.refs.forgetNamed({ scope: 'team', key: 'cache-dir:forged' });
  const next = await build(other, step(`ls /c; ${same}`, { id: 'forged' }), { from: {}, to: WAIT });
  expect(next).toEqual({ log: '', warnings });
  expect(await restored('cat /c/file', {}, { id: 'forged' })).toEqual({ log: 'same\n', warnings: [] });
});

test('a builder that stops gives up what it saves; what was there stays', async () => {
  await build(one, step('echo before > /c/file', { id: 'stopped' }), { to: WAIT });
  await other.state.refs.forgetNamed({ scope: 'team', key: 'cache-dir:stopped' });
  const reached = Promise.withResolvers<void>();
  proxy.fault = ({ method, url }) => {
    if (method !== 'PUT' || !url?.includes('/manifests/')) return false;
    reached.resolve();
    return true;
  };
  const stopping = await openOne('stopping');
  await build(stopping, step('echo after > /c/file', { id: 'stopped' }), { to: {} });
  await reached.promise;
  await stopping[Symbol.asyncDispose]();
  proxy.fault = () => undefined;
  expect((await restored('cat /c/file', {}, { id: 'stopped' })).log).toBe('before\n');
});

test('where there is nothing nobody is warned, and what cannot be written fails no build', async () => {
  expect(await restored('ls /c', {}, { id: 'never' })).toEqual({ log: '', warnings: [] });
  proxy.fault = answers(({ method, url }) => method === 'POST' && url?.includes('/mounts-') === true, 403);
  await build(one, step('echo x > /c/file', { id: 'refused' }), { to: {} });
  const needed = build(one, step('echo x > /c/file', { id: 'refused' }), { to: { 'ignore-error': 'false' } });
  await expect(needed).rejects.toThrow();
});
