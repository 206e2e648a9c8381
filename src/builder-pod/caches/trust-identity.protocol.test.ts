import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBuilder, type TestBuilder } from '../../../e2e/support/builder.ts';
import { cosignVerify } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { newId } from '../../base/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { FakeSigstore } from '../../oci/signature/testing/fake-sigstore.ts';

/** Caches that are signed for an identity as they are written, and read only if they are: with buildctl, the registry of Debian, and cosign's own verification. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let host: string;
let builder: TestBuilder;
/** Demands signatures of one identity below `trusted/`. */
let strict: TestBuilder;
let sigstore: FakeSigstore;
/** Whom nobody trusts. */
let others: FakeSigstore;

const US = 'https://ci.test/app';
const ISSUER = 'https://issuer.test';
const file = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = stack.use(tempFolder('trust-identity')).path;
  for (const name of ['registry', 'plain', 'strict', 'context']) mkdirSync(file(name));
  host = stack.use(await dockerRegistry(file('registry'))).host;
  sigstore = stack.use(await FakeSigstore.start());
  others = stack.use(await FakeSigstore.start());
  writeFileSync(file('context/Dockerfile'), 'FROM scratch\nARG N\nCOPY Dockerfile /$N\n');
  writeFileSync(file('root.json'), sigstore.trustedRoot());
  writeFileSync(file('other-root.json'), others.trustedRoot());
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(file('key.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(
    file('strict.toml'),
    `[[trusted-caches]]\nrepository = "${host}/trusted"\nidentities = [{ identity = "${US}", issuer = "${sigstore.issuer}" }]\ntrusted-root = "${file('root.json')}"\n`,
  );
  builder = stack.use(await startBuilder(file('plain')));
  strict = stack.use(await startBuilder(file('strict'), ['--config', file('strict.toml')]));
});
afterEach(() => {
  sigstore.faults.fulcio = undefined;
  sigstore.faults.rekor = undefined;
});

interface Asked {
  readonly on?: TestBuilder;
  readonly n?: string;
  readonly from?: string;
  readonly to?: string;
  readonly root?: string;
}

/** A build of one step on a builder that has nothing. */
async function build({ on = builder, n = '1', from, to, root = 'root.json' }: Asked) {
  await on.buildctl(['prune', '--all']);
  const { code, output } = await on.buildctl([
    ...['build', '--progress=rawjson', '--frontend=dockerfile.v0', `--opt=build-arg:N=${n}`],
    ...['--local', `context=${file('context')}`, '--local', `dockerfile=${file('context')}`],
    ...(from === undefined ? [] : ['--import-cache', from]),
    ...(to === undefined ? [] : ['--export-cache', to]),
    ...['--secret', `id=root,src=${file(root)}`, '--secret', `id=token,src=${file('token')}`],
    ...['--secret', `id=key,src=${file('key.pem')}`, '--secret', `id=public,src=${file('key.pub')}`],
  ]);
  const events = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map(
      (line) => JSON.parse(line) as { vertexes?: { name: string; cached?: boolean }[]; warnings?: { short: string }[] },
    );
  return {
    ...{ code, text: output },
    hit: events.some(({ vertexes = [] }) => vertexes.some(({ name, cached }) => name.includes('COPY') && cached)),
    warnings: events
      .flatMap(({ warnings = [] }) => warnings.map(({ short }) => Buffer.from(short, 'base64').toString('utf8')))
      .join('\n'),
  };
}

const newRepository = (below = 'team') => `${host}/${below}/cache-${newId()}`;
const cacheAt = (repository: string) => `type=registry,ref=${repository}:main`;

async function write(
  repository: string,
  {
    by = sigstore,
    sub = US,
    attrs = '',
    n = '1',
  }: { by?: FakeSigstore; sub?: string; attrs?: string; n?: string } = {},
) {
  writeFileSync(file('token'), by.token({ sub }));
  const services = `sign-identity-token=token,sign-fulcio-url=${by.url},sign-rekor-url=${by.url}`;
  const built = await build({ n, to: `${cacheAt(repository)},mode=max,${services}${attrs}` });
  expect(built.code, built.text).toBe(0);
  return built;
}

const verifying = (identity = US, issuer = ISSUER) =>
  `,verify-identity=${identity},verify-issuer=${issuer},verify-trusted-root=root`;
const read = async (repository: string, by = verifying(), rest: Asked = {}) =>
  await build({ from: `${cacheAt(repository)}${by}`, ...rest });

async function digestAt(repository: string, tag = 'main'): Promise<string> {
  const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
  const answer = await fetch(`http://${repository.replace('/', '/v2/')}/manifests/${tag}`, { headers });
  await answer.arrayBuffer();
  return answer.headers.get('docker-content-digest')!;
}

