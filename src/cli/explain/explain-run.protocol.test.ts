import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BASE, makeContext } from '../../../e2e/support/context.ts';
import { freePort } from '../../../e2e/support/ports.ts';
import { outcome } from '../../builder-pod/daemon/testing/test-daemon.ts';
import { EMBEDDED, RunWorld, SUCCEEDED, UNKNOWN } from '../../builder-pod/runs/testing/world.ts';

/** Runs of a cluster, whose API server is one of the test's own that gives what it is given. */
const objects = new Map<string, object>();
const cleanup = new AsyncDisposableStack();
let world: RunWorld;
let address: string;
let kubeconfig: string;

beforeAll(async () => {
  address = `127.0.0.1:${await freePort()}`;
  world = cleanup.use(await RunWorld.open(['--addr', `tcp://${address}`]));
  const server = createServer((request, response) => {
    const found = objects.get(request.url?.replace(/^.*\/v1alpha1\//, '').replace(/\?.*$/, '') ?? '');
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    const missing = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 };
    response.end(JSON.stringify(found ?? missing));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  kubeconfig = path.join(world.folder, 'kubeconfig');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c', users: [{ name: 'u', user: {} }] },
      clusters: [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'ns' } }],
    }),
  );
  pool([{ address }]);
});
afterAll(() => cleanup.disposeAsync());

const own = { apiVersion: 'slipway.build/v1alpha1' };

function pool(endpoints: readonly object[]): void {
  const metadata = { name: 'default', uid: 'pool', resourceVersion: '1' };
  objects.set('builderpools/default', { ...own, kind: 'BuilderPool', metadata, spec: { endpoints } });
}

function declare(name: string, status: object): void {
  objects.set(`namespaces/ns/builds/${name}`, {
    ...{ ...own, kind: 'Build', metadata: { name, namespace: 'ns', uid: name, resourceVersion: '1' } },
    ...{ spec: { source: { inline: { files: { a: 'a' } } }, outputs: [{ image: 'app' }] }, status },
  });
}

function run(name: string, uid: string, status: object): void {
  objects.set(`namespaces/ns/buildruns/${name}`, {
    ...{ ...own, kind: 'BuildRun', metadata: { name, namespace: 'ns', uid, resourceVersion: '1' } },
    spec: {
      ...{ buildRef: { name: 'app' }, number: 1, hash: 'h' },
      buildSpec: { source: { inline: { files: { a: 'a' } } }, outputs: [{ image: 'app' }] },
    },
    status,
  });
}

