import { Readable } from 'node:stream';
import { KeyedSemaphore, type ProxySettings, RecentMap, silentLogger } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import { downloadBlob, firstHost, SegmentBudget } from '../../../oci/blob-download/index.ts';
import type { StreamContext } from '../../../sys/index.ts';
import type { ObjectBlob, ObjectClient } from './client.ts';
import type { ObjectConfig } from './config.ts';

interface Access {
  readonly config: ObjectConfig;
  readonly proxies: ProxySettings;
}

const MAX_CLIENTS = 32;
/** A daemon has one. */
const MAX_PROXIES = 4;
/** For what is no blob. */
const REQUEST_MS = 60_000;
/** Requests for blobs that one host is asked at once, of all builds together; the rest waits. Whoever has a place waits for no other of its kind. */
const MAX_READS = 32;

const clients = new RecentMap<string, Promise<ObjectClient>>(MAX_CLIENTS);
const reads = new KeyedSemaphore(MAX_READS);
const segments = new SegmentBudget();
/** Connections that are kept, of all clients together. */
const connections = new RecentMap<string, OutboundAgents>(MAX_PROXIES);

/** The libraries are loaded by the first cache of their type. */
async function open({ config, proxies }: Access): Promise<ObjectClient> {
  const key = JSON.stringify([config, proxies]);
  const client = clients.getOrMake(key, async () => {
    const agents = connections.getOrMake(JSON.stringify(proxies), () => new OutboundAgents(proxies));
    switch (config.type) {
      case 's3':
        return (await import('./s3.ts')).s3Client(config, agents);
      case 'gha':
        return (await import('./gha.ts')).ghaClient(config, agents);
      case 'azblob':
        return await (await import('./azblob.ts')).azureClient(config, agents);
    }
  });
  try {
    return await client;
  } catch (error) {
    clients.delete(key);
    throw error;
  }
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

interface Reading extends Access {
  readonly blob: ObjectBlob;
  readonly into: WritableStream<Uint8Array>;
  /** Whose reads are bounded, those of all builds together. */
  readonly host: string;
}

/** Writes the blob into a stream. A large one comes by several requests at once, where there is room and its host has places. */
export async function openBlob(args: Reading, { signal }: StreamContext): Promise<void> {
  const { blob, host } = args;
  const writer = args.into.getWriter();
  writer.closed.catch(() => {});
  try {
    using _place = await reads.acquire(host, { signal });
    const client = await open(args);
    const content = await downloadBlob({
      ...{ signal, size: blob.size, offset: 0, state: firstHost(), logger: silentLogger, onClose: () => {} },
      hosts: [client.blobHost(blob)],
      room: () => roomFor(host),
    });
    for await (const chunk of content) {
      await writer.ready;
      await writer.write(chunk);
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
}

/** For a request that comes before its turn: memory, and a place at the host that nobody waits for. */
function roomFor(host: string): Disposable | undefined {
  const place = reads.tryAcquire(host);
  const memory = place && segments.take();
  if (memory === undefined) {
    place?.[Symbol.dispose]();
    return undefined;
  }
  const room = new DisposableStack();
  room.use(place);
  room.use(memory);
  return room;
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
}
