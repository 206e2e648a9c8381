import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../e2e/support/ports.ts';
import { outcome } from '../../builder-pod/daemon/testing/test-daemon.ts';
import { RunWorld, SUCCEEDED } from '../../builder-pod/runs/testing/world.ts';

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

const explain = (...args: readonly string[]) =>
  outcome(
    spawn(path.join(import.meta.dirname, '../../../bin/slipway'), ['explain', '--kubeconfig', kubeconfig, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

test('a BuildRun is explained by the builder of its last attempt, without what its user wrote', async () => {
  await world.repository('app', 'ARG WORD\nRUN echo $WORD > /made\n');
  for (const word of ['hunter1', 'hunter2']) {
    const { id, ...request } = world.request('app', { attrs: { 'build-arg:WORD': word } });
    await world.client.builder.start({ id: id ?? null, ...request }, { signal: new AbortController().signal });
    expect(await world.result(id)).toMatchObject({ state: SUCCEEDED });
    const attempts = [{ number: 1, builder: address, startedAt: '2026-01-02T03:04:05Z' }];
    run(`app-${word}`, id?.runUid ?? '', { attempts });
  }
  const { code, text } = await explain('--run', 'app-hunter2', '-o', 'json');
  expect({ code, text }).toMatchObject({ code: 0 });
  const { missed } = JSON.parse(text) as { missed: readonly { name: string; cause: string; text: string }[] };
  expect(missed).toHaveLength(1);
  expect(missed[0]).toMatchObject({ cause: 'part', text: 'a variable (build argument or ENV) has changed' });
  expect(text).not.toMatch(/WORD|hunter|echo/);
});

test('what cannot be explained is told for what it is', async () => {
  run('waiting', 'w', {});
  run('elsewhere', 'e', { attempts: [{ number: 1, builder: 'gone:1', startedAt: '2026-01-02T03:04:05Z' }] });
  run('unknown', 'u', { attempts: [{ number: 1, builder: address, startedAt: '2026-01-02T03:04:05Z' }] });
  const told = async (name: string) => (await explain('--run', name)).text;
  expect(await told('waiting')).toContain('the BuildRun ns/waiting has not been on a builder yet');
  expect(await told('elsewhere')).toContain(
    'the builder gone:1 of the BuildRun ns/elsewhere is not in the pool default',
  );
  expect(await told('unknown')).toContain('no record of the run u');
  expect(await told('nosuch')).toMatch(/^error: .*nosuch/);
  expect((await explain('one', '--run', 'two')).text).toContain('--run names a BuildRun');
  expect((await explain('one')).text).toContain('--namespace and --kubeconfig go with --run');
});
