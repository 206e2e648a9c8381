import { expect, test } from 'vitest';
import { CodedError, type Logger } from '../../base/index.ts';
import { decodeOp } from '../../llb/index.ts';
import { siblingModule } from '../../sys/index.ts';
import { dockerfileFrontend } from './dockerfile.ts';
import { FrontendRegistry } from './frontend.ts';
import { gatewayFrontend } from './gateway.ts';
import { isBuiltInSyntax } from './syntax.ts';
import { FakeBridge } from './testing/fake-bridge.ts';
import { runInThread } from './thread-host.ts';

const never = new AbortController().signal;
const request = { options: new Map<string, string>(), inputs: new Map() };

async function failureOf(promise: Promise<unknown>): Promise<CodedError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(CodedError);
  return error as CodedError;
}

function withOptions(options: Record<string, string>) {
  return { ...request, options: new Map(Object.entries(options)) };
}

test('a Dockerfile becomes a ref and an image config', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\nCOPY a /a\nCMD ["/a"]\n' });
  const result = await dockerfileFrontend().run(request, bridge, { signal: never });
  expect(result.ref?.id).toBe(`ref${bridge.solved.length}`);
  const config = JSON.parse(new TextDecoder().decode(result.metadata.get('containerimage.config')));
  expect(config.config.Cmd).toEqual(['/a']);
  const kinds = bridge.solved.at(-1)!.definition!.ops.map((bytes) => decodeOp(bytes).body.kind);
  expect(kinds).toEqual(['source', 'file', 'pointer']);
});

test('several platforms become one ref each', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\nCOPY a /a\n' });
  const result = await dockerfileFrontend().run(withOptions({ platform: 'linux/amd64,linux/arm64' }), bridge, {
    signal: never,
  });
  expect([...result.refs!.keys()]).toEqual(['linux/amd64', 'linux/arm64']);
  expect(new Set([...result.refs!.values()].map(({ id }) => id)).size).toBe(2);
});

test('a fault in the file reaches the caller with file, lines and text', async () => {
  const text = 'FROM scratch\nCOPY a /a\nFOO bar\n';
  const error = await failureOf(
    dockerfileFrontend().run(request, new FakeBridge({ Dockerfile: text }), { signal: never }),
  );
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
  const error = await failureOf(dockerfileFrontend().run(request, bridge, { signal: never }));
  expect(error).toMatchObject({ code: 'not_found', reason: 'IMAGE_NOT_FOUND' });
  expect(error.message).toContain('example.com/none');
  expect(error.details[0]?.value).toMatchObject({ ranges: [{ start: { line: 2 } }] });
});

test('cancelling ends the thread and what it waits for', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\n' });
  bridge.hangOnSolve = true;
  const controller = new AbortController();
  const run = failureOf(dockerfileFrontend().run(request, bridge, { signal: controller.signal }));
  while (bridge.pending.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const reason = new CodedError('cancelled', 'the build is no longer wanted');
  controller.abort(reason);
  expect(await run).toBe(reason);
  expect(bridge.pending.every((signal) => signal.aborted)).toBe(true);
});

test('warnings reach the bridge', async () => {
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch AS One\nCOPY a /a\n' });
  await dockerfileFrontend().run(request, bridge, { signal: never });
  expect(bridge.warnings.map(({ message }) => message)).toEqual([
    "StageNameCasing: Stage name 'One' should be lowercase (line 1)",
  ]);
});

test('a thread started ahead serves one run, and the next run gets another', async () => {
  await using frontend = dockerfileFrontend({ spares: 1 });
  for (const path of ['a', 'b']) {
    const bridge = new FakeBridge({ Dockerfile: `FROM scratch\nCOPY ${path} /\n` });
    const result = await frontend.run(request, bridge, { signal: never });
    const history = JSON.parse(new TextDecoder().decode(result.metadata.get('containerimage.config'))).history;
    expect(history[0].created_by).toBe(`COPY ${path} / # buildkit`);
  }
});

const testing = (name: string) => siblingModule(import.meta.url, `./testing/${name}`);

test('a frontend that takes too much memory fails its own run', async () => {
  const hungry = runInThread(
    { module: testing('hungry-thread'), name: 'hungry', heapMib: 32 },
    request,
    new FakeBridge({}),
    {
      signal: never,
    },
  );
  expect((await failureOf(hungry)).code).toBe('resource_exhausted');
  const bridge = new FakeBridge({ Dockerfile: 'FROM scratch\nCOPY a /a\n' });
  await expect(dockerfileFrontend().run(request, bridge, { signal: never })).resolves.toBeDefined();
});

test('a frontend that computes without end is stopped', async () => {
  const looping = { module: testing('looping-thread'), name: 'looping', silenceMs: 300 };
  const error = await failureOf(runInThread(looping, request, new FakeBridge({}), { signal: never }));
  expect(error).toMatchObject({ code: 'deadline_exceeded', reason: 'FRONTEND_STUCK' });
});

test('a frontend in an endless loop can be cancelled', async () => {
  const controller = new AbortController();
  const looping = { module: testing('looping-thread'), name: 'looping' };
  const run = failureOf(runInThread(looping, request, new FakeBridge({}), { signal: controller.signal }));
  controller.abort(new CodedError('cancelled', 'enough'));
  expect((await run).message).toBe('enough');
});

test('a frontend that ends without a result is an error', async () => {
  const quitting = { module: testing('quitting-thread'), name: 'quitting' };
  const error = await failureOf(runInThread(quitting, request, new FakeBridge({}), { signal: never }));
  expect(error.message).toContain('without a result');
});

test.each([
  'docker/dockerfile:1',
  'docker.io/docker/dockerfile:1.7',
  'docker/dockerfile:1-labs',
  'docker/dockerfile-upstream:master',
])('the syntax %s is built in, and the log says so', async (syntax) => {
  const bridge = new FakeBridge({ Dockerfile: `# syntax=${syntax}\nFROM scratch\nCOPY a /a\n` });
  const lines: string[] = [];
  const log = { info: (message: string) => lines.push(message) } as unknown as Logger;
  const result = await dockerfileFrontend({ log }).run(request, bridge, { signal: never });
  expect(result.ref).toBeDefined();
  expect(lines).toHaveLength(1);
});

test('another syntax is refused at its line, by the name of the image', async () => {
  const registry = new FrontendRegistry([dockerfileFrontend(), gatewayFrontend()]);
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
  const result = await dockerfileFrontend().run(request, bridge, { signal: never });
  expect(result.ref?.id).toBe(`ref${bridge.solved.length}`);
  expect(bridge.solved.at(-1)!.definition!.ops).toHaveLength(lines + 3);
});
