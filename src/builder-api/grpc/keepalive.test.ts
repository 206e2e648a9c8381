import { once } from 'node:events';
import http2, { type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { watchPeer } from './keepalive.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A connection through a wire that can be cut without a word. */
async function connection(timeoutMs: number): Promise<{ session: ServerHttp2Session; cut: () => void }> {
  const server = http2.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  const wire = createServer((socket) => {
    const onward = connect((server.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(socket, onward);
    for (const one of sockets) one.on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  const arrived = once(server, 'session') as Promise<[ServerHttp2Session]>;
  const client = http2.connect(`http://127.0.0.1:${(wire.address() as AddressInfo).port}`);
  client.on('error', () => {});
  cleanups.push(
    () => server.close(),
    () => wire.close(),
    () => client.destroy(),
    () => sockets.forEach((socket) => void socket.destroy()),
  );
  const [session] = await arrived;
  watchPeer(session, { intervalMs: 20, timeoutMs });
  return {
    session,
    cut: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

test('a peer that answers stays', async () => {
  // Both ends and the wire are in this process: what holds it up may be no silence of the peer's.
  const { session } = await connection(60_000);
  const ping = vi.spyOn(session, 'ping');
  // Another is sent only when the last was answered.
  await expect.poll(() => ping.mock.calls.length).toBeGreaterThan(5);
  expect(session.destroyed).toBe(false);
});

test('one that is gone without a word is cut', async () => {
  const { session, cut } = await connection(500);
  cut();
  await expect.poll(() => session.destroyed).toBe(true);
});
