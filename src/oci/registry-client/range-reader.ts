import type { IncomingMessage } from 'node:http';
import { type AbortOptions, CodedError, type Logger, sleep, transportWords } from '../../base/index.ts';
import type { Caller } from './credentials.ts';
import { RegistryError } from './errors.ts';
import { delayBefore, type RetryPolicy, tellWait } from './retry.ts';

/** Progress after which a cut connection gets its full number of retries again. */
const RESET_AFTER = 1 << 20;
/** So long a host may take for that many bytes, in ms: one that drips is left as one that hangs is. */
const MOST_PER_RESET_MS = 300_000;
/** What servers say that want no Range, instead of leaving it out of account. */
const NO_RANGES: ReadonlySet<number> = new Set([400, 416, 501]);

/** A host that may have the blob. */
export interface BlobHost {
  readonly name: string;
  readonly retry: RetryPolicy;
  /** One attempt: 200 is the whole blob, 206 what the Range header asked for. */
  open(headers: Readonly<Record<string, string>>, options: AbortOptions): Promise<IncomingMessage>;
}

/** What the readers of one blob have found out of its hosts. */
interface HostState {
  /** The first that has not failed for good. */
  host: number;
  /** Whether it serves ranges, as far as is known. */
  ranges: boolean;
}

/** Where a download begins. */
export const firstHost = (): HostState => ({ host: 0, ranges: true });

export interface BlobDownload extends AbortOptions {
  /** Bytes of the blob. */
  readonly size: number;
  /** Asked in order: one that fails for good, also in the middle, is left for the next. */
  readonly hosts: readonly BlobHost[];
  readonly state: HostState;
  readonly told: Caller['told'];
  readonly logger: Logger;
}

/**
 * Reads the bytes of a blob from `from` up to `to`. After a cut connection it goes on where it was, with the same host or, where that fails for good, with the
 * next. Memory: one chunk.
 */
export class RangeReader implements Disposable {
  readonly #download: BlobDownload;
  #position: number;
  #to: number;
  #host: number;
  #retries = 0;
  #progressMark: number;
  /** Waited for the host since then, in ms. */
  #waitedMs = 0;
  #current: { readonly response: IncomingMessage; readonly chunks: AsyncIterator<Buffer> } | undefined;

  constructor(download: BlobDownload, from: number, to: number) {
    this.#download = download;
    this.#position = from;
    this.#progressMark = from;
    this.#to = to;
    this.#host = download.state.host;
  }

  /** Makes the first connection, so that a missing blob is told at once. @returns whether the host serves ranges; else the reader goes on to the blob's end */
  async open(): Promise<boolean> {
    await this.#working(() => this.#connect());
    const { state, size } = this.#download;
    if (!state.ranges) this.#to = size;
    return state.ranges;
  }

  /** The next chunk, or undefined at the end. @throws CodedError when no host has it whole, or one says another size */
  async next(): Promise<Uint8Array | undefined> {
    return await this.#working(async () => {
      if (this.#position === this.#to && this.#current === undefined && this.#to > 0) return undefined;
      if (this.#current === undefined) await this.#connect();
      const { size } = this.#download;
      const result = await this.#waitFor(this.#current!.chunks.next());
      if (result.done !== true) {
        const chunk = result.value.subarray(0, this.#to - this.#position);
        if (chunk.length < result.value.length && this.#to === size) throw this.#wrongSize('more came');
        this.#position += chunk.length;
        if (this.#position === this.#to && this.#to < size) this.#let();
        if (this.#position - this.#progressMark >= RESET_AFTER) {
          this.#retries = 0;
          this.#waitedMs = 0;
          this.#progressMark = this.#position;
        }
        return chunk;
      }
      if (this.#position === this.#to) {
        this.#let();
        return undefined;
      }
      throw CodedError.of('REGISTRY_CUT', `after ${this.#position} of ${size} bytes: unexpected EOF`);
    });
  }

  [Symbol.dispose](): void {
    this.#let();
  }

  #let(): void {
    this.#current?.response.destroy();
    this.#current = undefined;
  }

  async #working<T>(work: () => Promise<T>): Promise<T> {
    const { signal, hosts, state, size, told, logger } = this.#download;
    for (;;) {
      try {
        signal.throwIfAborted();
        return await work();
      } catch (error) {
        this.#let();
        signal.throwIfAborted();
        const host = hosts[this.#host]!;
        if (state.ranges && error instanceof RegistryError && NO_RANGES.has(error.status)) {
          state.ranges = false;
          continue;
        }
        const wait = delayBefore(host.retry, this.#retries++, error);
        if (wait === undefined && this.#host + 1 < hosts.length) {
          // Another reader of the blob may have left it already.
          if (state.host === this.#host) {
            logger.info('a mirror failed, the next host is asked', { host: host.name, err: error });
            state.host++;
          }
          continue;
        }
        if (wait === undefined)
          throw error instanceof CodedError
            ? error
            : CodedError.of(
                'REGISTRY_CONNECTION',
                `after ${this.#position} of ${size} bytes: ${transportWords(error)}`,
                { cause: error },
              );
        tellWait(told, error, wait);
        await sleep(wait, { signal });
      }
    }
  }

  async #connect(): Promise<void> {
    const { size, hosts, state, signal } = this.#download;
    if (this.#host !== state.host) {
      this.#host = state.host;
      this.#retries = 0;
      this.#waitedMs = 0;
    }
    const isPart = state.ranges && (this.#position > 0 || this.#to < size);
    const last = this.#to < size ? `${this.#to - 1}` : '';
    const headers: Record<string, string> = isPart ? { range: `bytes=${this.#position}-${last}` } : {};
    const response = await hosts[this.#host]!.open(headers, { signal });
    response.on('error', () => {});
    let skip = 0;
    try {
      if (response.statusCode === 206) this.#checkRange(response.headers['content-range']);
      else {
        const length = response.headers['content-length'];
        if (length !== undefined && Number(length) !== size)
          throw this.#wrongSize(`the registry says it has ${length}`);
        // The server knows no ranges: what is there already is read over.
        skip = this.#position;
        if (isPart) state.ranges = false;
      }
    } catch (error) {
      response.destroy();
      throw error;
    }
    const chunks: AsyncIterable<Buffer> = skip === 0 ? response : skipping(response, skip);
    this.#current = { response, chunks: chunks[Symbol.asyncIterator]() };
  }

  /** @throws CodedError once the host has taken too long for too little */
  async #waitFor<T>(chunk: Promise<T>): Promise<T> {
    const since = performance.now();
    const result = await chunk;
    this.#waitedMs += performance.now() - since;
    if (this.#waitedMs > MOST_PER_RESET_MS)
      throw CodedError.of(
        'REGISTRY_CONNECTION',
        `after ${this.#position} of ${this.#download.size} bytes: less than ${RESET_AFTER} bytes came in ${MOST_PER_RESET_MS / 1000} seconds`,
      );
    return result;
  }

  #checkRange(header: string | undefined): void {
    const { size } = this.#download;
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header ?? '');
    if (range === null || Number(range[1]) !== this.#position || (range[2] !== '*' && Number(range[2]) !== size))
      throw this.#wrongSize(`the registry answered with the range ${header ?? 'none'}`);
  }

  #wrongSize(why: string): CodedError {
    return CodedError.of('OCI_SIZE_MISMATCH', `the blob is to have ${this.#download.size} bytes, but ${why}`);
  }
}

async function* skipping(response: IncomingMessage, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (left >= chunk.length) {
      left -= chunk.length;
      continue;
    }
    yield left === 0 ? chunk : chunk.subarray(left);
    left = 0;
  }
}
