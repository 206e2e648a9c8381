import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type AbortOptions, type Code, CodedError, toCodedError } from '../../../base/index.ts';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';
import { type BlobAnswer, type ByteRange, partOf, rangeHeader } from '../../../oci/blob-download/index.ts';
import { storeHost } from './blob-host.ts';
import { inChunks } from './chunks.ts';
import type { ObjectBlob, ObjectClient } from './client.ts';
import type { GhaConfig } from './config.ts';
import { goneError, readAll, storeError } from './failures.ts';
import { conflictError, saysConflict, send } from './http.ts';

/** Of all that builders keep there: entries of other versions are other entries. */
const VERSION = hash('sha256', '|go-actionscache-1.0', 'hex');
const FORMAT = '1';
const MAX_ANSWER = 32 << 10;
/** Of one request. */
const CHUNK_BYTES = 16 << 20;
/** Entries never change, so an index is an entry with a number, and the next one takes its place. */
const NUMBERED = /#(\d{1,9})$/;
/** How long another builder may be at writing an index before its number is passed over. */
const BLOCKED_MS = 15_000;
const RETRY_BLOCKED_MS = 2000;
/** Numbers that are tried in one go. */
const MAX_NUMBERS = 100;
const TWIRP = 'twirp/github.actions.results.api.v1.CacheService';

const entryV1 = z.object({ cacheKey: z.string(), archiveLocation: z.string() });
const reservedV1 = z.object({ cacheId: z.int().optional(), cacheID: z.int().optional() });
const entryV2 = z.object({
  ok: z.boolean().default(false),
  signed_download_url: z.string().default(''),
  matched_key: z.string().default(''),
});
const reservedV2 = z.object({
  ok: z.boolean().default(false),
  signed_upload_url: z.string().default(''),
  message: z.string().default(''),
});
const finishedV2 = z.object({ ok: z.boolean().default(false), message: z.string().default('') });

interface Entry {
  readonly key: string;
  /** Signed: whoever knows it may read. */
  readonly url: string;
}

interface AskOptions extends AbortOptions {
  /** How often it is asked, in all; several times where absent. */
  readonly tries?: number;
}

/** How an address is refused whose time is over. */
const EXPIRED: ReadonlySet<Code> = new Set(['unauthenticated', 'permission_denied', 'not_found']);

/** One of the two APIs of the service. */
interface Api {
  /** The newest entry whose key begins with this. */
  find(key: string, options: AskOptions): Promise<Entry | undefined>;
  /** @throws CodedError already_exists */
  reserve(key: string, options: AbortOptions): Promise<Reserved>;
}

interface Reserved {
  upload(content: AsyncIterable<Uint8Array>, size: number, options: AbortOptions): Promise<void>;
}

export function ghaClient(config: GhaConfig, agents: OutboundAgents): ObjectClient {
  const api = config.api === 2 ? second(config, agents) : first(config, agents);
  const where = 'the actions cache';
  const indexKey = (scope: string) => `index-${config.scope}-${FORMAT}-${hash('sha256', scope, 'hex').slice(0, 8)}`;
  const blobKey = ({ digest }: ObjectBlob) => `buildkit-blob-${FORMAT}-${digest}`;

  async function download({ url }: Entry, what: string, options: AskOptions, range?: ByteRange): Promise<BlobAnswer> {
    const headers: Record<string, string> = range === undefined ? {} : { range: rangeHeader(range) };
    const { status, response } = await send('GET', url, {
      ...{ ...options, headers, agents, what, timeoutMs: config.timeoutMs },
    });
    const { 'content-range': contentRange, 'content-length': contentLength } = response.headers;
    return { body: response, ...partOf({ isPart: status === 206, contentRange, contentLength }) };
  }

  async function find(blob: ObjectBlob, options: AskOptions): Promise<Entry> {
    const key = blobKey(blob);
    const entry = await api.find(key, options);
    if (entry?.key !== key) throw goneError(blob, where);
    return entry;
  }

  return {
    readIndexes: async ({ maxBytes, ...options }) => {
      const found: Uint8Array[] = [];
      for (const scope of config.readable) {
        const key = indexKey(scope);
        const entry = await api.find(`${key}#`, options);
        if (entry?.key.startsWith(`${key}#`) !== true) continue;
        const what = `the index ${key}`;
        found.push(await readAll((await download(entry, what, options)).body, what, maxBytes));
      }
      return found;
    },
    writeIndex: async (bytes, options) => {
      const key = indexKey(config.writable);
      let blockedMs = 0;
      for (;;) {
        const last = Number(NUMBERED.exec((await api.find(`${key}#`, options))?.key ?? '')?.[1] ?? 0);
        const past = blockedMs > BLOCKED_MS ? MAX_NUMBERS : 1;
        for (let number = last + 1; number <= last + past; number++) {
          try {
            const reserved = await api.reserve(`${key}#${number}`, options);
            await reserved.upload(chunkOf(bytes), bytes.length, options);
            return;
          } catch (error) {
            if (toCodedError(error).code !== 'already_exists') throw error;
          }
        }
        if (past > 1) throw new CodedError('unavailable', `the index ${key} is being written by others`);
        await delay(RETRY_BLOCKED_MS, undefined, options);
        blockedMs += RETRY_BLOCKED_MS;
      }
    },
    keepBlob: async (blob, options) => (await api.find(blobKey(blob), options))?.key === blobKey(blob),
    putBlob: async (blob, content, options) => {
      try {
        const reserved = await api.reserve(blobKey(blob), options);
        await reserved.upload(content, blob.size, options);
      } catch (error) {
        // Another builder is at it, or was while this one asked: the blob counts as there, as with BuildKit. If it never comes, a reader does without it.
        if (toCodedError(error).code !== 'already_exists') throw error;
      }
    },
    blobHost: (blob) => {
      const name = `blob ${blob.digest} in ${where}`;
      let known: Entry | undefined;
      return storeHost({
        name,
        open: async (range, { signal }) => {
          // What fails on the way is asked for again by who reads.
          const options = { signal, tries: 1 };
          if (known !== undefined)
            try {
              return await download(known, name, options, range);
            } catch (error) {
              // Addresses are signed for a while.
              if (!EXPIRED.has(toCodedError(error).code)) throw error;
            }
          known = await find(blob, options);
          return await download(known, name, options, range);
        },
      });
    },
  };
}

