import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { neverAborted, newId } from '../../../base/index.ts';
import {
  type ConnectionChannel,
  Control,
  FileSync,
  Metadata,
  methodPath,
  type SessionRegistry,
  wire,
} from '../../../builder-api/index.ts';
import { startSessionDaemon } from '../../../builder-api/testing/session-daemon.ts';
import { siblingModule } from '../../../sys/index.ts';
import type { ReceiveDirectoryArgs, ReceivedDirectory } from './receive-task.ts';

const { Packet } = wire.fsutil.types;
const { BytesMessage } = wire.moby.filesync.v1;
const { PACKET_STAT, PACKET_REQ, PACKET_DATA, PACKET_FIN } = Packet.PacketType;
const signal = neverAborted;
const diffCopy = methodPath(FileSync, FileSync.methods.diffCopy);
const module = siblingModule(import.meta.url, './receive-task');
const cleanups: (() => PromiseLike<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'hostile-'));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** A daemon's sessions, all in one thread, and clients whose side of a file sync is written by hand. */
async function sessions(limits: ConstructorParameters<typeof SessionRegistry>[0]) {
  const daemon = await startSessionDaemon({ ...limits, threads: 1 });
  cleanups.push(() => daemon[Symbol.asyncDispose]());
  const { registry, connect: connection, connectTcp } = daemon;
  const client = async (serve: (stream: http2.ServerHttp2Stream) => void, channel = connection()) => {
    const id = newId();
    const metadata = new Metadata().add('x-docker-expose-session-uuid', id);
    metadata.add('x-docker-expose-session-grpc-method', diffCopy);
    const call = channel.open(methodPath(Control, Control.methods.session), { signal, metadata });
    const inner = http2.performServerHandshake(tunnelOf(call), { maxSendHeaderBlockLength: 64 << 20 });
    inner.on('error', () => {});
    inner.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      if (headers[':path'] === diffCopy) serve(stream);
      else
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' },
          { endStream: true },
        );
    });
    const session = await registry.get(id, { signal });
    const receive = (directory = tempDir(), more: Partial<ReceiveDirectoryArgs> = {}) => {
      const request = { name: 'context', includePatterns: [], excludePatterns: [], followPaths: [] };
      const known = { listing: undefined, tree: undefined, empty: true, limit: undefined };
      const args: ReceiveDirectoryArgs = { directory, readonly: false, request, differ: 'none', ...known, ...more };
      return session.run<ReceivedDirectory>({ module, fn: 'receiveDirectory' }, args, { signal });
    };
    return { session, receive };
  };
  return { registry, client, connectTcp };
}

function tunnelOf(call: ReturnType<ConnectionChannel['open']>): Duplex {
  const messages = call.responses[Symbol.asyncIterator]();
  const pipe = new Duplex({
    read: () =>
      void messages.next().then(
        ({ done, value }) => pipe.push(done === true ? null : BytesMessage.decode(value).data),
        () => pipe.destroy(),
      ),
    write: (chunk: Uint8Array, _encoding, done) => {
      let wait: Promise<void> | undefined;
      for (let at = 0; at < chunk.length; at += 32_768)
        wait = call.write(BytesMessage.encode({ data: chunk.subarray(at, at + 32_768) }).finish());
      if (wait === undefined) done();
      else void wait.then(() => done());
    },
  });
  pipe.on('error', () => {});
  return pipe;
}

function frame(message: Uint8Array, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

const begin = (stream: http2.ServerHttp2Stream) =>
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });

const stat = (path: string, size = 0) =>
  frame(
    Packet.encode({
      type: PACKET_STAT,
      stat: { path: Buffer.from(path), mode: 0o644, size, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    }).finish(),
  );

/** Writes what is made, at the reader's pace, until the other side has enough. */
async function send(stream: http2.ServerHttp2Stream, pieces: Iterable<Uint8Array>): Promise<void> {
  begin(stream);
  const over = new Promise((resolve) => stream.once('close', resolve));
  for (const piece of pieces) {
    if (stream.destroyed || stream.closed) return;
    if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), over]);
  }
}

