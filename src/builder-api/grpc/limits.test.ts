import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { connect as netConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { CodedError, neverAborted, Shares } from '../../base/index.ts';
import { openBuilderClient } from '../client/builder-client.ts';
import { Control } from '../services/index.ts';
import { moby } from '../wire/messages.js';
import { FrameParser, frameHeader, frameMessage } from './framing.ts';
import { HeldBytes } from './held-bytes.ts';
import { ConnectionChannel, clientOf, GrpcServer, type Handlers } from './index.ts';
import { Flow, MessageQueue, pumpMessages } from './messages.ts';
import { formatGrpcTimeout, parseGrpcTimeout } from './server-call.ts';
import { percentDecode, percentEncode } from './status.ts';

const signal = neverAborted;
const cleanups: (() => PromiseLike<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'limits-'));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

async function serve(handlers: Handlers<typeof Control>): Promise<{ path: string; server: GrpcServer }> {
  const path = join(tempDir(), 'sock');
  const server = new GrpcServer();
  server.register(Control, handlers);
  await server.listenUnix(path);
  cleanups.push(() => server.close());
  return { path, server };
}

function rawSession(path: string, options: http2.ClientSessionOptions = {}): http2.ClientHttp2Session {
  const session = http2.connect('http://localhost', { ...options, createConnection: () => netConnect(path) });
  session.on('error', () => {});
  cleanups.push(() => session.destroy());
  return session;
}

const INFO = {
  ':method': 'POST',
  ':path': '/moby.buildkit.v1.Control/Info',
  'content-type': 'application/grpc',
  te: 'trailers',
};

function statusOf(stream: http2.ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let status = '';
    stream.on('response', (headers) => (status = String(headers['grpc-status'] ?? headers[':status'])));
    stream.on('trailers', (headers) => (status = String(headers['grpc-status'])));
    stream.on('error', () => {});
    stream.on('close', () => resolve(status === '' ? `reset ${stream.rstCode}` : status));
    stream.resume();
  });
}

/** The server still answers others. */
async function stillServes(path: string): Promise<void> {
  const channel = new ConnectionChannel(netConnect(path));
  cleanups.push(() => channel.destroy());
  await clientOf(Control, channel).info({}, { signal });
}

