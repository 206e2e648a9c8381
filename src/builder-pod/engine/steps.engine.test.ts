import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { neverAborted, newId } from '../../base/index.ts';
import { FileActions, http, type State as Llb, scratch } from '../../llb/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import type { BuildObserver } from './solve.ts';

/** What the steps of several builds do to each other. */
const cleanup = new AsyncDisposableStack();
let builder: Builder;
let base: Llb;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-places-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  const tar = execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
  const address = await serve((_req, res) => res.end(tar));
  base = scratch().file(new FileActions().copy(http(`${address}/base.tar`), '/base.tar', '/', { attemptUnpack: true }));
  builder = await openTestBuilder(join(folder, 'root'), cleanup);
});
afterAll(() => cleanup.disposeAsync());

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What the steps printed. */
async function solve(target: Llb, signal: AbortSignal = neverAborted): Promise<{ readonly log: string }> {
  const request = { ref: newId(), session: '', frontendAttrs: new Map(), frontendInputs: new Map() };
  const log: Uint8Array[] = [];
  let watching: Promise<void> | undefined;
  const began: BuildObserver = ({ build: { job } }) => {
    watching = (async () => {
      for await (const events of job.watch({ signal: neverAborted }))
        for (const event of events) if (event.kind === 'log') log.push(event.data);
    })();
    return {};
  };
  await builder.engine.solve(
    {
      ...{ ...request, definition: target.marshal(), exporters: [], entitlements: [] },
      ...{ scope: { write: 'default', read: ['default'] }, observer: began },
    },
    { signal },
  );
  await watching;
  return { log: Buffer.concat(log).toString() };
}

test('downloads that drip, however many, do not keep another build from its work', async () => {
  const waiting = Promise.withResolvers<void>();
  let requests = 0;
  const count = 20;
  const slow = await serve((_req, res) => {
    res.writeHead(200, { 'content-length': '1000000' });
    res.write('x');
    if (++requests === count) waiting.resolve();
  });
  const stop = new AbortController();
  const downloads = Array.from({ length: count }, (_, n) => solve(http(`${slow}/f${n}`), stop.signal));
  await waiting.promise;
  const ran = base.run({ args: ['sh', '-c', 'echo hi > /hi'] }).root;
  await solve(scratch().file(new FileActions().copy(ran, '/hi', '/b')));
  stop.abort(new Error('enough'));
  const ends = await Promise.allSettled(downloads);
  expect(ends.map(({ status }) => status)).toEqual(Array(count).fill('rejected'));
});

test('steps that are independent all run at once', async () => {
  const count = 12;
  // Each ends only once all have begun.
  const script = (n: number) => `touch /m/${n}; until [ $(ls /m | wc -l) = ${count} ]; do sleep 0.05; done`;
  const mounts = [{ target: '/m', cache: { id: newId() } }];
  const stages = Array.from({ length: count }, (_, n) => base.run({ args: ['sh', '-c', script(n)], mounts }).root);
  const all = stages.reduce((actions, stage, n) => actions.copy(stage, '/etc/passwd', `/${n}`), new FileActions());
  await solve(scratch().file(all));
});

test('a cache mount starts empty for a build that wants no cache, once a build', async () => {
  const cache = { id: newId() };
  const step = (on: Llb, name: string, ignoreCache: boolean) =>
    on.run({
      args: ['sh', '-c', `ls /m; touch /m/${name}; : ${newId()}`],
      mounts: [{ target: '/m', cache }],
      ignoreCache,
    }).root;
  const listed = async (target: Llb) => (await solve(target, neverAborted)).log.split('\n').filter(Boolean).sort();
  expect(await listed(step(base, 'one', false))).toEqual([]);
  expect(await listed(step(base, 'two', false))).toEqual(['one']);
  // The second step of the same build finds what the first left.
  expect(await listed(step(step(base, 'three', true), 'four', true))).toEqual(['three']);
  expect(await listed(step(base, 'five', false))).toEqual(['four', 'three']);
});
