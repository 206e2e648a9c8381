import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostPlatform, neverAborted, newId, silentLogger } from '../../base/index.ts';
import { SessionRegistry } from '../../builder-api/index.ts';
import { FileActions, http, type State as Llb, scratch } from '../../llb/index.ts';
import { type Builder, openBuilder } from '../builder/index.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import type { SolveOutcome } from './solve.ts';

const signal = neverAborted;
let cleanup: AsyncDisposableStack;
let builder: Builder;
let url: string;
/** Steps that are running until they are answered, by name. */
let steps: Map<string, ServerResponse>;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-early-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  execFileSync('tar', ['-C', rootfs, '-cf', join(folder, 'rootfs.tar'), '.']);
  steps = new Map();
  const server = createServer((request, response) => {
    if (request.url === '/rootfs.tar') response.end(readFileSync(join(folder, 'rootfs.tar')));
    else steps.set(request.url!.slice(1), response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sessions = cleanup.use(new SessionRegistry({ logger: silentLogger }));
  builder = cleanup.use(
    await openBuilder(
      {
        ...{ root: join(folder, 'root'), sessions, labels: {}, entitlements: new Set(), registries: {} },
        ...{ platforms: [hostPlatform()], maxParallelism: 0, network: 'host', log: silentLogger },
      },
      { signal },
    ),
  );
});
afterEach(() => cleanup.disposeAsync());

/** A file of this name, and then a step that runs until it is answered. */
function graph(name: string): Llb {
  const rootfs = scratch().file(
    new FileActions().copy(http(`${url}/rootfs.tar`), '/rootfs.tar', '/', { attemptUnpack: true }),
    { name: 'rootfs' },
  );
  const run = (on: Llb, script: string) => on.run({ args: ['sh', '-ec', script] }).root;
  const made = run(rootfs, `echo ${name} > /${name}`);
  return run(made, `wget -q -O - ${url}/${name} > /last`);
}

function solve(target: Llb, type: 'image' | undefined): Promise<SolveOutcome> {
  return builder.engine.solve(
    {
      ...{ ref: newId(), session: '', definition: target.marshal(), entitlements: [] },
      ...{ frontendAttrs: new Map(), frontendInputs: new Map() },
      exporters: type === undefined ? [] : [{ type, attrs: {} }],
      scope: { write: 'default', read: ['default'] },
    },
    { signal },
  );
}

/** Layer blobs of the steps whose description has this in it. */
function packed(of: string): readonly string[] {
  return builder.state.db
    .all<{ digest: string }>(
      'SELECT b.digest FROM ref_blobs b JOIN refs r ON r.id = b.ref WHERE r.description LIKE ? AND b.held = 1',
      `%${of}%`,
    )
    .map(({ digest }) => digest);
}

test('layers of an image are packed while a later step runs; those of a build without one are not', async () => {
  const without = solve(graph('without'), undefined);
  await expect.poll(() => steps.has('without'), { timeout: 60_000 }).toBe(true);
  const building = solve(graph('image'), 'image');
  await expect.poll(() => steps.has('image'), { timeout: 60_000 }).toBe(true);
  // The last step of both runs on until it is answered.
  await expect.poll(() => packed('echo image').length, { timeout: 60_000 }).toBe(1);
  expect(packed('echo without')).toEqual([]);
  const early = packed('echo image');
  for (const response of steps.values()) response.end('answered');
  await without;
  const { images } = await building;
  expect(images).toHaveLength(1);
  // The export took what was there.
  expect(packed('echo image')).toEqual(early);
  expect([packed('/image > /last').length, packed('without').length]).toEqual([1, 0]);
  const { db, refs } = builder.state;
  const ids = db.all<{ id: string }>('SELECT id FROM refs').map(({ id }) => id);
  await expect.poll(() => ids.filter((id) => refs.records.inUse(id))).toEqual([]);
});
