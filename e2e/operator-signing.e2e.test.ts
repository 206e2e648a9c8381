import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { FakeSigstore } from '../src/oci/signature/testing/fake-sigstore.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { cosignVerify } from './support/paths.ts';
import { run } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

const ATTESTED = ['https://slsa.dev/provenance/v1', 'https://spdx.dev/Document'];

/** Images that a cluster signs, attests and keeps cache mounts for, on a real API server, read by cosign's verification. */
describe('a Build in a cluster', () => {
  const work = tempFolder('operator-signing');
  const opened = new AsyncDisposableStack();
  const file = (name: string) => path.join(work.path, name);
  /** What no object, event, log or file is to have. */
  const secrets: string[] = [];
  let world: OperatorWorld;
  let registry: RegistryServer;
  let sigstore: FakeSigstore;

  beforeAll(async () => {
    registry = opened.use(await RegistryServer.start({ root: file('registry'), durable: false }));
    sigstore = opened.use(await FakeSigstore.start());
    world = opened.use(await startOperatorWorld(work.path, { builders: 1 }));
    await world.pushBase(`${registry.host}/base`);
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const pub = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    writeFileSync(file('cosign.pub'), pub);
    keepSecret(key, key.split('\n')[1] as string);
    await secret('signer', { 'cosign.key': key, 'cosign.pub': pub });
  });

  afterAll(async () => {
    await opened.disposeAsync();
    work[Symbol.dispose]();
  });

  /** As it is, and as a Secret's data and JSON carry it. */
  function keepSecret(value: string, part: string): void {
    secrets.push(part, Buffer.from(value).toString('base64').slice(60, 120));
  }

  const apply = async (object: object) => {
    const ran = await world.cluster.apply(JSON.stringify(object));
    expect(ran.code, ran.output).toBe(0);
  };
  const secret = (name: string, stringData: Readonly<Record<string, string>>) =>
    apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
  const build = (name: string, spec: object) =>
    apply({
      ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name } },
      spec: { outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }], ...spec },
    });
  const outputOf = async (name: string) => {
    await world.waitReady(name);
    const [made] = await world.runs(name);
    const output = made?.status?.outputs?.[0];
    if (made === undefined || output === undefined) throw new Error(`${name} has no output`);
    return { made, output };
  };
  const verify = async (by: readonly string[], ref: string, ...flags: readonly string[]) =>
    await run(cosignVerify, [...by, ...flags, `${registry.host}/${ref}`]);
  const verified = async (by: readonly string[], ref: string, ...flags: readonly string[]) => {
    const { code, stdout, stderr } = await verify(by, ref, ...flags);
    expect(code, stderr).toBe(0);
    return stdout.trim().split('\n');
  };
  /** Types of what cosign finds attested. */
  const attested = async (by: readonly string[], ref: string) =>
    (await verified(by, ref, '--attestations'))
      .map((line) => Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString())
      .map((statement) => (JSON.parse(statement) as { predicateType: string }).predicateType)
      .toSorted();
  const signatureOf = (name: string, digest: string) => `${registry.host}/${name}:${digest.replace(':', '-')}.sig`;
  const byKey = () => ['--key', file('cosign.pub')];
  /** What the layers of an image take in the registry. */
  const layerBytes = async (name: string) => {
    const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
    const answer = await fetch(`${registry.url}/v2/${name}/manifests/latest`, { headers });
    const { layers } = (await answer.json()) as { layers: readonly { readonly size: number }[] };
    return layers.reduce((sum, { size }) => sum + size, 0);
  };
  const emptyBuilder = async () => {
    const pruned = await world.builders[0]?.buildctl(['prune', '--all']);
    expect(pruned?.code, pruned?.output).toBe(0);
  };
  const mounts = () => `${registry.host}/mounts`;
  const using = (command: string) => ({
    inline: `FROM --platform=$BUILDPLATFORM ${registry.host}/base AS made
RUN --mount=type=cache,id=deps,target=/deps ${command}
FROM scratch
COPY --from=made /bin/busybox /
`,
  });

  test('is signed with a key, attested for each platform, and its cache mounts are saved and signed', async () => {
    await emptyBuilder();
    await build('app', {
      dockerfile: using('head -c 5000 /dev/urandom > /deps/got'),
      platforms: ['linux/amd64', 'linux/arm64'],
      attestations: { provenance: { mode: 'max', builderId: 'https://builders.test' }, sbom: {} },
      sign: { secretRef: { name: 'signer' } },
      cache: { mounts: { to: mounts(), ids: ['deps'], timeout: '2m', sign: { secretRef: { name: 'signer' } } } },
    });
    const { made, output } = await outputOf('app');
    expect(output).toMatchObject({
      attestations: ATTESTED,
      signature: signatureOf('app', output.digest),
      images: [
        { platform: 'linux/amd64', attestations: ATTESTED },
        { platform: 'linux/arm64', attestations: ATTESTED },
      ],
    });
    expect((await world.build('app'))?.status?.outputs?.[0]).toEqual(output);
    expect(made.status?.pulled).toEqual([{ source: `${registry.host}/base`, bytes: await layerBytes('base') }]);
    const exported = made.status?.conditions?.find(({ type }) => type === 'CacheExported');
    expect(exported).toMatchObject({ status: 'True', message: mounts() });
    expect(await verified(byKey(), `app@${output.digest}`)).toHaveLength(1);
    expect(await attested(byKey(), `app@${output.digest}`)).toEqual(ATTESTED.flatMap((type) => [type, type]));
    for (const { digest } of output.images ?? []) expect(await attested(byKey(), `app@${digest}`)).toEqual(ATTESTED);
    const { tags } = (await (await fetch(`${registry.url}/v2/mounts/tags/list`)).json()) as { tags: string[] };
    const [mount] = tags.filter((tag) => tag.startsWith('mount-'));
    expect(await verified(byKey(), `mounts:${mount}`)).toHaveLength(1);
  });

  test('begins with cache mounts that another has saved, where they are signed by whom it trusts', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
    const attempts = [
      { name: 'distrusting', command: 'test ! -e /deps/got', verify: { publicKey: String(other) } },
      { name: 'trusting', command: 'test -s /deps/got', verify: { secretRef: { name: 'signer', key: 'cosign.pub' } } },
    ];
    for (const { name, command, verify } of attempts) {
      await emptyBuilder();
      await build(name, { dockerfile: using(command), cache: { mounts: { from: mounts(), verify } } });
      await outputOf(name);
    }
  });

  const keyless = (tokenSecretRef: object) => ({
    dockerfile: { inline: 'FROM scratch\nCOPY a /\n' },
    source: { inline: { files: { a: 'x' } } },
    attestations: { provenance: {} },
    sign: { keyless: { tokenSecretRef, fulcioUrl: sigstore.url }, rekorUrl: sigstore.url },
  });

  test('is signed for the identity of a token, and logged', async () => {
    const token = sigstore.token();
    keepSecret(token, token.split('.')[1] as string);
    secrets.push(token.split('.')[2] as string);
    await secret('identity', { token });
    await build('keyless', keyless({ name: 'identity' }));
    const { output } = await outputOf('keyless');
    expect(output).toMatchObject({ attestations: [ATTESTED[0]], signature: signatureOf('keyless', output.digest) });
    const by = (identity: string) => [
      ...['--roots', sigstore.file('ca.pem'), '--rekor', sigstore.file('rekor.pub')],
      ...['--identity', identity, '--issuer', sigstore.issuer],
    ];
    expect(await verified(by('https://ci.test/app'), 'keyless:v1')).toHaveLength(1);
    expect(await attested(by('https://ci.test/app'), 'keyless:v1')).toEqual([ATTESTED[0]]);
    expect((await verify(by('https://ci.test/other'), 'keyless:v1')).code).not.toBe(0);
  });

  test('that cannot be signed says whose fault that is, and has no tag', async () => {
    const token = sigstore.token({ exp: 1_000_000_000 });
    keepSecret(token, token.split('.')[1] as string);
    await secret('expired', { old: token });
    await build('unsigned', keyless({ name: 'expired', key: 'old' }));
    await world.until('builds', 'unsigned', ({ status }) => status?.lastRun !== undefined);
    const [begun] = await world.runs('unsigned');
    const failed = await world.until('buildruns', begun?.metadata.name ?? '', ({ status }) =>
      ['Failed', 'Error'].includes(status?.phase ?? ''),
    );
    expect(failed.status).toMatchObject({ phase: 'Failed', failure: { class: 'user', reason: 'SigningToken' } });
    expect(failed.status?.outputs).toBeUndefined();
    expect((await fetch(`${registry.url}/v2/unsigned/manifests/v1`)).status).toBe(404);
  });

  test('has neither key nor token in an object, an event, a log or the history of its builder', async () => {
    const [builder] = world.builders;
    const objects = 'builds.slipway.build,buildruns.slipway.build,builderpools.slipway.build,events,configmaps,leases';
    const history = await builder?.buildctl(['debug', 'histories', '--format', '{{json .}}']);
    const told = {
      objects: await world.cluster.must(['get', objects, '--all-namespaces', '-o', 'json']),
      operator: world.operator.log(),
      builder: builder?.log(),
      history: history?.output,
      database: ['slipway.db', 'slipway.db-wal']
        .map((name) => path.join(builder?.root ?? '', name))
        .map((name) => (existsSync(name) ? readFileSync(name, 'latin1') : ''))
        .join(),
    };
    for (const [where, text] of Object.entries(told)) {
      expect(text?.length, where).toBeGreaterThan(0);
      for (const word of secrets) expect(text, where).not.toContain(word);
    }
    // They would be found: they are in the Secrets, in both forms as kubectl has written them.
    const kept = await world.cluster.must(['get', 'secrets', '-o', 'json']);
    expect(secrets.filter((word) => kept.includes(word))).toEqual(secrets);
  });
});
