import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { Control } from '../services/index.ts';
import { frameMessage } from './framing.ts';
import { ConnectionChannel, GrpcServer } from './index.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'closing-'));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** A connection that says `first` and then holds on, also when the other side has said goodbye. */
async function clinger(where: NetConnectOpts, first: string | Buffer = ''): Promise<Socket> {
  const socket = connect({ ...where, allowHalfOpen: true });
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  if (first.length > 0) socket.write(first);
  return socket;
}

/** A server with a call that never ends and one that never stops sending. */
function server(): GrpcServer {
  const made = new GrpcServer();
  made.register(Control, {
    info: () => new Promise<never>(() => {}),
    status: async function* () {
      while (true) {
        await new Promise(setImmediate);
        yield { logs: [{ msg: Buffer.alloc(64 * 1024) }] };
      }
    },
  });
  return made;
}

async function call(where: NetConnectOpts, method: string): Promise<http2.ClientHttp2Stream> {
  const socket = await clinger(where);
  const session = http2.connect('http://localhost', { createConnection: () => socket });
  session.on('error', () => {});
  const stream = session.request({
    ...{ ':method': 'POST', ':path': `/moby.buildkit.v1.Control/${method}` },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  stream.on('error', () => {});
  stream.end(frameMessage(new Uint8Array()));
  return stream;
}

async function untilBusy(made: GrpcServer, calls: number): Promise<void> {
  while (made.activeCalls < calls) await new Promise(setImmediate);
}

test.for(['unix', 'tcp'])('a server on %s closes whatever its clients do', async (kind) => {
  const made = server();
  const path = join(tempDir(), 'sock');
  let where: NetConnectOpts = { path };
  if (kind === 'unix') await made.listenUnix(path);
  else where = { host: '127.0.0.1', port: await made.listenTcp('127.0.0.1', 0) };
  const sockets = [
    await clinger(where),
    await clinger(where, PREFACE.slice(0, 16)),
    await clinger(where, PREFACE),
    await clinger(where, 'GET / HTTP/1.1\r\nhost: localhost\r\n'),
  ];
  await call(where, 'Info');
  const deaf = await call(where, 'Status');
  await untilBusy(made, 2);
  // It reads the beginning, and no more: what is sent to it piles up.
  await once(deaf, 'data');
  deaf.pause();
  const cut = sockets.map((socket) => once(socket.resume(), 'end'));
  // Two at once: the second waits as the first does.
  await Promise.all([made.close({ graceMs: 20 }), made.close({ graceMs: 20 })]);
  await Promise.all(cut);
  await expect(clinger(where)).rejects.toThrow(/ECONNREFUSED|ENOENT/);
});

test('a server with TLS closes over handshakes that were never finished', async () => {
  const dir = tempDir();
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...ec, '-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=localhost'], {
    cwd: dir,
    stdio: 'ignore',
  });
  const file = (name: string) => readFileSync(join(dir, name));
  const made = server();
  const port = await made.listenTcp('127.0.0.1', 0, { cert: file('cert.pem'), key: file('key.pem') });
  const where = { host: '127.0.0.1', port };
  const sockets = [await clinger(where), await clinger(where, Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))];
  const cut = sockets.map((socket) => once(socket.resume(), 'end'));
  await made.close({ graceMs: 20 });
  await Promise.all(cut);
});

test.each([
  'server',
  'client',
] as const)('over a stream whose end takes long, a %s ends when the other side has gone, and writes no more', async (side) => {
  const [ours, theirs] = duplexPair();
  const [near, far] = side === 'server' ? [ours, theirs] : [theirs, ours];
  // As a pipe to a process that reads no more: what is written, and its end, get nowhere.
  const made = server();
  cleanups.push(() => void made.close());
  made.serveConnection(ours);
  const channel = new ConnectionChannel(theirs);
  await channel.ready;
  near._final = () => {};
  const ended = once(near, 'end');
  far.end();
  await ended;
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  if (side === 'server') await made.close();
  else await channel[Symbol.asyncDispose]();
});
