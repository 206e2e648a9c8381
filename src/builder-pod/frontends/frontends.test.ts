import { afterAll, expect, test } from 'vitest';
import { CodedError, type Logger } from '../../base/index.ts';
import { decodeDefinition, decodeOp } from '../../llb/index.ts';
import { dockerfileFrontend } from './dockerfile.ts';
import { FrontendRegistry } from './frontend.ts';
import { gatewayFrontend } from './gateway.ts';
import { llbFrontend } from './llb.ts';
import { isBuiltInSyntax } from './syntax.ts';
import { FakeBridge } from './testing/fake-bridge.ts';
import { failureOf, never, request, withOptions } from './testing/requests.ts';

/** What the log says of all that `shared` does. */
const told: string[] = [];
const log = { info: (message: string) => told.push(message), warn: () => {} } as unknown as Logger;
/** A thread costs more than most runs: one for all tests that are not about threads. */
const shared = dockerfileFrontend({ log });
afterAll(() => shared[Symbol.asyncDispose]());

test('a Dockerfile becomes a ref and an image config', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\nCOPY a /a\nCMD ["/a"]\n' });
  const result = await shared.run(request, bridge, { signal: never });
  expect(result.ref?.id).toBe(`ref${bridge.solved.length}`);
  const config = JSON.parse(new TextDecoder().decode(result.metadata.get('containerimage.config')));
  expect(config.config.Cmd).toEqual(['/a']);
  const kinds = decodeDefinition(bridge.solved.at(-1)!.definition!).ops.map((bytes) => decodeOp(bytes).body.kind);
  expect(kinds).toEqual(['source', 'file', 'pointer']);
});

test('several platforms become one ref each', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\nCOPY a /a\n' });
  const result = await shared.run(withOptions({ platform: 'linux/amd64,linux/arm64' }), bridge, {
    signal: never,
  });
  expect([...result.refs!.keys()]).toEqual(['linux/amd64', 'linux/arm64']);
  expect(new Set([...result.refs!.values()].map(({ id }) => id)).size).toBe(2);
});

test('a fault in the file reaches the caller with file, lines and text', async () => {
  const text = 'FROM scratch\nCOPY a /a\nFOO bar\n';
  const error = await failureOf(shared.run(request, new FakeBridge({ Dockerfile: text }), { signal: never }));
  expect(error.message).toBe('dockerfile parse error on line 3: unknown instruction: FOO (did you mean FROM?)');
  expect(error.fault).toBe('user');
  const [detail] = error.details;
  expect(detail?.type).toBe('errdefs.Source');
  expect(detail?.value).toMatchObject({
    info: { filename: 'Dockerfile', data: Buffer.from(text).toString('base64'), language: 'Dockerfile' },
    ranges: [{ start: { line: 3 } }],
  });
});

test("the bridge's own errors keep their code through the thread", async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM busybox\nFROM example.com/none\n' });
  const error = await failureOf(shared.run(request, bridge, { signal: never }));
  expect(error).toMatchObject({ code: 'not_found', reason: 'REGISTRY_REFUSED' });
  expect(error.message).toContain('example.com/none');
  expect(error.details[0]?.value).toMatchObject({ ranges: [{ start: { line: 2 } }] });
});

test('cancelling ends the run and what it waits for', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\n' });
  bridge.hangOnSolve = true;
  const controller = new AbortController();
  const run = failureOf(shared.run(request, bridge, { signal: controller.signal }));
  while (bridge.pending.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const reason = new CodedError('cancelled', 'the build is no longer wanted');
  controller.abort(reason);
  expect(await run).toBe(reason);
  expect(bridge.pending.every((signal) => signal.aborted)).toBe(true);
});

test('warnings reach the bridge', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch AS One\nCOPY a /a\n' });
  await shared.run(request, bridge, { signal: never });
  expect(bridge.warnings.map(({ message }) => message)).toEqual([
    "StageNameCasing: Stage name 'One' should be lowercase (line 1)",
  ]);
});

test('builds share one thread, one after the other and many at once', async () => {
  await using frontend = dockerfileFrontend();
  frontend.startAhead();
  const build = async (path: string) => {
    const bridge = new FakeBridge({ Dockerfile: `FROM scratch\nCOPY ${path} /\n` });
    const result = await frontend.run(request, bridge, { signal: never });
    const history = JSON.parse(new TextDecoder().decode(result.metadata.get('containerimage.config'))).history;
    expect(history[0].created_by).toBe(`COPY ${path} / # buildkit`);
  };
  for (const path of ['a', 'b', 'c']) await build(path);
  await Promise.all(Array.from({ length: 30 }, (_, at) => build(`file${at}`)));
  expect(frontend.threadsStarted).toBe(1);
});

test.each([
  'docker/dockerfile:1',
  'docker.io/docker/dockerfile:1.7',
  'docker/dockerfile:1-labs',
  'docker/dockerfile-upstream:master',
])('the syntax %s is built in, and the log says so', async (syntax) => {
  const bridge = new FakeBridge({ Dockerfile: `# syntax=${syntax}\nFROM scratch\nCOPY a /a\n` });
  const before = told.length;
  const result = await shared.run(request, bridge, { signal: never });
  expect(result.ref).toBeDefined();
  expect(told.slice(before)).toHaveLength(1);
});

