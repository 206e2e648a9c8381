import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, neverAborted } from '../../base/index.ts';
import { MEDIA_TYPE } from '../manifest/index.ts';
import { type RegistryAccess, RegistryServer } from '../registry-server/index.ts';
import { anonymous, RegistryClient } from './index.ts';
import { dockerRegistry } from './testing/docker-registry.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { staticCredentials } from './testing/static-credentials.ts';

const run = promisify(execFile);
const OCI_MANIFEST = MEDIA_TYPE.ociManifest;
const signal = neverAborted;
const users = { ada: 'lovelace' };
const ada = staticCredentials('ada', 'lovelace');

let folder: string;
let cleanup: AsyncDisposableStack;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), 'slipway-interop-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

const content = {
  config: Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } })),
  layer: randomBytes(5 << 20),
};

function manifest(): Buffer {
  const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: descriptor('application/vnd.oci.image.config.v1+json', content.config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', content.layer)],
    }),
  );
}

/** An OCI layout with one image, for other tools to push. */
async function layout(): Promise<string> {
  const root = join(folder, 'layout');
  await mkdir(join(root, 'blobs/sha256'), { recursive: true });
  await writeFile(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  for (const bytes of [content.config, content.layer, manifest()])
    await writeFile(join(root, 'blobs/sha256', digestOf(bytes).slice(7)), bytes);
  const annotations = { 'org.opencontainers.image.ref.name': 'v1' };
  const entry = { mediaType: OCI_MANIFEST, digest: digestOf(manifest()), size: manifest().length, annotations };
  await writeFile(join(root, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return root;
}

const blob = (bytes: Buffer) => ({
  digest: digestOf(bytes),
  size: bytes.length,
  open: async () => ReadableStream.from([bytes.subarray(0, 1 << 20), bytes.subarray(1 << 20)]),
});

describe('skopeo and the embedded registry', () => {
  test.each<[string, RegistryAccess | undefined]>([
    ['open', undefined],
    ['basic', { kind: 'basic', users }],
    ['tokens', { kind: 'token', users }],
  ])('%s: pushes, our client and skopeo pull', async (_name, access) => {
    const server = cleanup.use(
      await RegistryServer.start({
        root: join(folder, 'registry'),
        durable: false,
        ...(access === undefined ? {} : { access }),
      }),
    );
    const creds = access === undefined ? [] : ['ada:lovelace'];
    const image = `docker://${server.host}/team/app:v1`;
    const pushFlags = ['--dest-tls-verify=false', ...creds.flatMap((c) => ['--dest-creds', c])];
    await run('skopeo', [
      '--insecure-policy',
      'copy',
      '--preserve-digests',
      ...pushFlags,
      `oci:${await layout()}:v1`,
      image,
    ]);
    const repository = cleanup
      .use(new RegistryClient())
      .repository({ domain: server.host, path: 'team/app' }, access === undefined ? anonymous : ada);
    const found = await repository.getManifest('v1', { signal });
    expect(Buffer.from(found.bytes).equals(manifest())).toBe(true);
    const layer = { mediaType: 'x/y', digest: digestOf(content.layer), size: content.layer.length };
    expect((await repository.getBlob(layer, { signal, maxBytes: 10 << 20 })).length).toBe(content.layer.length);
    await repository.putManifest('v2', { mediaType: OCI_MANIFEST, bytes: manifest() }, { signal });
    const pullFlags = ['--src-tls-verify=false', ...creds.flatMap((c) => ['--src-creds', c])];
    await run('skopeo', [
      '--insecure-policy',
      'copy',
      '--preserve-digests',
      ...pullFlags,
      `docker://${server.host}/team/app:v2`,
      `oci:${folder}/pulled:v2`,
    ]);
    expect((await readFile(join(folder, 'pulled/blobs/sha256', layer.digest.slice(7)))).equals(content.layer)).toBe(
      true,
    );
    const flags = ['--tls-verify=false', ...creds.flatMap((c) => ['--creds', c])];
    const { stdout } = await run('skopeo', ['list-tags', ...flags, `docker://${server.host}/team/app`]);
    expect(JSON.parse(stdout)).toMatchObject({ Tags: ['v1', 'v2'] });
    await run('skopeo', ['delete', ...flags, `docker://${server.host}/team/app:v2`]);
    await expect(repository.resolve('v1', { signal })).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe("our client and Debian's docker-registry", () => {
  test.each([
    ['open', undefined],
    ['htpasswd', 'ada'],
  ])('%s', async (_name, user) => {
    let auth = '';
    if (user !== undefined) {
      await run('htpasswd', ['-Bbc', join(folder, 'htpasswd'), 'ada', 'lovelace']);
      auth = `auth:\n  htpasswd:\n    realm: test\n    path: ${folder}/htpasswd\n`;
    }
    const { host } = cleanup.use(await dockerRegistry(folder, auth));
    const client = cleanup.use(new RegistryClient());
    const repository = client.repository({ domain: host, path: 'team/app' }, user === undefined ? anonymous : ada);
    await client.ping(host, user === undefined ? anonymous : ada, { signal });
    if (user !== undefined)
      await expect(
        client.repository({ domain: host, path: 'team/app' }, staticCredentials('ada', 'wrong')).tags({ signal }),
      ).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await repository.pushBlob(blob(content.layer), { signal })).toBe('uploaded');
    expect(await repository.pushBlob(blob(content.layer), { signal })).toBe('exists');
    const streamed = await repository.pushStream(
      ReadableStream.from([content.config]),
      () => digestOf(content.config),
      { signal },
    );
    expect(streamed).toEqual({ digest: digestOf(content.config), size: content.config.length });
    const pushed = await repository.putManifest('v1', { mediaType: OCI_MANIFEST, bytes: manifest() }, { signal });
    expect(await repository.resolve('v1', { signal })).toEqual(pushed);
    const layer = { mediaType: 'x/y', digest: digestOf(content.layer), size: content.layer.length };
    expect(Buffer.from(await repository.getBlob(layer, { signal, maxBytes: 10 << 20 })).equals(content.layer)).toBe(
      true,
    );
    const tail: Uint8Array[] = [];
    for await (const chunk of await repository.openBlob(layer, { signal, offset: layer.size - 100 })) tail.push(chunk);
    expect(Buffer.concat(tail).equals(content.layer.subarray(-100))).toBe(true);
    const other = client.repository({ domain: host, path: 'team/other' }, user === undefined ? anonymous : ada);
    expect(await other.pushBlob(blob(content.layer), { signal, mountFrom: ['team/app'] })).toBe('mounted');
    expect(await repository.tags({ signal })).toEqual(['v1']);
    expect(await repository.referrers(pushed.digest, { signal })).toEqual([]);
    // In a registry that lists no referrers the list is ours to keep, and others', who write it at the same time.
    const referrer = (kind: string) => ({
      ...({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        artifactType: `application/x.${kind}`,
        subject: pushed,
      } as const),
      config: { mediaType: 'x/y', digest: streamed.digest, size: streamed.size },
      layers: [layer],
      annotations: { kind },
    });
    const attached = await Promise.all(
      ['a', 'b'].map((kind) => repository.putReferrer(referrer(kind), { signal, replaced: [] })),
    );
    const found = () => repository.referrers(pushed.digest, { signal });
    expect(new Set((await found()).map(({ digest }) => digest))).toEqual(new Set(attached.map(({ digest }) => digest)));
    expect(await repository.referrers(pushed.digest, { signal, artifactType: 'application/x.b' })).toMatchObject([
      { digest: attached[1]?.digest, artifactType: 'application/x.b', annotations: { kind: 'b' } },
    ]);
    const replaced = attached.map(({ digest }) => digest);
    const last = await repository.putReferrer(referrer('c'), { signal, replaced });
    for (const one of replaced) await repository.deleteManifest(one, { signal });
    expect(await found()).toMatchObject([{ digest: last.digest, mediaType: OCI_MANIFEST }]);
    expect(await repository.putReferrer(referrer('c'), { signal, replaced })).toEqual(last);
    expect(await found()).toHaveLength(1);
    const creds = user === undefined ? [] : ['--src-creds', 'ada:lovelace'];
    await run('skopeo', [
      '--insecure-policy',
      'copy',
      '--preserve-digests',
      '--src-tls-verify=false',
      ...creds,
      `docker://${host}/team/app:v1`,
      `oci:${folder}/pulled:v1`,
    ]);
    await repository.deleteManifest(pushed.digest, { signal });
    await expect(repository.resolve('v1', { signal })).rejects.toMatchObject({ code: 'not_found' });
  });
});

/** Whether the registry has what came of an upload before its connection was cut: docker-registry then knows nothing of it any more. */
type Keeps = boolean;

describe.each<[string, Keeps, () => Promise<{ readonly host: string }>]>([
  [
    'the embedded registry',
    true,
    async () => cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false })),
  ],
  ["Debian's docker-registry", false, async () => cleanup.use(await dockerRegistry(folder))],
])('a push to %s', (_name, keeps, start) => {
  let proxy: FaultProxy;
  let client: RegistryClient;
  beforeEach(async () => {
    proxy = cleanup.use(await FaultProxy.start(`http://${(await start()).host}`));
    client = cleanup.use(new RegistryClient());
  });

  const open = (path: string) => client.repository({ domain: proxy.host, path }, anonymous);
  const sent = () => proxy.requests.filter(({ method }) => method === 'PUT' || method === 'PATCH');
  /** So many bodies are cut after a mebibyte. */
  function cutsOff(times: number): () => number {
    let cuts = 0;
    proxy.fault = (req, _res, forward) => {
      if (!['PUT', 'PATCH'].includes(req.method ?? '') || cuts === times) return false;
      cuts++;
      let seen = 0;
      req.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 1 << 20) req.socket.destroy();
      });
      forward();
      return true;
    };
    return () => cuts;
  }
  const contentOf = async (path: string, bytes: Buffer) =>
    digestOf(
      await open(path).getBlob(
        { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length },
        { signal, maxBytes: bytes.length },
      ),
    );

  test('moves no bytes where another repository has the blob, and all of them where it has not', async () => {
    const options = { signal, mountFrom: ['team/none', 'team/app'] };
    expect(await open('team/app').pushBlob(blob(content.layer), options)).toBe('uploaded');
    proxy.requests.length = 0;
    expect(await open('team/other').pushBlob(blob(content.layer), options)).toBe('mounted');
    expect(sent()).toEqual([]);
    expect(await contentOf('team/other', content.layer)).toBe(digestOf(content.layer));
  });

  test('goes in chunks where the size is not known, each of which may be cut where the registry keeps it', async () => {
    const bytes = randomBytes(20 << 20);
    const cuts = cutsOff(keeps ? 2 : 0);
    const pieces = Array.from({ length: 20 }, (_, n) => bytes.subarray(n << 20, (n + 1) << 20));
    const pushed = await open('team/app').pushStream(ReadableStream.from(pieces), () => digestOf(bytes), { signal });
    expect(cuts()).toBe(keeps ? 2 : 0);
    expect(pushed).toEqual({ digest: digestOf(bytes), size: bytes.length });
    expect(sent().filter(({ method }) => method === 'PATCH').length).toBeGreaterThan(2);
    expect(await contentOf('team/app', bytes)).toBe(digestOf(bytes));
  });

  test('goes on where it was cut, or anew where the registry has forgotten it', async () => {
    const bytes = randomBytes(20 << 20);
    const cuts = cutsOff(1);
    expect(await open('team/app').pushBlob(blob(bytes), { signal })).toBe('uploaded');
    expect(cuts()).toBe(1);
    expect(await contentOf('team/app', bytes)).toBe(digestOf(bytes));
    const [, rest] = sent();
    expect(Number(rest?.headers['content-range']?.split('-')[0] ?? 0) > 0).toBe(keeps);
  });
});

describe('TLS', () => {
  test('a private CA is trusted when configured; insecure skips it; otherwise the error says what to do', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    await run('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, '-days', '2', ...subject]);
    const pem = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
    const server = cleanup.use(
      await RegistryServer.start({ root: join(folder, 'registry'), tls: pem, durable: false }),
    );
    const ping = (hosts: ConstructorParameters<typeof RegistryClient>[0]) =>
      cleanup.use(new RegistryClient({ retry: { delaysMs: [] }, ...hosts })).ping(server.host, anonymous, { signal });
    await ping({ hosts: { [server.host]: { ca: [pem.cert] } } });
    await ping({ hosts: { [server.host]: { insecure: true } } });
    await expect(ping({ hosts: { [server.host]: { plainHttp: false } } })).rejects.toMatchObject({
      reason: 'REGISTRY_CERTIFICATE',
      hint: expect.stringContaining('CA'),
    });
    const plain = cleanup.use(await RegistryServer.start({ root: join(folder, 'plain'), durable: false }));
    const insecure = cleanup.use(new RegistryClient({ hosts: { [plain.host]: { insecure: true } } }));
    await insecure.ping(plain.host, anonymous, { signal });
  });
});
