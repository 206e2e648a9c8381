import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { makeContext } from './support/context.ts';
import { type Gate, startGate } from './support/gate.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { root, slipway } from './support/paths.ts';
import { run } from './support/run.ts';
import { startService } from './support/service.ts';
import { tempFolder } from './support/temp-folder.ts';

/** Logs of runs through a real API server, with the real kubectl: as raw paths and as its plugin. */
describe('logs of runs', () => {
  const work = tempFolder('operator-logs');
  let world: OperatorWorld;
  let registry: RegistryServer;
  let gate: Gate;

  beforeAll(async () => {
    registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
    gate = await startGate();
    world = await startOperatorWorld(work.path, {
      logs: true,
      operatorFlags: ['--lease-duration', '9s', '--log-retention', '24h'],
    });
    await world.pushBase(`${registry.host}/base`);
    await world.cluster.must([
      ...['wait', '--for=condition=Available', '--timeout=120s', 'apiservice/v1alpha1.logs.slipway.build'],
    ]);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await Promise.all([gate, registry].map((one) => one?.[Symbol.asyncDispose]()));
    work[Symbol.dispose]();
  });

  const apply = async (name: string, steps: string) => {
    const spec = {
      dockerfile: { inline: `FROM ${registry.host}/base\n${steps}\n` },
      outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }],
    };
    const build = { apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name }, spec };
    const ran = await world.cluster.apply(JSON.stringify(build));
    expect(ran.code, ran.output).toBe(0);
  };
  /** kubectl that finds its plugin. */
  const plugin = (...args: readonly string[]) =>
    world.cluster.kubectl(['slipway', ...args], {
      env: { PATH: `${path.join(root, 'bin')}:${process.env['PATH'] ?? ''}` },
    });
  const raw = (of: string) =>
    world.cluster.kubectl(['get', '--raw', `/apis/logs.slipway.build/v1alpha1/namespaces/default/${of}`]);
  const runOf = async (build: string) => {
    const { status } = await world.until('builds', build, (one) => one.status?.lastRun !== undefined);
    return status?.lastRun?.name as string;
  };

  test('are followed while it runs, and are there when it is over, also with another operator', async () => {
    await apply('slow', `RUN echo first line && wget -q -O- ${gate.url}/slow && echo last "line"`);
    await gate.reached('slow');
    const name = await runOf('slow');
    const running = async () => (await raw(`buildruns/${name}/log`)).stdout;
    await expect.poll(running, { timeout: 60_000, interval: 500 }).toMatch(/#\d first line\n/);
    expect(await running()).not.toContain(' last line\n');
    const followed = plugin('logs', '-f', 'slow');
    gate.open('slow');
    const { code, stdout, output } = await followed;
    expect(code, output).toBe(0);
    expect(stdout).toMatch(
      /#(\d+) \[2\/2\] RUN echo first[\s\S]*#\1 first line\n[\s\S]*#\1 open\n[\s\S]*#\1 last line\n[\s\S]*#\1 DONE/,
    );
    expect(stdout).toContain(`${name} Succeeded\n`);

    await world.stopOperator('SIGKILL');
    await world.startOperator();
    await world.cluster.must([
      ...['wait', '--for=condition=Available', '--timeout=120s', 'apiservice/v1alpha1.logs.slipway.build'],
    ]);
    const after = await plugin('logs', 'build/slow', '--step', 'RUN', '--tail', '2');
    expect(after.stdout, after.output).toMatch(/^#\d+ last line\n#\d+ DONE [\d.]+s\n$/);
    const records = (await raw(`builds/slow/log?format=json&step=RUN`)).stdout.trim().split('\n');
    expect(records.map((line) => (JSON.parse(line) as { kind: string }).kind)).toContain('output');
    expect((await raw('buildruns/none/log')).output).toMatch(/there is no BuildRun default\/none/);
    expect((await raw(`buildruns/${name}/log?tail=1`)).output).toMatch(/unknown parameter tail/);
  });

  test('of one that fails are there, and the command ends as the run does', async () => {
    await apply('broken', 'RUN echo before && exit 7');
    await world.until('builds', 'broken', ({ status }) => status?.lastRun !== undefined);
    const followed = await plugin('logs', '-f', 'broken');
    expect(followed.code, followed.output).toBe(1);
    expect(followed.stdout).toMatch(/before\n[\s\S]*ERROR: /);
    const described = await plugin('describe', 'broken');
    expect(described.stdout).toMatch(/Phase: +Failed\n[\s\S]*which ended with 7[\s\S]*before/);
    expect((await plugin('get')).stdout).toMatch(/broken +False/);
    expect((await plugin('get', 'broken')).stdout).toMatch(/Failed/);
    expect((await plugin('pool')).stdout).toMatch(/default +127\.0\.0\.1:\d+ +Ready/);
  });

  test('are for those whom RBAC lets get them', async () => {
    const { cluster } = world;
    await cluster.must(['create', 'serviceaccount', 'reader']);
    const kubeconfig = await cluster.serviceAccountKubeconfig('default', 'reader');
    const ask = async () => await plugin('logs', `run/${await runOf('slow')}`, '--kubeconfig', kubeconfig);
    await cluster.must([
      'create',
      'rolebinding',
      'reads-builds',
      '--clusterrole=reads-builds',
      '--serviceaccount=default:reader',
    ]);
    await cluster.must([
      ...['create', 'clusterrole', 'reads-builds', '--verb=get', '--resource=buildruns.slipway.build'],
    ]);
    const refusal = /cannot get resource "buildruns\/log" in API group "logs\.slipway\.build"/;
    await expect.poll(async () => (await ask()).output, { timeout: 60_000, interval: 1000 }).toMatch(refusal);
    expect(await ask()).toMatchObject({ code: 1 });
    await cluster.must(['create', 'rolebinding', 'views', '--clusterrole=view', '--serviceaccount=default:reader']);
    // Roles are aggregated by a controller, and an answer counts for some seconds.
    await expect.poll(async () => (await ask()).code, { timeout: 60_000, interval: 1000 }).toBe(0);
    const allowed = await ask();
    expect(allowed.stdout, allowed.output).toContain(' last line\n');
  });

  test('a run is cancelled, and a Build runs again, by kubectl', async () => {
    await apply('held', `RUN echo waits && wget -q -O- ${gate.url}/held`);
    await gate.reached('held');
    await runOf('held');
    const followed = plugin('logs', '-f', 'held');
    const cancelled = await plugin('cancel', 'held');
    expect(cancelled.stdout, cancelled.output).toMatch(/is being cancelled/);
    expect(await followed).toMatchObject({ code: 130 });
    gate.open('held');
    const again = await plugin('rerun', '-f', 'held');
    expect(again.code, again.output).toBe(0);
    expect(again.stdout).toContain(' open\n');
    expect((await plugin('get', 'held')).stdout).toMatch(/Cancelled[\s\S]*Succeeded/);
  });

  test('a folder is uploaded through the API server, and the next time what has changed of it', async () => {
    const { cluster } = world;
    const image = `${registry.host}/uploaded`;
    const folder = makeContext(path.join(work.path, 'uploaded'), {
      Dockerfile: `FROM ${registry.host}/base\nCOPY . /files\nRUN cat /files/word.txt && test ! -e /files/left-out\n`,
      '.dockerignore': 'left-out\n',
      'left-out': 'x',
      'word.txt': 'first word\n',
      'large.bin': 'x'.repeat(300_000),
    });
    const build = () =>
      run(slipway, ['build', folder, '-n', 'default', '-t', image, '--kubeconfig', cluster.kubeconfig]);
    const sent = (log: string) =>
      [...log.matchAll(/transferring context:?.* (\d+)B done/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
    const first = await build();
    expect(first.code, first.output).toBe(0);
    expect(first.stdout).toContain('first word\n');
    expect(sent(first.stdout), first.stdout).toBeGreaterThan(300_000);
    writeFileSync(path.join(folder, 'word.txt'), 'second word\n');
    const second = await build();
    expect(second.code, second.output).toBe(0);
    expect(second.stdout).toContain('second word\n');
    expect(sent(second.stdout), second.stdout).toBeLessThan(10_000);
    expect((await fetch(`${registry.url}/v2/uploaded/manifests/latest`, { headers: { accept: '*/*' } })).status).toBe(
      200,
    );

    writeFileSync(path.join(folder, 'Dockerfile'), `FROM ${registry.host}/base\nCOPY word.txt /\nRUN exit 9\n`);
    const third = await build();
    expect(third.code, third.output).toBe(1);
    expect(third.stdout).toMatch(/ERROR: /);
  });

  test('a run whose files nobody uploads says so, and one that is interrupted is cancelled', async () => {
    const folder = makeContext(path.join(work.path, 'waits'), {
      Dockerfile: `FROM ${registry.host}/base\nCOPY Dockerfile /\nRUN wget -q -O- ${gate.url}/waits\n`,
    });
    const spec = { source: { upload: {} }, outputs: [{ image: `${registry.host}/waits`, tags: ['v1'] }] };
    const manifest = { apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'waits' }, spec };
    await world.cluster.apply(JSON.stringify(manifest));
    const waits = await world.until('builds', 'waits', ({ status }) => status?.lastRun !== undefined);
    const waiting = await world.until('buildruns', waits.status?.lastRun?.name as string, ({ status }) =>
      Boolean(status?.conditions?.some(({ reason }) => reason === 'WaitingForUpload')),
    );
    expect(waiting.status?.phase).toBe('Pending');

    writeFileSync(path.join(work.path, 'waits.json'), JSON.stringify(manifest));
    const kubeconfig = ['--kubeconfig', world.cluster.kubeconfig];
    const file = path.join(work.path, 'waits.json');
    const building = startService(slipway, ['build', folder, '-n', 'default', '-f', file, ...kubeconfig], {
      logFile: path.join(work.path, 'waits.log'),
    });
    await gate.reached('waits');
    await building.stop('SIGINT');
    const runs = await world.runs('waits');
    expect(runs.length).toBe(2);
    await world.until('buildruns', runs[1]?.metadata.name as string, ({ status }) => status?.phase === 'Cancelled');
    gate.open('waits');
  });

  test('are there when their builder is gone, and go with their run', async () => {
    const name = (await world.build('slow'))?.status?.lastRun?.name as string;
    const uid = (await world.run(name))?.metadata.uid as string;
    const manifest = `${registry.url}/v2/slow/manifests/slipway-log-${uid}-1`;
    const found = () => fetch(manifest, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } });
    await expect.poll(async () => (await found()).status, { timeout: 30_000 }).toBe(200);
    expect(await (await found()).json()).toMatchObject({
      artifactType: 'application/vnd.slipway.build.log.v1',
      layers: [{ mediaType: 'application/vnd.slipway.build.log.v1+gzip' }],
    });
    const before = await plugin('logs', 'slow');
    expect(before.code, before.output).toBe(0);
    await world.builders[0]?.stop('SIGKILL');
    const after = await plugin('logs', 'slow');
    expect(after.stdout, after.output).toBe(before.stdout);
    // One that failed has its log kept as well.
    expect((await plugin('logs', 'broken', '--tail', '1')).stdout).toMatch(/ Failed/);
    await world.cluster.must(['delete', 'buildrun', name]);
    await expect.poll(async () => (await found()).status, { timeout: 30_000 }).toBe(404);
  });

  test('without the API a command says what the run itself tells', async () => {
    await world.cluster.must(['delete', 'apiservice', 'v1alpha1.logs.slipway.build']);
    const told = await plugin('logs', 'broken');
    expect(told.output).toMatch(/serves no logs of builds[\s\S]*Failed[\s\S]*before/);
  });
});
