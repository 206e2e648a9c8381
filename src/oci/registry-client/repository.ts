import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type AbortOptions,
  CodedError,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  digestOf,
  isCancelled,
  isDigest,
  KeyedMutex,
} from '../../base/index.ts';
import { type DocumentOptions, readDocument } from '../../sys/index.ts';
import {
  type BlobAnswer,
  type BlobHost,
  downloadBlob,
  firstHost,
  mayWantNoRange,
  partOf,
  rangeHeader,
  type SegmentBudget,
  TransferError,
} from '../blob-download/index.ts';
import { encodeManifest, type ImageManifest, MAX_MANIFEST_BYTES, MEDIA_TYPE } from '../manifest/index.ts';
import {
  type BlobSource,
  STORED,
  type UploadOptions,
  type UploadOutcome,
  uploadBlob,
  uploadStream,
} from './blob-upload.ts';
import type { Caller } from './credentials.ts';
import type { Endpoint, RegistryCall } from './endpoint.ts';
import { RegistryError } from './errors.ts';
import { fallbackTag, LISTED, NO_REFERRERS, NOT_SERVED, WITH_REFERRER } from './referrers.ts';
import { verdictOf } from './retry.ts';
import type { TagMemo } from './tag-memo.ts';
import { discard, parseJson, readBody } from './transport.ts';

const ACCEPT_MANIFESTS = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.dockerList,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerManifest,
  '*/*;q=0.1',
].join(', ');

/** Bytes of a document that is read as a whole to find out what it is. */
const MOST_AT_ONCE = 64 << 10;
const HEAD = 4 << 10;
/** A media type after nothing but members that are texts or numbers. */
const TYPE_FIRST = /^\s*\{(?:\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|\d+)\s*,)*?\s*"mediaType"\s*:\s*"([^"\\]*)"/;
/** Content types that file servers and lax registries give, which say nothing of a manifest: what it says itself counts. */
const UNTOLD = new Set(['', 'application/json', 'text/plain', 'application/octet-stream', 'binary/octet-stream']);

const MAX_TAGS = 100_000;
/** Lists of referrers that are being written by this process: each is read, changed and written back. */
const LISTS = new KeyedMutex();
/** At a list of referrers that others write, too. */
const MAX_LIST_LOOKS = 6;

interface Manifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

interface ManifestOptions extends AbortOptions {
  readonly maxBytes?: number;
  /** Asks the registry itself, as who goes on from what is there must: a mirror may be behind. */
  readonly authoritative?: boolean;
}

interface RepositoryOptions {
  readonly origin: Endpoint;
  readonly mirrors: readonly Endpoint[];
  readonly path: string;
  readonly caller: Caller;
  /** Whether it was asked for as insecure. */
  readonly insecure: boolean;
  /** Id of what connections to it trust, where that is one build's own. */
  readonly trust: string | undefined;
  readonly tags: TagMemo;
  readonly segments: SegmentBudget;
}

/** Addresses of a blob that are asked. */
const MAX_URLS = 5;

/** One repository of a registry, seen with one identity. Pulls try the mirrors first; all that changes goes to the registry itself. */
export class Repository {
  readonly host: string;
  readonly path: string;
  readonly #origin: Endpoint;
  readonly #mirrors: readonly Endpoint[];
  readonly #caller: Caller;

  readonly #insecure: boolean;
  readonly #trust: string | undefined;
  readonly #tags: TagMemo;
  readonly #segments: SegmentBudget;

  constructor({ origin, mirrors, path, caller, insecure, trust, tags, segments }: RepositoryOptions) {
    this.host = origin.host;
    this.path = path;
    this.#origin = origin;
    this.#mirrors = mirrors;
    this.#caller = caller;
    this.#insecure = insecure;
    this.#trust = trust;
    this.#tags = tags;
    this.#segments = segments;
  }

  /** What a tag or digest names now. @throws not_found */
  async resolve(reference: string, options: AbortOptions): Promise<Descriptor> {
    return isDigest(reference)
      ? await this.#resolve(reference, options)
      : await this.#resolveTag(reference, options, true);
  }

  /** What a tag names, or named at most the client's `tagMaxAgeMs` ago. @throws not_found */
  async resolveRecent(tag: string, options: AbortOptions): Promise<Descriptor> {
    return await this.#resolveTag(tag, options, false);
  }

