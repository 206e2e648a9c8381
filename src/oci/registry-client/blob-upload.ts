import type { IncomingMessage } from 'node:http';
import { type AbortOptions, CodedError, type Digest } from '../../base/index.ts';
import type { Caller } from './credentials.ts';
import { type Endpoint, type RegistryCall, urlOf } from './endpoint.ts';
import { RegistryError } from './errors.ts';
import { withRetry } from './retry.ts';
import { discard } from './transport.ts';

/** A blob to push whose digest and size (bytes) are known. */
export interface BlobSource {
  readonly digest: Digest;
  readonly size: number;
  /** Opens the content from its beginning; called again for every new attempt unless `once`. */
  open(options: AbortOptions): Promise<ReadableStream<Uint8Array>>;
  /** The content can be read one time only, so an upload cut in the middle is not tried again. */
  readonly once?: boolean;
}

export interface UploadOptions extends AbortOptions {
  /** Repositories of the same registry that may hold the blob: it is mounted from there and no byte moves. */
  readonly mountFrom?: readonly string[];
  readonly onProgress?: (sent: number) => void;
}

export type UploadOutcome = 'exists' | 'mounted' | 'uploaded';

interface Target {
  readonly endpoint: Endpoint;
  readonly path: string;
  readonly caller: Caller;
  readonly scopes: readonly string[];
}

/** What registries say once they have it: 201 by the specification, the others are met as well. */
export const STORED: readonly number[] = [200, 201, 202, 204];
/** An upload that has begun, likewise. */
const BEGUN: readonly number[] = [200, 202, 204];
const MOVED: readonly number[] = [307, 308];
const MAX_REDIRECTS = 5;

const OCTETS = { 'content-type': 'application/octet-stream' };
/** Chunk of an upload of unknown size, held in memory so that it can be sent again. */
const CHUNK = 8 << 20;

/** Puts a blob into a repository by POST and one PUT, unless it is there or can be mounted. One that was cut goes on where the registry says that it was. */
export async function uploadBlob(target: Target, source: BlobSource, options: UploadOptions): Promise<UploadOutcome> {
  const { endpoint, path, caller, scopes } = target;
  const { signal } = options;
  for (const from of options.mountFrom ?? []) {
    if (from === path) continue;
    const query = `mount=${encodeURIComponent(source.digest)}&from=${encodeURIComponent(from)}`;
    const response = await mount(target, `${path}/blobs/uploads/?${query}`, from, { signal });
    if (response === undefined) continue;
    discard(response);
    if (response.statusCode === 201) return 'mounted';
    await cancelUpload(target, response, { signal });
  }
  using _permit = await endpoint.push(caller.credentials, { signal });
  let consumed = false;
  let begun: URL | undefined;
  await withRetry(
    endpoint.options.retry,
    endpoint.options.logger,
    { signal, replayable: () => source.once !== true || !consumed, told: caller.told },
    async () => {
      const cut = begun;
      begun = undefined;
      if (cut !== undefined) {
        const keep = (location: URL) => {
          begun = location;
        };
        if (await sendRest(target, cut, source, { ...options, keep })) return;
      }
      begun = await beginUpload(target, { signal });
      let location = withDigest(begun, source.digest);
      for (let hops = 0; ; hops++) {
        const stream = await source.open({ signal });
        consumed = true;
        try {
          const body =
            source.size === 0 ? new Uint8Array() : { length: source.size, stream, onProgress: options.onProgress };
          const mayMove = source.once !== true && hops < MAX_REDIRECTS;
          const expect = mayMove ? [...STORED, ...MOVED] : STORED;
          const call: RegistryCall = { method: 'PUT', target: location, headers: OCTETS, body, expect, scopes };
          const response = await endpoint.requestOnce(call, caller, { signal });
          discard(response);
          if (!MOVED.includes(response.statusCode ?? 0)) return;
          location = endpoint.locate(response.headers.location, urlOf(response));
        } finally {
          // The transport lets go of the stream on every path; this one was perhaps never given to it.
          if (!stream.locked) await stream.cancel().catch(() => {});
        }
      }
    },
  );
  return 'uploaded';
}

/**
 * Sends what the registry has not of an upload that was cut, and ends it. False where it knows nothing of it, has nothing, or takes no parts: then it begins anew.
 * `keep` is told where it lies now, should it be cut again.
 */
async function sendRest(
  target: Target,
  cut: URL,
  source: BlobSource,
  { signal, onProgress, keep }: UploadOptions & { readonly keep: (location: URL) => void },
): Promise<boolean> {
  const { endpoint, caller, scopes } = target;
  try {
    let { location, have } = await uploadState(target, cut, { signal });
    if (have === 0 || have > source.size) return false;
    keep(location);
    if (have < source.size) {
      const stream = await source.open({ signal });
      try {
        const body = {
          length: source.size - have,
          stream: ReadableStream.from(after(stream, have)),
          onProgress: (sent: number) => onProgress?.(have + sent),
        };
        const headers = { ...OCTETS, 'content-range': `${have}-${source.size - 1}` };
        const call: RegistryCall = { method: 'PATCH', target: location, headers, body, expect: STORED, scopes };
        const response = await endpoint.requestOnce(call, caller, { signal });
        discard(response);
        if (response.headers.location !== undefined)
          location = endpoint.locate(response.headers.location, urlOf(response));
      } finally {
        if (!stream.locked) await stream.cancel().catch(() => {});
      }
    }
    const end: RegistryCall = {
      method: 'PUT',
      target: withDigest(location, source.digest),
      headers: OCTETS,
      expect: STORED,
      scopes,
    };
    discard(await endpoint.requestOnce(end, caller, { signal }));
    return true;
  } catch (error) {
    if (error instanceof RegistryError && error.status >= 400 && error.status < 500 && error.status !== 429)
      return false;
    throw error;
  }
}