function* endlessListing(): Iterable<Uint8Array> {
  for (let at = 0; ; at++)
    yield Buffer.concat(Array.from({ length: 100 }, (_, n) => stat(`${String(at * 100 + n).padStart(12, '0')}`)));
}

/** So many MiB of a message of eight. */
function* incomplete(mib: number): Iterable<Uint8Array> {
  yield frame(Buffer.alloc(0), 8 << 20);
  for (let n = 0; n < mib; n++) yield Buffer.alloc(1 << 20);
}

const HOSTILE: readonly (readonly [string, (stream: http2.ServerHttp2Stream) => unknown, object])[] = [
  [
    'lists files without end',
    (stream) => send(stream, endlessListing()),
    { reason: 'SESSION_TOO_LARGE', fault: 'user' },
  ],
  ['never ends a message', (stream) => send(stream, incomplete(7)), { reason: 'SESSION_TOO_LARGE', fault: 'user' }],
  [
    'begins an enormous message',
    (stream) => send(stream, [frame(Buffer.alloc(9), 1 << 30)]),
    { code: 'resource_exhausted', fault: 'user' },
  ],
  [
    'answers with enormous headers',
    (stream) =>
      stream.respond({
        ':status': 200,
        ...Object.fromEntries(Array.from({ length: 4000 }, (_, n) => [`x-${n}`, 'y'.repeat(1000)])),
      }),
    { code: 'resource_exhausted', fault: 'user', message: expect.stringContaining('headers larger than max') },
  ],
  [
    'answers with more headers than there can be',
    (stream) => stream.respond({ ':status': 200, x: Array.from({ length: 9000 }, () => 'y') }),
    { code: 'resource_exhausted', fault: 'user', message: expect.stringContaining('headers larger than max') },
  ],
  [
    'sends a name that no file can have',
    (stream) => send(stream, [stat('x'.repeat(300))]),
    {
      code: 'invalid_argument',
      reason: 'CONTEXT_ENTRY',
      message: expect.stringMatching(/"x{200}…" cannot be made: ENAMETOOLONG/),
    },
  ],
  ['says nothing any more', (stream) => send(stream, [stat('a', 5)]), { reason: 'SESSION_STALLED', fault: 'user' }],
];

test.each(
  HOSTILE.flatMap(([what, ...how]) => [false, true].map((isImage) => [what, isImage, ...how] as const)),
)('a client that %s is cut off, and a transfer beside it goes on (as an image: %s)', async (_what, isImage, serve, failure) => {
  const { registry, client } = await sessions({ limits: { sessionBytes: 2 << 20, stallMs: 4000 } });
  const over = Promise.withResolvers<void>();
  const good = await client((stream) => {
    void send(stream, [stat('file', 4)]);
    const more = setInterval(
      () => stream.write(frame(Packet.encode({ type: PACKET_DATA, id: 0, data: Buffer.from('.') }).finish())),
      200,
    );
    void over.promise.then(() => {
      clearInterval(more);
      stream.write(frame(Packet.encode({ type: PACKET_DATA, id: 0 }).finish()));
      stream.write(frame(new Uint8Array()));
      stream.write(frame(Packet.encode({ type: PACKET_FIN }).finish()));
    });
  });
  const directory = tempDir();
  const transfer = good.receive(directory);
  const bad = await client(serve);
  const place = tempDir();
  const image = isImage ? { path: join(place, 'image'), minEntries: 0 } : undefined;
  await expect(bad.receive(tempDir(), { image })).rejects.toMatchObject(failure);
  expect(readdirSync(place)).toEqual([]);
  over.resolve();
  await transfer;
  expect(readFileSync(join(directory, 'file'), 'utf8')).toMatch(/^\.*$/);
  expect(good.session.closed.aborted).toBe(false);
  expect(registry.threadsStarted).toBe(1);
});