describe('a hostile peer', () => {
  test('with 4 MB of headers is cut off, others are served', async () => {
    const { path } = await serve({ info: () => ({}) });
    const session = rawSession(path, { maxSendHeaderBlockLength: 64 * 1024 * 1024 });
    const headers: Record<string, string> = { ...INFO };
    for (let i = 0; i < 5000; i++) headers[`x-${i}`] = 'y'.repeat(800);
    expect(await statusOf(session.request(headers))).not.toBe('0');
    await stillServes(path);
  });

  test('that opens and resets streams without end is cut off', async () => {
    const { path, server } = await serve({ solve: () => new Promise(() => {}), info: () => ({}) });
    const session = rawSession(path);
    let closed = false;
    session.on('close', () => {
      closed = true;
    });
    for (let round = 0; round < 200 && !closed; round++) {
      for (let i = 0; i < 100 && !closed && !session.destroyed; i++) {
        const stream = session.request({ ...INFO, ':path': '/moby.buildkit.v1.Control/Solve' });
        stream.on('error', () => {});
        stream.write(frameMessage(Buffer.alloc(0)));
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
      await delay(2);
    }
    expect(closed).toBe(true);
    await stillServes(path);
    await expect.poll(() => server.activeCalls).toBe(0);
  });

  test('has at most 250 calls at a time', async () => {
    let running = 0;
    const { path } = await serve({
      solve: () => {
        running++;
        return new Promise(() => {});
      },
      info: () => ({}),
    });
    const session = rawSession(path);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    for (let i = 0; i < 600; i++) {
      const stream = session.request({ ...INFO, ':path': '/moby.buildkit.v1.Control/Solve' });
      stream.on('error', () => {});
      stream.end(frameMessage(Buffer.alloc(0)));
    }
    await expect.poll(() => running).toBe(250);
    // Whatever else was sent has come before this is answered.
    await stillServes(path);
    await delay(100);
    expect(running).toBe(250);
  });

  test.each<[string, Record<string, string>, Buffer, string]>([
    ['no message', {}, Buffer.alloc(0), '13'],
    ['two messages', {}, Buffer.concat([frameMessage(Buffer.alloc(0)), frameMessage(Buffer.alloc(0))]), '13'],
    ['half a message', {}, frameMessage(Buffer.alloc(10)).subarray(0, 8), '2'],
    ['a length of 4 GB', {}, Buffer.from([0, 255, 255, 255, 255, 1]), '8'],
    ['bytes that are no message', {}, frameMessage(Buffer.from([255, 255, 255])), '13'],
    ['a compressed message without an encoding', {}, Buffer.from([1, 0, 0, 0, 1, 0]), '13'],
    ['an unknown encoding', { 'grpc-encoding': 'snappy' }, frameMessage(Buffer.alloc(0)), '12'],
    ['broken gzip', { 'grpc-encoding': 'gzip' }, Buffer.from([1, 0, 0, 0, 2, 9, 9]), '8'],
    ['a gzip bomb', { 'grpc-encoding': 'gzip' }, bomb(), '8'],
    ['gzip', { 'grpc-encoding': 'gzip' }, compressed(), '0'],
    ['a broken timeout', { 'grpc-timeout': 'soon' }, frameMessage(Buffer.alloc(0)), '3'],
    ['an unknown path', { ':path': '/x' }, frameMessage(Buffer.alloc(0)), '12'],
    ['another content type', { 'content-type': 'text/html' }, Buffer.alloc(0), '415'],
    ['GET', { ':method': 'GET' }, Buffer.alloc(0), '405'],
  ])('that sends %s gets its answer', async (_name, headers, body, expected) => {
    const { path } = await serve({ info: () => ({}) });
    const stream = rawSession(path).request({ ...INFO, ...headers }, { endStream: false });
    const status = statusOf(stream);
    stream.end(body);
    expect(await status).toBe(expected);
    await stillServes(path);
  });

  test('that connects without end loses its newest connections, and others are served', async () => {
    const server = new GrpcServer({ limits: { connections: 6, ofClient: 4 } });
    server.register(Control, { info: () => ({}) });
    const port = await server.listenTcp('127.0.0.1', 0);
    cleanups.push(() => server.close());
    const connectFrom = (localAddress: string) => {
      const socket = netConnect({ host: '127.0.0.1', port, localAddress });
      const state = { socket, closed: false };
      socket.on('error', () => {}).on('close', () => (state.closed = true));
      cleanups.push(() => void socket.destroy());
      return state;
    };
    const many = Array.from({ length: 20 }, () => connectFrom('127.0.0.2'));
    for (const { socket } of many) socket.resume();
    await expect.poll(() => many.filter(({ closed }) => closed).length).toBe(16);
    const open = many.filter(({ closed }) => !closed);
    // With the third of others there are too many in all.
    for (let n = 0; n < 3; n++) {
      const channel = new ConnectionChannel(connectFrom(`127.0.0.${3 + n}`).socket);
      cleanups.push(() => channel.destroy());
      await clientOf(Control, channel).info({}, { signal });
    }
    await expect.poll(() => open.map(({ closed }) => closed).sort()).toEqual([false, false, false, true]);
  });

  const gzip = { 'grpc-encoding': 'gzip' };
  const session = { ':path': '/moby.buildkit.v1.Control/Session' };
  const definition = moby.buildkit.v1.SolveRequest.encode({ frontend: 'x'.repeat(300_000) }).finish();
  const bytes = (length: number) => moby.buildkit.v1.BytesMessage.encode({ data: Buffer.alloc(length) }).finish();
  const inPieces = Array.from({ length: 10 }, () => frame(1, gzipSync(bytes(30_000))));
  test.each<[string, Record<string, string | string[]>, Buffer, 'solving' | 'half']>([
    [
      'headers that cost little to send',
      { x: Array.from({ length: 100 }, () => 'y'.repeat(3000)) },
      frameMessage(Buffer.alloc(0)),
      'solving',
    ],
    ['messages that never end', {}, frameMessage(Buffer.alloc(400_000)).subarray(0, 300_000), 'half'],
    ['a whole message and no end', {}, frameMessage(Buffer.alloc(300_000)), 'half'],
    ['a compressed message and no end', gzip, frame(1, gzipSync(Buffer.alloc(300_000))), 'half'],
    ['large definitions', {}, frameMessage(definition), 'solving'],
    ['large definitions that are compressed', gzip, frame(1, gzipSync(definition)), 'solving'],
    ['a message that nobody reads', session, frameMessage(bytes(300_000)), 'half'],
    ['compressed messages that nobody reads', { ...session, ...gzip }, Buffer.concat(inPieces), 'half'],
  ])('that has many calls under way with %s has some of them ended, and others are served', async (_what, headers, body, state) => {
    const server = new GrpcServer({ limits: { heldBytes: 2_000_000 } });
    const solving = new Set<AbortSignal>();
    server.register(Control, {
      solve: async (_request, { signal }) => {
        solving.add(signal);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        solving.delete(signal);
        throw signal.reason;
      },
      session: async function* (_messages, { signal }) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield* [];
      },
      info: () => ({}),
    });
    const port = await server.listenTcp('127.0.0.1', 0);
    cleanups.push(() => server.close());
    const small = http2.connect(`http://127.0.0.1:${port}`);
    cleanups.push(() => small.destroy());
    const solve = { ...INFO, ':path': '/moby.buildkit.v1.Control/Solve' };
    small.request(solve).end(frameMessage(Buffer.alloc(0)));
    const session = http2.connect(`http://127.0.0.1:${port}`, { maxSendHeaderBlockLength: 64 * 1024 * 1024 });
    session.on('error', () => {});
    cleanups.push(() => session.destroy());
    const ended: string[] = [];
    for (let n = 0; n < 10; n++) {
      const stream = session.request({ ...solve, ...headers });
      void statusOf(stream).then((status) => ended.push(status));
      stream.write(body);
      if (state === 'solving') stream.end();
    }
    await expect.poll(() => ended.length).toBeGreaterThanOrEqual(4);
    // The others are still at work, however many have ended until then.
    await expect.poll(() => solving.size + (state === 'solving' ? ended.length : 10)).toBe(11);
    expect(new Set(ended)).toEqual(new Set(['8']));
    expect(ended.length).toBeLessThan(8);
    const other = new ConnectionChannel(netConnect(port, '127.0.0.1'));
    cleanups.push(() => other.destroy());
    await clientOf(Control, other).info({}, { signal });
  });

  test('that talks HTTP/1 is cut off', async () => {
    const { path } = await serve({ info: () => ({}) });
    const socket = netConnect(path);
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => socket.resume().on('close', resolve));
    await stillServes(path);
  });
});

