import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { GrpcJsChannel } from './grpc-js-channel.ts';

afterEach(() => vi.restoreAllMocks());

test('a builder that was away for long is tried every few seconds', async () => {
  const waits: number[] = [];
  const { setTimeout } = globalThis;
  // What waits for minutes or less waits for nothing.
  const hurried = (work: () => void, ms = 0) => {
    waits.push(ms);
    return setTimeout(work, ms > 200_000 ? ms : 0);
  };
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(hurried as typeof setTimeout);
  const attempts = Promise.withResolvers<void>();
  let connections = 0;
  const server = createServer((socket) => {
    socket.destroy();
    if (++connections === 12) attempts.resolve();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const channel = new GrpcJsChannel(`dns:127.0.0.1:${(server.address() as AddressInfo).port}`);
  channel.ready(3_600_000).catch(() => {});
  await attempts.promise;
  channel.close();
  server.close();
  // Above are the deadline of `ready` and half an hour without calls.
  expect(waits.filter((ms) => ms > 7_000 && ms < 1_000_000)).toEqual([]);
});