async function* chunkOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function first({ url, token, timeoutMs }: GhaConfig, agents: OutboundAgents): Api {
  const base = `${url}/_apis/artifactcache`;
  const call = async (method: string, path: string, what: string, body: Body, options: AskOptions) => {
    const headers = {
      authorization: `Bearer ${token}`,
      accept: 'application/json;api-version=6.0-preview.1',
      ...body.headers,
    };
    return await send(method, `${base}/${path}`, { ...options, headers, body: body.bytes, agents, what, timeoutMs });
  };
  return {
    find: async (key, options) => {
      const query = new URLSearchParams({ keys: key, version: VERSION });
      const answer = await call('GET', `cache?${query}`, `entry ${key}`, NO_BODY, options);
      if (answer.status === 204) {
        answer.response.resume();
        return undefined;
      }
      const { cacheKey, archiveLocation } = await answered(answer.response, entryV1, `entry ${key}`);
      return { key: cacheKey, url: archiveLocation };
    },
    reserve: async (key, options) => {
      const what = `the reservation of ${key}`;
      const answer = await call('POST', 'caches', what, jsonBody({ key, version: VERSION }), options);
      const { cacheId, cacheID } = await answered(answer.response, reservedV1, what);
      const id = cacheId ?? cacheID;
      if (id === undefined || id === 0) throw storeError(what, answer.status, 'it names no entry');
      return {
        upload: async (content, _size, { signal }) => {
          let at = 0;
          for await (const bytes of inChunks(content, CHUNK_BYTES)) {
            const headers = {
              'content-type': 'application/octet-stream',
              'content-range': `bytes ${at}-${at + bytes.length - 1}/*`,
            };
            const sent = await call('PATCH', `caches/${id}`, `the upload of ${key}`, { headers, bytes }, { signal });
            sent.response.resume();
            at += bytes.length;
          }
          const done = await call('POST', `caches/${id}`, `the end of ${key}`, jsonBody({ size: at }), { signal });
          done.response.resume();
        },
      };
    },
  };
}

function second({ url, token, timeoutMs }: GhaConfig, agents: OutboundAgents): Api {
  const call = async <T extends z.ZodType>(method: string, schema: T, args: object, options: AskOptions) => {
    const { headers, bytes } = jsonBody({ ...args, version: VERSION });
    const what = `${method} of the actions cache`;
    const { response } = await send('POST', `${url}/${TWIRP}/${method}`, {
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...{ ...options, body: bytes, agents, what, timeoutMs },
    });
    return await answered(response, schema, what);
  };
  return {
    find: async (key, options) => {
      const args = { key, restore_keys: [key] };
      const found = await call('GetCacheEntryDownloadURL', entryV2, args, options);
      return found.ok ? { key: found.matched_key, url: found.signed_download_url } : undefined;
    },
    reserve: async (key, options) => {
      const reserved = await call('CreateCacheEntry', reservedV2, { key }, options);
      if (!reserved.ok) {
        const what = `the reservation of ${key}`;
        if (saysConflict(reserved.message)) throw conflictError(what, reserved.message);
        throw storeError(what, undefined, reserved.message || 'it was refused');
      }
      return {
        upload: async (content, size, { signal }) => {
          const what = `the upload of ${key}`;
          // Blocks, and the list of them (Azure's Put Block and Put Block List).
          const put = async (query: string, body: Uint8Array) => {
            const { signed_upload_url: address } = reserved;
            const target = `${address}${address.includes('?') ? '&' : '?'}${query}`;
            const sent = await send('PUT', target, { headers: {}, body, signal, agents, what, timeoutMs });
            sent.response.resume();
          };
          const blocks: string[] = [];
          for await (const bytes of inChunks(content, CHUNK_BYTES)) {
            const id = Buffer.from(String(blocks.length).padStart(8, '0')).toString('base64');
            await put(`comp=block&blockid=${encodeURIComponent(id)}`, bytes);
            blocks.push(`<Latest>${id}</Latest>`);
          }
          const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${blocks.join('')}</BlockList>`;
          await put('comp=blocklist', Buffer.from(list));
          const ended = await call('FinalizeCacheEntryUpload', finishedV2, { key, size_bytes: size }, { signal });
          if (!ended.ok) throw storeError(`the end of ${key}`, undefined, ended.message || 'it was refused');
        },
      };
    },
  };
}

interface Body {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes?: Uint8Array;
}

const NO_BODY: Body = { headers: {} };

function jsonBody(value: object): Required<Body> {
  return { headers: { 'content-type': 'application/json' }, bytes: Buffer.from(JSON.stringify(value)) };
}

async function answered<T extends z.ZodType>(response: IncomingMessage, schema: T, what: string): Promise<z.output<T>> {
  const bytes = await readAll(response, what, MAX_ANSWER);
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch (error) {
    throw storeError(what, response.statusCode, 'the answer is not what it should be', { cause: error });
  }
}
