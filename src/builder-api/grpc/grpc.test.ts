import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { CodedError, neverAborted, toCodedError } from '../../base/index.ts';
import { GrpcJsChannel } from '../client/grpc-js-channel.ts';
import { Control } from '../services/index.ts';
import { moby } from '../wire/messages.js';
import { type Channel, ConnectionChannel, clientOf, GrpcServer, Metadata } from './index.ts';
import type { Handlers } from './service.ts';
import { errorOfTrailers, trailersOfError } from './status.ts';

const v1 = moby.buildkit.v1;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Our server on a fresh unix socket. */
async function serve(
  handlers: Handlers<typeof Control>,
  options: Parameters<GrpcServer['register']>[2] = {},
): Promise<{ path: string; server: GrpcServer }> {
  const dir = mkdtempSync(join(tmpdir(), 'grpc-'));
  const path = join(dir, 'sock');
  const server = new GrpcServer();
  server.register(Control, handlers, options);
  await server.listenUnix(path);
  cleanups.push(
    () => rmSync(dir, { recursive: true }),
    () => server.close(),
  );
  return { path, server };
}

/** A grpc-js server with the same service, in bytes. */
async function serveGrpcJs(handlers: Record<string, unknown>): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'grpc-'));
  const path = join(dir, 'sock');
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const identity = (bytes: Buffer) => bytes;
  const methods = Object.values(Control.methods).map((m) => [
    m.name,
    {
      path: `/${Control.name}/${m.name}`,
      requestStream: m.kind === 'bidi',
      responseStream: m.kind !== 'unary',
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  ]);
  server.addService(Object.fromEntries(methods), handlers as grpc.UntypedServiceImplementation);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (e) => (e ? reject(e) : resolve())),
  );
  cleanups.push(
    () => rmSync(dir, { recursive: true }),
    () => server.forceShutdown(),
  );
  return path;
}

const ours = (path: string): Channel => {
  const channel = new ConnectionChannel(connect(path));
  cleanups.push(() => channel.destroy());
  return channel;
};
const theirs = (path: string): Channel => {
  const channel = new GrpcJsChannel(`unix:${path}`);
  cleanups.push(() => channel.close());
  return channel;
};
const signal = neverAborted;

async function failure(promise: Promise<unknown>): Promise<CodedError> {
  try {
    await promise;
  } catch (error) {
    return toCodedError(error);
  }
  throw new Error('expected a failure');
}