test('a cache that an identity has signed is read by who demands it, and cosign verifies it', async () => {
  const repository = newRepository();
  await write(repository);
  expect(await read(repository)).toMatchObject({ code: 0, hit: true, warnings: '' });
  const image = `${repository}@${await digestAt(repository)}`;
  const by = ['--roots', sigstore.file('ca.pem'), '--rekor', sigstore.file('rekor.pub'), '--issuer', sigstore.issuer];
  expect(await run(cosignVerify, [...by, '--identity', US, image])).toMatchObject({ code: 0 });
  // Whoever demands nothing reads it as ever.
  expect(await read(repository, '')).toMatchObject({ hit: true, warnings: '' });
});

test.each([
  ['another identity', verifying('https://ci.test/ap.'), 'root.json'],
  ['another issuer', verifying(US, 'https://issuer.tes.'), 'root.json'],
  ['another root', verifying(), 'other-root.json'],
  ['a key', ',verify-key=public', 'root.json'],
] as const)('it is dropped where %s is demanded', async (_, by, root) => {
  const repository = newRepository();
  await write(repository);
  const found = await read(repository, by, { root });
  expect(found).toMatchObject({ code: 0, hit: false });
  expect(found.warnings).toMatch(/none of its 1 signatures is by a key or identity that is trusted/);
});

test('what no log has, somebody else signed, or is of another certificate, counts as not signed', async () => {
  const unlogged = newRepository();
  await write(unlogged, { attrs: ',sign-tlog=false' });
  expect(await read(unlogged)).toMatchObject({ code: 0, hit: false });
  const theirs = newRepository();
  await write(theirs, { sub: 'https://ci.test/evil' });
  expect(await read(theirs)).toMatchObject({ code: 0, hit: false });
  const elsewhere = newRepository();
  await write(elsewhere, { by: others });
  expect(await read(elsewhere)).toMatchObject({ code: 0, hit: false });

  // With our certificate and our entry of the log beside a signature of somebody else's.
  const [ours, forged] = [newRepository(), newRepository()];
  await write(ours);
  await build({ to: `${cacheAt(forged)},mode=max,sign-key=key` });
  const signatures = async (repository: string) => {
    const tag = `${(await digestAt(repository)).replace(':', '-')}.sig`;
    const at = `http://${repository.replace('/', '/v2/')}/manifests/${tag}`;
    const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
    const manifest = (await (await fetch(at, { headers })).json()) as {
      layers: { annotations: Record<string, string> }[];
    };
    return { at, manifest };
  };
  const [good, bad] = [await signatures(ours), await signatures(forged)];
  const [layer] = bad.manifest.layers;
  const proof = good.manifest.layers[0]!.annotations;
  const own = layer!.annotations['dev.cosignproject.cosign/signature']!;
  for (const signature of [own, proof['dev.cosignproject.cosign/signature']!]) {
    layer!.annotations = { ...proof, 'dev.cosignproject.cosign/signature': signature };
    const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
    const put = await fetch(bad.at, { method: 'PUT', headers, body: JSON.stringify(bad.manifest) });
    expect(put.status).toBe(201);
    expect(await read(forged)).toMatchObject({ code: 0, hit: false });
  }
});

test('what the builder demands of a repository no client can switch off', async () => {
  const repository = newRepository('trusted');
  await write(repository, { sub: 'https://ci.test/evil' });
  const asStrict = { on: strict };
  expect(await read(repository, '', asStrict)).toMatchObject({ code: 0, hit: false });
  expect(await read(repository, verifying('https://ci.test/evil'), asStrict)).toMatchObject({ hit: false });
  expect(await read(repository, '')).toMatchObject({ hit: true });
  await write(repository);
  expect(await read(repository, '', asStrict)).toMatchObject({ hit: true, warnings: '' });
});

test('who signs for an identity takes up, with merge, what the identity has signed alone', async () => {
  const repository = newRepository();
  await build({ n: 'evil', to: `${cacheAt(repository)},mode=max` });
  const first = await write(repository, { n: 'one', attrs: `,merge=true${verifying()}` });
  expect(first.warnings).toMatch(/is not taken up: it is not signed/);
  const second = await write(repository, { n: 'two', attrs: `,merge=true${verifying()}` });
  expect(second.warnings).toBe('');
  for (const n of ['one', 'two']) expect(await read(repository, verifying(), { n })).toMatchObject({ hit: true });
  expect(await read(repository, verifying(), { n: 'evil' })).toMatchObject({ hit: false });
});

test('a cache that cannot be signed is not written, and no token is told', async () => {
  const repository = newRepository();
  sigstore.faults.rekor = { status: 400, body: 'closed' };
  const token = sigstore.token();
  writeFileSync(file('token'), token);
  const services = `sign-identity-token=token,sign-fulcio-url=${sigstore.url},sign-rekor-url=${sigstore.url}`;
  const { code, text } = await build({ to: `${cacheAt(repository)},mode=max,${services}` });
  expect(code).not.toBe(0);
  expect(text).toMatch(/Rekor \(http:\S+\): \(400\) closed/);
  expect(await digestAt(repository)).toBeNull();
  expect(`${text}${builder.log()}`).not.toContain(token.split('.')[1]);
});
