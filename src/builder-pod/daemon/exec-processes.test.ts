import { duplexPair, PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { CodedError, neverAborted } from '../../base/index.ts';
import { ConnectionChannel, clientOf, Health, LLBBridge } from '../../builder-api/index.ts';
import type { Process, ProcessEnd } from '../executor/index.ts';
import { processSuite } from '../executor/testing/process-suite.ts';
import type { BridgeContainer, BridgeProcess, BridgeResult } from '../frontends/index.ts';
import { FakeBridge } from '../frontends/testing/fake-bridge.ts';
import { serveBridgeOver } from './llb-bridge.ts';
import { openExecStream } from './testing/exec-stream.ts';

const options = { signal: neverAborted };

/** A process that says what it is told, until it is told to end. */
class FakeProcess implements Process {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: unknown[] = [];
  readonly signals: string[] = [];
  readonly exited: Promise<ProcessEnd>;
  readonly end: (end: ProcessEnd) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    this.exited = promise;
    this.end = (end) => {
      this.stdout.end();
      this.stderr.end();
      resolve(end);
    };
  }

  resize(size: unknown): void {
    this.sizes.push(size);
  }

  async signal(name: string): Promise<void> {
    this.signals.push(name);
    this.end({ exitCode: 137 });
  }
}

processSuite('the double that these tests rely on', async () => {
  const process = new FakeProcess();
  process.stdin.pipe(process.stdout);
  process.stdin.once('end', () => process.end({ exitCode: 0 }));
  return process;
});

async function unread(): Promise<never> {
  throw new CodedError('unimplemented', 'its files are read elsewhere');
}

class ContainerBridge extends FakeBridge {
  readonly processes: FakeProcess[] = [];
  readonly asked: BridgeProcess[] = [];

  override container(): BridgeContainer {
    return {
      start: async (process) => {
        this.asked.push(process);
        if (process.meta.user === 'nobody-here') throw new CodedError('invalid_argument', 'unable to find user');
        const made = new FakeProcess();
        this.processes.push(made);
        return made;
      },
      ...{ readFile: unread, readDir: unread, statFile: unread },
      [Symbol.asyncDispose]: async () => {},
    };
  }
}

function serve() {
  const bridge = new ContainerBridge({ file: 'content' });
  const [ours, theirs] = duplexPair();
  const returned = Promise.withResolvers<BridgeResult>();
  const server = serveBridgeOver(
    ours,
    { id: 'worker' },
    {
      bridge,
      giveResult: (outcome) =>
        'result' in outcome ? returned.resolve(outcome.result) : returned.reject(outcome.error),
      over: returned.promise.then(() => {}),
    },
  );
  const channel = new ConnectionChannel(theirs);
  const gateway = clientOf(LLBBridge, channel);
  const close = async () => {
    channel.destroy();
    await server.close();
  };
  return { bridge, channel, gateway, returned: returned.promise, [Symbol.asyncDispose]: close };
}

test('a frontend at the other end of a stream drives its build', async () => {
  await using served = serve();
  const { gateway, channel } = served;
  expect((await clientOf(Health, channel).check({}, options)).status).toBe(1);
  const { workers, frontendApiCaps } = await gateway.ping({}, options);
  expect(workers?.map(({ id }) => id)).toEqual(['worker']);
  expect(frontendApiCaps?.map(({ id }) => id)).toContain('gateway.exec');
  const { result } = await gateway.solve({ allowResultReturn: true }, options);
  const { data } = await gateway.readFile({ ref: result?.ref?.id ?? '', filePath: 'file' }, options);
  expect(Buffer.from(data ?? []).toString()).toBe('content');
  await gateway.return({ result: { ref: { id: 'ref1' } } }, options);
  expect((await served.returned).ref?.id).toBe('ref1');
});

test('processes share a stream and are told apart', async () => {
  await using served = serve();
  const stream = openExecStream(served.gateway, options);
  const meta = { args: ['x'], cwd: '/' };
  const one = stream.start({ containerId: 'c', fds: [0, 1], meta });
  const two = stream.start({ containerId: 'c', fds: [1, 2], tty: true, meta });
  one.write('for one');
  two.resize(3, 70_000);
  one.eof();
  const [first, second] = await started(served.bridge, 2);
  expect(served.bridge.asked.map(({ stdin, tty }) => [stdin, tty])).toEqual([
    [true, false],
    [false, true],
  ]);
  let got = '';
  for await (const chunk of first!.stdin) got += chunk;
  expect(got).toBe('for one');
  first!.stdout.write('from one');
  first!.stderr.write('that nobody asked for');
  second!.stderr.write('from two');
  await one.until('from one');
  await two.until('from two');
  expect(second!.sizes).toEqual([{ rows: 3, columns: 65_535 }]);
  first!.end({ exitCode: 3 });
  expect(await one.done).toEqual({ code: 3, error: 'exit code: 3' });
  expect([one.said(), two.said()]).toEqual(['from one', 'from two']);
  // What it is told after its end is nothing.
  one.signal('TERM');
  const three = stream.start({ containerId: 'c', fds: [1], meta: { ...meta, user: 'nobody-here' } });
  expect(await three.done).toEqual({ code: 255, error: 'unable to find user' });
  two.signal('TERM');
  expect((await two.done).code).toBe(137);
  expect(second!.signals).toEqual(['SIGTERM']);
  stream.end();
  await stream.ended;
});

test.each([
  'the client ends it',
  'a signal that is none',
  'a process that is none',
])('with the stream its processes end: %s', async (why) => {
  await using served = serve();
  const stream = openExecStream(served.gateway, options);
  const one = stream.start({ containerId: 'c', fds: [1], meta: { args: ['x'], cwd: '/' } });
  const [process] = await started(served.bridge, 1);
  if (why === 'the client ends it') stream.end();
  else if (why === 'a signal that is none') one.signal('NOSUCH');
  else stream.send({ processId: 'unknown', resize: { rows: 1, cols: 1 } });
  await process!.exited;
  expect(process!.signals).toEqual(['SIGKILL']);
  if (why === 'the client ends it') await stream.ended;
  else await expect(stream.ended).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('what a process does not read yet is held back, and none of it is lost', async () => {
  await using served = serve();
  const stream = openExecStream(served.gateway, options);
  const one = stream.start({ containerId: 'c', fds: [0, 1], meta: { args: ['x'], cwd: '/' } });
  const [process] = await started(served.bridge, 1);
  const total = 20 << 20;
  one.write('x'.repeat(10 << 20));
  one.write('x'.repeat(10 << 20));
  let got = 0;
  for await (const chunk of process!.stdin as AsyncIterable<Buffer>) {
    got += chunk.length;
    expect(process!.stdin.writableLength).toBeLessThan(12 << 20);
    if (got === total) break;
  }
  process!.end({ exitCode: 0 });
  expect(await one.done).toEqual({ code: 0, error: '' });
});

async function started(bridge: ContainerBridge, count: number): Promise<readonly FakeProcess[]> {
  await expect.poll(() => bridge.processes.length).toBe(count);
  return bridge.processes;
}
