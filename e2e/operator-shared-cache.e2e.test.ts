import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type Gate, startGate } from './support/gate.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { tempFolder } from './support/temp-folder.ts';

/** One cache for all, behind credentials that only the operator has: two builders, of which one dies in mid-build. */
describe('the cache of a cluster', () => {
  const work = tempFolder('operator-shared-cache');
  const opened = new AsyncDisposableStack();
  let world: OperatorWorld;
  let registry: RegistryServer;
  let caches: RegistryServer;
  let gate: Gate;

  beforeAll(async () => {
    const root = (name: string) => ({ root: path.join(work.path, name), durable: false });
    registry = opened.use(await RegistryServer.start(root('registry')));
    caches = opened.use(
      await RegistryServer.start({ ...root('caches'), access: { kind: 'token', users: { cache: 'of the operator' } } }),
    );
    gate = opened.use(await startGate());
    const file = path.join(work.path, 'cache.yaml');
    writeFileSync(
      file,
      JSON.stringify({ ref: `${caches.host}/all`, secretRef: { name: 'cache' }, interval: '1s', scopes: [] }),
    );
    world = opened.use(
      await startOperatorWorld(work.path, {
        builders: 2,
        operatorFlags: ['--registry-cache', file, '--builder-grace', '5s'],
      }),
    );
    await world.pushBase(`${registry.host}/base`);
    await world.cluster.must(['create', 'namespace', 'other']);
    const auths = { [caches.host]: { username: 'cache', password: 'of the operator' } };
    await apply({
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'cache', namespace: 'slipway-system' } },
      ...{ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': JSON.stringify({ auths }) } },
    });
  });

  afterAll(async () => {
    await opened.disposeAsync();
    work[Symbol.dispose]();
  });

  const apply = async (object: object) => {
    const ran = await world.cluster.apply(JSON.stringify(object));
    expect(ran.code, ran.output).toBe(0);
  };
  const build = (
    name: string,
    steps: string,
    { namespace = 'default', ...rest }: { namespace?: string; image?: string } = {},
  ) => ({
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'Build',
    metadata: { name, namespace },
    spec: {
      dockerfile: { inline: `FROM ${registry.host}/base\n${steps}\n` },
      outputs: [{ image: rest.image ?? `${registry.host}/${name}`, tags: ['v1'] }],
      retry: { limit: 1 },
    },
  });
  const step = (name: string) => `RUN wget -q -O /${name} ${gate.url}/${name}`;
  const ended = async (name: string, namespace = 'default') => {
    const phase = async () =>
      (await world.cluster.must([
        ...['get', 'builds.slipway.build', name, '-n', namespace],
        ...['-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'],
      ])) || 'none';
    await expect.poll(phase, { timeout: 120_000 }).not.toMatch(/^(none|Queued|.*ing)$/);
    return await phase();
  };
  /** Asks the registry of caches, as who may read there. */
  const ask = async (repository: string, what: string) => {
    const scope = encodeURIComponent(`repository:${repository}:pull`);
    const basic = `Basic ${Buffer.from('cache:of the operator').toString('base64')}`;
    const realm = `${caches.url}/token?service=slipway-registry&scope=${scope}`;
    const { token } = (await (await fetch(realm, { headers: { authorization: basic } })).json()) as { token: string };
    const headers = { accept: '*/*', authorization: `Bearer ${token}` };
    return await fetch(`${caches.url}/v2/${repository}/${what}`, { headers });
  };
  const written = async (repository: string, tag: string) => (await ask(repository, `manifests/${tag}`)).status;
  const layersOf = async (repository: string, tag: string) => {
    const answer = await ask(repository, `manifests/${tag}`);
    return answer.ok ? ((await answer.json()) as { layers: readonly { readonly size: number }[] }).layers : [];
  };
  const isMarked = ({ size }: { readonly size: number }) => size > 700_000 && size < 710_000;

  test('a run whose builder dies goes on on one that has nothing, from what was written while it ran', async () => {
    for (const name of ['one', 'two']) gate.open(name);
    const marked = `${step('two')} && head -c 700000 /dev/urandom > /marked`;
    await apply(build('moved', `${step('one')}\n${marked}\n${step('three')}`));
    await gate.reached('three');
    // That of the second step, which is told by its size.
    const cached = async () => (await layersOf('all/namespaces/default', 'default.moved')).some(isMarked);
    await expect.poll(cached, { timeout: 60_000 }).toBe(true);
    const [run] = await world.runs('moved');
    const address = run?.status?.attempts?.[0]?.builder ?? '';
    const victim = world.builders.findIndex(({ process }) => process.spawnargs.some((arg) => arg.includes(address)));
    await world.builders[victim]!.stop('SIGKILL');
    await gate.reached('three', 2);
    gate.open('three');
    await world.waitReady('moved');
    const [after] = await world.runs('moved');
    expect(after?.status?.attempts).toMatchObject([
      { builder: address, reason: 'BuilderLost' },
      { reason: 'Succeeded' },
    ]);
    expect(after?.status?.attempts?.[1]?.builder).not.toBe(address);
    expect(['one', 'two', 'three'].map((name) => gate.visits(name))).toEqual([1, 1, 2]);
    await world.restartBuilder(victim);
  });

  test('another Build of the namespace hits the same on a builder that has nothing', async () => {
    for (const builder of world.builders) expect((await builder.buildctl(['prune', '--all'])).code).toBe(0);
    await apply(build('beside', `${step('one')}\n${step('four')}`));
    gate.open('four');
    await world.waitReady('beside');
    expect(['one', 'four'].map((name) => gate.visits(name))).toEqual([1, 1]);
  });

  test('another namespace neither reads it nor can it be let into it', async () => {
    await apply(build('apart', `${step('one')}`, { namespace: 'other' }));
    expect(await ended('apart', 'other')).toBe('Succeeded');
    expect(gate.visits('one')).toBe(2);
    expect(await written('all/namespaces/other', 'other.apart')).toBe(200);
    const stolen = `${caches.host}/all/namespaces/default`;
    await apply({
      ...build('thief', '', { namespace: 'other' }),
      spec: { dockerfile: { inline: `FROM ${stolen}:default.moved\n` }, retry: { limit: 0 } },
    });
    expect(await ended('thief', 'other')).not.toBe('Succeeded');
    const poison = build('poison', step('one'), { namespace: 'other', image: `${stolen}` });
    await apply({ ...poison, spec: { ...poison.spec, retry: { limit: 0 } } });
    expect(await ended('poison', 'other')).not.toBe('Succeeded');
    expect(await written('all/namespaces/default', 'v1')).toBe(404);
    const told = await world.cluster.must([
      'get',
      'builds.slipway.build,buildruns.slipway.build,events',
      '-A',
      '-o',
      'json',
    ]);
    expect(`${told}${world.operator.log()}`).not.toContain('of the operator');
  });

  test('a cache that is away costs a condition, not the run', async () => {
    await caches[Symbol.asyncDispose]();
    gate.open('five');
    await apply(build('alone', step('five')));
    await world.waitReady('alone');
    const [run] = await world.runs('alone');
    expect(run?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'CacheExported', status: 'False' }));
    expect(run?.status?.attempts).toHaveLength(1);
  });
});
