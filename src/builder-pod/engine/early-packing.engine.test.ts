import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatPlatform, hostPlatform, neverAborted, newId } from '../../base/index.ts';
import { FileActions, http, type State as Llb, scratch } from '../../llb/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
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
  builder = await openTestBuilder(join(folder, 'root'), cleanup, { network: 'host' });
});
afterEach(() => cleanup.disposeAsync());

/** A file of this name, on what is given or on the root of a system, and then a step that runs until it is answered. */
function graph(name: string, on?: Llb): Llb {
  const rootfs = scratch().file(
    new FileActions().copy(http(`${url}/rootfs.tar`), '/rootfs.tar', '/', { attemptUnpack: true }),
    { name: 'rootfs' },
  );
  const run = (on: Llb, script: string) => on.run({ args: ['sh', '-ec', script] }).root;
  const made = run(on ?? rootfs, `echo ${name} > /${name}`);
  return run(made, `wget -q -O - ${url}/${name} > /last`);
}

/** Without a target it is for the client to say what was built. */
function solve(
  target: Llb | undefined,
  type: 'image' | undefined,
  attrs: Readonly<Record<string, string>> = {},
  until: AbortSignal = signal,
  ref = newId(),
): Promise<SolveOutcome> {
  return builder.engine.solve(
    {
      ...{ ref, session: '', ...(target && { definition: target.marshal() }), entitlements: [] },
      ...{ frontendAttrs: new Map(), frontendInputs: new Map() },
      exporters: type === undefined ? [] : [{ type, attrs }],
      scope: { write: 'default', read: ['default'] },
    },
    { signal: until },
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
  await expect.poll(() => steps.has('without')).toBe(true);
  const building = solve(graph('image'), 'image');
  await expect.poll(() => steps.has('image')).toBe(true);
  // The last step of both runs on until it is answered.
  await expect.poll(() => packed('echo image').length).toBe(1);
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

describe('an image that is pushed', () => {
  let proxy: FaultProxy;
  let attrs: Readonly<Record<string, string>>;

  beforeEach(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-early-registry-'));
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    const registry = cleanup.use(await RegistryServer.start({ root: folder, durable: false }));
    proxy = cleanup.use(await FaultProxy.start(registry.url));
    attrs = { name: `${proxy.host}/app:1`, push: 'true' };
  });

  /** Bytes of blobs that were sent. */
  const sent = () =>
    proxy.requests.flatMap(({ method, headers }) =>
      method === 'PUT' && headers['content-type'] === 'application/octet-stream'
        ? [Number(headers['content-length'])]
        : [],
    );
  const manifests = () => proxy.requests.filter(({ method, path }) => method === 'PUT' && path.includes('/manifests/'));

  test('has the layers of steps that are finished in its registry before the last step is, and no tag', async () => {
    const building = solve(graph('pushed'), 'image', attrs);
    // The base, and the file.
    await expect.poll(() => sent().length).toBe(2);
    expect(manifests()).toEqual([]);
    const before = sent().reduce((sum, bytes) => sum + bytes, 0);
    for (const response of steps.values()) response.end('answered');
    const { images } = await building;
    // The last layer and the configuration: no blob is sent twice.
    expect(sent()).toHaveLength(4);
    const after = sent().reduce((sum, bytes) => sum + bytes, 0) - before;
    expect(after).toBeLessThan(before / 50);
    expect(images[0]?.moved?.pushed).toBe(before + after);
    expect(manifests()).toHaveLength(1);
  });

  test('has nothing in its registry of what attestations are made from', async () => {
    const ref = newId();
    const building = solve(undefined, 'image', attrs, signal, ref);
    const build = await builder.engine.build('default', ref, { signal, waitMs: 60_000 });
    const load = async (target: Llb) => (await build.load(target.marshal(), { signal }))!;
    const [core, scanned] = [await load(graph('later', graph('core'))), await load(graph('scanned'))];
    const predicateType = 'https://example.com/predicate';
    build.giveResult({
      result: {
        ref: core,
        metadata: new Map(),
        attestations: new Map([
          [
            formatPlatform(hostPlatform()),
            [
              {
                ...{ kind: 'in-toto', metadata: new Map(), ref: scanned, path: 'last', predicateType },
                subjects: [],
              } as const,
            ],
          ],
        ]),
      },
    });
    await expect.poll(() => [...steps.keys()].sort()).toEqual(['core', 'scanned']);
    steps.get('scanned')!.end('{}');
    steps.get('core')!.end('answered');
    // Results are packed in the order in which they came: the one that is scanned would be by now.
    await expect.poll(() => packed('echo later').length).toBe(1);
    steps.get('later')!.end('answered');
    await building;
    const digests = proxy.requests.flatMap(({ path }) => /sha256[:%][0-9a-fA-F]+/.exec(decodeURIComponent(path)) ?? []);
    expect(digests).toEqual(expect.arrayContaining([...packed('echo core'), ...packed('/later > /last')]));
    expect([packed('echo scanned'), packed('/scanned > /last')]).toEqual([[], []]);
  });

  test('is pushed all the same where its registry is away while steps run, and a build that is given up waits for no upload', async () => {
    let held = 0;
    proxy.fault = (req, res) => {
      if (req.method !== 'POST') return false;
      res.writeHead(403).end();
      return true;
    };
    const away = solve(graph('away'), 'image', attrs);
    await expect.poll(() => steps.has('away')).toBe(true);
    await expect.poll(() => proxy.requests.some(({ method }) => method === 'POST')).toBe(true);
    proxy.fault = () => undefined;
    for (const response of steps.values()) response.end('answered');
    expect((await away).images).toHaveLength(1);

    proxy.fault = (req) => req.method === 'PUT' && held++ >= 0;
    const over = new AbortController();
    const given = solve(graph('given-up'), 'image', { ...attrs, name: `${proxy.host}/other:1` }, over.signal);
    given.catch(() => {});
    await expect.poll(() => held).toBeGreaterThan(0);
    over.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
  });
});
