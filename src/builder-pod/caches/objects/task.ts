import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { CodedError, type ProxySettings, RecentMap, toCodedError } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import type { StreamContext } from '../../../sys/index.ts';
import type { ObjectBlob, ObjectClient } from './client.ts';
import type { ObjectConfig } from './config.ts';

interface Access {
  readonly config: ObjectConfig;
  readonly proxies: ProxySettings;
}

/** Clients with their connections that are kept. */
const MAX_CLIENTS = 32;
/** A blob of which nothing comes for so long is asked for again. */
const IDLE_MS = 20_000;
/** How often the rest of a blob is asked for when its stream broke, at one place of it. */
const MAX_RESUMES = 3;
const RESUME_MS = 200;
/** For what is no blob. */
const REQUEST_MS = 60_000;

const clients = new RecentMap<string, Promise<ObjectClient>>(MAX_CLIENTS);

/** The libraries are loaded by the first cache of their type. */
async function open({ config, proxies }: Access): Promise<ObjectClient> {
  return await clients.getOrMake(JSON.stringify([config, proxies]), async () => {
    const agents = new OutboundAgents(proxies);
    switch (config.type) {
      case 's3':
        return (await import('./s3.ts')).s3Client(config, agents);
      case 'gha':
        return (await import('./gha.ts')).ghaClient(config, agents);
    }
  });
}

/** Tasks of the streams pool. */
export async function readIndexes(
  args: Access & { readonly maxBytes: number },
  { signal }: StreamContext,
): Promise<readonly Uint8Array[]> {
  return await (await open(args)).readIndexes({ signal: within(signal), maxBytes: args.maxBytes });
}

export async function writeIndex(
  args: Access & { readonly bytes: Uint8Array },
  { signal }: StreamContext,
): Promise<void> {
  await (await open(args)).writeIndex(args.bytes, { signal });
}

export async function keepBlob(
  args: Access & { readonly blob: ObjectBlob },
  { signal }: StreamContext,
): Promise<boolean> {
  return await (await open(args)).keepBlob(args.blob, { signal });
}

export async function putBlob(
  args: Access & { readonly blob: ObjectBlob; readonly content: ReadableStream<Uint8Array> },
  { signal }: StreamContext,
): Promise<void> {
  const content = Readable.fromWeb(args.content as Parameters<typeof Readable.fromWeb>[0], { signal });
  // Whoever reads it tells.
  content.on('error', () => {});
  try {
    await (await open(args)).putBlob(args.blob, content, { signal });
  } finally {
    content.destroy();
  }
}

/** Writes the blob into a stream: what broke on the way is asked for from there. More than was said is not taken. */
export async function openBlob(
  args: Access & { readonly blob: ObjectBlob; readonly into: WritableStream<Uint8Array> },
  { signal }: StreamContext,
): Promise<void> {
  const { blob } = args;
  const writer = args.into.getWriter();
  writer.closed.catch(() => {});
  try {
    const client = await open(args);
    let offset = 0;
    let tries = 0;
    while (offset < blob.size) {
      signal.throwIfAborted();
      try {
        for await (const chunk of watched(client, blob, offset, signal)) {
          offset += chunk.length;
          tries = 0;
          if (offset > blob.size)
            throw new CodedError('data_loss', `blob ${blob.digest} has more than its ${blob.size} bytes`);
          await writer.ready;
          await writer.write(chunk);
        }
        if (offset < blob.size)
          throw new CodedError('unavailable', `blob ${blob.digest} ended after ${offset} of ${blob.size} bytes`);
      } catch (error) {
        signal.throwIfAborted();
        if (toCodedError(error).code !== 'unavailable' || ++tries >= MAX_RESUMES) throw error;
        await delay(RESUME_MS * tries, undefined, { signal });
      }
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
}

/** The rest of a blob, given up when nothing comes of it. */
async function* watched(
  client: ObjectClient,
  blob: ObjectBlob,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const idle = new AbortController();
  const over = () =>
    idle.abort(new CodedError('unavailable', `nothing came of blob ${blob.digest} for ${IDLE_MS / 1000} s`));
  const timer = setTimeout(over, IDLE_MS);
  try {
    const stream = await client.openBlob(blob, { signal: AbortSignal.any([signal, idle.signal]), offset });
    const stop = () => stream.destroy(idle.signal.reason as Error);
    idle.signal.addEventListener('abort', stop, { once: true });
    const leave = () => stream.destroy(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        timer.refresh();
        yield chunk;
        timer.refresh();
      }
    } finally {
      signal.removeEventListener('abort', leave);
      stream.destroy();
    }
  } catch (error) {
    signal.throwIfAborted();
    idle.signal.throwIfAborted();
    throw error instanceof CodedError
      ? error
      : new CodedError('unavailable', `blob ${blob.digest}: ${(error as Error).message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
}
