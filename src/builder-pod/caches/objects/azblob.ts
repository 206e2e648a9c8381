import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  type IHttpClient,
  newPipeline,
  RestError,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { type AbortOptions, CodedError } from '../../../base/index.ts';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';
import { type BlobAnswer, type ByteRange, partOf } from '../../../oci/blob-download/index.ts';
import { azureHttp } from './azblob-http.ts';
import { storeHost } from './blob-host.ts';
import { inChunks } from './chunks.ts';
import type { ObjectBlob, ObjectClient } from './client.ts';
import type { AzureConfig } from './config.ts';
import { goneError, readAll, storeError } from './failures.ts';

/** What is not longer goes in one request. */
const BLOCK_BYTES = 8 << 20;
/** Blocks of one blob, a few less than there may be. */
const MAX_BLOCKS = 49_000;
/** Blocks on their way at once. */
const BLOCKS_AHEAD = 2;
/** All of a blob's are of one length, those that another builder has sent of it with them: other builders' ones have this. */
const BLOCK_ID_BYTES = 64;

export async function azureClient(config: AzureConfig, agents: OutboundAgents): Promise<ObjectClient> {
  const credential = await credentialOf(config, agents);
  const containerBy = (httpClient: IHttpClient) => {
    const pipeline = newPipeline(credential, {
      httpClient,
      userAgentOptions: { userAgentPrefix: 'slipway' },
      // It is tried again below the library.
      retryOptions: { maxTries: 1 },
    });
    return new BlobServiceClient(config.accountUrl, pipeline).getContainerClient(config.container);
  };
  const container = containerBy(azureHttp(agents));
  /** For blobs, which are gone on with where they broke off by who reads them. */
  const reading = containerBy(azureHttp(agents, { tries: 1 }));
  const at = (key: string) => container.getBlockBlobClient(key);
  const blobKey = (digest: string) => posix.join(config.blobs, digest);
  const where = `the container ${config.container}`;

  /** Undefined where there is none. */
  async function get(
    by: ContainerClient,
    key: string,
    { signal }: AbortOptions,
    range?: ByteRange,
  ): Promise<BlobAnswer | undefined> {
    const { from, to } = range ?? { from: 0 };
    const answer = await by
      .getBlockBlobClient(key)
      .download(from, to === undefined ? undefined : to - from, { abortSignal: signal, maxRetryRequests: 0 })
      .catch((error: unknown) => missing(error, `GET of ${key} in ${where}`, { signal }));
    if (answer === undefined) return undefined;
    const { contentRange, contentLength, _response } = answer;
    const isPart = _response.status === 206;
    return { body: answer.readableStreamBody as Readable, ...partOf({ isPart, contentRange, contentLength }) };
  }

  async function isThere({ digest, size }: ObjectBlob, { signal }: AbortOptions): Promise<boolean> {
    const key = blobKey(digest);
    const found = await at(key)
      .getProperties({ abortSignal: signal })
      .catch(async (error: unknown) => {
        if (codeOf(error) === NO_CONTAINER) await create({ signal });
        return missing(error, `HEAD of ${key} in ${where}`, { signal });
      });
    // What is not whole is written anew.
    return found?.contentLength === size;
  }

  async function create({ signal }: AbortOptions): Promise<void> {
    await container
      .createIfNotExists({ abortSignal: signal })
      .catch((error: unknown) => failed(error, `the creation of ${where}`, { signal }));
  }

  async function put(key: string, bytes: Uint8Array, { signal }: AbortOptions): Promise<void> {
    await at(key).upload(bytes, bytes.length, { abortSignal: signal });
  }

  async function putBlocks(key: string, content: Readable, size: number, signal: AbortSignal): Promise<void> {
    const ids: string[] = [];
    // Blocks of two builders are never mixed: they may be cut elsewhere.
    const own = randomBytes(BLOCK_ID_BYTES - 4);
    const sent: Promise<unknown>[] = [];
    try {
      for await (const bytes of inChunks(content, Math.max(BLOCK_BYTES, Math.ceil(size / MAX_BLOCKS)))) {
        if (sent.length >= BLOCKS_AHEAD) await sent.shift();
        const number = Buffer.alloc(4);
        number.writeUInt32BE(ids.length);
        const id = Buffer.concat([own, number]).toString('base64');
        ids.push(id);
        const block = at(key).stageBlock(id, bytes, bytes.length, { abortSignal: signal });
        block.catch(() => {});
        sent.push(block);
      }
    } finally {
      await Promise.all(sent);
    }
    await at(key).commitBlockList(ids, { abortSignal: signal });
  }

  return {
    readIndexes: async ({ maxBytes, ...options }) => {
      const found: Uint8Array[] = [];
      for (const key of config.indexes) {
        const answer = await get(container, key, options);
        if (answer !== undefined) found.push(await readAll(answer.body, `${key} in ${where}`, maxBytes));
      }
      return found;
    },
    writeIndex: async (bytes, options) => {
      for (const key of config.indexes)
        try {
          await put(key, bytes, options).catch(async (error: unknown) => {
            if (codeOf(error) !== NO_CONTAINER) throw error;
            await create(options);
            await put(key, bytes, options);
          });
        } catch (error) {
          failed(error, `PUT of ${key} in ${where}`, options);
        }
    },
    keepBlob: isThere,
    putBlob: async (blob, content, options) => {
      const { digest, size } = blob;
      const key = blobKey(digest);
      try {
        if (size > BLOCK_BYTES) await putBlocks(key, content, size, options.signal);
        else await put(key, await readAll(content, `blob ${digest}`, size), options);
      } catch (error) {
        // Of two builders that write it at once, one takes away the other's blocks when it has ended.
        if (error instanceof RestError && (error.statusCode ?? 500) < 500 && (await isThere(blob, options))) return;
        failed(error, `PUT of ${key} in ${where}`, options);
      }
    },
    blobHost: (blob) =>
      storeHost({
        name: `blob ${blob.digest} in ${where}`,
        open: async (range, options) => {
          const answer = await get(reading, blobKey(blob.digest), options, range);
          if (answer === undefined) throw goneError(blob, where);
          return answer;
        },
      }),
  };
}