const slipway = (env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
  outcome(
    spawn(path.join(import.meta.dirname, '../../../bin/slipway'), ['explain', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    }),
  );
const explain = (...args: readonly string[]) => slipway({}, '--kubeconfig', kubeconfig, ...args);

interface Told {
  readonly run: string;
  readonly missed: readonly {
    readonly name: string;
    readonly cause: string;
    readonly text: string;
    readonly short: string;
  }[];
}

/** Builds the repository as a BuildRun of this name. */
async function attempt(name: string, repository: string, options: Partial<AttemptOptions> = {}): Promise<void> {
  const { attrs = {}, scope = 'ns', outputs = [], state = SUCCEEDED } = options;
  const { id, ...request } = world.request(repository, { attrs, outputs });
  const scopes = { writeScope: scope, readScopes: [scope] };
  await world.client.builder.start({ id: id ?? null, ...request, ...scopes }, { signal: new AbortController().signal });
  const result = await world.result(id);
  if (state !== UNKNOWN) expect(result).toMatchObject({ state });
  if (outputs.length > 0)
    await world.client.builder.commit({ id: id ?? null }, { signal: new AbortController().signal });
  run(name, id?.runUid ?? '', {
    attempts: [{ number: 1, builder: address, startedAt: '2026-01-02T03:04:05Z' }],
  });
}

interface AttemptOptions {
  readonly attrs: Readonly<Record<string, string>>;
  readonly scope: string;
  readonly outputs: readonly (readonly string[])[];
  /** That it comes to; `UNKNOWN` for any. */
  readonly state: typeof SUCCEEDED | typeof UNKNOWN;
}

async function told(name: string): Promise<Told & { readonly all: string }> {
  const { code, text } = await explain(name, '-o', 'json');
  expect({ code, text }).toMatchObject({ code: 0 });
  const said = JSON.parse(text) as Told;
  return { ...said, missed: said.missed.filter(({ cause }) => cause !== 'unkeyed'), all: text };
}

test('of a BuildRun it is told by name which variable changed, and no value', async () => {
  await world.repository('app', 'ARG WORD\nARG PLACE=x\nRUN --mount=type=tmpfs,target=/$PLACE echo $WORD > /made\n');
  for (const word of ['hunter1', 'hunter2']) await attempt(`app-${word}`, 'app', { attrs: { 'build-arg:WORD': word } });
  const { run: of, missed, all } = await told('app-hunter2');
  expect(of).toBe('ns/app-hunter2');
  expect(missed).toHaveLength(1);
  expect(missed[0]).toMatchObject({
    cause: 'part',
    text: 'the variable (build argument or ENV) WORD has changed',
    short: 'changed: WORD',
  });
  expect(all.replace(of, '')).not.toMatch(/hunter|echo/);
  // Where a value is filled in in a name that is not told either.
  for (const place of ['hunter3', 'hunter4'])
    await attempt(`app-${place}`, 'app', { attrs: { 'build-arg:PLACE': place } });
  const filledIn = await told('app-hunter4');
  expect(filledIn.missed[0]).toMatchObject({ text: expect.stringContaining('PLACE has changed') });
  expect(filledIn.all.replace(filledIn.run, '')).not.toContain('hunter');
});

test('of a BuildRun it is told which file changed and in what, of its own scope alone', async () => {
  await world.repository('files', 'COPY src /src\nRUN cat /src/*\n');
  const edit = async (change: (file: string) => void) =>
    await world.git.commit('files', (worktree) => {
      mkdirSync(path.join(worktree, 'src'), { recursive: true });
      change(path.join(worktree, 'src/a.txt'));
    });
  await edit((file) => writeFileSync(file, 'one'));
  await attempt('files-1', 'files');
  await edit((file) => writeFileSync(file, 'another'));
  await attempt('files-2', 'files');
  const content = (await told('files-2')).missed.find(({ cause }) => cause === 'files');
  expect(content).toMatchObject({ short: 'changed: src/a.txt' });
  expect(content?.text).toMatch(/src\/a\.txt has another content$/);
  await edit((file) => chmodSync(file, 0o755));
  await attempt('files-3', 'files');
  const mode = (await told('files-3')).missed.find(({ cause }) => cause === 'files');
  expect(mode?.text).toMatch(/src\/a\.txt has another mode \(0644 → 0755\)$/);
  // Another tenant has no record to compare with, and is told nothing of these.
  await edit((file) => writeFileSync(file, 'a third'));
  await attempt('files-4', 'files', { scope: 'others' });
  const theirs = await told('files-4');
  expect(new Set(theirs.missed.map(({ cause }) => cause))).toEqual(new Set(['first']));
  expect(theirs.all).not.toContain('src/a.txt');
});

test('of a BuildRun it is told which base image has moved, with both digests', async () => {
  await world.repository('base', 'RUN echo one > /one\n');
  await world.git.create(
    'onbase',
    makeContext(path.join(world.folder, 'onbase'), { Dockerfile: `FROM ${EMBEDDED}/base:1\nRUN echo made > /made\n` }),
  );
  await attempt('base-1', 'base', { outputs: [['base:1']] });
  const was = await world.digestOf('base:1');
  await attempt('onbase-1', 'onbase');
  await world.git.commit('base', (worktree) =>
    writeFileSync(path.join(worktree, 'Dockerfile'), `${BASE}RUN echo two > /two\n`),
  );
  await attempt('base-2', 'base', { outputs: [['base:1']] });
  const is = await world.digestOf('base:1');
  await attempt('onbase-2', 'onbase');
  expect((await told('onbase-2')).missed.map(({ text }) => text)).toContain(
    `the base image ${EMBEDDED}/base:1 has changed (${was} → ${is})`,
  );
});

test('of a BuildRun it is told of a mount, an option, another platform and what was pruned', async () => {
  const dockerfile = (step: string) => `${BASE}RUN ${step} true > /made\n`;
  await world.repository('steps', 'RUN --mount=type=tmpfs,target=/scratch true > /made\n');
  await attempt('steps-1', 'steps');
  const causeOf = async (name: string) => (await told(name)).missed.find((step) => step.name.includes('3/3] RUN'));
  const change = (step: string) =>
    world.git.commit('steps', (worktree) => writeFileSync(path.join(worktree, 'Dockerfile'), dockerfile(step)));
  await change('--mount=type=tmpfs,target=/other');
  await attempt('steps-2', 'steps');
  expect((await causeOf('steps-2'))?.short).toMatch(/^changed: mount \/(scratch|other)$/);
  await change('--mount=type=tmpfs,target=/other --network=none');
  await attempt('steps-3', 'steps');
  expect(await causeOf('steps-3')).toMatchObject({ cause: 'part', short: 'changed: --network' });
  await Array.fromAsync(world.client.control.prune({ all: true }, { signal: new AbortController().signal }));
  await attempt('steps-4', 'steps');
  expect(await causeOf('steps-4')).toMatchObject({ cause: 'pruned', short: 'pruned' });
  // What is for another machine may fail there, and is told of all the same.
  await attempt('steps-5', 'steps', { attrs: { platform: 'linux/arm64' }, state: UNKNOWN });
  const foreign = (await told('steps-5')).missed.find((step) => step.name.includes('2/3] RUN'));
  expect(foreign).toMatchObject({ cause: 'part', short: 'changed: platform' });
});

test('of a BuildRun it is told that another scope of its namespace has the result', async () => {
  await world.repository('scoped', 'RUN echo scoped > /made\n');
  await attempt('scoped-1', 'scoped', { scope: 'ns/web' });
  await attempt('scoped-2', 'scoped', { scope: 'ns/api' });
  await attempt('scoped-3', 'scoped', { scope: 'nsx' });
  const causeOf = async (name: string) => (await told(name)).missed.find((step) => step.name.includes('] RUN'))?.cause;
  expect(await causeOf('scoped-2')).toBe('outOfScope');
  expect(await causeOf('scoped-3')).toBe('first');
});

test('a name is a build of this machine, else a BuildRun, else a Build, of which the newest run is meant', async () => {
  await world.repository('named', 'RUN echo named > /made\n');
  await attempt('named-7', 'named');
  declare('named', { lastRun: { name: 'named-7', number: 7, hash: 'h' } });
  declare('fresh', {});
  const nothing = { SLIPWAY_ROOT: path.join(world.folder, 'nothing-built') };
  const env = { ...nothing, KUBECONFIG: kubeconfig };
  const byRun = await slipway(env, 'named-7');
  expect(byRun).toMatchObject({ code: 0, text: expect.stringMatching(/^BuildRun ns\/named-7: \d+ steps? ran/) });
  expect((await slipway(env, 'named')).text).toBe(byRun.text);
  expect((await explain('named')).text).toBe(byRun.text);
  expect((await explain('fresh')).text).toContain('the Build ns/fresh has not run yet');
  // With --run it is a BuildRun and nothing else.
  expect((await explain('--run', 'named')).text).toMatch(/^error: /);
  const unknown = await slipway(env, 'nosuch');
  expect(unknown.code).toBe(1);
  expect(unknown.text).toMatch(/no build record of nosuch.*there is neither a BuildRun nor a Build ns\/nosuch/s);
  expect(existsSync(nothing.SLIPWAY_ROOT)).toBe(false);
});

test('what cannot be explained is told for what it is', async () => {
  run('waiting', 'w', {});
  run('elsewhere', 'e', { attempts: [{ number: 1, builder: 'gone:1', startedAt: '2026-01-02T03:04:05Z' }] });
  run('unknown', 'u', { attempts: [{ number: 1, builder: address, startedAt: '2026-01-02T03:04:05Z' }] });
  const said = async (name: string) => (await explain('--run', name)).text;
  expect(await said('waiting')).toContain('the BuildRun ns/waiting has not been on a builder yet');
  expect(await said('elsewhere')).toContain(
    'the builder gone:1 of the BuildRun ns/elsewhere is not in the pool default',
  );
  expect(await said('unknown')).toContain('no record of the run u');
  expect(await said('nosuch')).toMatch(/^error: .*nosuch/);
  expect((await explain('one', '--run', 'two')).text).toContain('--run names a BuildRun');
  expect((await explain()).text).toContain('--kubeconfig go with the name of a BuildRun or a Build');
  expect((await explain('one', '--builder', 'tcp://x')).text).toContain('are of a cluster, and --builder of none');
});
