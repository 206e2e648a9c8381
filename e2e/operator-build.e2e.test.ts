import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeDefinition, FileActions, scratch } from '../src/llb/index.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type Gate, startGate } from './support/gate.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { type SshServer, startSshServer } from './support/git-ssh.ts';
import { runImage } from './support/image.ts';
import { type OperatorWorld, type Resource, startOperatorWorld } from './support/operator.ts';
import { freePort } from './support/ports.ts';
import { must, run } from './support/run.ts';
import { pushTar } from './support/tar-image.ts';
import { tempFolder } from './support/temp-folder.ts';

/** A Build applied to a real API server: what its user sees, from the first apply to what can go wrong. */
describe('an applied Build', () => {
  const work = tempFolder('operator');
  const users = { ada: 'lovelace' };
  let world: OperatorWorld;
  /** Lets everybody in. */
  let registry: RegistryServer;
  /** Wants ada's password. */
  let closed: RegistryServer;
  let git: GitServer;
  let ssh: SshServer;
  let gate: Gate;
  let commit: string;

  beforeAll(async () => {
    registry = await RegistryServer.start({ root: path.join(work.path, 'registry') });
    closed = await RegistryServer.start({ root: path.join(work.path, 'closed'), access: { kind: 'basic', users } });
    gate = await startGate();
    git = await startGitServer(work.path, { password: 'gitpass' });
    ssh = await startSshServer(work.path);
    // Nobody is killed here: a busy machine must not cost it the lease.
    world = await startOperatorWorld(work.path, { operatorFlags: ['--lease-duration', '9s'] });
    await world.pushBase(`${registry.host}/base`);

    const app = path.join(work.path, 'app');
    mkdirSync(app);
    copyFileSync('/bin/busybox', path.join(app, 'busybox'));
    writeFileSync(path.join(app, 'word.txt'), 'first\n');
    writeFileSync(
      path.join(app, 'Dockerfile'),
      `FROM ${registry.host}/base
ARG GREETING
RUN --mount=type=secret,id=token test "$(wc -c < /run/secrets/token)" = 6 && echo "$GREETING" > /greeting
COPY word.txt /word
CMD ["/bin/sh", "-c", "cat /greeting /word"]
`,
    );
    commit = await git.create('app', app);
    await apply(`${secret('git', { username: 'x', password: 'gitpass' }, 'kubernetes.io/basic-auth')}
${secret('build-token', { token: 's3cr3t' })}
${dockerConfig('push', closed.host, `ada:${users.ada}`)}`);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await Promise.all([git, ssh, gate, registry, closed].map((one) => one?.[Symbol.asyncDispose]()));
    work[Symbol.dispose]();
  });

  const apply = async (yaml: string) => {
    const ran = await world.cluster.apply(yaml);
    expect(ran.code, ran.output).toBe(0);
    return ran.output;
  };
  const secret = (name: string, data: Readonly<Record<string, string>>, type = 'Opaque') =>
    `---\napiVersion: v1\nkind: Secret\nmetadata: { name: ${name} }\ntype: ${type}\nstringData: ${JSON.stringify(data)}\n`;
  const dockerConfig = (name: string, host: string, auth: string) =>
    secret(
      name,
      { '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth: Buffer.from(auth).toString('base64') } } }) },
      'kubernetes.io/dockerconfigjson',
    );
  const build = (name: string, spec: object, annotations: Readonly<Record<string, string>> = {}) =>
    `---\n${JSON.stringify({
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'Build',
      metadata: { name, annotations },
      spec,
    })}\n`;
  /** A Build from a Dockerfile alone, on the base with a shell. */
  const inline = (name: string, steps: string, rest: object = {}) =>
    build(name, {
      dockerfile: { inline: `FROM ${registry.host}/base\n${steps}\n` },
      outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }],
      ...rest,
    });
  const condition = (resource: Resource | undefined, type: string) =>
    resource?.status?.conditions?.find((one) => one.type === type);
  const over = (resource: Resource) =>
    ['Succeeded', 'Failed', 'Error', 'Cancelled'].includes(resource.status?.phase ?? '');
  const tagged = async (name: string, tag = 'v1') =>
    (await fetch(`${registry.url}/v2/${name}/manifests/${tag}`, { headers: { accept: '*/*' } })).status === 200;
  const gateStep = (name: string) => `RUN wget -q -O- ${gate.url}/${name}`;
  /** They are written beside the status that they tell of. */
  const events = () => world.cluster.must(['get', 'events', '-A', '-o', 'json']);
  const lastRun = async (name: string) => (await world.runs(name)).at(-1) as Resource;

  const app = (ref: string, greeting: string) =>
    build('app', {
      source: { git: { url: `${git.url}/app.git`, ref, secretRef: { name: 'git' } } },
      args: [{ name: 'GREETING', value: greeting }],
      secrets: [{ id: 'token', secretRef: { name: 'build-token', key: 'token' } }],
      registryAuth: [{ secretRef: { name: 'push' } }],
      outputs: [{ image: `${closed.host}/team/app`, tags: ['v1', 'latest'] }],
    });

  test('becomes a pushed image, and says what it made', async () => {
    await apply(app('main', 'hello'));
    await world.waitReady('app');
    const made = (await world.build('app')) as Resource;
    expect(made.status).toMatchObject({ phase: 'Succeeded', observedGeneration: made.metadata.generation });
    const digest = made.status?.outputs?.[0]?.digest;
    for (const tag of ['v1', 'latest']) {
      const inspected = await must('skopeo', [
        ...['inspect', '--tls-verify=false', '--creds', `ada:${users.ada}`],
        `docker://${closed.host}/team/app:${tag}`,
      ]);
      expect((JSON.parse(inspected.stdout) as { Digest: string }).Digest).toBe(digest);
    }
    const record = await lastRun('app');
    expect(record.status).toMatchObject({ phase: 'Succeeded', resolved: { commit } });
    expect(record.status?.resolved?.baseImages).toEqual([
      { name: expect.stringContaining(`${registry.host}/base`), digest: expect.stringMatching(/^sha256:/) },
    ]);
    expect(record.status?.cache?.vertices).toBeGreaterThan(0);
    expect(record.status?.slowestSteps?.length).toBeGreaterThan(0);
    expect(condition(record, 'Succeeded')?.status).toBe('True');
    const columns = await world.cluster.must(['get', 'builds.slipway.build', 'app']);
    expect(columns).toMatch(/NAME\s+READY/);
    expect(columns).toMatch(/app\s+True/);
    await expect.poll(events).toContain('"reason": "Succeeded"');
  });

  test('of a graph is told of before a builder has it, and becomes an image for each platform', async () => {
    const graph = {
      steps: {
        base: { image: `${registry.host}/base`, platform: 'linux/amd64' },
        conf: { context: { name: 'conf' } },
        made: {
          ...{ from: 'base', run: 'cp /conf/word /out/word && echo run >> /cache/runs' },
          mounts: [
            { target: '/conf', from: 'conf', readonly: true },
            { target: '/cache', cache: {} },
            { target: '/out', from: 'scratch' },
          ],
        },
        all: { files: { 'etc/arch': 'of the image\n' }, from: 'made:/out' },
      },
      result: 'all',
    };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an argument of the Build.
    const image = { cmd: ['cat', '/word'], env: { ARCH: '${TARGETARCH}' } };
    const spec = (text: object, more: object = {}) => ({
      llb: { graph: text, image },
      contexts: [{ name: 'conf', inline: { files: { word: 'hello\n' } } }],
      outputs: [{ image: `${registry.host}/graph`, tags: ['v1'] }],
      ...more,
    });
    const platforms = ['linux/amd64', 'linux/arm64'];
    const bad = { ...graph, steps: { ...graph.steps, made: { from: 'basse', run: 'true' } } };
    await apply(build('graph', spec(graph, { platforms })) + build('graph-bad', spec(bad)));
    await world.waitReady('graph');
    const made = await lastRun('graph');
    expect((made.status as { readonly llb?: unknown }).llb).toEqual({
      vertices: 4,
      ops: { exec: 1, file: 2, source: 1 },
      sources: [`docker-image://${registry.host}/base:latest`],
      platforms: ['linux/amd64'],
    });
    const raw = async (name: string, what = '--raw') =>
      JSON.parse((await must('skopeo', ['inspect', '--tls-verify=false', what, `docker://${name}`])).stdout);
    const index = (await raw(`${registry.host}/graph:v1`)) as {
      readonly manifests: readonly { readonly digest: string; readonly platform: { readonly architecture: string } }[];
    };
    expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
    const arm = await raw(`${registry.host}/graph@${index.manifests[1]?.digest}`, '--config');
    expect(arm).toMatchObject({ architecture: 'arm64', config: { Cmd: ['cat', '/word'] } });
    expect(arm.config.Env).toContain('ARCH=arm64');
    // Nothing was asked of a builder for the one that is wrong.
    const refused = await world.until('builds', 'graph-bad', ({ status }) => status?.phase === 'Failed');
    expect(condition(refused, 'Ready')?.message).toContain('spec.llb.graph.steps.made.from: there is no step "basse"');
    expect((await lastRun('graph-bad')).status?.attempts).toBeUndefined();
  });

  test('of a graph that was made elsewhere is the same from a registry as from its spec', async () => {
    const graph = scratch().file(new FileActions().mkfile('/word', 0o644, Buffer.from('hello\n'), { timestamp: 0n }));
    const definition = encodeDefinition(graph.marshal({ platform: 'builder' }));
    writeFileSync(path.join(work.path, 'definition.llb'), definition);
    await must('tar', ['-C', work.path, '-cf', path.join(work.path, 'graph.tar'), 'definition.llb']);
    const ref = await pushTar(registry.url, 'graphs/word', path.join(work.path, 'graph.tar'));
    const spec = (llb: object, name: string) =>
      build(name, {
        llb: { image: { cmd: ['cat', '/word'] }, ...llb },
        outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }],
      });
    const inline = { definition: Buffer.from(definition).toString('base64') };
    const none = { ref: `${registry.host}/base` };
    await apply(spec({ ref }, 'word-ref') + spec(inline, 'word-inline') + spec(none, 'word-none'));
    for (const name of ['word-ref', 'word-inline']) await world.waitReady(name);
    const [one, other] = await Promise.all(['word-ref', 'word-inline'].map((name) => world.build(name)));
    expect(one?.status?.outputs?.[0]?.digest).toBe(other?.status?.outputs?.[0]?.digest);
    const told = (await lastRun('word-inline')).status as { readonly llb?: unknown };
    expect(told.llb).toEqual({ vertices: 1, ops: { file: 1 } });
    const refused = await world.until('builds', 'word-none', ({ status }) => status?.phase === 'Failed');
    expect(condition(refused, 'Ready')?.message).toMatch(/the graph in definition\.llb: .*no such file/);
  });

  test('writes its caches, and says whether it could: one that cannot be written makes no difference to the image', async () => {
    const steps = 'RUN echo cached > /cached';
    const to = (host: string) => ({ cache: { to: [{ ref: `${host}/team/cache:main`, mode: 'max' }] } });
    await apply(inline('cached', steps, to(registry.host)) + inline('uncached', `${steps}\nRUN true`, to(closed.host)));
    for (const name of ['cached', 'uncached']) await world.waitReady(name);

    const written = await lastRun('cached');
    expect(condition(written, 'CacheExported')).toMatchObject({ status: 'True', reason: 'Exported' });
    const [there] = written.status?.cache?.exports ?? [];
    expect(there).toMatchObject({ ref: `${registry.host}/team/cache:main`, digest: expect.stringMatching(/^sha256:/) });
    expect((there?.pushedBytes ?? 0) + (there?.mountedBytes ?? 0)).toBeGreaterThan(0);
    expect(await tagged('team/cache', 'main')).toBe(true);
    const [output] = written.status?.outputs ?? [];
    expect((output?.pushedBytes ?? 0) + (output?.mountedBytes ?? 0)).toBeGreaterThan(0);

    // Ada's registry, and nobody gave her password.
    const refused = condition(await lastRun('uncached'), 'CacheExported');
    expect(refused).toMatchObject({ status: 'False', reason: expect.stringMatching(/Denied$/) });
    expect(refused?.message).toContain(`${closed.host}/team/cache:main`);
    expect(await tagged('uncached')).toBe(true);
    await expect.poll(events).toContain('CacheNotExported');
  });

  test('signs its cache, and reads one only with the signature that it asks for', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = generateKeyPairSync('ed25519').publicKey;
    const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
    const ref = `${registry.host}/team/signed:main`;
    const steps = 'RUN echo signed > /signed';
    const sign = { secretRef: { name: 'signing' } };
    await apply(`${secret('signing', { 'cosign.key': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() })}
---
${JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'keys' }, data: { 'team.pub': pem(publicKey) } })}
${inline('signed', steps, { cache: { to: [{ ref, mode: 'max', sign }] } })}`);
    await world.waitReady('signed');
    const written = await lastRun('signed');
    expect(condition(written, 'CacheExported')).toMatchObject({ status: 'True' });
    const digest = written.status?.cache?.exports?.[0]?.digest ?? '';
    expect(await tagged('team/signed', `${digest.replace(':', '-')}.sig`)).toBe(true);

    // Scopes of their own: what they find is of the cache.
    const reading = (name: string, verify: object) =>
      inline(name, steps, { cache: { scope: name, from: [{ ref, verify }] } });
    const trusting = reading('trusting', { configMapKeyRef: { name: 'keys', key: 'team.pub' } });
    await apply(trusting + reading('doubting', { publicKey: pem(other) }));
    for (const name of ['trusting', 'doubting']) await world.waitReady(name);
    const hits = async (name: string) => (await lastRun(name)).status?.cache?.hits ?? 0;
    expect(await hits('trusting')).toBeGreaterThan(0);
    expect(await hits('doubting')).toBe(0);
  });

  test('right after a changed apply the old answer is not seen, and what did not change comes from the cache', async () => {
    const before = (await lastRun('app')).metadata.name;
    await git.commit('app', (tree) => writeFileSync(path.join(tree, 'word.txt'), 'second\n'));
    await apply(app('refs/heads/main', 'hello'));
    await world.waitReady('app');
    const made = (await world.build('app')) as Resource;
    const record = await lastRun('app');
    expect(record.metadata.name).not.toBe(before);
    expect(record.status?.phase).toBe('Succeeded');
    // The RUN with the secret is the same; the COPY of the word is not.
    expect(record.status?.cache?.hits).toBeGreaterThan(0);
    expect(made.status?.outputs?.[0]?.digest).toBe(record.status?.outputs?.[0]?.digest);
  });

  test('a repository over ssh is built with the key and host key of a Secret', async () => {
    const repository = path.join(work.path, 'repositories/app.git');
    await apply(
      secret('ssh-key', { 'ssh-privatekey': ssh.privateKey, known_hosts: ssh.knownHosts }, 'kubernetes.io/ssh-auth') +
        build('over-ssh', {
          source: { git: { url: `${ssh.url}${repository}`, ref: 'main', secretRef: { name: 'ssh-key' } } },
          args: [{ name: 'GREETING', value: 'ssh' }],
          secrets: [{ id: 'token', secretRef: { name: 'build-token', key: 'token' } }],
          outputs: [{ image: `${registry.host}/over-ssh`, tags: ['v1'] }],
        }),
    );
    await world.waitReady('over-ssh');
    expect((await runImage(`${registry.host}/over-ssh:v1`, work.path)).stdout).toBe('ssh\nsecond\n');
  });

  test('a failing RUN ends Failed with class, exit code, lines and the last it printed', async () => {
    await apply(inline('failing', 'RUN echo before the end && exit 7'));
    const failed = await world.until('builds', 'failing', (one) => one.status?.phase === 'Failed');
    expect(condition(failed, 'Ready')?.status).toBe('False');
    const { failure } = (await lastRun('failing')).status ?? {};
    expect(failure).toMatchObject({ class: 'user', exitCode: 7, dockerfile: { startLine: 2, endLine: 2 } });
    expect(failure?.logTail).toContain('before the end');
    expect(failure?.dockerfile?.snippet).toContain('RUN echo before the end');
    // Asked for once more, it is the same answer: a user's mistake is not tried again.
    expect(await world.runs('failing')).toHaveLength(1);
    expect((await lastRun('failing')).status?.attempts).toHaveLength(1);
    await expect
      .poll(() => world.cluster.must(['describe', 'builds.slipway.build', 'failing']))
      .toMatch(/Warning\s+Failed/);
  });

  test('a changed spec supersedes the run under way, whose tags are never written', async () => {
    await apply(inline('superseded', `${gateStep('superseded')}\nRUN echo old > /which`));
    await gate.reached('superseded');
    const old = await lastRun('superseded');
    await apply(
      build('superseded', {
        dockerfile: { inline: `FROM ${registry.host}/base\nRUN echo new > /which\nCMD ["cat", "/which"]\n` },
        outputs: [{ image: `${registry.host}/superseded`, tags: ['v2'] }],
      }),
    );
    await world.waitReady('superseded');
    gate.open('superseded');
    const cancelled = await world.until('buildruns', old.metadata.name, over);
    expect(cancelled.status?.phase).toBe('Cancelled');
    expect(condition(cancelled, 'Succeeded')).toMatchObject({ status: 'False', reason: 'Superseded' });
    expect((await runImage(`${registry.host}/superseded:v2`, work.path)).stdout).toBe('new\n');
    expect(await tagged('superseded', 'v1')).toBe(false);
  });

  test('a change of historyLimit does not build again; the annotation does; old runs go', async () => {
    const spec = (historyLimit: number) => inline('history', 'RUN echo once > /file', { historyLimit });
    await apply(spec(5));
    await world.waitReady('history');
    const first = (await lastRun('history')).metadata.name;
    await apply(spec(1));
    await world.waitReady('history');
    expect((await world.runs('history')).map((run) => run.metadata.name)).toEqual([first]);
    for (const value of ['1', '2', '3']) {
      await world.cluster.must([
        'annotate',
        '--overwrite',
        'builds.slipway.build',
        'history',
        `slipway.build/rerun=${value}`,
      ]);
      await world.until('builds', 'history', (one) => one.status?.lastRun?.number === 1 + Number(value) && over(one));
    }
    // They are let go of beside the newest.
    const kept = async () => (await world.runs('history')).map((run) => run.spec['number'] as number);
    await expect.poll(async () => (await kept()).length).toBeLessThanOrEqual(2);
    expect((await kept()).at(-1)).toBe(4);
  });

  test('a suspended Build starts nothing until it is resumed', async () => {
    await apply(inline('suspended', 'RUN echo x', { suspend: true }));
    const seen = await world.until('builds', 'suspended', (one) => one.status?.observedGeneration === 1);
    expect(condition(seen, 'Ready')).toMatchObject({
      status: expect.stringMatching(/False|Unknown/),
      reason: 'Suspended',
    });
    expect(await world.runs('suspended')).toHaveLength(0);
    await world.cluster.must([
      'patch',
      'builds.slipway.build',
      'suspended',
      '--type=merge',
      '-p',
      '{"spec":{"suspend":false}}',
    ]);
    await world.waitReady('suspended');
  });

  test('a run is cancelled by its spec, and stays what it is', async () => {
    await apply(inline('cancelled', gateStep('cancelled')));
    await gate.reached('cancelled');
    const { metadata } = await lastRun('cancelled');
    await world.cluster.must([
      'patch',
      'buildruns.slipway.build',
      metadata.name,
      '--type=merge',
      '-p',
      '{"spec":{"cancel":{}}}',
    ]);
    const run = await world.until('buildruns', metadata.name, over);
    expect(run.status?.phase).toBe('Cancelled');
    expect(await tagged('cancelled')).toBe(false);
    expect(await world.runs('cancelled')).toHaveLength(1);
    const immutable = await world.cluster.kubectl([
      ...['patch', 'buildruns.slipway.build', metadata.name, '--type=merge'],
      ...['-p', '{"spec":{"hash":"other"}}'],
    ]);
    expect(immutable.code).not.toBe(0);
  });

  test('deleting a Build ends its run on the builder', async () => {
    await apply(inline('deleted', gateStep('deleted')));
    await gate.reached('deleted');
    await world.cluster.must(['delete', 'builds.slipway.build', 'deleted']);
    await expect.poll(async () => (await world.runs('deleted')).length).toBe(0);
    await expect.poll(() => world.metric('slipway_buildruns_active')).toBe(0);
    gate.open('deleted');
    expect(await tagged('deleted')).toBe(false);
  });

  test('a Secret that is missing is named; once it is there the build goes on', async () => {
    await apply(
      inline('late-secret', 'RUN --mount=type=secret,id=late cat /run/secrets/late > /dev/null', {
        secrets: [{ id: 'late', secretRef: { name: 'late', key: 'value' } }],
      }),
    );
    await world.until('builds', 'late-secret', (one) => one.status?.lastRun !== undefined);
    const waiting = await world.until(
      'buildruns',
      (await lastRun('late-secret')).metadata.name,
      (one) => condition(one, 'Accepted')?.status === 'False',
    );
    expect(condition(waiting, 'Accepted')).toMatchObject({ reason: 'SecretNotFound' });
    expect(condition(waiting, 'Accepted')?.message).toMatch(/late.*spec\.secrets|spec\.secrets.*late/);
    await apply(secret('late', { other: 'x' }));
    await world.until(
      'buildruns',
      waiting.metadata.name,
      (one) => condition(one, 'Accepted')?.reason === 'SecretKeyNotFound',
    );
    await apply(secret('late', { value: 'x' }));
    await world.waitReady('late-secret');
  });

  test('what waits for a Secret too long ends and says so', async () => {
    await apply(
      inline('never-secret', 'RUN true', {
        secrets: [{ id: 'never', secretRef: { name: 'never' } }],
        queueTimeout: '2s',
      }),
    );
    const failed = await world.until('builds', 'never-secret', (one) => one.status?.phase === 'Failed');
    expect(failed.status?.failure?.message ?? condition(failed, 'Ready')?.message).toContain('never');
  });

  test('a registry that does not answer, a wrong ref, a denied push: each says so', async () => {
    const dead = `127.0.0.1:${await freePort()}`;
    await apply(
      inline('dead-registry', 'RUN true', { outputs: [{ image: `${dead}/x`, tags: ['v1'] }], retry: { limit: 0 } }) +
        inline('denied', 'RUN true', { outputs: [{ image: `${closed.host}/x`, tags: ['v1'] }] }) +
        app('no-such-branch', 'x').replace('"name":"app"', '"name":"wrong-ref"'),
    );
    const failure = async (name: string) =>
      (await world.until('builds', name, over)).status?.failure ?? (await lastRun(name)).status?.failure;
    expect(await failure('dead-registry')).toMatchObject({ class: 'infrastructure', reason: 'RegistryUnavailable' });
    expect((await world.build('dead-registry'))?.status?.phase).toBe('Error');
    expect((await failure('dead-registry'))?.message).toContain(dead);
    expect(await failure('denied')).toMatchObject({ reason: 'PushDenied' });
    expect(await failure('wrong-ref')).toMatchObject({ class: 'user', reason: 'SourceNotFound' });
    expect((await failure('wrong-ref'))?.message).toContain('no-such-branch');
  });

  test('a step that takes longer than the timeout ends Failed', async () => {
    await apply(inline('too-long', gateStep('too-long'), { timeout: '3s' }));
    const failed = await world.until('builds', 'too-long', over);
    expect(failed.status?.phase).toBe('Failed');
    expect((await lastRun('too-long')).status?.failure).toMatchObject({ class: 'user', reason: 'Timeout' });
  });

  test('a bad spec is refused by the API server itself', async () => {
    const refused = async (spec: object) => {
      const ran = await world.cluster.apply(build('bad', spec));
      expect(ran.code, ran.output).not.toBe(0);
      return ran.output;
    };
    const output = [{ image: `${registry.host}/bad` }];
    expect(await refused({ source: { git: { url: 'x' }, inline: { files: {} } }, outputs: output })).toContain(
      'exactly one',
    );
    expect(await refused({ outputs: output })).toMatch(/source/);
    expect(
      await refused({ dockerfile: { inline: 'FROM scratch', path: 'Dockerfile' }, source: { upload: {} } }),
    ).toMatch(/exclude/);
    expect(await refused({ dockerfile: { inline: 'FROM scratch' }, timeout: 'soon' })).toContain('timeout');
    expect(await refused({ dockerfile: { inline: 'FROM scratch' }, unknownField: 1 })).toContain('unknownField');
  });

  test('a Dockerfile that cannot be parsed is told before a builder is asked', async () => {
    await apply(
      build('unparsable', { dockerfile: { inline: 'FORM scratch\n' }, outputs: [{ image: `${registry.host}/x` }] }),
    );
    const failed = await world.until('builds', 'unparsable', over);
    expect(failed.status?.phase).toBe('Failed');
    const record = await lastRun('unparsable');
    expect(record.status?.failure).toMatchObject({ class: 'user', dockerfile: { startLine: 1 } });
    expect(record.status?.attempts ?? []).toHaveLength(0);
  });

  test('no secret value is in an object, an event, a log or the builder’s state', async () => {
    const objects = await world.cluster.must([
      'get',
      'builds.slipway.build,buildruns.slipway.build,events',
      '-A',
      '-o',
      'json',
    ]);
    const builder = world.builders[0]!;
    for (const value of ['s3cr3t', 'gitpass', users.ada]) {
      expect(objects).not.toContain(value);
      expect(world.operator.log()).not.toContain(value);
      expect(builder.log()).not.toContain(value);
      const grep = await run('grep', ['-rlF', value, builder.root]);
      expect(grep.stdout).toBe('');
    }
    const privateLine = ssh.privateKey.split('\n')[2] as string;
    expect(objects + world.operator.log() + builder.log()).not.toContain(privateLine);
  });

  const create = async (yaml: string) => {
    const ran = await world.cluster.kubectl(['create', '-f', '-'], { input: yaml });
    expect(ran.code, ran.output).toBe(0);
  };

  test('the largest Build that is taken leaves room for its record; what is larger as it is stored is told', async () => {
    const files = (text: string, count: number) => ({
      source: { inline: { files: Object.fromEntries(Array.from({ length: count }, (_, at) => [`${at}.txt`, text])) } },
    });
    await create(
      inline('largest', 'COPY . /files', files('x'.repeat(260_000), 4)) +
        inline('larger', 'COPY . /files', files('<'.repeat(100_000), 2)),
    );
    await world.waitReady('largest');
    const larger = await world.until('builds', 'larger', (one) => condition(one, 'Ready')?.status === 'False');
    expect(condition(larger, 'Ready')).toMatchObject({ reason: 'SpecTooLarge' });
    expect(await world.runs('larger')).toHaveLength(0);
  });

  test('a run of another namespace that names a Build as its owner is none of its runs', async () => {
    await apply(inline('owned', 'RUN echo mine'));
    await world.waitReady('owned');
    const { metadata, status } = (await world.build('owned')) as Resource;
    const owner = {
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'Build',
      name: 'owned',
      uid: metadata.uid,
      controller: true,
    };
    await apply('---\napiVersion: v1\nkind: Namespace\nmetadata: { name: other }\n');
    await create(
      `---\n${JSON.stringify({
        apiVersion: 'slipway.build/v1alpha1',
        kind: 'BuildRun',
        metadata: { name: 'forged', namespace: 'other', ownerReferences: [owner] },
        spec: {
          buildRef: { name: 'owned' },
          number: 99,
          hash: 'forged',
          buildSpec: { dockerfile: { inline: 'FROM scratch' } },
        },
      })}\n`,
    );
    // Looked at again, it says what it said, and the next run is the second.
    await world.cluster.must(['annotate', 'builds.slipway.build', 'owned', 'slipway.build/rerun=1']);
    const again = await world.until(
      'builds',
      'owned',
      (one) => one.status?.lastRun?.hash !== status?.lastRun?.hash && over(one),
    );
    expect(again.status).toMatchObject({ phase: 'Succeeded', lastRun: { number: 2 } });
  });

  test('many changes one after the other end in the last of them', async () => {
    const step = (value: number) => `RUN echo ${value} > /which`;
    const spec = (value: number) => ({
      dockerfile: { inline: `FROM ${registry.host}/base\n${step(value)}\nCMD ["cat", "/which"]\n` },
    });
    await apply(build('restless', { ...spec(0), outputs: [{ image: `${registry.host}/restless`, tags: ['v1'] }] }));
    for (let value = 1; value <= 50; value++)
      await world.cluster.must([
        ...['patch', 'builds.slipway.build', 'restless', '--type=merge', '-p', JSON.stringify({ spec: spec(value) })],
      ]);
    await world.waitReady('restless');
    expect((await runImage(`${registry.host}/restless:v1`, work.path)).stdout).toBe('50\n');
    expect((await world.runs('restless')).filter((run) => !over(run))).toEqual([]);
  });

  test('a Build that is deleted and made anew in mid-run is built anew, and the old one leaves nothing', async () => {
    await apply(inline('anew', gateStep('anew'), { outputs: [{ image: `${registry.host}/anew`, tags: ['old'] }] }));
    await gate.reached('anew');
    await world.cluster.must(['delete', 'builds.slipway.build', 'anew']);
    await apply(inline('anew', 'RUN echo new', { outputs: [{ image: `${registry.host}/anew`, tags: ['new'] }] }));
    await world.waitReady('anew');
    gate.open('anew');
    await expect.poll(() => world.metric('slipway_buildruns_active')).toBe(0);
    expect([await tagged('anew', 'new'), await tagged('anew', 'old')]).toEqual([true, false]);
  });

  test('builders that hang, drip or answer nonsense do not keep a good one of their pool from its work', async () => {
    const sockets = new Set<Socket>();
    await using listening = new AsyncDisposableStack();
    const listen = async (answer: (socket: Socket) => void) => {
      const server = createServer((socket) => {
        sockets.add(socket.on('error', () => {}));
        answer(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      listening.defer(() => new Promise((resolve) => server.close(() => resolve())));
      listening.defer(() => {
        for (const socket of sockets) socket.destroy();
      });
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    const pool = JSON.parse(await world.cluster.must(['get', 'builderpools', 'default', '-o', 'json'])) as {
      spec: { endpoints: readonly { readonly address: string; readonly tlsSecretRef: object }[] };
    };
    const [good] = pool.spec.endpoints;
    const hanging = await listen(() => {});
    const garbage = await listen((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
    /** A SETTINGS frame, byte after byte, and again. */
    const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const dripping = await listen((socket) => {
      let sent = 0;
      const timer = setInterval(() => socket.write(Buffer.of(settings[sent++ % settings.length] ?? 0)), 50);
      socket.once('close', () => clearInterval(timer));
    });
    const answers = http2.createServer().on('stream', (stream: http2.ServerHttp2Stream) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      // So long an answer, of which it never has more than a little.
      stream.write(Buffer.of(0, 0, 15, 255, 255));
      const timer = setInterval(() => stream.write(Buffer.of(0)), 50);
      stream.once('close', () => clearInterval(timer));
    });
    const never = await listen((socket) => void answers.emit('connection', socket));
    const bad = [{ address: hanging }, { ...good, address: garbage }, { address: dripping }, { address: never }];
    const endpoints = [...bad, good];
    await apply(
      `---\n${JSON.stringify({ apiVersion: 'slipway.build/v1alpha1', kind: 'BuilderPool', metadata: { name: 'mixed' }, spec: { endpoints } })}\n` +
        inline('mixed', 'RUN echo mixed', { poolRef: { name: 'mixed' } }),
    );
    await world.waitReady('mixed');
    expect((await lastRun('mixed')).status?.attempts?.map(({ builder }) => builder)).toEqual([good?.address]);
    await world.cluster.must(['delete', 'builderpools', 'mixed']);
  });

  test('no object is reconciled without end', async () => {
    const calls = async () => {
      let sum = 0;
      for (const verb of ['get', 'create', 'patch', 'delete'])
        sum += await world.metric('slipway_kube_requests_total', { verb });
      return { calls: sum, reconciles: await world.metric('slipway_reconcile_total') };
    };
    const first = await calls();
    await apply(inline('calm', 'RUN echo calm'));
    await world.waitReady('calm');
    const used = await calls();
    // One Build from apply to Ready: a run made, four statuses of it, some of the Build, two events each.
    expect(used.calls - first.calls).toBeLessThanOrEqual(24);
    expect(used.reconciles - first.reconciles).toBeLessThanOrEqual(40);
    const settled = async () => [
      await world.metric('slipway_reconcile_total'),
      await world.metric('slipway_kube_requests_total', { verb: 'patch' }),
      await world.metric('slipway_kube_requests_total', { verb: 'create' }),
    ];
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const before = await settled();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const after = await settled();
    // Nothing changed, so nothing was written.
    expect(after.slice(1)).toEqual(before.slice(1));
    // The run that waits for nothing costs nothing; a periodic look may come by.
    expect((after[0] as number) - (before[0] as number)).toBeLessThan(20);
    const run = await lastRun('calm');
    const managed = JSON.parse(
      await world.cluster.must([
        'get',
        'buildruns.slipway.build',
        run.metadata.name,
        '-o',
        'json',
        '--show-managed-fields',
      ]),
    ) as { metadata: { managedFields: readonly { manager: string }[] } };
    expect(managed.metadata.managedFields.every(({ manager }) => manager.startsWith('slipway'))).toBe(true);
  });

  test('metrics and probes answer on their own port', async () => {
    expect((await fetch(`${world.operatorUrl}/healthz`)).status).toBe(200);
    expect((await fetch(`${world.operatorUrl}/readyz`)).status).toBe(200);
    expect(await world.metric('slipway_buildruns_total', { phase: 'Succeeded' })).toBeGreaterThan(0);
    expect(await world.metric('slipway_buildruns_total', { phase: 'Failed' })).toBeGreaterThan(0);
    for (const line of world.operator.log().trim().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  test('the operator may do what it needs and no more', async () => {
    const may = async (verb: string, resource: string) =>
      (
        await world.cluster.kubectl([
          ...['auth', 'can-i', verb, resource, '-A'],
          ...['--as', 'system:serviceaccount:slipway-system:slipway-operator'],
        ])
      ).stdout.trim();
    expect(await may('get', 'secrets')).toBe('yes');
    for (const verb of ['list', 'watch', 'create', 'update', 'delete']) expect(await may(verb, 'secrets')).toBe('no');
    for (const verb of ['create', 'delete', 'update']) expect(await may(verb, 'builds.slipway.build')).toBe('no');
    expect(await may('create', 'pods')).toBe('no');
    expect(readFileSync(path.join(work.path, 'operator.log'), 'utf8')).not.toMatch(/forbidden/i);
  });
});
