import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { OURS, REAL } from '../daemon/testing/test-daemon.ts';
import { type Daemons, ExchangeDaemon } from './testing/exchange.ts';

/** What moves when ten stages of a Dockerfile are found in a cache and one runs: counted in front of the registry. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-on-demand-'));
const cleanup = new AsyncDisposableStack();
let writers: Daemons;
let reader: ExchangeDaemon;
let proxy: FaultProxy;

const STAGES = Array.from({ length: 10 }, (_, n) => `s${n}`);
const DOCKERFILE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
${STAGES.map((stage) => `FROM base AS ${stage}\nRUN echo content of ${stage} > /${stage}`).join('\n')}
FROM base AS last
ARG TIMES=once
RUN --mount=from=s3,target=/m echo $TIMES > /got && cat /m/s3 >> /got
FROM scratch
${STAGES.map((stage) => `COPY --link --from=${stage} /${stage} /${stage}`).join('\n')}
COPY --link --from=last /got /got
`;

beforeAll(async () => {
  for (const folder of ['context', 'registry']) mkdirSync(join(temp, folder));
  copyFileSync('/bin/busybox', join(temp, 'context/busybox'));
  writeFileSync(join(temp, 'Dockerfile'), DOCKERFILE);
  const registry = cleanup.use(await dockerRegistry(join(temp, 'registry')));
  proxy = cleanup.use(await FaultProxy.start(`http://${registry.host}`));
  const inputs = { context: join(temp, 'context'), dockerfiles: temp };
  const started = (name: string, program: typeof OURS) => {
    const daemon = new ExchangeDaemon(temp, name, program, inputs);
    cleanup.defer(async () => void (await daemon.stop()));
    return daemon.ready();
  };
  writers = { ours: await started('ours', OURS), theirs: await started('theirs', REAL) };
  reader = await started('reader', OURS);
});

afterAll(async () => {
  await cleanup.disposeAsync();
  rmSync(temp, { recursive: true, force: true });
});

const accept = 'application/vnd.oci.image.manifest.v1+json';
const of = async (path: string) =>
  Buffer.from(await (await fetch(`http://${proxy.host}${path}`, { headers: { accept } })).arrayBuffer());
/** Paths of files in a layer. */
const filesIn = (layer: Buffer) =>
  execFileSync('tar', ['-tz'], { input: layer })
    .toString()
    .split('\n')
    .filter((name) => name !== '' && !name.endsWith('/'));

test.each(['ours', 'theirs'] as const)('of a cache written by %s only what the step that runs mounts is pulled', {
  timeout: 300_000,
}, async (writer) => {
  const repository = `${proxy.host}/app-${writer}`;
  const image = (tag: string) => ['--output', `type=image,name=${repository}:${tag},push=true`];
  await writers[writer].build(
    'Dockerfile',
    ...image('first'),
    ...['--export-cache', `type=registry,ref=${repository}:cache,mode=max`],
  );
  await reader.forget();

  proxy.requests.length = 0;
  const cache = ['--import-cache', `type=registry,ref=${repository}:cache`];
  const { cached, ran } = await reader.build('Dockerfile', '--opt=build-arg:TIMES=twice', ...image('second'), ...cache);
  const moved = proxy.requests.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/sha256:'));
  const uploaded = proxy.requests.filter(({ method, path }) => method === 'PUT' && path.includes('/blobs/'));

  for (const stage of STAGES) {
    expect(cached.some((name) => name.includes(`RUN echo content of ${stage} `))).toBe(true);
    expect(cached.some((name) => name.includes(`COPY --link --from=${stage} `))).toBe(true);
  }
  const steps = ran.map((name) => name.replace(/^\[[^\]]*\] /, '')).filter((name) => /^(?:RUN|COPY)/.test(name));
  expect(steps.sort()).toEqual([
    'COPY --link --from=last /got /got',
    'RUN --mount=from=s3,target=/m echo twice > /got && cat /m/s3 >> /got',
  ]);

  // The documents aside: the two layers of the base, and the one of the stage that is mounted. Each once, whatever it took.
  const paths = [...new Set(moved.map(({ path }) => path.replace(/\?.*/, '')))];
  const blobs = await Promise.all(paths.map(of));
  const layers = blobs.filter((bytes) => bytes[0] === 0x1f).map(filesIn);
  expect(layers.map((names) => (names.length > 10 ? 'tools' : names.join())).sort()).toEqual([
    'bin/busybox',
    's3',
    'tools',
  ]);
  expect(blobs).toHaveLength(layers.length + 1);
  // And what is new goes there: the layer of the last copy, and the image's configuration.
  expect(uploaded).toHaveLength(2);

  const { layers: pushed } = JSON.parse((await of(`/v2/app-${writer}/manifests/second`)).toString()) as {
    layers: { digest: string }[];
  };
  expect(pushed).toHaveLength(STAGES.length + 1);
  const got = await of(`/v2/app-${writer}/blobs/${pushed.at(-1)!.digest}`);
  expect(execFileSync('tar', ['-xzO'], { input: got }).toString()).toBe('twice\ncontent of s3\n');
});
