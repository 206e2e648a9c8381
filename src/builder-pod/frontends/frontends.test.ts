import { afterAll, describe, expect, test } from 'vitest';
import { CodedError, type Logger } from '../../base/index.ts';
import { decodeDefinition, decodeOp } from '../../llb/index.ts';
import { siblingModule } from '../../sys/index.ts';
import { dockerfileFrontend } from './dockerfile.ts';
import { FrontendRegistry } from './frontend.ts';
import { gatewayFrontend } from './gateway.ts';
import { isBuiltInSyntax } from './syntax.ts';
import { FakeBridge } from './testing/fake-bridge.ts';
import { FrontendThreads, type ThreadFrontendOptions } from './thread-host.ts';

const never = new AbortController().signal;
const request = { options: new Map<string, string>(), inputs: new Map() };

/** What the log says of all that `shared` does. */
const told: string[] = [];
const log = { info: (message: string) => told.push(message), warn: () => {} } as unknown as Logger;
/** A thread costs more than most runs: one for all tests that are not about threads. */
const shared = dockerfileFrontend({ log });
afterAll(() => shared[Symbol.asyncDispose]());

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

describe('beside good neighbours', () => {
  const module = siblingModule(import.meta.url, './testing/wild-thread');

  function wild(options: Partial<ThreadFrontendOptions> = {}) {
    return new FrontendThreads({ module, name: 'wild', threads: 1, ...options });
  }

  /** A run that has asked for its solve and is answered when it asks again, or when it is told. */
  async function neighbour(threads: FrontendThreads) {
    const bridge = new FakeBridge({});
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const solve = bridge.solve.bind(bridge);
    bridge.solve = async (...args: Parameters<typeof solve>) => {
      asked.resolve();
      if (bridge.solved.length === 0) {
        const result = await solve(...args);
        await answer.promise;
        return result;
      }
      return await solve(...args);
    };
    const result = threads.run(withOptions({ do: 'good' }), bridge, { signal: never });
    await asked.promise;
    return { bridge, result, answer: () => answer.resolve() };
  }

  const run = (threads: FrontendThreads, what: string, signal = never) =>
    threads.run(withOptions({ do: what }), new FakeBridge({}), { signal });
  const threadOf = ({ metadata }: { metadata: ReadonlyMap<string, Uint8Array> }) =>
    new TextDecoder().decode(metadata.get('thread'));

  test('one that computes without a pause keeps its thread while it has CPU time left; the others go on elsewhere', async () => {
    await using threads = wild({ heldMs: 200, cpuMs: 600 });
    const good = await neighbour(threads);
    const looping = failureOf(run(threads, 'loop'));
    // Nobody answers the first time it asked: it is run again.
    await good.result;
    expect(good.bridge.solved).toHaveLength(2);
    expect(good.bridge.warnings).toHaveLength(1);
    await run(threads, 'good');
    expect(threads.started).toBe(2);
    const spent = { code: 'resource_exhausted', reason: 'FRONTEND_SPENT', fault: 'user' };
    expect(await looping).toMatchObject({ ...spent, hint: expect.stringContaining('split the file') });
    await run(threads, 'good');
    expect(threads.started).toBe(2);
  });

  test('one that computes without a pause can be cancelled at once', async () => {
    await using threads = wild({ heldMs: 200 });
    const controller = new AbortController();
    const bridge = new FakeBridge({});
    const looping = failureOf(threads.run(withOptions({ do: 'loop' }), bridge, { signal: controller.signal }));
    await expect.poll(() => bridge.warnings, { timeout: 20_000 }).toHaveLength(1);
    controller.abort(new CodedError('cancelled', 'enough'));
    expect((await looping).message).toBe('enough');
    // Its thread is found held up by nobody, and another serves.
    await run(threads, 'good');
    expect(threads.started).toBe(2);
  });

  test('one that computes a little each time it is answered ends, too, and nobody has to be run again', async () => {
    await using threads = wild({ cpuMs: 200 });
    const good = await neighbour(threads);
    expect(await failureOf(run(threads, 'turns'))).toMatchObject({ reason: 'FRONTEND_SPENT', fault: 'user' });
    good.answer();
    await good.result;
    expect(good.bridge.solved).toHaveLength(1);
    expect(threads.started).toBe(1);
  });

  test('one that computes is not taken for one that does nothing', async () => {
    await using threads = wild({ silenceMs: 2000, cpuMs: 2500 });
    await run(threads, 'good');
    expect(await failureOf(run(threads, 'loop'))).toMatchObject({ reason: 'FRONTEND_SPENT' });
  });

  test('of many at once that compute without a pause none takes the others with it again and again', async () => {
    let lost = 0;
    const log = { warn: () => lost++ } as unknown as Logger;
    await using threads = wild({ heldMs: 100, log });
    const controller = new AbortController();
    const looping = Array.from({ length: 8 }, () => failureOf(run(threads, 'loop', controller.signal)));
    await Promise.all(Array.from({ length: 3 }, () => run(threads, 'good')));
    // One after another in one thread they would take 52 losses: of ten runs, of nine, down to three.
    expect(lost).toBeLessThan(40);
    controller.abort(new CodedError('cancelled', 'enough'));
    await Promise.all(looping);
  });

  test('any number that compute without a pause hold a few threads, and the others go on', async () => {
    await using threads = wild({ heldMs: 100 });
    const controller = new AbortController();
    const looping = Array.from({ length: 6 }, () => failureOf(run(threads, 'loop', controller.signal)));
    await run(threads, 'good');
    controller.abort(new CodedError('cancelled', 'enough'));
    await Promise.all(looping);
  });

  test('one that asks nothing and computes nothing is stopped alone', async () => {
    await using threads = wild({ silenceMs: 3000 });
    const hanging = failureOf(run(threads, 'hang'));
    const good = await neighbour(threads);
    expect(await hanging).toMatchObject({ code: 'deadline_exceeded', reason: 'FRONTEND_STUCK' });
    good.answer();
    await good.result;
    expect(good.bridge.solved).toHaveLength(1);
    expect(threads.started).toBe(1);
  });

  test('one that is slow lets others have their turns', async () => {
    await using threads = wild();
    const slow = run(threads, 'slow');
    const good = run(threads, 'good');
    expect(threadOf(await good)).toBe(threadOf(await slow));
  });

  test('one that takes all memory fails for itself, and the others are run again', async () => {
    await using threads = wild({ heapMib: 32 });
    const good = await neighbour(threads);
    const error = await failureOf(run(threads, 'hungry'));
    expect(error).toMatchObject({ code: 'resource_exhausted', reason: 'SYS_THREAD_MEMORY' });
    await good.result;
    expect(good.bridge.solved).toHaveLength(2);
    // The shared one, the one that proved it, and what serves from now on.
    expect(threads.started).toBe(3);
  });

  test('one that ends the thread fails for itself, and the others are run again', async () => {
    await using threads = wild();
    const good = await neighbour(threads);
    expect(await failureOf(run(threads, 'exit'))).toMatchObject({ reason: 'SYS_THREAD_ENDED' });
    await good.result;
    expect(good.bridge.solved).toHaveLength(2);
  });

  test.each([
    ['throw', 'no good'],
    ['throw late', 'late'],
    ['nothing', 'without a result'],
  ])('one that fails (%s) takes nothing with it', async (what, says) => {
    await using threads = wild();
    const good = await neighbour(threads);
    const error = await run(threads, what).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toContain(says);
    good.answer();
    await good.result;
    expect(good.bridge.solved).toHaveLength(1);
    expect(threads.started).toBe(1);
  });

  test('closing tells whoever runs', async () => {
    const threads = wild();
    const good = await neighbour(threads);
    const failed = failureOf(good.result);
    await threads[Symbol.asyncDispose]();
    expect((await failed).code).toBe('cancelled');
  });
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