describe.each([
  ['our client', ours],
  ['grpc-js client', theirs],
])('our server with %s', (_name, open) => {
  test('unary with metadata: repeated, binary and 200 pairs', async () => {
    let seen: Metadata | undefined;
    const { path } = await serve({
      info: (_request, { metadata, peer }) => {
        seen = metadata;
        return { buildkitVersion: { version: `1 ${peer.transport}` } };
      },
    });
    const metadata = Metadata.from({ list: ['a, b', 'c'], 'key-bin': Buffer.from([0, 1, 255]) });
    for (let i = 0; i < 200; i++) metadata.add(`many-${i}`, 'x');
    const answer = await clientOf(Control, open(path)).info({}, { signal, metadata });
    expect(answer.buildkitVersion?.version).toBe('1 unix');
    expect(seen?.getAll('list')).toEqual(['a, b', 'c']);
    expect([...(seen?.getBytes('key-bin') ?? [])]).toEqual([0, 1, 255]);
    expect(seen?.get('many-199')).toBe('x');
  });

  test('errors: code, UTF-8 text, typed details with a 30 KB source, unknown details kept', async () => {
    const data = 'x'.repeat(30_000);
    const { path } = await serve({
      solve: () => {
        throw new CodedError('failed_precondition', 'größer 100% ✗', {
          fault: 'user',
          reason: 'EXEC_FAILED',
          hint: 'read the log',
          details: [
            { type: 'errdefs.Source', value: { info: { filename: 'Dockerfile', data } } },
            { type: 'type.googleapis.com/other', value: Buffer.from([1, 2, 3]) },
          ],
        });
      },
    });
    const error = await failure(clientOf(Control, open(path)).solve({}, { signal }));
    expect(error).toMatchObject({
      code: 'failed_precondition',
      message: 'größer 100% ✗',
      fault: 'user',
      reason: 'EXEC_FAILED',
      hint: 'read the log',
    });
    expect(error.details).toEqual([
      { type: 'errdefs.Source', value: { info: { filename: 'Dockerfile', data } } },
      { type: 'type.googleapis.com/other', value: Buffer.from([1, 2, 3]) },
    ]);
  });

  test('errors of a service are told as it says', async () => {
    const told = (error: unknown) => new CodedError('internal', `told: ${toCodedError(error).message}`);
    const { path } = await serve(
      {
        info: () => {
          throw new Error('thrown');
        },
        async *status() {
          yield {};
          throw new Error('thrown later');
        },
      },
      { told },
    );
    const control = clientOf(Control, open(path));
    expect((await failure(control.info({}, { signal }))).message).toBe('told: thrown');
    const answers = control.status({}, { signal })[Symbol.asyncIterator]();
    await answers.next();
    expect((await failure(answers.next())).message).toBe('told: thrown later');
  });

  test('unknown methods are unimplemented', async () => {
    const { path } = await serve({});
    const error = await failure(clientOf(Control, open(path)).info({}, { signal }));
    expect(error.code).toBe('unimplemented');
  });

  test('server stream: early headers, all messages, then an error in the trailers', async () => {
    const { path } = await serve({
      async *status(request, context) {
        context.sendHeaders(Metadata.from({ 'buildkit-current-timestamp': '2026-01-01T00:00:00Z' }));
        for (let i = 0; i < 500; i++) yield { vertexes: [{ digest: `${request.ref}-${i}` }] };
        throw new CodedError('not_found', 'gone');
      },
    });
    const seen: string[] = [];
    let headers: Metadata | undefined;
    const error = await failure(
      (async () => {
        for await (const r of clientOf(Control, open(path)).status(
          { ref: 'r' },
          { signal, onHeaders: (h) => (headers = h) },
        ))
          seen.push(r.vertexes[0]!.digest!);
      })(),
    );
    expect(seen).toHaveLength(500);
    expect(seen[499]).toBe('r-499');
    expect(error).toMatchObject({ code: 'not_found', message: 'gone' });
    expect(headers?.get('buildkit-current-timestamp')).toBe('2026-01-01T00:00:00Z');
  });

  test('bidi echo of 64 MB keeps order and bounds what is queued', async () => {
    const { path } = await serve({
      async *session(requests) {
        for await (const message of requests) yield message;
      },
    });
    const call = clientOf(Control, open(path)).session({ signal });
    const size = 256 * 1024;
    const send = (async () => {
      for (let i = 0; i < 256; i++) await call.write({ data: Buffer.alloc(size, i) });
      call.end();
    })();
    let count = 0;
    for await (const message of call.responses) {
      expect(message.data!.length).toBe(size);
      expect(message.data![size - 1]).toBe(count & 255);
      count++;
    }
    await send;
    expect(count).toBe(256);
  });

  test('a reader that waits stops the writer', async () => {
    let produced = 0;
    const { path } = await serve({
      async *session() {
        for (; produced < 1000; produced++) yield { data: Buffer.alloc(100_000) };
      },
    });
    const call = clientOf(Control, open(path)).session({ signal });
    const iterator = call.responses[Symbol.asyncIterator]();
    await iterator.next();
    await delay(300);
    // 100 MB were on offer; the stream window and the queues hold a few.
    expect(produced).toBeLessThan(200);
    await iterator.return?.();
  });

  test('cancelling fires the handler’s signal; leaving the loop does too', async () => {
    const reasons: unknown[] = [];
    const { promise: both, resolve } = Promise.withResolvers<void>();
    const { path } = await serve({
      async *status(_request, context) {
        yield {};
        await new Promise<void>((done) => context.signal.addEventListener('abort', () => done()));
        reasons.push(context.signal.reason);
        if (reasons.length === 2) resolve();
        throw context.signal.reason;
      },
    });
    const client = clientOf(Control, open(path));
    const controller = new AbortController();
    const error = await failure(
      (async () => {
        for await (const _ of client.status({}, { signal: controller.signal }))
          controller.abort(new CodedError('cancelled', 'enough'));
      })(),
    );
    expect(error).toMatchObject({ code: 'cancelled', message: 'enough' });
    for await (const _ of client.status({}, { signal })) break;
    await both;
    expect(reasons).toMatchObject([{ code: 'cancelled' }, { code: 'cancelled' }]);
  });

  test('the deadline ends the call on both sides', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { path } = await serve({
      solve: (_request, context) =>
        new Promise((_, reject) =>
          context.signal.addEventListener('abort', () => {
            resolve(context.signal.reason);
            reject(context.signal.reason);
          }),
        ),
    });
    const error = await failure(clientOf(Control, open(path)).solve({}, { signal, timeoutMs: 100 }));
    expect(error.code).toBe('deadline_exceeded');
    expect(await promise).toMatchObject({ code: expect.stringMatching(/deadline_exceeded|cancelled/) });
  });

  test('messages above 16 MiB are refused both ways; 15 MB pass', async () => {
    const { path } = await serve({
      solve: (request) => ({ exporterResponse: { echo: request.frontend } }),
      info: () => ({ buildkitVersion: { version: 'x'.repeat(17_000_000) } }),
    });
    const client = clientOf(Control, open(path));
    const big = await client.solve({ frontend: 'y'.repeat(15_000_000) }, { signal });
    expect(big.exporterResponse['echo']).toHaveLength(15_000_000);
    expect((await failure(client.info({}, { signal }))).code).toBe('resource_exhausted');
    expect((await failure(client.solve({ frontend: 'y'.repeat(17_000_000) }, { signal }))).code).toBe(
      'resource_exhausted',
    );
  });

  test('header blocks of 70 KB and 110 KB pass', async () => {
    const { path } = await serve({
      info: (_r, c) => ({ buildkitVersion: { version: String(c.metadata.getAll('p').length) } }),
    });
    const client = clientOf(Control, open(path));
    for (const count of [560, 880]) {
      const metadata = new Metadata();
      for (let i = 0; i < count; i++) metadata.add('p', `${i}`.padEnd(125, 'x'));
      expect((await client.info({}, { signal, metadata })).buildkitVersion?.version).toBe(String(count));
    }
  });

  test('15 MB of queued status does not hurt the next call', async () => {
    const { path } = await serve({
      async *status() {
        for (let i = 0; i < 20; i++) yield { logs: [{ msg: Buffer.alloc(1_000_000) }] };
      },
      info: () => ({}),
    });
    const client = clientOf(Control, open(path));
    const slow = client.status({}, { signal })[Symbol.asyncIterator]();
    await slow.next();
    await delay(100);
    await client.info({}, { signal });
    let count = 1;
    while (!(await slow.next()).done) count++;
    expect(count).toBe(20);
  });

  test('closing gracefully lets running calls end', async () => {
    const { promise: started, resolve } = Promise.withResolvers<void>();
    const { path, server } = await serve({
      solve: async () => {
        resolve();
        await delay(200);
        return { exporterResponse: { done: 'yes' } };
      },
    });
    const running = clientOf(Control, open(path)).solve({}, { signal });
    await started;
    await server.close({ graceMs: 5000 });
    expect((await running).exporterResponse['done']).toBe('yes');
  });

  test('a server that dies fails the call as unavailable', async () => {
    const { path, server } = await serve({ solve: () => new Promise(() => {}) });
    const running = failure(clientOf(Control, open(path)).solve({}, { signal }));
    await delay(100);
    await server.close();
    expect((await running).code).toMatch(/unavailable|cancelled/);
  });
});