function compressed(): Buffer {
  const body = gzipSync(moby.buildkit.v1.InfoRequest.encode({}).finish());
  return frame(1, body);
}

function bomb(): Buffer {
  return frame(1, gzipSync(Buffer.alloc(64 * 1024 * 1024)));
}

function frame(flag: number, body: Buffer): Buffer {
  const out = frameMessage(body);
  out[0] = flag;
  return out;
}

describe('TCP with mutual TLS', () => {
  test('serves who has a certificate, refuses who has none, and knows the name', async () => {
    const dir = tempDir();
    const run = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    run('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca');
    for (const name of ['localhost', 'me'])
      run(
        'req',
        '-x509',
        ...ec,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.pem`,
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=DNS:${name}`,
        '-addext',
        'basicConstraints=critical,CA:FALSE',
      );
    const file = (name: string) => readFileSync(join(dir, name));
    const server = new GrpcServer();
    server.register(Control, {
      info: (_r, { peer }) => ({ buildkitVersion: { version: `${peer.transport} ${peer.commonName}` } }),
    });
    const port = await server.listenTcp('127.0.0.1', 0, {
      cert: file('localhost.pem'),
      key: file('localhost.key'),
      ca: file('ca.pem'),
    });
    cleanups.push(() => server.close());
    const paths = { ca: join(dir, 'ca.pem'), serverName: 'localhost' };
    await using client = openBuilderClient(`tcp://127.0.0.1:${port}`, {
      ...paths,
      cert: join(dir, 'me.pem'),
      key: join(dir, 'me.key'),
    });
    const info = await client.control.info({}, { signal });
    expect(info.buildkitVersion?.version).toBe('tcp me');
    await using stranger = openBuilderClient(`tcp://127.0.0.1:${port}`, paths);
    await expect(stranger.control.info({}, { signal, timeoutMs: 2000 })).rejects.toMatchObject({
      code: expect.stringMatching(/unavailable|deadline_exceeded/),
    });
    const plain = tls.connect({
      port,
      host: '127.0.0.1',
      ca: file('ca.pem'),
      servername: 'localhost',
      ALPNProtocols: ['http/1.1'],
    });
    const refused = new Promise((resolve) => plain.on('error', resolve).on('close', resolve));
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await refused;
    expect((await client.control.info({}, { signal })).buildkitVersion?.version).toBe('tcp me');
  });

  test('plain TCP is HTTP/2 by prior knowledge', async () => {
    const server = new GrpcServer();
    server.register(Control, { info: (_r, { peer }) => ({ buildkitVersion: { version: peer.transport } }) });
    const port = await server.listenTcp('127.0.0.1', 0);
    cleanups.push(() => server.close());
    await using client = openBuilderClient(`tcp://127.0.0.1:${port}`);
    expect((await client.control.info({}, { signal })).buildkitVersion?.version).toBe('tcp');
  });
});

