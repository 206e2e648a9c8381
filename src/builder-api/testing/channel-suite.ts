import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { CodedError, neverAborted, toCodedError } from '../../base/index.ts';
import { type Channel, clientOf, type Handlers, Metadata } from '../grpc/index.ts';
import { Control } from '../services/index.ts';

const signal = neverAborted;

/** What a call fails with. */
export async function failure(promise: Promise<unknown>): Promise<CodedError> {
  try {
    await promise;
  } catch (error) {
    return toCodedError(error);
  }
  throw new Error('expected a failure');
}

/** What calls on every {@link Channel} hold to, whatever carries them. `start` serves the handlers at its other end. */
export function channelSuite(name: string, start: (handlers: Handlers<typeof Control>) => Promise<Channel>): void {
  describe(`channel: ${name}`, () => {
    test('unary with metadata: repeated, binary and 200 pairs', async () => {
      let seen: Metadata | undefined;
      const channel = await start({
        info: (_request, { metadata }) => {
          seen = metadata;
          return { buildkitVersion: { version: '1' } };
        },
      });
      const metadata = Metadata.from({ list: ['a, b', 'c'], 'key-bin': Buffer.from([0, 1, 255]) });
      for (let i = 0; i < 200; i++) metadata.add(`many-${i}`, 'x');
      const answer = await clientOf(Control, channel).info({}, { signal, metadata });
      expect(answer.buildkitVersion?.version).toBe('1');
      expect(seen?.getAll('list')).toEqual(['a, b', 'c']);
      expect([...(seen?.getBytes('key-bin') ?? [])]).toEqual([0, 1, 255]);
      expect(seen?.get('many-199')).toBe('x');
    });

    test('errors: code, UTF-8 text, typed details with a 30 KB source, unknown details kept', async () => {
      const data = 'x'.repeat(30_000);
      const channel = await start({
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
      const error = await failure(clientOf(Control, channel).solve({}, { signal }));
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

    test('unknown methods are unimplemented', async () => {
      const channel = await start({});
      const error = await failure(clientOf(Control, channel).info({}, { signal }));
      expect(error.code).toBe('unimplemented');
    });

    test('server stream: early headers, all messages, then an error in the trailers', async () => {
      const channel = await start({
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
          for await (const r of clientOf(Control, channel).status(
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
      const channel = await start({
        async *session(requests) {
          for await (const message of requests) yield message;
        },
      });
      const call = clientOf(Control, channel).session({ signal });
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
      const channel = await start({
        async *session() {
          for (; produced < 1000; produced++) yield { data: Buffer.alloc(100_000) };
        },
      });
      const call = clientOf(Control, channel).session({ signal });
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
      const channel = await start({
        async *status(_request, context) {
          yield {};
          await new Promise<void>((done) => context.signal.addEventListener('abort', () => done()));
          reasons.push(context.signal.reason);
          if (reasons.length === 2) resolve();
          throw context.signal.reason;
        },
      });
      const client = clientOf(Control, channel);
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
      const channel = await start({
        solve: (_request, context) =>
          new Promise((_, reject) =>
            context.signal.addEventListener('abort', () => {
              resolve(context.signal.reason);
              reject(context.signal.reason);
            }),
          ),
      });
      const error = await failure(clientOf(Control, channel).solve({}, { signal, timeoutMs: 100 }));
      expect(error.code).toBe('deadline_exceeded');
      expect(await promise).toMatchObject({ code: expect.stringMatching(/deadline_exceeded|cancelled/) });
    });

    test('messages above 16 MiB are refused both ways; 15 MB pass', async () => {
      const channel = await start({
        solve: (request) => ({ exporterResponse: { echo: request.frontend } }),
        info: () => ({ buildkitVersion: { version: 'x'.repeat(17_000_000) } }),
      });
      const client = clientOf(Control, channel);
      const big = await client.solve({ frontend: 'y'.repeat(15_000_000) }, { signal });
      expect(big.exporterResponse['echo']).toHaveLength(15_000_000);
      expect((await failure(client.info({}, { signal }))).code).toBe('resource_exhausted');
      expect((await failure(client.solve({ frontend: 'y'.repeat(17_000_000) }, { signal }))).code).toBe(
        'resource_exhausted',
      );
    });

    test('header blocks of 70 KB and 110 KB pass', async () => {
      const channel = await start({
        info: (_r, c) => ({ buildkitVersion: { version: String(c.metadata.getAll('p').length) } }),
      });
      const client = clientOf(Control, channel);
      for (const count of [560, 880]) {
        const metadata = new Metadata();
        for (let i = 0; i < count; i++) metadata.add('p', `${i}`.padEnd(125, 'x'));
        expect((await client.info({}, { signal, metadata })).buildkitVersion?.version).toBe(String(count));
      }
    });

    test('15 MB of queued status does not hurt the next call', async () => {
      const channel = await start({
        async *status() {
          for (let i = 0; i < 20; i++) yield { logs: [{ msg: Buffer.alloc(1_000_000) }] };
        },
        info: () => ({}),
      });
      const client = clientOf(Control, channel);
      const slow = client.status({}, { signal })[Symbol.asyncIterator]();
      await slow.next();
      await delay(100);
      await client.info({}, { signal });
      let count = 1;
      while (!(await slow.next()).done) count++;
      expect(count).toBe(20);
    });
  });
}
