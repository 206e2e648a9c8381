import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectionChannel, GrpcServer } from '../grpc/index.ts';
import { SessionRegistry } from '../session/index.ts';

interface SessionDaemon extends AsyncDisposable {
  readonly registry: SessionRegistry;
  /** One more connection to its socket. */
  readonly connect: () => ConnectionChannel;
  /** One by way of the network, where it is told who connects. */
  readonly connectTcp: () => ConnectionChannel;
}

/** As much of a daemon as sessions need, on a socket of its own. */
export async function startSessionDaemon(
  options?: ConstructorParameters<typeof SessionRegistry>[0],
): Promise<SessionDaemon> {
  const directory = mkdtempSync(join(tmpdir(), 'sessions-'));
  const path = join(directory, 'sock');
  const server = new GrpcServer();
  const registry = new SessionRegistry(options);
  registry.register(server);
  await server.listenUnix(path);
  const port = await server.listenTcp('127.0.0.1', 0);
  const channels: ConnectionChannel[] = [];
  const channelOf = (socket: Socket) => {
    const channel = new ConnectionChannel(socket);
    channels.push(channel);
    return channel;
  };
  return {
    registry,
    connect: () => channelOf(connect(path)),
    connectTcp: () => channelOf(connect(port, '127.0.0.1')),
    [Symbol.asyncDispose]: async () => {
      for (const channel of channels) channel.destroy();
      await registry[Symbol.asyncDispose]();
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
}