async function credentialOf({ accountUrl, accountName, accountKey }: AzureConfig, agents: OutboundAgents) {
  if (accountKey !== undefined) return new StorageSharedKeyCredential(accountName, accountKey);
  if (new URL(accountUrl).searchParams.has('sig')) return new AnonymousCredential();
  return (await import('./azblob-identity.ts')).builderIdentity(agents);
}

const NO_CONTAINER = 'ContainerNotFound';

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof RestError)) return undefined;
  // An answer without a body says it here alone.
  return error.response?.headers.get('x-ms-error-code') ?? error.code;
}

/** Undefined where the blob, or its container, is not there. */
function missing(error: unknown, what: string, options: AbortOptions): undefined {
  if (['BlobNotFound', NO_CONTAINER].includes(codeOf(error) ?? '')) return undefined;
  failed(error, what, options);
}

function failed(error: unknown, what: string, { signal }: AbortOptions): never {
  signal.throwIfAborted();
  if (error instanceof CodedError) throw error;
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  // It carries the request with its headers, and so goes no further; the rest of its message repeats them.
  if (error instanceof RestError)
    throw storeError(what, error.statusCode, `${codeOf(error) ?? ''} ${message.split('\n')[0]}`, {
      retryAfter: error.response?.headers.get('retry-after'),
    });
  throw storeError(what, TOKENLESS.has(name) ? 401 : undefined, message, { cause: error });
}

/** What the library of identities says when there is none, or it is not taken. */
const TOKENLESS: ReadonlySet<string> = new Set([
  'AuthenticationError',
  'AggregateAuthenticationError',
  'CredentialUnavailableError',
]);