test('a client’s header list above the peer’s limit fails that call alone', async () => {
  const { path } = await serve({ info: () => ({}) });
  const channel = new ConnectionChannel(netConnect(path));
  cleanups.push(() => channel.destroy());
  await channel.ready;
  const { Metadata } = await import('./metadata.ts');
  const metadata = new Metadata();
  for (let i = 0; i < 1100; i++) metadata.add('p', 'x'.repeat(950));
  const client = clientOf(Control, channel);
  await expect(client.info({}, { signal, metadata })).rejects.toThrow(/header list size/);
  await client.info({}, { signal });
});

test('frames are found however the bytes are cut', () => {
  const messages = [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(1000, 1), Buffer.from('end')];
  const bytes = Buffer.concat(messages.map(frameMessage));
  for (const size of [1, 2, 3, 4, 5, 6, 7, 100, 5000]) {
    const parser = new FrameParser(undefined);
    const seen: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      parser.push(bytes.subarray(at, at + size), ({ body }) => seen.push(Buffer.from(body).toString('hex')));
    expect(seen).toEqual(messages.map((message) => message.toString('hex')));
    expect(parser.incomplete).toBe(0);
  }
});

test('a long message is whole however it is cut, and what is announced takes no memory before it comes', () => {
  const long = Buffer.alloc(5 << 20, 'abcdefg');
  const bytes = Buffer.concat([Buffer.from('first'), long, Buffer.from('last')].map(frameMessage));
  for (const size of [16 << 10, (1 << 20) - 3, 1 << 20, 3 << 20]) {
    const parser = new FrameParser(undefined);
    const seen: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size)
      parser.push(bytes.subarray(at, at + size), ({ body }) => seen.push(Buffer.from(body)));
    expect(seen.map((body) => body.toString())).toEqual(['first', long.toString(), 'last']);
    expect(parser.incomplete).toBe(0);
  }
  const before = process.memoryUsage.rss();
  const open = Array.from({ length: 40 }, () => new FrameParser(undefined));
  for (const parser of open) {
    parser.push(frameHeader(16 << 20), () => {});
    for (let sent = 0; sent < 17; sent++) parser.push(long.subarray(0, 64 << 10), () => {});
  }
  expect(open.map(({ incomplete }) => incomplete)).toEqual(open.map(() => 5 + 17 * (64 << 10)));
  expect(process.memoryUsage.rss() - before).toBeLessThan(300 << 20);
});