test('another syntax is refused at its line, by the name of the image', async () => {
  const registry = new FrontendRegistry([shared, gatewayFrontend()]);
  const bridge = new FakeBridge({ Dockerfile: '# syntax=example.com/own/frontend:2\nanything at all\n' });
  bridge.onFrontend = (asked, call) =>
    registry.run(asked.frontend!, { options: asked.frontendOptions!, inputs: asked.frontendInputs! }, bridge, call);
  const error = await failureOf(registry.run('dockerfile.v0', request, bridge, { signal: never }));
  expect(error.code).toBe('unimplemented');
  expect(error.message).toContain('example.com/own/frontend:2');
  expect(error.details.map(({ type }) => type)).toEqual(['errdefs.Source', 'errdefs.Frontend']);
});

test('other names are no built-in syntax', () => {
  expect(
    ['docker/dockerfile:2', 'own.example/docker/dockerfile:1', 'docker/other', 'UPPER'].filter(isBuiltInSyntax),
  ).toEqual([]);
});

test('an unknown frontend is refused with those there are', async () => {
  const registry = new FrontendRegistry([gatewayFrontend()]);
  const error = await failureOf(registry.run('nope.v0', request, new FakeBridge({}), { signal: never }));
  expect(error).toMatchObject({ code: 'not_found', hint: 'This builder has gateway.v0.' });
});

test('thousands of stages on one another take no more than their own', async () => {
  const stages = Array.from({ length: 8000 }, (_, i) => `FROM s${i} AS s${i + 1}\nENV A=${i}\n`);
  const bridge = new FakeBridge({ Dockerfile: `FROM scratch AS s0\nCOPY a /b\n${stages.join('')}` });
  // Were the history of each copied, it would take four times as much.
  await using frontend = dockerfileFrontend({ heapMib: 96 });
  const { metadata } = await frontend.run(request, bridge, { signal: never });
  const { history } = JSON.parse(new TextDecoder().decode(metadata.get('containerimage.config')));
  expect(history).toHaveLength(8001);
});

test('thousands of steps are a frontend’s to make: only the ids of refs reach its thread', async () => {
  const lines = 3000;
  const bridge = new FakeBridge({ Dockerfile: `FROM scratch\nCOPY a /a\n${'RUN ["/a"]\n'.repeat(lines)}` });
  // What a ref stands for is nested as deep as the graph, as the engine's are.
  let graph: object = {};
  for (let i = 0; i < 10_000; i++) graph = { inputs: [graph] };
  const solve = bridge.solve.bind(bridge);
  bridge.solve = async (...args: Parameters<typeof solve>) => {
    const result = await solve(...args);
    return result.ref === undefined ? result : { ...result, ref: { ...result.ref, edge: graph } };
  };
  const result = await shared.run(request, bridge, { signal: never });
  expect(result.ref?.id).toBe(`ref${bridge.solved.length}`);
  expect(decodeDefinition(bridge.solved.at(-1)!.definition!).ops).toHaveLength(lines + 3);
});

test('graphs for several platforms become one result, with what is said of their images', async () => {
  const bridge = new FakeBridge({});
  const named = ['linux/amd64', 'linux/arm/v7', 'graph'];
  const inputs = new Map(named.map((id) => [id, { ops: [], metadata: new Map() }]));
  const run = (options: Readonly<Record<string, string>>) =>
    llbFrontend().run({ options: new Map(Object.entries(options)), inputs }, bridge, { signal: never });
  const text = (bytes: Uint8Array | undefined) => JSON.parse(Buffer.from(bytes ?? []).toString());
  const config = { 'containerimage.config/linux/arm/v7': '{"config":{}}', unrelated: 'x' };
  const { refs, metadata } = await run({ platform: 'linux/arm/v7,linux/amd64', ...config });
  expect([...(refs ?? [])].map(([id, ref]) => [id, ref.id])).toEqual([
    ['linux/arm/v7', 'ref1'],
    ['linux/amd64', 'ref2'],
  ]);
  const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };
  expect([...metadata.keys()]).toEqual(['containerimage.config/linux/arm/v7', 'refs.platforms']);
  expect(text(metadata.get('containerimage.config/linux/arm/v7'))).toEqual({ ...arm, config: {} });
  expect(text(metadata.get('refs.platforms'))).toMatchObject({
    Platforms: [{ ID: 'linux/arm/v7', Platform: arm }, { ID: 'linux/amd64' }],
  });
  // One alone is no index.
  const one = await run({ 'containerimage.config': '{"config":{}}' });
  expect(one).toMatchObject({ ref: { id: 'ref3' } });
  expect(text(one.metadata.get('containerimage.config'))).toEqual({ os: 'linux', architecture: 'amd64', config: {} });
  const refused = [
    ...[{ platform: 'linux/arm64' }, { platform: 'linux/amd64,linux/amd64' }, { platform: 'x86_64' }],
    { 'containerimage.config': 'none' },
  ];
  for (const options of refused) await expect(run(options)).rejects.toMatchObject({ code: 'invalid_argument' });
});
