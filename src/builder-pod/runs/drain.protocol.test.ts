import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { BASE, dockerfileArgs, makeContext } from '../../../e2e/support/context.ts';
import { clientOf, Health } from '../../builder-api/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { collectLogs, FAILED, RUNNING, RunWorld, SUCCEEDED, signal } from './testing/world.ts';

// A builder that is to end: what it takes, what goes on, and what becomes of the rest.

const GATED = `ARG GATE
ARG NAME
RUN echo made > /made
RUN echo before-the-gate && wget -q -O- $GATE/$NAME && echo after-the-gate
`;

let world: RunWorld;
afterEach(() => world[Symbol.asyncDispose]());

const pidFile = () => path.join(world.root, 'builderd.pid');
const terminate = () => process.kill(Number(readFileSync(pidFile(), 'utf8')), 'SIGTERM');
/** Its last act but one. */
const ended = () => expect.poll(() => existsSync(pidFile()), { timeout: 60_000 }).toBe(false);
const load = () => world.client.builder.load({}, { signal });

test('on SIGTERM it takes no new builds, those under way go on to their end, and their tags are written', async () => {
  world = await RunWorld.open(['--drain-timeout', '10m']);
  await world.repository('drain', GATED);
  const { builder } = world.client;
  const request = world.request('drain', { outputs: [['drain:1']], attrs: { 'build-arg:NAME': 'drain' } });
  const id = request.id!;
  await builder.start(request, { signal });
  const context = makeContext(path.join(world.folder, 'direct'), {
    Dockerfile: `${BASE}FROM base\nRUN wget -q -O- ${world.gate.url}/direct\n`,
  });
  const direct = world.buildctl(dockerfileArgs(context));
  await Promise.all([world.gate.reached('drain'), world.gate.reached('direct')]);

  // Told to drain, it goes on until it is told to end.
  expect(await builder.drain({ reason: 'the node is drained' }, { signal })).toMatchObject({ running: 2 });
  const drained = await load();
  expect(drained).toMatchObject({ draining: true, drainingReason: 'the node is drained' });
  expect(Number(drained.drainsUntilMs)).toBe(0);
  terminate();
  await expect.poll(async () => Number((await load()).drainsUntilMs)).toBeGreaterThan(Date.now());
  expect(await load()).toMatchObject({ draining: true, drainingReason: 'the node is drained', running: 1 });
  expect((await clientOf(Health, world.client.channel).check({}, { signal })).status).toBe(2);
  await expect(builder.start(world.request('drain'), { signal })).rejects.toMatchObject({
    reason: 'BUILDER_DRAINING',
    message: expect.stringContaining('the node is drained'),
  });
  const refused = await world.buildctl(dockerfileArgs(context));
  expect(refused.code).not.toBe(0);
  expect(refused.output).toContain('the builder takes no new builds: the node is drained');
  // What probes of life ask still answers, and so does whoever comes back for a solve.
  expect((await world.buildctl(['debug', 'workers'])).code).toBe(0);
  expect(await builder.start(request, { signal })).toMatchObject({ state: RUNNING, alreadyKnown: true });

  world.gate.open('direct');
  const { code, output } = await direct;
  expect(code, output).toBe(0);
  world.gate.open('drain');
  expect(await world.result(id)).toMatchObject({ state: SUCCEEDED });
  await builder.commit({ id }, { signal });
  expect(await world.digestOf('drain:1')).toBeDefined();
  await builder.acknowledge({ id }, { signal });
  await ended();
});

test('what is not over in time fails for the platform’s reason, with what it had finished in its cache', async () => {
  world = await RunWorld.open(['--drain-timeout', '30s']);
  await using registry = await RegistryServer.start({ root: path.join(world.folder, 'cache'), durable: false });
  await world.repository('late', GATED);
  const { builder } = world.client;
  const request = world.request('late', { attrs: { 'build-arg:NAME': 'late' } });
  const ref = `${registry.host}/late:cache`;
  const exports = [{ type: 'registry', attrs: { ref, mode: 'continuous', 'continuous-interval': '10m' } }];
  const id = request.id!;
  await builder.start({ ...request, solve: { ...request.solve, cache: { exports } } }, { signal });
  const logs = collectLogs(builder.attach({ id }, { signal }));
  await logs.has('before-the-gate');
  terminate();
  expect(await world.result(id)).toMatchObject({
    state: FAILED,
    reason: 'BUILDER_ENDING',
    fault: 'infrastructure',
  });
  const cached = await fetch(`${registry.url}/v2/late/manifests/cache`);
  const { layers = [] } = (await cached.json()) as { readonly layers?: readonly unknown[] };
  // Of the base, and of the step that was over.
  expect(layers.length).toBeGreaterThanOrEqual(3);
  await builder.acknowledge({ id }, { signal });
  await ended();
  expect(world.log()).toContain('builds are ended: the time to drain is over');
});

test('a second signal ends it at once', async () => {
  world = await RunWorld.open(['--drain-timeout', '10m']);
  await world.repository('twice', GATED);
  const request = world.request('twice', { attrs: { 'build-arg:NAME': 'twice' } });
  await world.client.builder.start(request, { signal });
  await world.gate.reached('twice');
  terminate();
  await expect.poll(async () => (await load()).draining).toBe(true);
  await world.stop('SIGTERM');
  // Its next life sweeps what ran.
  await world.start();
  expect(await world.client.builder.result({ id: request.id! }, { signal })).toMatchObject({ state: 0 });
});