/** A stream without its first bytes. */
async function* after(stream: ReadableStream<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of stream) {
    const rest = chunk.subarray(Math.min(left, chunk.length));
    left -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}

/** How many bytes a registry has of an upload, and where it goes on. */
async function uploadState(
  { endpoint, caller, scopes }: Target,
  upload: URL,
  options: AbortOptions,
): Promise<{ readonly location: URL; readonly have: number }> {
  const call: RegistryCall = { method: 'GET', target: upload, expect: [200, 204], scopes };
  const response = await endpoint.requestOnce(call, caller, options);
  discard(response);
  const { location, range = '' } = response.headers;
  const held = /^(?:bytes=)?0-(\d+)$/.exec(range);
  return {
    location: location === undefined ? upload : endpoint.locate(location, urlOf(response)),
    // "0-0" is how registries say both nothing and one byte; chunks are never one byte long.
    have: held === null || held[1] === '0' ? 0 : Number(held[1]) + 1,
  };
}

/** A refusal (no right to read the other repository) only means that the bytes are sent. */
async function mount(
  target: Target,
  path: string,
  from: string,
  options: AbortOptions,
): Promise<IncomingMessage | undefined> {
  try {
    return await target.endpoint.request(
      {
        method: 'POST',
        target: path,
        expect: [201, ...BEGUN],
        scopes: [...target.scopes, `repository:${from}:pull`],
      },
      target.caller,
      options,
    );
  } catch (error) {
    if (error instanceof RegistryError && error.status >= 400 && error.status < 500) return undefined;
    throw error;
  }
}

async function beginUpload({ endpoint, path, caller, scopes }: Target, options: AbortOptions): Promise<URL> {
  const target = `${path}/blobs/uploads/`;
  const response = await endpoint.requestOnce({ method: 'POST', target, expect: BEGUN, scopes }, caller, options);
  discard(response);
  return endpoint.locate(response.headers.location, urlOf(response));
}

async function cancelUpload(target: Target, begun: IncomingMessage, options: AbortOptions): Promise<void> {
  const { endpoint, caller, scopes } = target;
  try {
    const location = endpoint.locate(begun.headers.location, urlOf(begun));
    discard(
      await endpoint.requestOnce(
        { method: 'DELETE', target: location, expect: [200, 202, 204], scopes },
        caller,
        options,
      ),
    );
  } catch {
    options.signal.throwIfAborted();
    // The registry lets it expire.
  }
}

/** The query of a Location is the registry's own: it is extended, never written anew. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/**
 * Puts a blob of unknown size by PATCH, 8 MiB at a time. A chunk is kept until it is acknowledged, so a cut connection costs at most one.
 * `digest` is asked once the stream has ended. Returns the size in bytes.
 */
export async function uploadStream(
  target: Target,
  stream: ReadableStream<Uint8Array>,
  digest: () => Digest | Promise<Digest>,
  options: UploadOptions,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const { endpoint, path, caller, scopes } = target;
  const { signal } = options;
  using _permit = await endpoint.push(caller.credentials, { signal });
  const begin = `${path}/blobs/uploads/`;
  const begun = await endpoint.request({ method: 'POST', target: begin, expect: BEGUN, scopes }, caller, {
    signal,
  });
  discard(begun);
  let location = endpoint.locate(begun.headers.location, urlOf(begun));
  const least = Number(begun.headers['oci-chunk-min-length'] ?? 0);
  const chunkSize = Math.min(Math.max(CHUNK, Number.isSafeInteger(least) ? least : 0), 256 << 20);
  let offset = 0;

  const sendChunk = async (chunk: Uint8Array) => {
    let rest = chunk;
    let resumed = false;
    await withRetry(endpoint.options.retry, endpoint.options.logger, { signal, told: caller.told }, async () => {
      if (resumed) {
        const { have, ...state } = await uploadState(target, location, { signal });
        location = state.location;
        if (have < offset || have > offset + rest.length)
          throw new CodedError('unavailable', `the registry lost the upload (it has ${have} of ${offset} bytes)`);
        rest = rest.subarray(have - offset);
        offset = have;
      }
      resumed = true;
      if (rest.length === 0) return;
      const headers = { ...OCTETS, 'content-range': `${offset}-${offset + rest.length - 1}` };
      const response = await endpoint.requestOnce(
        { method: 'PATCH', target: location, headers, body: rest, expect: STORED, scopes },
        caller,
        { signal },
      );
      discard(response);
      if (response.headers.location !== undefined)
        location = endpoint.locate(response.headers.location, urlOf(response));
      offset += rest.length;
      rest = rest.subarray(rest.length);
    });
    options.onProgress?.(offset);
  };

  try {
    for await (const chunk of rechunk(stream, chunkSize)) await sendChunk(chunk);
    const final = await digest();
    const response = await endpoint.request(
      { method: 'PUT', target: withDigest(location, final), headers: OCTETS, expect: STORED, scopes },
      caller,
      { signal },
    );
    discard(response);
    return { digest: final, size: offset };
  } finally {
    if (!stream.locked) await stream.cancel().catch(() => {});
  }
}

/** The same bytes in pieces of exactly `size`, the last one shorter. Each piece is a buffer of its own. */
async function* rechunk(stream: ReadableStream<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let buffer = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, size - filled);
      buffer.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === size) {
        yield buffer;
        buffer = Buffer.allocUnsafe(size);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
