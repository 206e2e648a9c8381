import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultProxy } from '../src/oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, makeContext, steps } from './support/context.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

describe('a registry with faults', () => {
  const work = tempFolder('daemon-faults');
  const folder = work.path;
  const context = path.join(folder, 'context');
  let builder: TestBuilder;
  let registry: RegistryServer;
  let proxy: FaultProxy;
  const { succeeds, fails } = building(() => builder);
  const noise = Buffer.from(Array.from({ length: 3 << 20 }, (_, n) => (n * 2_654_435_761) >>> 13));

  beforeAll(async () => {
    makeContext(context, { Dockerfile: `${BASE}FROM base\nCOPY noise /\nRUN echo $RANDOM > /x\n` });
    writeFileSync(path.join(context, 'noise'), noise);
    registry = await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false });
    proxy = await FaultProxy.start(registry.url);
    builder = await startBuilder(folder);
  });
  afterAll(async () => {
    await builder?.stop();
    await proxy?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const push = (tag: string) => ['--output', `type=image,name=${proxy.host}/app:${tag},push=true`];
  const uploads = () =>
    proxy.requests.filter(({ method }) => method === 'PUT' || method === 'PATCH' || method === 'POST');
  const answer = (res: ServerResponse, status: number): true => {
    res.writeHead(status).end();
    return true;
  };

  test('each kind of request fails with 503 or is cut twice: the push succeeds, and what arrived is whole', async () => {
    const tries = new Map<string, number>();
    proxy.fault = (req, res) => {
      const key = `${req.method} ${req.url?.replace(/[?].*/, '').replace(/uploads\/.+/, 'uploads/x')}`;
      const count = (tries.get(key) ?? 0) + 1;
      tries.set(key, count);
      if (count > 2) return false;
      if (count === 1) return answer(res, 503);
      // In the middle of what is sent.
      let seen = 0;
      req.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 100_000) req.socket.destroy();
      });
      req.on('end', () => req.socket.destroy());
      return true;
    };
    await succeeds(context, push('1'));
    proxy.fault = () => undefined;
    expect([...tries.values()].some((count) => count > 2)).toBe(true);
    const layout = `oci:${folder}/pulled:it`;
    await must('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${registry.host}/app:1`, layout]);
    await must('umoci', ['unpack', '--image', `${folder}/pulled:it`, path.join(folder, 'unpacked')]);
    expect(readFileSync(path.join(folder, 'unpacked/rootfs/noise')).equals(noise)).toBe(true);
  });

  test('what is there is not sent again', async () => {
    proxy.requests.length = 0;
    await succeeds(context, push('2'));
    expect(uploads().filter(({ path: at }) => at.includes('/blobs/'))).toEqual([]);
    expect(uploads().map(({ path: at }) => at)).toEqual(['/v2/app/manifests/2']);
  });

  test('a registry that goes on failing, or forbids, ends in its error', async () => {
    proxy.fault = (_, res) => answer(res, 500);
    expect((await fails(context, push('3'))).output).toMatch(/failed to push .*500 Internal Server Error/);
    proxy.fault = (req, res) => (req.method === 'GET' || req.method === 'HEAD' ? false : answer(res, 403));
    expect((await fails(context, push('3'))).output).toMatch(/failed to push .*403 Forbidden/);
    proxy.fault = () => undefined;
    await succeeds(context, push('3'));
  });
});

describe('a state directory that was damaged', () => {
  const work = tempFolder('daemon-damaged');
  const folder = work.path;
  let builder: TestBuilder;
  const { succeeds } = building(() => builder);

  beforeAll(async () => {
    builder = await startBuilder(folder);
  });
  afterAll(async () => {
    await builder?.stop();
    work[Symbol.dispose]();
  });

  /** Removes the directories of snapshots of refs whose description is like this. */
  function lose(description: string): number {
    using db = new DatabaseSync(path.join(folder, 'root/slipway.db'), { readOnly: true });
    const rows = db
      .prepare(
        `SELECT s.id FROM refs r JOIN snapshots s ON s.name = coalesce(r.snapshot, r.id) WHERE r.description LIKE ?`,
      )
      .all(description) as { id: number }[];
    for (const { id } of rows)
      rmSync(path.join(folder, 'root/snapshots', String(id)), { recursive: true, force: true });
    return rows.length;
  }

  test('files of steps, of the received context and of a cache mount: builds make them again', async () => {
    const at = makeContext(path.join(folder, 'context'), {
      Dockerfile: `${BASE}FROM base\nCOPY a.txt /\nRUN --mount=type=cache,target=/cache echo x >> /cache/log; cat /a.txt /cache/log > /out\n`,
      'a.txt': 'one\n',
    });
    const out = path.join(folder, 'out');
    const output = ['--output', `type=local,dest=${out}`];
    const result = () => readFileSync(path.join(out, 'out'), 'utf8');
    await succeeds(at, output);
    expect(result()).toBe('one\nx\n');

    expect(lose('mount / from exec%out%')).toBe(1);
    const first = await succeeds(at, output);
    expect(first.output).not.toContain('ERROR');
    expect(result()).toBe('one\nx\nx\n');

    expect(lose('local source for context')).toBeGreaterThan(0);
    writeFileSync(path.join(at, 'a.txt'), 'two\n');
    await succeeds(at, output);
    expect(result()).toBe('two\nx\nx\nx\n');

    expect(lose('cached mount %')).toBe(1);
    writeFileSync(path.join(at, 'a.txt'), 'three\n');
    await succeeds(at, output);
    expect(result()).toBe('three\nx\n');

    expect(lose('%')).toBeGreaterThan(4);
    await succeeds(at, output);
    expect(result()).toBe('three\nx\n');
    expect(steps((await succeeds(at, output)).output).ran).toEqual([]);
  });

  test('a damaged layer never reaches an archive', async () => {
    const at = makeContext(path.join(folder, 'archive'), {
      Dockerfile: 'FROM scratch\nCOPY a.txt /\n',
      'a.txt': 'x\n',
    });
    const tar = path.join(folder, 'image.tar');
    const output = ['--output', `type=oci,dest=${tar}`];
    await succeeds(at, output);
    const blobs = path.join(folder, 'root/blobs/sha256');
    for (const name of readdirSync(blobs))
      writeFileSync(path.join(blobs, name), Buffer.alloc(statSync(path.join(blobs, name)).size, 1));
    const again = await succeeds(at, output);
    expect(again.code).toBe(0);
    // Reads every blob and checks its digest.
    await must('skopeo', ['copy', '-q', `oci-archive:${tar}`, `oci:${folder}/checked:it`]);
  });
});