describe('our client with a grpc-js server', () => {
  test('unary, errors with details and trailers-only', async () => {
    const path = await serveGrpcJs({
      Info: (_call: unknown, done: grpc.sendUnaryData<Uint8Array>) =>
        done(null, Buffer.from(v1.InfoResponse.encode({ buildkitVersion: { version: 'js' } }).finish())),
      Solve: (_call: unknown, done: grpc.sendUnaryData<Uint8Array>) => {
        const trailers = new grpc.Metadata();
        done({ code: 5, details: 'nö', metadata: trailers });
      },
    });
    const client = clientOf(Control, ours(path));
    expect((await client.info({}, { signal })).buildkitVersion?.version).toBe('js');
    expect(await failure(client.solve({}, { signal }))).toMatchObject({ code: 'not_found', message: 'nö' });
    expect((await failure(client.diskUsage({}, { signal }))).code).toBe('unimplemented');
  });

  test('bidi with 20,000 small messages', async () => {
    const path = await serveGrpcJs({
      Session: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (bytes: Buffer) => call.write(bytes));
        call.on('end', () => call.end());
      },
    });
    const call = clientOf(Control, ours(path)).session({ signal });
    void (async () => {
      for (let i = 0; i < 20_000; i++) await call.write({ data: Buffer.from(`${i}`) });
      call.end();
    })();
    let count = 0;
    for await (const message of call.responses) expect(Buffer.from(message.data!).toString()).toBe(`${count++}`);
    expect(count).toBe(20_000);
  });
});

test('details too large for the peer’s headers are left out, the rest stays; a Go client gets all', () => {
  const details = [
    { type: 'errdefs.Vertex', value: { digest: 'sha256:1' } },
    { type: 'errdefs.Source', value: { data: 'x'.repeat(300_000) } },
  ];
  const error = new CodedError('unknown', 'failed', { details });
  const read = (trailers: Record<string, string>) =>
    errorOfTrailers(2, 'failed', Buffer.from(trailers['grpc-status-details-bin']!, 'base64'))?.details;
  expect(read(trailersOfError(error, 'grpc-node-js/1'))).toEqual(details.slice(0, 1));
  expect(read(trailersOfError(error, 'grpc-go/1.84.0'))).toEqual(details);
});
