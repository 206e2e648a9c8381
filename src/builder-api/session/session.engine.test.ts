import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { CodedError, neverAborted, toCodedError } from '../../base/index.ts';
import { siblingModule } from '../../sys/index.ts';
import { type Channel, clientOf, type Handlers } from '../grpc/index.ts';
import { Control, Secrets, Upload } from '../services/index.ts';
import { channelSuite } from '../testing/channel-suite.ts';
import { startSessionDaemon } from '../testing/session-daemon.ts';
import { decodeBytesMessage, encodeBytesMessage } from './bytes-message.ts';
import { type HostedSession, hostSession } from './index.ts';

const signal = neverAborted;
const cleanups: (() => PromiseLike<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function daemon(options?: Parameters<typeof startSessionDaemon>[0]) {
  const started = await startSessionDaemon(options);
  cleanups.push(() => started[Symbol.asyncDispose]());
  return started;
}

function host(
  channel: Channel,
  handlers: { secrets?: Handlers<typeof Secrets>; upload?: Handlers<typeof Upload> },
): HostedSession {
  const session = hostSession(channel, {
    signal,
    sharedKey: 'place',
    register: (server) => {
      if (handlers.secrets !== undefined) server.register(Secrets, handlers.secrets);
      if (handlers.upload !== undefined) server.register(Upload, handlers.upload);
    },
  });
  cleanups.push(() => session[Symbol.asyncDispose]());
  return session;
}

test.each([0, 1, 127, 128, 16_383, 16_384, 3_000_000])('a BytesMessage of %i bytes comes back', (length) => {
  const data = Buffer.alloc(length, 7);
  expect(Buffer.from(decodeBytesMessage(encodeBytesMessage(data))).equals(data)).toBe(true);
});

channelSuite('a session’s tunnel', async (handlers) => {
  const { registry, connect } = await daemon();
  const session = hostSession(connect(), {
    signal,
    sharedKey: '',
    register: (server) => server.register(Control, handlers),
  });
  cleanups.push(() => session[Symbol.asyncDispose]());
  return await registry.get(session.id, { signal });
});

describe('a session through the tunnel', () => {
  test('is found by id, also before it connects; knows its methods; answers calls and errors', async () => {
    const { registry, connect } = await daemon();
    const channel = connect();
    const waiting = registry.get('prefix:abc', { signal });
    hostedWithId(channel, 'abc');
    const session = await waiting;
    expect(session.sharedKey).toBe('place');
    expect(session.supports(Secrets, Secrets.methods.getSecret)).toBe(true);
    expect(session.supports(Upload, Upload.methods.pull)).toBe(false);
    const secrets = clientOf(Secrets, session);
    const answer = await secrets.getSecret({ id: 'token' }, { signal });
    expect(Buffer.from(answer.data!).toString()).toBe('value of token');
    await expect(secrets.getSecret({ id: 'none' }, { signal })).rejects.toMatchObject({ code: 'not_found' });
  });

  function hostedWithId(channel: Channel, id: string) {
    const session = hostSession(channel, {
      id,
      sharedKey: 'place',
      signal,
      register: (server) =>
        server.register(Secrets, {
          getSecret: (request) => {
            if (request.id === 'none') throw Object.assign(new Error('no such secret'), { code: 'ENOENT' });
            return { data: Buffer.from(`value of ${request.id}`) };
          },
        }),
    });
    cleanups.push(() => session[Symbol.asyncDispose]());
  }

  test('carries 40 MB each way at once, and a slow reader holds the sender back', async () => {
    const { registry, connect } = await daemon();
    let sent = 0;
    const hosted = host(connect(), {
      upload: {
        async *pull(requests) {
          for await (const message of requests) {
            sent++;
            yield message;
          }
        },
      },
    });
    const session = await registry.get(hosted.id, { signal });
    const call = clientOf(Upload, session).pull({ signal });
    let written = 0;
    const writing = (async () => {
      for (let i = 0; i < 400; i++) {
        await call.write({ data: Buffer.alloc(100_000, i) });
        written++;
      }
      call.end();
    })();
    await delay(500);
    expect(written).toBeLessThan(350);
    let count = 0;
    for await (const message of call.responses) {
      expect(message.data![5]).toBe(count & 255);
      count++;
    }
    await writing;
    expect(count).toBe(400);
    expect(sent).toBe(400);
  });

  test('runs tasks in its thread, which can call the client, report, fail and be aborted', async () => {
    const { registry, connect } = await daemon();
    const hosted = host(connect(), { secrets: { getSecret: (r) => ({ data: Buffer.from(r.id ?? '') }) } });
    const session = await registry.get(hosted.id, { signal });
    const module = siblingModule(import.meta.url, './testdata/task');
    const messages: unknown[] = [];
    const value = await session.run({ module, fn: 'ask' }, 'x', { signal, onMessage: (m) => messages.push(m) });
    expect(value).toBe('secret x');
    expect(messages).toEqual(['asking']);
    await expect(session.run({ module, fn: 'fail' }, {}, { signal })).rejects.toMatchObject({
      code: 'data_loss',
      reason: 'CONTENT_DIGEST_MISMATCH',
    });
    const answers = ['one', 'two'];
    const asking = { module, fn: 'askCaller' };
    expect(await session.run(asking, {}, { signal, onAsk: async () => answers.shift() })).toBe('one and two');
    const refuse = () => Promise.reject(CodedError.of('CONTENT_DIGEST_MISMATCH', 'no place'));
    await expect(session.run(asking, {}, { signal, onAsk: refuse })).rejects.toMatchObject({
      code: 'data_loss',
      message: 'no place',
    });
    const leaving = new AbortController();
    const unanswered = session.run(
      asking,
      {},
      {
        signal: leaving.signal,
        onAsk: () => {
          leaving.abort(new Error('stop asking'));
          return new Promise(() => {});
        },
      },
    );
    await expect(unanswered).rejects.toThrow('stop asking');
    const controller = new AbortController();
    const hanging = session.run({ module, fn: 'hang' }, {}, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('stop')), 50);
    await expect(hanging).rejects.toThrow('stop');
  });

  const module = siblingModule(import.meta.url, './testdata/task');
  const secrets = { getSecret: (r: { id?: string | null }) => ({ data: Buffer.from(`of ${r.id}`) }) };

  test('shares its thread with others, one after the other and at once, and none hears of what another left under way', async () => {
    const { registry, connect } = await daemon();
    registry.startAhead();
    const threads: string[] = [];
    for (let round = 0; round < 3; round++) {
      const channel = connect();
      const hosted = host(channel, { secrets });
      const session = await registry.get(hosted.id, { signal });
      const stop = new AbortController();
      const hanging = session.run({ module, fn: 'hang' }, {}, { signal: stop.signal });
      threads.push(await session.run<string>({ module, fn: 'whichThread' }, {}, { signal }));
      channel.destroy();
      await expect(hanging).rejects.toMatchObject({ code: expect.stringMatching(/cancelled|unavailable/) });
      // Late words of a session that is over: ids are counted from one in the next.
      const next = connect();
      const other = host(next, { secrets });
      const following = await registry.get(other.id, { signal });
      const asked = following.run({ module, fn: 'ask' }, `round ${round}`, { signal });
      stop.abort(new Error('late'));
      session.close();
      expect(await asked).toBe(`secret of round ${round}`);
      next.destroy();
      await expect.poll(() => registry.ids()).toEqual([]);
    }
    const many = await Promise.all(
      Array.from({ length: 30 }, () => registry.get(host(connect(), { secrets }).id, { signal })),
    );
    const answers = many.map((session, at) => session.run({ module, fn: 'ask' }, `${at}`, { signal }));
    expect(await Promise.all(answers)).toEqual(many.map((_, at) => `secret of ${at}`));
    expect(new Set(threads).size).toBe(1);
    expect(registry.threadsStarted).toBe(1);
  });

  test('what fails late in one, or computes for long, harms no neighbour', async () => {
    const { registry, connect } = await daemon();
    const [bad, good] = await Promise.all(
      [host(connect(), { secrets }), host(connect(), { secrets })].map(({ id }) => registry.get(id, { signal })),
    );
    const spinning = bad!.run({ module, fn: 'spin' }, 300, { signal });
    expect(await good!.run({ module, fn: 'ask' }, 'a', { signal })).toBe('secret of a');
    await spinning;
    const lost = { code: 'unavailable', reason: 'SESSION_LOST' };
    const hanging = expect(bad!.run({ module, fn: 'hang' }, {}, { signal })).rejects.toMatchObject(lost);
    await expect(bad!.run({ module, fn: 'failLate' }, {}, { signal })).rejects.toMatchObject(lost);
    await hanging;
    // What it left under way has been told to end.
    await expect.poll(() => good!.run({ module, fn: 'howManyHang' }, {}, { signal })).toBe(0);
    expect(await good!.run({ module, fn: 'ask' }, 'b', { signal })).toBe('secret of b');
    expect(registry.threadsStarted).toBe(1);
  });

  test('its thread’s end is the platform’s failure, and the next session has another', async () => {
    const { registry, connect } = await daemon();
    const [one, two] = await Promise.all(
      [host(connect(), { secrets }), host(connect(), { secrets })].map(({ id }) => registry.get(id, { signal })),
    );
    const hanging = two!.run({ module, fn: 'hang' }, {}, { signal });
    const lost = { code: 'unavailable', reason: 'SESSION_LOST', fault: 'infrastructure' };
    await Promise.all([
      expect(one!.run({ module, fn: 'exit' }, {}, { signal })).rejects.toMatchObject(lost),
      expect(hanging).rejects.toMatchObject(lost),
    ]);
    await expect(clientOf(Secrets, two!).getSecret({ id: 'x' }, { signal })).rejects.toMatchObject(lost);
    const next = await registry.get(host(connect(), { secrets }).id, { signal });
    expect(await next.run({ module, fn: 'ask' }, 'c', { signal })).toBe('secret of c');
  });

  test('a client that sends without end, garbage or what nobody reads, does not reach its neighbours', async () => {
    const { registry, connect } = await daemon();
    const { Metadata } = await import('../grpc/index.ts');
    const metadata = new Metadata().add('x-docker-expose-session-uuid', 'garbage');
    const raw = connect().open('/moby.buildkit.v1.Control/Session', { signal, metadata });
    let sent = 0;
    const flooding = host(connect(), {
      upload: {
        async *pull() {
          for (; sent < 1000; sent++) yield { data: Buffer.alloc(100_000) };
        },
      },
    });
    const [flood, good] = await Promise.all(
      [flooding, host(connect(), { secrets })].map(({ id }) => registry.get(id, { signal })),
    );
    await registry.get('garbage', { signal });
    void raw.write(encodeBytesMessage(Buffer.alloc(100_000, 'HTTP/1.1 ')));
    const unread = clientOf(Upload, flood!).pull({ signal });
    await unread.responses[Symbol.asyncIterator]().next();
    for (let asked = 0; asked < 50; asked++)
      expect(await good!.run({ module, fn: 'ask' }, `${asked}`, { signal })).toBe(`secret of ${asked}`);
    expect(sent).toBeLessThan(900);
    await expect.poll(() => registry.ids()).not.toContain('garbage');
    expect(registry.threadsStarted).toBe(1);
  });

  test('a client has so many at a time, and where all have too many, the newest of who has most ends', async () => {
    const { registry, connectTcp } = await daemon({ limits: { ofClient: 3, sessions: 4 } });
    const [one, other] = [connectTcp(), connectTcp()];
    const held: HostedSession[] = [];
    for (let n = 0; n < 3; n++) {
      held.push(host(one, { secrets }));
      await registry.get(held[n]!.id, { signal });
    }
    const tooMany = { code: 'resource_exhausted', reason: 'SESSION_TOO_MANY' };
    await expect(host(one, { secrets }).ended).rejects.toMatchObject(tooMany);
    const first = await registry.get(host(other, { secrets }).id, { signal });
    const second = await registry.get(host(other, { secrets }).id, { signal });
    await expect(held[2]!.ended).rejects.toMatchObject(tooMany);
    for (const session of [first, second, await registry.get(held[0]!.id, { signal })])
      expect(await session.run({ module, fn: 'ask' }, 'x', { signal })).toBe('secret of x');
    expect(registry.ids()).toHaveLength(4);
  });

  test('its end fails what is under way, and lookups', async () => {
    const { registry, connect } = await daemon();
    const channel = connect();
    const hosted = host(channel, {
      upload: {
        async *pull(_r, { signal: s }) {
          yield { data: Buffer.from('x') };
          await new Promise((resolve) => s.addEventListener('abort', resolve));
        },
      },
    });
    const session = await registry.get(hosted.id, { signal });
    const call = clientOf(Upload, session).pull({ signal });
    const iterator = call.responses[Symbol.asyncIterator]();
    await iterator.next();
    channel.destroy();
    await expect(iterator.next()).rejects.toMatchObject({ code: 'unavailable' });
    expect(toCodedError(session.closed.reason).code).toBe('unavailable');
    await expect(registry.get(hosted.id, { signal, waitMs: 10 })).rejects.toMatchObject({ code: 'not_found' });
    await expect(
      clientOf(Upload, session).pull({ signal }).responses[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  test('a garbage tunnel closes the session and nothing else', async () => {
    const { registry, connect } = await daemon();
    const channel = connect();
    const { Metadata } = await import('../grpc/index.ts');
    const call = channel.open('/moby.buildkit.v1.Control/Session', {
      signal,
      metadata: new Metadata().add('x-docker-expose-session-uuid', 'bad'),
    });
    const session = await registry.get('bad', { signal });
    await call.write(encodeBytesMessage(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(10))));
    await new Promise((resolve) => session.closed.addEventListener('abort', resolve));
    expect(registry.ids()).toEqual([]);
  });
});
