import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBuilder, type TestBuilder } from '../../../e2e/support/builder.ts';
import { cosignVerify } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { newId } from '../../base/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';

/** Caches that are signed as they are written, and read only when they are: with buildctl and the registry of Debian, and cosign's own verification. */
const stack = new AsyncDisposableStack();
let folder: string;
let proxy: FaultProxy;
let builder: TestBuilder;
/** Demands signatures by `ours` below `trusted/`. */
let strict: TestBuilder;
let ours: Key;
let theirs: Key;
/** Read through a proxy of its own, by a builder of its own: it takes as long as builds wait for a cache, beside the other tests. */
let unanswered: Promise<{ readonly repository: string; readonly found: Built }>;

interface Key {
  /** Files. */
  readonly file: string;
  readonly publicFile: string;
  readonly publicPem: string;
  /** A line of the private key. */
  readonly line: string;
}

function newKey(name: string): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const key = { file: path.join(folder, `${name}.key`), publicFile: path.join(folder, `${name}.pub`), publicPem };
  writeFileSync(key.file, pem);
  writeFileSync(key.publicFile, publicPem);
  return { ...key, line: pem.split('\n')[1]! };
}

beforeAll(async () => {
  folder = stack.use(tempFolder('trust')).path;
  mkdirSync(path.join(folder, 'registry'));
  const registry = stack.use(await dockerRegistry(path.join(folder, 'registry')));
  proxy = stack.use(await FaultProxy.start(`http://${registry.host}`));
  ours = newKey('ours');
  theirs = newKey('theirs');
  for (const name of ['plain', 'strict', 'patient', 'context']) mkdirSync(path.join(folder, name));
  writeFileSync(path.join(folder, 'context/Dockerfile'), 'FROM scratch\nARG N\nCOPY Dockerfile /$N\n');
  const config = path.join(folder, 'strict.toml');
  const trusted = `[[trusted-caches]]\nrepository = "${proxy.host}/trusted"\nkeys = ["${ours.publicFile}"]\n`;
  writeFileSync(config, trusted);
  builder = stack.use(await startBuilder(path.join(folder, 'plain')));
  strict = stack.use(await startBuilder(path.join(folder, 'strict'), ['--config', config]));
  const patient = stack.use(await startBuilder(path.join(folder, 'patient')));
  const silent = stack.use(await FaultProxy.start(`http://${registry.host}`));
  const repository = `${silent.host}/team/unanswered`;
  await writeSigned(repository);
  silent.fault = ({ url = '' }) => url.endsWith('.sig');
  unanswered = read(repository, ours, { on: patient }).then((found) => ({ repository, found }));
  unanswered.catch(() => {});
});
afterAll(() => stack.disposeAsync());
afterEach(() => {
  proxy.fault = () => undefined;
});

interface Built {
  readonly code: number | null;
  readonly text: string;
  /** Whether the step was found. */
  readonly hit: boolean;
  readonly warnings: readonly string[];
}

interface Asked {
  readonly n?: string;
  readonly on?: TestBuilder;
  readonly from?: string;
  readonly to?: string;
  readonly secrets?: readonly string[];
}

/** A build of one step on a builder that has nothing. */
async function build({ n = '1', on = builder, from, to, secrets = [] }: Asked): Promise<Built> {
  await on.buildctl(['prune', '--all']);
  const context = path.join(folder, 'context');
  const { code, output } = await on.buildctl([
    ...['build', '--progress=rawjson', '--frontend=dockerfile.v0', `--opt=build-arg:N=${n}`],
    ...['--local', `context=${context}`, '--local', `dockerfile=${context}`],
    ...(from === undefined ? [] : ['--import-cache', from]),
    ...(to === undefined ? [] : ['--export-cache', to]),
    ...secrets.flatMap((secret) => ['--secret', secret]),
  ]);
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  const events = lines.map(
    (line) =>
      JSON.parse(line) as {
        vertexes?: { name: string; cached?: boolean }[];
        warnings?: { short: string }[];
      },
  );
  return {
    ...{ code, text: output },
    hit: events.some(({ vertexes = [] }) => vertexes.some(({ name, cached }) => name.includes('COPY') && cached)),
    warnings: events.flatMap(({ warnings = [] }) =>
      warnings.map(({ short }) => Buffer.from(short, 'base64').toString('utf8')),
    ),
  };
}

