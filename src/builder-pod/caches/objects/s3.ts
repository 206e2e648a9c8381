import type { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { AbortOptions } from '../../../base/index.ts';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';
import { type BlobAnswer, type ByteRange, partOf, rangeHeader } from '../../../oci/blob-download/index.ts';
import { storeHost } from './blob-host.ts';
import type { ObjectClient } from './client.ts';
import type { S3Config } from './config.ts';
import { goneError, readAll, storeError } from './failures.ts';

const CONNECT_MS = 10_000;
/** Without a byte in either direction. */
const IDLE_MS = 60_000;
/** What is not longer goes in one request. */
const PART_BYTES = 8 << 20;
/** Parts of an object, a few less than there may be. */
const MAX_PARTS = 9000;
/** Parts in memory at once. */
const PARTS_AHEAD = 2;
/** What a copy takes at one go. */
const MAX_COPY = 5 * 1024 ** 3;

interface S3Limits {
  /** Bytes of an object, or of a part of one, that are copied at one go. */
  readonly maxCopy?: number;
}

export function s3Client(
  config: S3Config,
  agents: OutboundAgents,
  { maxCopy = MAX_COPY }: S3Limits = {},
): ObjectClient {
  const { bucket: Bucket, region, endpoint, pathStyle, credentials, retryMode, retryAttempts } = config;
  const { sessionToken, ...keys } = credentials ?? { accessKeyId: '', secretAccessKey: '' };
  const address = (scheme: string) => new URL(endpoint ?? `${scheme}://s3.${region}.amazonaws.com`);
  const configuration: S3ClientConfig = {
    region,
    forcePathStyle: pathStyle,
    // Stores other than Amazon's know no newer ones; what is read is verified by its digest.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: IDLE_MS,
      socketTimeout: IDLE_MS,
      httpAgent: agents.for(address('http')),
      httpsAgent: agents.for(address('https')) as HttpsAgent,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials: { ...keys, ...(sessionToken ? { sessionToken } : {}) } }),
    ...(retryMode === undefined ? {} : { retryMode }),
    ...(retryAttempts === undefined ? {} : { maxAttempts: retryAttempts }),
  };
  const client = new S3Client(configuration);
  /** For blobs, which are gone on with where they broke off by who reads them. */
  const reading = new S3Client({ ...configuration, maxAttempts: 1 });
  const blobKey = (digest: string) => config.blobs + digest;

  async function head(Key: string, { signal: abortSignal }: AbortOptions) {
    return await client
      .send(new HeadObjectCommand({ Bucket, Key }), { abortSignal })
      .catch((error: unknown) => missing(error, `HEAD of ${Key} in ${Bucket}`));
  }

  /** Undefined where there is none. */
  async function get(
    by: S3Client,
    Key: string,
    { signal: abortSignal }: AbortOptions,
    range?: ByteRange,
  ): Promise<BlobAnswer | undefined> {
    const Range = range && rangeHeader(range);
    const answer = await by
      .send(new GetObjectCommand({ Bucket, Key, Range }), { abortSignal })
      .catch((error: unknown) => missing(error, `GET of ${Key} in ${Bucket}`));
    if (answer === undefined) return undefined;
    const { ContentRange: contentRange, ContentLength: contentLength } = answer;
    const isPart = answer.$metadata.httpStatusCode === 206;
    return { body: answer.Body as Readable, ...partOf({ isPart, contentRange, contentLength }) };
  }

  /** Objects are renewed by copying them onto themselves: rules that delete what is old leave them. */
  async function renew(Key: string, size: number, { signal: abortSignal }: AbortOptions): Promise<void> {
    const CopySource = `${Bucket}/${Key}`.split('/').map(encodeURIComponent).join('/');
    const Metadata = { 'updated-at': new Date().toISOString() };
    if (size <= maxCopy) {
      const copy = { Bucket, Key, CopySource, Metadata, MetadataDirective: 'REPLACE' } as const;
      await client.send(new CopyObjectCommand(copy), { abortSignal });
      return;
    }
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, Metadata }), {
      abortSignal,
    });
    try {
      const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
      for (let at = 0; at < size; at += maxCopy) {
        const PartNumber = Parts.length + 1;
        const CopySourceRange = `bytes=${at}-${Math.min(at + maxCopy, size) - 1}`;
        const part = { Bucket, Key, UploadId, PartNumber, CopySource, CopySourceRange };
        const { CopyPartResult } = await client.send(new UploadPartCopyCommand(part), { abortSignal });
        Parts.push({ ETag: CopyPartResult?.ETag, PartNumber });
      }
      const done = { Bucket, Key, UploadId, MultipartUpload: { Parts } };
      await client.send(new CompleteMultipartUploadCommand(done), { abortSignal });
    } catch (error) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(() => {});
      throw error;
    }
  }

  return {
    // As other builders do: further names are written only.
    readIndexes: async ({ maxBytes, ...options }) => {
      const key = config.manifests + config.names[0];
      const answer = await get(client, key, options);
      return answer === undefined ? [] : [await readAll(answer.body, `${key} in ${Bucket}`, maxBytes)];
    },
    writeIndex: async (Body, { signal: abortSignal }) => {
      for (const name of config.names) {
        const Key = config.manifests + name;
        await client
          .send(new PutObjectCommand({ Bucket, Key, Body }), { abortSignal })
          .catch((error: unknown) => failed(error, `PUT of ${Key} in ${Bucket}`));
      }
    },
    keepBlob: async ({ digest, size }, options) => {
      const key = blobKey(digest);
      const found = await head(key, options);
      // What was cut off on its way is written anew.
      if (found === undefined || found.ContentLength !== size) return false;
      if (Date.now() - (found.LastModified?.getTime() ?? 0) > config.touchRefreshMs)
        await renew(key, size, options).catch((error: unknown) => failed(error, `copy of ${key} in ${Bucket}`));
      return true;
    },
    putBlob: async ({ digest, size }, Body, { signal }) => {
      const Key = blobKey(digest);
      const upload = new Upload({
        client: cutOff(client, signal),
        params: { Bucket, Key, Body },
        partSize: Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS)),
        queueSize: PARTS_AHEAD,
      });
      const stop = () => void upload.abort();
      signal.addEventListener('abort', stop, { once: true });
      try {
        await upload.done();
      } catch (error) {
        signal.throwIfAborted();
        failed(error, `PUT of ${Key} in ${Bucket}`);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    blobHost: (blob) =>
      storeHost({
        name: `blob ${blob.digest} in ${Bucket}`,
        attempts: retryAttempts,
        open: async (range, options) => {
          const answer = await get(reading, blobKey(blob.digest), options, range);
          if (answer === undefined) throw goneError(blob, `the bucket ${Bucket}`);
          return answer;
        },
      }),
  };
}

/** For an upload: the library leaves what is under way to itself when it is aborted, and takes its parts away only when that has ended. */
function cutOff(client: S3Client, abortSignal: AbortSignal): S3Client {
  const send = (command: Parameters<S3Client['send']>[0]) =>
    command instanceof UploadPartCommand || command instanceof PutObjectCommand
      ? client.send(command as UploadPartCommand, { abortSignal })
      : client.send(command);
  return Object.assign(Object.create(client) as S3Client, { send });
}

/** Undefined where the object is not there. */
function missing(error: unknown, what: string): undefined {
  if (error instanceof S3ServiceException && ['NotFound', 'NoSuchKey'].includes(error.name)) return undefined;
  failed(error, what);
}

function failed(error: unknown, what: string): never {
  if (error instanceof S3ServiceException)
    throw storeError(what, error.$metadata.httpStatusCode, `${error.name}: ${error.message}`, {
      cause: error,
      retryAfter: error.$response?.headers['retry-after'],
    });
  throw storeError(what, undefined, error instanceof Error ? error.message : String(error), { cause: error });
}