test('of clients that have too much in one thread the one with most is ended, and the others go on', async () => {
  const { registry, client } = await sessions({ limits: { threadBytes: 6 << 20 } });
  const small = await client((stream) => void send(stream, incomplete(2)));
  const waiting = small.receive();
  const large = await client((stream) => void send(stream, incomplete(5)));
  await expect(large.receive()).rejects.toMatchObject({ reason: 'SESSION_TOO_LARGE' });
  expect(await Promise.race([waiting, Promise.resolve('waits')])).toBe('waits');
  expect(small.session.closed.aborted).toBe(false);
  small.session.close();
  await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|cancelled/) });
  expect(registry.threadsStarted).toBe(1);
});

test('many small sessions of one client give way to the large one of another', async () => {
  const { client, connectTcp } = await sessions({ limits: { threadBytes: 12 << 20 } });
  const large = await client((stream) => void send(stream, incomplete(5)), connectTcp());
  const waiting = large.receive();
  const channel = connectTcp();
  const ended: unknown[] = [];
  for (let n = 0; n < 10; n++) {
    const small = await client((stream) => void send(stream, incomplete(1)), channel);
    small.receive().catch((error: unknown) => ended.push(error));
  }
  await expect.poll(() => ended.length).toBeGreaterThanOrEqual(2);
  expect(ended[0]).toMatchObject({ reason: 'SESSION_TOO_LARGE' });
  expect(large.session.closed.aborted).toBe(false);
  large.session.close();
  await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|cancelled/) });
});

/** A client with one file, whose content is not what was listed, perhaps. */
function sendFile(stream: http2.ServerHttp2Stream, size: number, content: string): void {
  begin(stream);
  const write = (packet: Parameters<typeof Packet.encode>[0]) => stream.write(frame(Packet.encode(packet).finish()));
  let unread = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 5 && unread.length >= 5 + unread.readUInt32BE(1)) {
      const end = 5 + unread.readUInt32BE(1);
      const { type, id } = Packet.decode(unread.subarray(5, end));
      unread = unread.subarray(end);
      if (type === PACKET_REQ) {
        write({ type: PACKET_DATA, id, data: Buffer.from(content) });
        write({ type: PACKET_DATA, id });
      } else if (type === PACKET_FIN) write({ type: PACKET_FIN });
    }
  });
  stream.write(stat('file', size));
  stream.write(frame(new Uint8Array()));
}

test.each([
  ['lists more', 101, ''],
  ['sends more', 1, '.'.repeat(101)],
])('a client that %s than its directory may have is refused', async (_what, size, content) => {
  const { client } = await sessions({});
  const { receive } = await client((stream) => sendFile(stream, size, content));
  const image = { path: join(tempDir(), 'image'), minEntries: 0 };
  for (const more of [{}, { image }])
    await expect(receive(tempDir(), { limit: { most: 100, name: 'a limit' }, ...more })).rejects.toMatchObject({
      ...{ code: 'resource_exhausted', reason: 'CONTEXT_TOO_LARGE', fault: 'policy' },
      message: 'the files of context have more than 100 bytes (a limit)',
    });
  const whole = await client((stream) => sendFile(stream, 100, '.'.repeat(100)));
  await whole.receive(tempDir(), { limit: { most: 100, name: 'a limit' } });
});

test.each([
  ['longer', 'old and new'],
  ['shorter', 'o'],
])('a file that became %s while it was sent is asked for again when it is listed as before', async (_what, meanwhile) => {
  const { client } = await sessions({});
  const directory = tempDir();
  const receive = async (content: string, last?: ReceivedDirectory) => {
    const { receive } = await client((stream) => sendFile(stream, 3, content));
    return await receive(directory, { differ: 'metadata', listing: last?.listing, empty: last === undefined });
  };
  const first = await receive(meanwhile);
  expect(readFileSync(join(directory, 'file'), 'utf8')).toBe(meanwhile);
  const second = await receive('old', first);
  expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('old');
  // What came as it was listed is known by that.
  expect(second.listing).toBeDefined();
  expect((await receive('old', second)).progress).toMatchObject({ entries: 0, requested: 0, changes: 0 });
});