const newRepository = (below = 'team') => `${proxy.host}/${below}/cache-${newId()}`;
const cacheAt = (repository: string) => `type=registry,ref=${repository}:main`;
const signing = (key: Key) => `id=signer,src=${key.file}`;
const trusting = (key: Key) => `id=trusted,src=${key.publicFile}`;

async function writeSigned(repository: string, key = ours, attrs = '', n = '1'): Promise<Built> {
  const to = `${cacheAt(repository)},mode=max,sign-key=signer${attrs}`;
  const built = await build({ n, to, secrets: [signing(key)] });
  expect(built.code, built.text).toBe(0);
  return built;
}

const read = async (repository: string, key = ours, rest: Asked = {}) =>
  await build({ from: `${cacheAt(repository)},verify-key=trusted`, secrets: [trusting(key)], ...rest });

const api = (repository: string, what: string) => `http://${repository.replace('/', '/v2/')}/${what}`;
const ACCEPT = { accept: 'application/vnd.oci.image.manifest.v1+json' };
async function get(repository: string, what: string): Promise<Response> {
  return await fetch(api(repository, what), { headers: ACCEPT });
}
const tagOf = (digest: string) => `${digest.replace(':', '-')}.sig`;
async function digestAt(repository: string): Promise<string> {
  const answer = await get(repository, 'manifests/main');
  await answer.arrayBuffer();
  return answer.headers.get('docker-content-digest')!;
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** Whether cosign finds it signed with this key. */
async function isSigned(repository: string, { publicFile }: Key): Promise<boolean> {
  const { code } = await run(cosignVerify, ['--key', publicFile, `${repository}@${await digestAt(repository)}`]);
  return code === 0;
}

/** As somebody does who may write to both: all that lies under the name, the signatures too. */
async function copy(from: string, to: string): Promise<void> {
  const digest = await digestAt(from);
  for (const [source, target] of [
    [tagOf(digest), tagOf(digest)],
    ['main', 'main'],
  ] as const) {
    const answer = await get(from, `manifests/${source}`);
    const text = await answer.text();
    const { config, layers } = JSON.parse(text) as Manifest;
    for (const blob of [config, ...layers]) {
      const mount = `blobs/uploads/?mount=${blob.digest}&from=${from.slice(from.indexOf('/') + 1)}`;
      expect((await fetch(api(to, mount), { method: 'POST' })).status).toBe(201);
    }
    const headers = { 'content-type': answer.headers.get('content-type')! };
    expect((await fetch(api(to, `manifests/${target}`), { method: 'PUT', headers, body: text })).status).toBe(201);
  }
}

const REFERENCE_FILTER = (repository: string) => `the cache ${repository}:main is not used: `;

function expectDropped({ code, hit, warnings, text }: Built, repository: string, why: RegExp): void {
  expect(code, text).toBe(0);
  expect(hit).toBe(false);
  const told = warnings.filter((warning) => warning.startsWith(REFERENCE_FILTER(repository)));
  expect(told, warnings.join('\n')).toHaveLength(1);
  expect(told[0]).toMatch(why);
}

test('a cache is signed before it has its name, and found by who demands that', async () => {
  const repository = newRepository();
  proxy.requests.length = 0;
  await writeSigned(repository);
  const digest = await digestAt(repository);
  const put = proxy.requests.filter(({ method }) => method === 'PUT').map(({ path }) => path.split('/').at(-1));
  expect(put.filter((name) => name === digest || name === tagOf(digest) || name === 'main')).toEqual([
    digest,
    tagOf(digest),
    'main',
  ]);
  expect(await isSigned(repository, ours)).toBe(true);
  expect(await isSigned(repository, theirs)).toBe(false);

  const found = await read(repository);
  expect(found, found.text).toMatchObject({ code: 0, hit: true, warnings: [] });
  const inline = await build({ from: `${cacheAt(repository)},"verify-key=${ours.publicPem}"` });
  expect(inline, inline.text).toMatchObject({ code: 0, hit: true, warnings: [] });
  // Whoever demands nothing reads it as ever.
  expect(await build({ from: cacheAt(repository) })).toMatchObject({ hit: true, warnings: [] });
});

test.each([
  'oci-mediatypes=false,image-manifest=false',
  'image-manifest=false',
  'mode=continuous',
  'mode=min',
])('so is one that is written with %s', async (attrs) => {
  const repository = newRepository();
  await writeSigned(repository, ours, `,${attrs}`);
  expect(await read(repository)).toMatchObject({ code: 0, hit: true, warnings: [] });
  expectDropped(await read(repository, theirs), repository, /none of its 1 signatures/);
});

test('an image that carries a cache is read by its own signature', async () => {
  const image = newRepository();
  const output = `type=image,name=${image}:main,push=true,sign-key=signer`;
  const at = path.join(folder, 'context');
  const built = await builder.buildctl([
    ...['build', '--frontend=dockerfile.v0', '--opt=build-arg:N=1', '--local', `context=${at}`],
    ...['--local', `dockerfile=${at}`, '--output', output, '--export-cache', 'type=inline', '--secret', signing(ours)],
  ]);
  expect(built.code, built.output).toBe(0);
  expect(await read(image)).toMatchObject({ hit: true, warnings: [] });
  expectDropped(await read(image, theirs), image, /none of its 1 signatures/);
});

describe('a cache is dropped, with one warning, that is', () => {
  test('not signed', async () => {
    const repository = newRepository();
    await build({ to: `${cacheAt(repository)},mode=max` });
    expectDropped(await read(repository), repository, /is not signed/);
  });

  test('signed by another', async () => {
    const repository = newRepository();
    await writeSigned(repository, theirs);
    expectDropped(
      await read(repository),
      repository,
      /none of its 1 signatures is by a key or identity that is trusted/,
    );
  });

  test('brought here from another repository, with its signature', async () => {
    const [elsewhere, repository] = [newRepository('tenant'), newRepository()];
    await writeSigned(elsewhere);
    await copy(elsewhere, repository);
    expect(await read(elsewhere)).toMatchObject({ hit: true });
    expectDropped(await read(repository), repository, /is for another repository/);
  });

  test('not there', async () => {
    const repository = newRepository();
    expectDropped(await read(repository), repository, /not found/);
  });

  test.each([
    ['500 where its signature is asked for', 500, 'manifests'],
    ['403 where its signature is asked for', 403, 'manifests'],
    ['503 where what was signed is asked for', 503, 'blobs'],
  ])('in a registry that answers %s', async (_, status, what) => {
    const repository = newRepository();
    await writeSigned(repository);
    let asked = false;
    proxy.fault = ({ url = '', method }, res) => {
      asked ||= url.endsWith('.sig');
      const refused =
        method === 'GET' && (what === 'manifests' ? url.endsWith('.sig') : asked && url.includes('/blobs/'));
      if (refused) res.writeHead(status).end();
      return refused;
    };
    expectDropped(await read(repository), repository, /failed to read/);
  });

  test('in a registry that does not answer where its signature is asked for', async () => {
    const { repository, found } = await unanswered;
    expectDropped(found, repository, /could not be opened in 20 s/);
  });

  test('to be verified with a key that nobody gave, or that is none', async () => {
    const repository = newRepository();
    await writeSigned(repository);
    expectDropped(await read(repository, ours, { secrets: [] }), repository, /public key, secret trusted: not found/);
    const secrets = [`id=trusted,src=${ours.file}`];
    const wrong = await read(repository, ours, { secrets });
    expectDropped(wrong, repository, /it is a private key/);
    expect(wrong.text).not.toContain(ours.line);
  });
});

test('what was verified is what is read, whatever the tag names by then', async () => {
  const [repository, evil] = [newRepository(), newRepository()];
  await writeSigned(repository);
  await writeSigned(evil, theirs, '', '2');
  let moved: Promise<void> | undefined;
  proxy.fault = ({ url = '', method }, _res, forward) => {
    if (method !== 'GET' || !url.endsWith('.sig') || moved !== undefined) return false;
    moved = copy(evil, repository);
    void moved.then(forward);
    return true;
  };
  const found = await read(repository);
  await moved;
  expect(found, found.text).toMatchObject({ hit: true, warnings: [] });
  expectDropped(await read(repository), repository, /none of its 1 signatures/);
});

test('who signs takes up nothing that is not signed', async () => {
  const repository = newRepository();
  await build({ n: 'evil', to: `${cacheAt(repository)},mode=max` });
  const merged = await writeSigned(repository, ours, ',merge=true', 'one');
  expect(merged.warnings.join('\n')).toMatch(/is not taken up: it is not signed by a key or identity that is trusted/);
  expect(await read(repository, ours, { n: 'evil' })).toMatchObject({ hit: false, warnings: [] });
  const second = await writeSigned(repository, ours, ',merge=true', 'two');
  expect(second.warnings).toEqual([]);
  for (const n of ['one', 'two']) expect(await read(repository, ours, { n })).toMatchObject({ hit: true });
  // Another key may take it up where it is told to trust the first.
  const to = `${cacheAt(repository)},mode=max,merge=true,sign-key=signer,verify-key=trusted`;
  const third = await build({ n: 'three', to, secrets: [signing(theirs), trusting(ours)] });
  expect(third, third.text).toMatchObject({ code: 0, warnings: [] });
  for (const n of ['one', 'three']) expect(await read(repository, theirs, { n })).toMatchObject({ hit: true });
});

test('what the builder demands of a repository no client can switch off', async () => {
  const repository = newRepository('trusted');
  const asStrict = { on: strict };
  await writeSigned(repository, theirs);
  expectDropped(await build({ from: cacheAt(repository), ...asStrict }), repository, /none of its 1 signatures/);
  // Not by a key of its own either, nor by a key of another.
  expectDropped(await read(repository, theirs, asStrict), repository, /none of its 1 signatures/);
  expect(await build({ from: cacheAt(repository) })).toMatchObject({ hit: true });
  await writeSigned(repository, ours);
  expect(await build({ from: cacheAt(repository), ...asStrict })).toMatchObject({ hit: true, warnings: [] });
  // Of other repositories it demands nothing.
  const other = newRepository('trusted-not');
  await writeSigned(other, theirs);
  expect(await build({ from: cacheAt(other), ...asStrict })).toMatchObject({ hit: true });
});

test.each([
  ['type=local,dest=DIR,sign-key=signer', /sign-key is not possible with a cache of type local/],
  ['type=inline,sign-key=signer', /sign-key is not possible with a cache of type inline/],
  ['type=s3,bucket=b,region=r,name=n,sign-key=signer', /sign-key is not possible with a cache of type s3/],
  ['type=registry,ref=REPO:main,sign-password=x', /sign-password is given without sign-key/],
  ['type=registry,ref=REPO:main,"sign-key=PEM"', /sign-key is the id of a secret, and a key was given/],
  ['type=registry,ref=REPO:main,sign-key=signer', /the signing key, secret signer: not found/],
])('an export as %s fails, and says why', async (attrs, words) => {
  const pem = execFileSync('cat', [ours.file]).toString();
  const to = attrs.replace('DIR', folder).replace('REPO', newRepository()).replace('PEM', pem);
  const { code, text } = await build({ to });
  expect(code).not.toBe(0);
  expect(text).toMatch(words);
  expect(text).not.toContain(ours.line);
});

test('a client that asks for what no signature can be of gets no cache', async () => {
  const dest = path.join(folder, 'local-cache');
  await build({ to: `type=local,dest=${dest},mode=max` });
  const { code, hit, warnings } = await build({ from: `type=local,src=${dest},verify-key=trusted` });
  expect({ code, hit }).toEqual({ code: 0, hit: false });
  expect(warnings.join('\n')).toMatch(/verify-key is not possible with a cache of type local/);
});

test('the key is in nothing that the builder keeps or says', () => {
  for (const { root, log } of [builder, strict]) {
    expect(log()).not.toContain(ours.line);
    const found = execFileSync('sh', ['-c', `grep -rlaF '${ours.line}' '${root}' || true`]).toString();
    expect(found).toBe('');
  }
});
