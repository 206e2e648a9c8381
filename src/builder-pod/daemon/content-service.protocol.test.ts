import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestOf, newId, neverAborted as signal } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { RunWorld } from '../runs/testing/world.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** containerd's content service, as clients of a daemon use it: to look at results, and at whether anything is left. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

type Client = Pick<BuilderClient, 'content' | 'control'>;

/** An image of the daemon's own; its digest. */
async function built({ control }: Client, text = newId()): Promise<string> {
  const target = scratch().file(new FileActions().mkfile('/f', 0o644, Buffer.from(text)), { name: 'a file' });
  const { exporterResponse } = await control.solve(
    {
      ref: newId(),
      definition: encodeDefinition(target.marshal()),
      exporters: [{ type: 'image', attrs: { name: `example.com/of-${newId()}` } }],
    },
    { signal },
  );
  return exporterResponse?.['containerimage.digest'] ?? '';
}

async function list({ content }: Client, ...filters: string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const { info } of content.list({ filters }, { signal }))
    for (const { digest, size } of info ?? []) found.set(digest ?? '', Number(size));
  return found;
}

async function read({ content }: Client, digest: string): Promise<Buffer> {
  const chunks = await Array.fromAsync(content.read({ digest }, { signal }));
  return Buffer.concat(chunks.map(({ data }) => data ?? Buffer.alloc(0)));
}

const failure = async (call: Promise<unknown>) =>
  (await call.then(
    () => ({ code: '', message: 'it succeeded' }),
    (error: unknown) => error,
  )) as { readonly code: string; readonly message: string };

/** All of them forgotten. */
async function forgotten({ control }: Client): Promise<void> {
  for await (const { record } of control.listenBuildHistory({ earlyExit: true }, { signal }))
    await control.updateBuildHistory({ ref: record?.ref ?? '', delete: true }, { signal });
}

describe.each([
  ['buildkitd', REAL],
  ['slipway', OURS],
] as const)('of %s', (name, program) => {
  let client: BuilderClient;
  let daemon: TestDaemon;
  let image: string;

  beforeAll(async () => {
    const folder = stack.use(tempFolder(`content-${name}`)).path;
    daemon = new TestDaemon(folder, name, program);
    stack.defer(async () => void (await daemon.stop()));
    await daemon.ready();
    client = stack.use(openBuilderClient(daemon.address));
    image = await built(client);
  });

  test('what a result consists of is listed, told of and read', async () => {
    const all = await list(client);
    const manifest = await read(client, image);
    expect(digestOf(manifest)).toBe(image);
    const { config, layers } = JSON.parse(manifest.toString()) as {
      config: { digest: string };
      layers: readonly { digest: string }[];
    };
    for (const digest of [image, config.digest, ...layers.map((layer) => layer.digest)]) {
      const bytes = await read(client, digest);
      expect(digestOf(bytes)).toBe(digest);
      expect(all.get(digest)).toBe(bytes.length);
      const { info } = await client.content.info({ digest }, { signal });
      expect([info?.digest, Number(info?.size)]).toEqual([digest, bytes.length]);
    }
  });

  test('filters choose as containerd does', async () => {
    const all = await list(client);
    const chosen = async (...filters: string[]) => (await list(client, ...filters)).size;
    expect([...(await list(client, `digest==${image}`)).keys()]).toEqual([image]);
    expect(await chosen(`digest!=${image}`)).toBe(all.size - 1);
    expect(await chosen('digest~=^sha256:')).toBe(all.size);
    expect(await chosen(`digest~=/^${image.slice(0, 30)}/`)).toBe(1);
    expect(await chosen('digest')).toBe(all.size);
    // Any of them, each by all its terms.
    expect(await chosen(`digest==${image}`, 'digest==sha256:none')).toBe(1);
    expect(await chosen(`digest==${image},digest==sha256:none`)).toBe(0);
    // What nobody finds a blob by.
    expect(await chosen(`size==${all.get(image)}`)).toBe(0);
    expect(await chosen('labels."of.nobody"')).toBe(0);
    expect(await chosen('labels."of.nobody"==x')).toBe(0);
    expect(await failure(list(client, 'digest==='))).toMatchObject({ code: 'invalid_argument' });
  });

  test('what is not there is not found', async () => {
    const digest = digestOf(Buffer.from(newId()));
    expect(await failure(client.content.info({ digest }, { signal }))).toMatchObject({ code: 'not_found' });
    expect(await failure(read(client, digest))).toMatchObject({ code: 'not_found' });
    expect(await failure(client.content.status({ ref: 'upload' }, { signal }))).toMatchObject({ code: 'not_found' });
    expect((await client.content.listStatuses({}, { signal })).statuses ?? []).toEqual([]);
  });

  test('nobody writes, and what is there stays', async () => {
    const { content } = client;
    const before = await list(client);
    const bytes = Buffer.from(newId());
    const message = { action: 2, ref: 'mine', total: bytes.length, expected: digestOf(bytes), data: bytes };
    const write = async () => {
      const call = content.write({ signal });
      for (const settled of [call.write(message), call.headers]) settled?.catch(() => {});
      call.end();
      return await Array.fromAsync(call.responses);
    };
    const calls = [
      write,
      () => content.delete({ digest: image }, { signal }),
      () => content.update({ info: { digest: image, labels: { a: 'b' } } }, { signal }),
      () => content.abort({ ref: 'mine' }, { signal }),
    ];
    for (const call of calls) expect((await failure(call())).message).toMatch(/read-only/);
    expect(await list(client)).toEqual(before);
    expect(await failure(content.info({ digest: digestOf(bytes) }, { signal }))).toMatchObject({ code: 'not_found' });
  });

  test('nothing is left once all is pruned and the history forgotten', async () => {
    await built(client);
    expect((await list(client)).size).toBeGreaterThan(3);
    await forgotten(client);
    expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
    await expect.poll(() => list(client), { interval: 500 }).toEqual(new Map());
  });
});

test('what an operator’s runs have made is not there for who comes to the builder itself', async () => {
  const world = stack.use(await RunWorld.open());
  await world.repository('app', 'RUN echo of-another-scope > /f\n');
  const request = world.request('app', { outputs: [['app:1']] });
  await world.client.builder.start(request, { signal });
  const { outputs, error } = await world.result(request.id);
  expect(error?.message).toBe(undefined);
  const theirs = outputs[0]?.digest ?? '';
  expect(theirs).toMatch(/^sha256:/);
  const own = await built(world.client);
  const all = await list(world.client);
  expect([all.has(own), all.has(theirs)]).toEqual([true, false]);
  expect((await list(world.client, `digest==${theirs}`)).size).toBe(0);
  expect(await failure(world.client.content.info({ digest: theirs }, { signal }))).toMatchObject({ code: 'not_found' });
  expect(await failure(read(world.client, theirs))).toMatchObject({ code: 'not_found' });
});

test('a pattern that takes too long ends the list, and nothing else', async () => {
  const folder = stack.use(tempFolder('content-patterns')).path;
  const daemon = await new TestDaemon(folder, 'patterns').ready();
  stack.defer(async () => void (await daemon.stop()));
  const client = stack.use(openBuilderClient(daemon.address));
  await built(client);
  expect(await failure(list(client, 'digest~=/^(([a-z0-9:])+.)+!$/'))).toMatchObject({ code: 'deadline_exceeded' });
  expect((await list(client, 'digest~=^sha256')).size).toBeGreaterThan(2);
  const many = Array.from({ length: 101 }, () => 'digest');
  expect(await failure(list(client, ...many))).toMatchObject({ code: 'invalid_argument' });
});