test('timeouts and messages in headers', () => {
  expect(['1H', '2M', '3S', '4m', '5000u', '6000000n'].map(parseGrpcTimeout)).toEqual([
    3_600_000, 120_000, 3000, 4, 5, 6,
  ]);
  for (const bad of ['', '5', 'S', '-1S', '123456789S', '1x']) expect(() => parseGrpcTimeout(bad)).toThrow();
  expect(parseGrpcTimeout(formatGrpcTimeout(1500.2))).toBe(1501);
  expect(parseGrpcTimeout(formatGrpcTimeout(1e10))).toBe(1e10);
  for (const text of ['plain', '100%', 'größe\n✗', '%41']) expect(percentDecode(percentEncode(text))).toBe(text);
  expect(percentDecode('50%zz%')).toBe('50%zz%');
});

test.each([
  ['plain', 0],
  ['compressed', 1],
])('an answer larger than the caller takes is refused: %s', async (_name, flag) => {
  const stream = new PassThrough();
  const seen = Promise.withResolvers<number>();
  const sink = {
    onMessage: ({ length }: Uint8Array) => seen.resolve(length),
    onEnd: () => {},
    onError: seen.reject,
  };
  pumpMessages(new Flow(stream), 'gzip', sink, { maxBytes: 1000 });
  const message = Buffer.alloc(1001);
  stream.write(frame(flag, flag === 1 ? gzipSync(message) : message));
  await expect(seen.promise).rejects.toMatchObject({ code: 'resource_exhausted' });
});

test('what is kept of messages is counted until the reader wants the next, and given back with the stream', async () => {
  const shares = new Shares<HeldBytes>();
  const limits = { each: 1_000_000, all: 1_000_000 };
  const tooMuch = () => new CodedError('resource_exhausted', 'too much');
  const held = new HeldBytes({ shares, limits, owner: { tenant: 't', build: 'b' }, end: () => {}, tooMuch });
  const stream = new PassThrough();
  const hold = held.hold();
  const queue = new MessageQueue<Uint8Array>({ pause: () => {}, resume: () => {} }, { hold });
  const counts: number[] = [];
  const onMessage = (message: Uint8Array) => {
    queue.push(message, message.length);
    counts.push(shares.total);
  };
  pumpMessages(
    new Flow(stream),
    'gzip',
    { onMessage, onEnd: () => {}, onError: (error) => queue.finish(error) },
    { hold },
  );
  const packed = frame(1, gzipSync(Buffer.alloc(300_000)));
  stream.write(Buffer.concat([packed, frameMessage(Buffer.alloc(100)), packed]));
  await expect.poll(() => counts.length).toBe(3);
  expect(counts[2]).toBe(600_100);
  const reader = queue[Symbol.asyncIterator]();
  await reader.next();
  expect(shares.total).toBe(600_100);
  await reader.next();
  expect(shares.total).toBe(300_100);
  stream.write(frame(1, gzipSync(Buffer.alloc(1_500_000))));
  await reader.next();
  await expect(reader.next()).rejects.toThrow('too much');
  stream.destroy();
  await expect.poll(() => shares.total).toBe(0);
  expect(shares.largest()).toBeUndefined();
});

test('compressed messages are unpacked one after the other, and what comes meanwhile waits its turn', async () => {
  const stream = new PassThrough();
  const flow = new Flow(stream);
  const seen: string[] = [];
  const ended = Promise.withResolvers<void>();
  pumpMessages(flow, 'gzip', {
    onMessage: (message) => void seen.push(Buffer.from(message.subarray(0, 8)).toString()),
    onEnd: () => {
      seen.push('end');
      ended.resolve();
    },
    onError: ended.reject,
  });
  const frame = (text: string, isCompressed: boolean) => {
    const body = Buffer.from(text);
    if (!isCompressed) return frameMessage(body);
    const framed = frameMessage(gzipSync(body));
    framed[0] = 1;
    return framed;
  };
  const large = 'x'.repeat(5 << 20);
  stream.write(Buffer.concat([frame(`first   ${large}`, true), frame('second  ', false), frame('third   ', true)]));
  await new Promise(setImmediate);
  expect(seen).toEqual([]);
  stream.end(frame('fourth  ', true));
  await ended.promise;
  expect(seen).toEqual(['first   ', 'second  ', 'third   ', 'fourth  ', 'end']);
});
