import { setImmediate } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { AbortOptions } from '../../base/index.ts';

export type { MessagePort };

type Down = { readonly chunk: Uint8Array } | { readonly done: true } | { readonly failure: string };

/** Bytes on their way between the threads at most. */
const CREDIT = 4 << 20;

/** What comes out of a port into which {@link writePort} writes. */
async function* readPort(port: MessagePort): AsyncGenerator<Uint8Array> {
  const queue: Down[] = [];
  let wake: (() => void) | undefined;
  port.on('message', (message: Down) => {
    queue.push(message);
    wake?.();
  });
  port.on('close', () => {
    queue.push({ failure: 'the stream was closed' });
    wake?.();
  });
  try {
    for (;;) {
      const message = queue.shift();
      if (message === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        if (queue.length === 0) await promise;
        continue;
      }
      if ('done' in message) return;
      if ('failure' in message) throw new Error(message.failure);
      yield message.chunk;
      port.postMessage(message.chunk.length);
    }
  } finally {
    port.close();
  }
}

/** Written by {@link writePort} before it lets others of its thread have a turn. */
const BITE = 1 << 20;

/** The worker's end of {@link portToStream}: writes chunks to the other side, waiting while too much is under way, and giving way to others in between. */
export async function writePort(
  port: MessagePort,
  chunks: Iterable<Uint8Array>,
  { signal }: AbortOptions,
): Promise<void> {
  let outstanding = 0;
  let bitten = 0;
  let closed = false;
  let wake: (() => void) | undefined;
  port.on('message', (bytes: number) => {
    outstanding -= bytes;
    wake?.();
  });
  port.on('close', () => {
    closed = true;
    wake?.();
  });
  const close = () => port.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    for (const chunk of chunks) {
      while (outstanding > CREDIT && !closed) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      if (bitten >= BITE) {
        bitten = 0;
        await setImmediate();
      }
      signal.throwIfAborted();
      // The reader went away: nothing is wanted any more.
      if (closed) return;
      outstanding += chunk.length;
      bitten += chunk.length;
      port.postMessage({ chunk } satisfies Down);
    }
    port.postMessage({ done: true } satisfies Down);
  } finally {
    signal.removeEventListener('abort', close);
    port.close();
  }
}

/** Bytes that a worker task writes with {@link writePort}, as a stream; `run` starts the task with the port and settles with it. */
export function portToStream(run: (port: MessagePort) => Promise<unknown>): ReadableStream<Uint8Array> {
  const { port1, port2 } = new MessageChannel();
  const chunks = readPort(port1);
  const failed = run(port2).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = await chunks.next();
          if (!next.done) {
            controller.enqueue(next.value);
            return;
          }
          const failure = await failed;
          if (failure === undefined) controller.close();
          else controller.error(failure.error);
        } catch (error) {
          const failure = await failed;
          controller.error(failure === undefined ? error : failure.error);
        }
      },
      cancel: async () => {
        port1.close();
        await chunks.return(undefined);
        await failed;
      },
    },
    { highWaterMark: 0 },
  );
}
