import { Readable } from 'node:stream';
import { type ProxySettings, RecentMap } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import type { StreamContext } from '../../../sys/index.ts';
import type { ObjectBlob, ObjectClient } from './client.ts';
import type { ObjectConfig } from './config.ts';
import { wholeBlob } from './whole-blob.ts';

interface Access {
  readonly config: ObjectConfig;
  readonly proxies: ProxySettings;
}

const MAX_CLIENTS = 32;
/** A daemon has one. */
const MAX_PROXIES = 4;
/** For what is no blob. */
const REQUEST_MS = 60_000;

const clients = new RecentMap<string, Promise<ObjectClient>>(MAX_CLIENTS);
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

/** Writes the blob into a stream. */
export async function openBlob(
  args: Access & { readonly blob: ObjectBlob; readonly into: WritableStream<Uint8Array> },
  { signal }: StreamContext,
): Promise<void> {
  const { blob } = args;
  const writer = args.into.getWriter();
  writer.closed.catch(() => {});
  try {
    for await (const chunk of wholeBlob(await open(args), blob, { signal })) {
      await writer.ready;
      await writer.write(chunk);
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
}
