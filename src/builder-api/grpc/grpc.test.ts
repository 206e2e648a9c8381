import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CodedError, neverAborted, toCodedError } from '../../base/index.ts';
import { GrpcJsChannel } from '../client/grpc-js-channel.ts';
import { Control } from '../services/index.ts';
import { channelSuite, failure } from '../testing/channel-suite.ts';
import { google } from '../wire/core.js';
import { moby } from '../wire/messages.js';
import { type Channel, ConnectionChannel, clientOf, GrpcServer } from './index.ts';
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

describe.each([
  ['our client', ours],
  ['grpc-js client', theirs],
])('our server with %s', (_name, open) => {
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

channelSuite('our connection', async (handlers) => ours((await serve(handlers)).path));
channelSuite('grpc-js', async (handlers) => theirs((await serve(handlers)).path));

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

test('what of an error’s details is left out is not encoded before', () => {
  const encode = vi.spyOn(google.rpc.Status, 'encode');
  const details = Array.from({ length: 50 }, (_, n) => ({
    type: `errdefs.${n}`,
    value: { data: 'x'.repeat(1000 * n) },
  }));
  const trailers = trailersOfError(new CodedError('unknown', 'failed', { details }), 'grpc-node-js/1');
  expect(encode).toHaveBeenCalledTimes(1);
  encode.mockRestore();
  const bytes = Buffer.from(trailers['grpc-status-details-bin']!, 'base64');
  expect(bytes.length).toBeLessThanOrEqual(45 * 1024);
  expect(errorOfTrailers(2, 'failed', bytes)?.details).toEqual(details.slice(0, 10));
});