  async #resolveTag(tag: string, options: AbortOptions, fresh: boolean): Promise<Descriptor> {
    const hosts = [...this.#mirrors, this.#origin];
    const asked = { ...options, scopes: this.#scopes('pull') };
    const identities = () => Promise.all(hosts.map((host) => host.identity(this.#caller.credentials, asked)));
    return await this.#tags.resolve(this.#tagName(tag, this.#insecure), {
      signal: options.signal,
      fresh,
      identity: async () => (await identities()).join(' '),
      ask: async () => {
        const descriptor = await this.#resolve(tag, options);
        return { descriptor, isPrivate: hosts.some((host) => host.isPrivate(this.#caller.credentials)) };
      },
    });
  }

  /** By HEAD, or by GET where the registry's HEAD says too little. */
  async #resolve(reference: string, options: AbortOptions): Promise<Descriptor> {
    return await this.#pull(options, async (endpoint) => {
      let response: Awaited<ReturnType<Endpoint['request']>>;
      try {
        response = await endpoint.request(this.#manifestCall('HEAD', reference, 'pull'), this.#caller, options);
      } catch (error) {
        if (!(error instanceof RegistryError) || error.status === 429 || error.status >= 500) throw error;
        // A mirror is believed. Not every registry serves HEAD, and none says by it why it refuses.
        if (endpoint !== this.#origin && [401, 403, 404].includes(error.status)) throw error;
        return (await this.#getManifest(endpoint, reference, options)).descriptor;
      }
      discard(response);
      const digest = isDigest(reference) ? reference : response.headers['docker-content-digest'];
      const mediaType = mediaTypeOf(response.headers['content-type']);
      const size = Number(response.headers['content-length'] ?? Number.NaN);
      const says = !UNTOLD.has(mediaType) && Number.isSafeInteger(size) && size > 0;
      if (typeof digest === 'string' && isDigest(digest) && says) return { mediaType, digest, size };
      return (await this.#getManifest(endpoint, reference, options)).descriptor;
    });
  }

  /** A manifest by tag or digest, verified against the digest. @throws resource_exhausted above `maxBytes` (8 MiB when absent) */
  async getManifest(reference: string, options: ManifestOptions): Promise<Manifest> {
    if (options.authoritative === true) return await this.#getManifest(this.#origin, reference, options);
    return await this.#pull(options, (endpoint) => this.#getManifest(endpoint, reference, options));
  }

  async #getManifest(
    endpoint: Endpoint,
    reference: string,
    options: AbortOptions & { readonly maxBytes?: number },
  ): Promise<Manifest> {
    const call = this.#manifestCall('GET', reference, 'pull');
    const response = await endpoint.request(call, this.#caller, options).catch((error: unknown) => {
      throw error instanceof RegistryError && error.status === 404 ? this.#notFound(reference, error) : error;
    });
    const bytes = await readBody(
      response,
      options.maxBytes ?? MAX_MANIFEST_BYTES,
      `the manifest ${this.#name(reference)}`,
      options,
    );
    const said = response.headers['docker-content-digest'];
    const wanted = isDigest(reference)
      ? reference
      : typeof said === 'string' && isDigest(said)
        ? said
        : digestOf(bytes);
    if (!digestMatches(bytes, wanted))
      throw CodedError.of(
        'OCI_DIGEST_MISMATCH',
        `the manifest ${this.#name(reference)} is not what its digest ${wanted} says`,
        { hint: 'the registry or something between changed it' },
      );
    let mediaType = mediaTypeOf(response.headers['content-type']);
    if (UNTOLD.has(mediaType)) {
      const inner = mediaTypeInside(bytes);
      if (inner !== undefined) mediaType = inner;
    }
    return { descriptor: { mediaType, digest: wanted, size: bytes.length }, bytes };
  }

  /** Size of a blob in bytes, or undefined when the repository does not hold it. */
  async hasBlob(digest: Digest, options: AbortOptions): Promise<{ readonly size: number } | undefined> {
    try {
      const response = await this.#origin.request(
        { method: 'HEAD', target: `${this.path}/blobs/${digest}`, expect: [200], scopes: this.#scopes('pull') },
        this.#caller,
        options,
      );
      discard(response);
      return { size: Number(response.headers['content-length'] ?? 0) };
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    }
  }

  /**
   * A blob's bytes from `offset`, from the mirrors or the registry. Goes on after cut connections, with the next host where one fails for good; ends only after exactly the descriptor's size. The digest is not checked here:
   * give the stream to something that does, or use {@link getBlob}. Cancel the stream or abort the signal to let go.
   */
  async openBlob(
    descriptor: Descriptor,
    options: AbortOptions & { readonly offset?: number },
  ): Promise<ReadableStream<Uint8Array>> {
    const permit = await this.#origin.pull(this.#caller.credentials, options);
    return await downloadBlob({
      signal: options.signal,
      size: descriptor.size,
      offset: options.offset ?? 0,
      hosts: [
        ...[...this.#mirrors, this.#origin].map((endpoint) => this.#blobHost(endpoint, descriptor)),
        ...(descriptor.urls ?? []).slice(0, MAX_URLS).map((url) => this.#elsewhere(url)),
      ],
      state: firstHost(),
      told: this.#caller.told,
      logger: this.#origin.options.logger,
      room: () => this.#segments.take(),
      onClose: () => permit[Symbol.dispose](),
    });
  }

  #blobHost(endpoint: Endpoint, { digest }: Descriptor): BlobHost {
    const call: RegistryCall = {
      method: 'GET',
      target: `${this.path}/blobs/${digest}`,
      expect: [200, 206],
      scopes: this.#scopes('pull'),
    };
    return this.#registryHost(endpoint.host, endpoint, () => call);
  }

  /** Where a descriptor says that the blob is to be had: asked without credentials, by the rules for redirects. */
  #elsewhere(url: string): BlobHost {
    const origin = this.#origin;
    return this.#registryHost(URL.parse(url)?.host ?? url, origin, () => ({
      method: 'GET',
      target: origin.locate(url, origin.urlOf('')),
      expect: [200, 206],
      scopes: [],
    }));
  }

  #registryHost(name: string, endpoint: Endpoint, call: () => RegistryCall): BlobHost {
    return {
      ...{ name, retry: endpoint.options.retry },
      open: async (range, options) => {
        const headers = range === undefined ? {} : { range: rangeHeader(range) };
        return answered(await endpoint.requestOnce({ ...call(), headers }, this.#caller, options));
      },
      judge: (error) => ({
        ...verdictOf(error),
        noRanges: error instanceof RegistryError && mayWantNoRange(error.status),
      }),
      failure: (message, cause) => {
        const isCut = cause instanceof TransferError && cause.passes;
        return CodedError.of(isCut ? 'REGISTRY_CUT' : 'REGISTRY_CONNECTION', message, { cause });
      },
    };
  }

  /** A small blob in memory, verified. @throws resource_exhausted above `maxBytes`, data_loss when it is not what it says */
  async getBlob(descriptor: Descriptor, options: AbortOptions & { readonly maxBytes: number }): Promise<Uint8Array> {
    if (descriptor.size > options.maxBytes)
      throw CodedError.of(
        'REGISTRY_TOO_LARGE',
        `the blob ${descriptor.digest} is larger than ${options.maxBytes} bytes`,
      );
    const chunks: Uint8Array[] = [];
    for await (const chunk of await this.openBlob(descriptor, options)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (!digestMatches(bytes, descriptor.digest)) throw blobMismatch(descriptor);
    return bytes;
  }

  /** Puts a blob there unless it is: looks, mounts from other repositories of the registry, uploads. */
  async pushBlob(source: BlobSource, options: UploadOptions): Promise<UploadOutcome> {
    if (await this.#present(source.digest, options)) return 'exists';
    return await uploadBlob(this.#uploadTarget(), source, options);
  }

  /** Uploads content whose size and digest are known only at its end. */
  async pushStream(
    stream: ReadableStream<Uint8Array>,
    digest: () => Digest | Promise<Digest>,
    options: UploadOptions,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    return await uploadStream(this.#uploadTarget(), stream, digest, options);
  }

  /** Whether the blob is there already, asked with the right to push so that one token serves all. */
  async #present(digest: Digest, options: AbortOptions): Promise<boolean> {
    try {
      const response = await this.#origin.request(
        { method: 'HEAD', target: `${this.path}/blobs/${digest}`, expect: [200], scopes: this.#scopes('pull,push') },
        this.#caller,
        options,
      );
      discard(response);
      return true;
    } catch (error) {
      // One who may push but not pull is refused here with 403.
      if (error instanceof RegistryError && (error.status === 404 || error.status === 403)) return false;
      throw error;
    }
  }

  #uploadTarget() {
    return {
      endpoint: this.#origin,
      path: this.path,
      caller: this.#caller,
      scopes: this.#scopes('pull,push'),
    };
  }

  /** Puts a manifest under a tag, or under its digest alone. */
  async putManifest(
    reference: string,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
    options: AbortOptions,
  ): Promise<Descriptor> {
    return (await this.#putManifest(reference, manifest, options)).descriptor;
  }

  async #putManifest(
    reference: string,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
    options: AbortOptions,
  ) {
    const digest = isDigest(reference) ? reference : digestOf(manifest.bytes);
    using _changed = this.#changing(reference);
    const response = await this.#origin.request(
      {
        ...this.#manifestCall('PUT', reference, 'pull,push'),
        headers: { 'content-type': manifest.mediaType },
        body: manifest.bytes,
        expect: STORED,
      },
      this.#caller,
      options,
    );
    discard(response);
    const { headers } = response;
    const said = headers['docker-content-digest'];
    if (said !== undefined && said !== digest)
      throw CodedError.of(
        'OCI_DIGEST_MISMATCH',
        `the registry stored ${this.#name(reference)} as ${said}, not ${digest}`,
      );
    return { descriptor: { mediaType: manifest.mediaType, digest, size: manifest.bytes.length }, headers };
  }

  /**
   * Puts a manifest that has a subject, by its digest. A registry that does not say that it has taken notice of the subject lists no referrers: then the list is kept under the fallback tag, as the distribution-spec (1.1)
   * leaves it to clients; those replaced are not on it any more.
   */
  async putReferrer(
    manifest: ImageManifest & { readonly subject: Descriptor },
    options: DocumentOptions & { readonly replaced: readonly Digest[] },
  ): Promise<Descriptor> {
    const { bytes } = encodeManifest(manifest);
    const { mediaType, artifactType, annotations, subject } = manifest;
    const { descriptor, headers } = await this.#putManifest(digestOf(bytes), { mediaType, bytes }, options);
    if (headers['oci-subject'] !== undefined) return descriptor;
    const entry = {
      ...descriptor,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    };
    const tag = fallbackTag(subject.digest);
    using _alone = await LISTS.acquire(this.#name(tag), options);
    // Nothing keeps other builders from writing it meanwhile but to look what came of it.
    for (let look = 0; look < MAX_LIST_LOOKS; look++) {
      const found = (await this.#fallbackReferrers(subject.digest, options)) ?? NO_REFERRERS;
      const args = { bytes: found, entry, replaced: options.replaced };
      const list = await readDocument(found.length, WITH_REFERRER, args, options);
      if (list === undefined) return descriptor;
      await this.putManifest(tag, list, options);
    }
    throw CodedError.of(
      'REGISTRY_BODY',
      `the list of referrers ${this.#name(tag)} did not stay as it was written ${MAX_LIST_LOOKS} times`,
      { hint: 'others write it at the same time: try again' },
    );
  }

  /** Removes a tag or manifest; whether it was there. */
  async deleteManifest(reference: string, options: AbortOptions): Promise<boolean> {
    using _changed = this.#changing(reference);
    try {
      const call = { ...this.#manifestCall('DELETE', reference, 'delete'), expect: [200, 202, 204] };
      discard(await this.#origin.request(call, this.#caller, options));
      return true;
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return false;
      throw error;
    }
  }

  /** Takes a blob out of the repository; whether it was there. Nothing looks whether something needs it. */
  async deleteBlob(digest: Digest, options: AbortOptions): Promise<boolean> {
    const target = `${this.path}/blobs/${digest}`;
    try {
      const call = { method: 'DELETE' as const, target, expect: [200, 202, 204], scopes: this.#scopes('delete') };
      discard(await this.#origin.request(call, this.#caller, options));
      return true;
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return false;
      throw error;
    }
  }

  /** Manifests that name this one as their subject; by the referrers API, else by the fallback tag (distribution-spec 1.1). */
  async referrers(
    digest: Digest,
    options: DocumentOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]> {
    const filter = options.artifactType;
    const query = filter === undefined ? '' : `?artifactType=${encodeURIComponent(filter)}`;
    const found: Descriptor[] = [];
    let target: string | URL | undefined = `${this.path}/referrers/${digest}${query}`;
    for (let page = 0; target !== undefined && page < 100; page++) {
      let bytes: Uint8Array;
      try {
        const response = await this.#origin.request(
          {
            method: 'GET',
            target,
            headers: { accept: MEDIA_TYPE.ociIndex },
            expect: [200],
            scopes: this.#scopes('pull'),
          },
          this.#caller,
          options,
        );
        bytes = await readBody(response, MAX_MANIFEST_BYTES, 'the list of referrers', options);
        target = this.#nextPage(response.headers.link, target);
      } catch (error) {
        if (!(error instanceof RegistryError) || !NOT_SERVED.has(error.status)) throw error;
        bytes = (await this.#fallbackReferrers(digest, options)) ?? NO_REFERRERS;
        target = undefined;
      }
      const listed = await readDocument(bytes.length, LISTED, { bytes, artifactType: options.artifactType }, options);
      for (const one of listed) found.push(one);
    }
    return found;
  }

  async #fallbackReferrers(digest: Digest, options: AbortOptions): Promise<Uint8Array | undefined> {
    try {
      return (await this.#getManifest(this.#origin, fallbackTag(digest), options)).bytes;
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** All tags, at most 100,000. @throws not_found for an unknown repository */
  async tags(options: AbortOptions): Promise<readonly string[]> {
    const tags: string[] = [];
    let target: string | URL | undefined = `${this.path}/tags/list?n=1000`;
    while (target !== undefined && tags.length < MAX_TAGS) {
      const response = await this.#origin.request(
        { method: 'GET', target, expect: [200], scopes: this.#scopes('pull') },
        this.#caller,
        options,
      );
      const body = parseJson(await readBody(response, MAX_MANIFEST_BYTES, 'the list of tags', options)) as {
        tags?: unknown;
      };
      const page = Array.isArray(body?.tags) ? body.tags.filter((tag) => typeof tag === 'string') : [];
      tags.push(...page);
      target = page.length === 0 ? undefined : this.#nextPage(response.headers.link, target);
    }
    return tags;
  }

  /** The URL of a Link header's rel="next" (RFC 8288), on this registry only. */
  #nextPage(header: string | string[] | undefined, target: string | URL): URL | undefined {
    const match = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(String(header ?? ''));
    return match === null ? undefined : this.#origin.locate(match[1], this.#origin.urlOf(target));
  }

  /** What is known of a tag counts no more once the change is over, however it ended: the registry may have made it. */
  #changing(reference: string): Disposable {
    return {
      [Symbol.dispose]: () => {
        if (!isDigest(reference))
          for (const insecure of [true, false]) this.#tags.forget(this.#tagName(reference, insecure));
      },
    };
  }

  /** What was told over a connection that nobody vouches for, or one build alone does, is not for those who want to be sure. */
  #tagName(tag: string, insecure: boolean): string {
    return `${insecure ? 'insecure ' : ''}${this.#trust === undefined ? '' : `${this.#trust} `}${this.host}/${this.path}:${tag}`;
  }

  #manifestCall(method: 'GET' | 'HEAD' | 'PUT' | 'DELETE', reference: string, action: string): RegistryCall {
    return {
      method,
      target: `${this.path}/manifests/${reference}`,
      headers: { accept: ACCEPT_MANIFESTS },
      expect: [200],
      scopes: this.#scopes(action),
    };
  }

  #scopes(action: string): readonly string[] {
    return [`repository:${this.path}:${action}`];
  }

  /** Told by the name that was asked for, whatever the registry calls it. */
  #notFound(reference: string, { status, url, said, diagnostics }: RegistryError): RegistryError {
    const why = said === '' ? '' : ` (${said})`;
    return new RegistryError('not_found', `${this.#name(reference)}: not found${why}`, {
      ...{ status, url, said, diagnostics },
      reason: 'REGISTRY_REFUSED',
    });
  }

  #name(reference: string): string {
    return `${this.host}/${this.path}${isDigest(reference) ? '@' : ':'}${reference}`;
  }

  /** Mirrors in order, then the registry, whose error is the one that counts. */
  async #pull<T>({ signal }: AbortOptions, work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    for (const mirror of this.#mirrors) {
      try {
        return await work(mirror);
      } catch (error) {
        signal.throwIfAborted();
        if (isCancelled(error)) throw error;
        mirror.options.logger.info('a mirror failed, the next host is asked', { host: mirror.host, err: error });
      }
    }
    return await work(this.#origin);
  }
}

function mediaTypeOf(header: string | undefined): string {
  return (header ?? '').split(';')[0]?.trim() ?? '';
}

/** Of a long document as far as its beginning tells. */
function mediaTypeInside(bytes: Uint8Array): string | undefined {
  if (bytes.length > MOST_AT_ONCE) return TYPE_FIRST.exec(Buffer.from(bytes.subarray(0, HEAD)).toString())?.[1];
  const { mediaType } = (parseJson(bytes) ?? {}) as { mediaType?: unknown };
  return typeof mediaType === 'string' ? mediaType : undefined;
}

function digestMatches(bytes: Uint8Array, digest: Digest): boolean {
  return createHash(digestAlgorithm(digest)).update(bytes).digest('hex') === digestHex(digest);
}

function blobMismatch(descriptor: Descriptor): CodedError {
  return CodedError.of('OCI_DIGEST_MISMATCH', `the blob ${descriptor.digest} is not what its digest says`, {
    hint: 'the registry or something between changed it',
  });
}

function answered(body: IncomingMessage): BlobAnswer {
  const { 'content-range': contentRange, 'content-length': contentLength } = body.headers;
  return { body, ...partOf({ isPart: body.statusCode === 206, contentRange, contentLength }) };
}
