import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultProxy } from '../src/oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type Gate, startGate } from './support/gate.ts';
import { type OperatorWorld, type Resource, startOperatorWorld } from './support/operator.ts';
import { tempFolder } from './support/temp-folder.ts';

/** The operator or a builder killed at any point: the run ends with its true result, pushed once, solved once. */
describe('a killed operator', () => {
  const work = tempFolder('operator-restart');
  let world: OperatorWorld;
  let registry: RegistryServer;
  /** What builders push through. */
  let proxy: FaultProxy;
  let gate: Gate;

  beforeAll(async () => {
    registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
    proxy = await FaultProxy.start(registry.url);
    gate = await startGate();
    world = await startOperatorWorld(work.path, { builders: 2, operatorFlags: ['--builder-grace', '10s'] });
    await world.pushBase(`${registry.host}/base`);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await Promise.all([gate, proxy, registry].map((one) => one?.[Symbol.asyncDispose]()));
    work[Symbol.dispose]();
  });

  const build = (name: string, steps: string, rest: object = {}) => ({
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'Build',
    metadata: { name },
    spec: {
      dockerfile: { inline: `FROM ${registry.host}/base\n${steps}\n` },
      outputs: [{ image: `${proxy.host}/${name}`, tags: ['v1'] }],
      ...rest,
    },
  });
  const applyAll = async (items: readonly object[]) => {
    const ran = await world.cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    expect(ran.code, ran.output).toBe(0);
  };
  const apply = (name: string, steps: string, rest: object = {}) => applyAll([build(name, steps, rest)]);
  const step = (name: string) => `RUN wget -q -O- ${gate.url}/${name}`;
  const onlyRun = async (name: string): Promise<Resource> => {
    const runs = await world.runs(name);
    expect(runs).toHaveLength(1);
    return runs[0] as Resource;
  };
  const tagPushes = (name: string) =>
    proxy.requests.filter((one) => one.method === 'PUT' && one.path === `/v2/${name}/manifests/v1`).length;
  const tagged = async (name: string) =>
    (await fetch(`${registry.url}/v2/${name}/manifests/v1`, { headers: { accept: '*/*' } })).status === 200;
  /** Holds back the next request of this kind; settles, once it is there, with what lets it go on. */
  const hold = (method: string, path: string): Promise<() => void> => {
    const held = Promise.withResolvers<() => void>();
    proxy.fault = (request, _, forward) => {
      if (request.method !== method || !request.url?.startsWith(path)) return false;
      proxy.fault = () => undefined;
      held.resolve(forward);
      return true;
    };
    return held.promise;
  };
  /** It ended well, was solved once and its tag was pushed once. */
  const endsWell = async (name: string) => {
    await world.waitReady(name);
    const run = await onlyRun(name);
    expect(run.status?.phase).toBe('Succeeded');
    expect(run.status?.attempts).toHaveLength(1);
    expect(gate.visits(name)).toBe(1);
    expect(tagPushes(name)).toBe(1);
    expect(await tagged(name)).toBe(true);
  };

  test('before anything was dispatched', async () => {
    await world.stopOperator('SIGKILL');
    await apply('before', step('before'));
    gate.open('before');
    await world.startOperator();
    await endsWell('before');
  });

  test('just when the run is created, at several moments', async () => {
    for (const [at, delay] of [50, 200, 500, 1000].entries()) {
      const name = `early-${at}`;
      gate.open(name);
      await apply(name, step(name));
      await new Promise((resolve) => setTimeout(resolve, delay));
      await world.stopOperator('SIGKILL');
      await world.startOperator();
      await endsWell(name);
    }
  });

  test('in mid-step', async () => {
    await apply('midstep', step('midstep'));
    await gate.reached('midstep');
    await world.stopOperator('SIGKILL');
    await world.startOperator();
    gate.open('midstep');
    await endsWell('midstep');
  });

  test('in mid-push', async () => {
    const held = hold('POST', '/v2/midpush/blobs/uploads');
    gate.open('midpush');
    await apply('midpush', step('midpush'));
    const go = await held;
    await world.stopOperator('SIGKILL');
    await world.startOperator();
    go();
    await endsWell('midpush');
  });

  test('between the push and the status', async () => {
    await apply('between', step('between'));
    await gate.reached('between');
    await world.stopOperator('SIGKILL');
    gate.open('between');
    // The builder goes on alone: it pushes the digest, and no tag.
    await expect
      .poll(() =>
        proxy.requests.some((one) => one.method === 'PUT' && one.path.startsWith('/v2/between/manifests/sha256:')),
      )
      .toBe(true);
    expect(await tagged('between')).toBe(false);
    await world.startOperator();
    await endsWell('between');
  });

  test('while the tag is written', async () => {
    const held = hold('PUT', '/v2/tagging/manifests/v1');
    gate.open('tagging');
    await apply('tagging', step('tagging'));
    const go = await held;
    await world.stopOperator('SIGKILL');
    await world.startOperator();
    go();
    await world.waitReady('tagging');
    expect((await onlyRun('tagging')).status?.phase).toBe('Succeeded');
    expect(gate.visits('tagging')).toBe(1);
    expect(await tagged('tagging')).toBe(true);
  });

  test('a step that waits for a secret goes on when the operator is back', async () => {
    const secret = await world.cluster.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'word' },
        stringData: { word: 'open sesame' },
      }),
    );
    expect(secret.code, secret.output).toBe(0);
    await apply('secretive', `${step('secretive')}\nRUN --mount=type=secret,id=word grep -q sesame /run/secrets/word`, {
      secrets: [{ id: 'word', secretRef: { name: 'word', key: 'word' } }],
    });
    await gate.reached('secretive');
    await world.stopOperator('SIGKILL');
    gate.open('secretive');
    // The second step now asks for the secret, and nobody is there to give it.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await world.startOperator();
    await endsWell('secretive');
  });

  test('a build deleted while no operator runs ends on the builder all the same', async () => {
    await apply('orphan', step('orphan'));
    await gate.reached('orphan');
    await world.stopOperator('SIGKILL');
    await world.cluster.must(['delete', 'builds.slipway.build', 'orphan']);
    await expect.poll(async () => (await world.runs('orphan')).length).toBe(0);
    await world.startOperator();
    gate.open('orphan');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await tagged('orphan')).toBe(false);
    expect(tagPushes('orphan')).toBe(0);
  });

  test('the API server away for a while costs nothing', async () => {
    await apply('away', step('away'));
    await gate.reached('away');
    const down = world.cluster.restartApiServer(3000);
    gate.open('away');
    await down;
    await endsWell('away');
  });

  test('two operators at once, also when the one that leads is frozen and comes back: nothing is done twice', async () => {
    const names = ['pair-0', 'pair-1', 'pair-2'];
    const rival = await world.startRival();
    const old = world.operator.process;
    try {
      await applyAll(names.map((name) => build(name, step(name))));
      await Promise.all(names.map((name) => gate.reached(name)));
      old.kill('SIGSTOP');
      await expect.poll(() => rival.log()).toContain('"leading"');
      for (const name of names) gate.open(name);
      for (const name of names) await endsWell(name);
      old.kill('SIGCONT');
      await expect.poll(() => world.operator.log()).toContain('the lease was lost');
      gate.open('pair-after');
      await apply('pair-after', step('pair-after'));
      await endsWell('pair-after');
    } finally {
      old.kill('SIGCONT');
      await rival.stop();
    }
    gate.open('pair-alone');
    await apply('pair-alone', step('pair-alone'));
    await endsWell('pair-alone');
    expect(names.map(tagPushes)).toEqual([1, 1, 1]);
  });

  test.for([
    ['fails', 500, {}],
    ['asks to wait', 429, { 'retry-after': '1' }],
    ['wants credentials again', 401, { 'www-authenticate': 'Basic realm="registry"' }],
  ] as const)('a registry that %s in the middle of a push', async ([, status, headers]) => {
    const name = `push-${status}`;
    const auths = { [proxy.host]: { username: 'user', password: 'word' } };
    await applyAll([
      {
        ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'kubernetes.io/dockerconfigjson' },
        stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
      },
    ]);
    gate.open(name);
    const refused: string[] = [];
    // What is refused with its credentials is denied.
    const kinds = ['PUT /manifests/sha256', ...(status === 401 ? [] : ['POST /blobs', 'PUT /manifests/v1'])];
    proxy.fault = (request, response) => {
      const kind = kinds.find((one) => {
        const [method, path] = one.split(' ') as [string, string];
        return request.method === method && request.url?.startsWith(`/v2/${name}${path}`) === true;
      });
      if (kind === undefined || refused.includes(kind)) return false;
      refused.push(kind);
      request.resume();
      request.once('end', () => response.writeHead(status, headers).end());
      return true;
    };
    try {
      await apply(name, step(name), { registryAuth: [{ secretRef: { name } }], retry: { limit: 0 } });
      await world.waitReady(name);
    } finally {
      proxy.fault = () => undefined;
    }
    expect(refused.sort()).toEqual([...kinds].sort());
    expect((await onlyRun(name)).status?.attempts).toHaveLength(1);
    expect(gate.visits(name)).toBe(1);
    expect(await tagged(name)).toBe(true);
  });

  test('builders that die under many builds and come back: each of them is built, and has the tag of what its record names', async () => {
    const names = Array.from({ length: 60 }, (_, at) => `many-${at}`);
    for (const name of names) gate.open(name);
    await applyAll(names.map((name) => build(name, step(name))));
    const begun = () => names.filter((name) => gate.visits(name) > 0).length;
    await expect.poll(begun).toBeGreaterThan(names.length / 4);
    await Promise.all(world.builders.map((_, at) => world.restartBuilder(at)));
    const objects = names.map((name) => `builds.slipway.build/${name}`);
    await world.cluster.must(['wait', '--for=condition=Ready', '--timeout=240s', ...objects]);
    const list = JSON.parse(await world.cluster.must(['get', 'buildruns.slipway.build', '-o', 'json'])) as {
      items: readonly Resource[];
    };
    for (const name of names) {
      const runs = list.items.filter(({ spec }) => (spec['buildRef'] as { name: string }).name === name);
      expect(runs.map(({ status }) => status?.phase)).toEqual(['Succeeded']);
      const { status } = runs[0] as Resource;
      expect(status?.attempts?.length).toBeLessThanOrEqual(2);
      // A tag that was being written is written again: the same.
      const tag = await fetch(`${registry.url}/v2/${name}/manifests/v1`, { headers: { accept: '*/*' } });
      expect(tag.headers.get('docker-content-digest')).toBe(status?.outputs?.[0]?.digest);
    }
  });

  test('a builder that dies loses its run, which goes on elsewhere; what the dead one pushed has no tag', async () => {
    await apply('lost', step('lost'));
    await gate.reached('lost');
    const run = await onlyRun('lost');
    const address = run.status?.attempts?.[0]?.builder ?? '';
    const victim = world.builders.findIndex((builder) =>
      builder.process.spawnargs.some((arg) => arg.includes(address)),
    );
    expect(victim, address).toBeGreaterThanOrEqual(0);
    await world.builders[victim]!.stop('SIGKILL');
    gate.open('lost');
    await world.waitReady('lost', '300s');
    const after = await onlyRun('lost');
    expect(after.status?.phase).toBe('Succeeded');
    expect(after.status?.attempts?.map(({ number }) => number)).toEqual([1, 2]);
    expect(after.status?.attempts?.[0]?.reason).toBeTruthy();
    expect(after.status?.attempts?.[1]?.builder).not.toBe(address);
    expect(tagPushes('lost')).toBe(1);
  });
});
