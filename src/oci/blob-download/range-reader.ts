import { type AbortOptions, CodedError, type Logger, sleep, transportWords } from '../../base/index.ts';
import { Connection } from './connection.ts';
import { type BlobHost, TransferError } from './host.ts';
import { delayBefore, tellWait } from './retry.ts';

/** Progress after which a cut connection gets its full number of retries again. */
const RESET_AFTER = 1 << 20;
/** So long a host may take for that many bytes, in ms: one that drips is left as one that hangs is. */
const MOST_PER_RESET_MS = 300_000;

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
  /** Told, a line at a time, why it takes long. */
  readonly told?: ((line: string) => void) | undefined;
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
  #current: { readonly connection: Connection; readonly chunks: AsyncGenerator<Buffer> } | undefined;

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
      throw new TransferError('unexpected EOF', { passes: true });
    });
  }

  [Symbol.dispose](): void {
    this.#let();
  }

  #let(): void {
    this.#current?.connection[Symbol.dispose]();
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
        const verdict = error instanceof TransferError ? error : host.judge(error);
        if (state.ranges && 'noRanges' in verdict && verdict.noRanges === true) {
          state.ranges = false;
          continue;
        }
        const wait = delayBefore(host.retry, this.#retries++, verdict);
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
            : host.failure(`after ${this.#position} of ${size} bytes: ${transportWords(error)}`, error);
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
    const range = isPart ? { from: this.#position, ...(this.#to < size ? { to: this.#to } : {}) } : undefined;
    const host = hosts[this.#host]!;
    const connection = await Connection.open(host, range, { signal });
    const { from } = connection;
    // A host that knows no ranges: what is there already is read over.
    this.#current = { connection, chunks: connection.chunks(from === undefined ? this.#position : 0) };
    if (connection.size !== undefined && connection.size !== size)
      throw this.#wrongSize(`${host.name} says it has ${connection.size}`);
    if (from !== undefined && from !== this.#position)
      throw this.#wrongSize(`${host.name} answered with what begins at ${from}, not at ${this.#position}`);
    if (from === undefined && isPart) state.ranges = false;
  }

  /** @throws TransferError once the host has taken too long for too little */
  async #waitFor<T>(chunk: Promise<T>): Promise<T> {
    const since = performance.now();
    const result = await chunk;
    this.#waitedMs += performance.now() - since;
    if (this.#waitedMs > MOST_PER_RESET_MS)
      throw new TransferError(`less than ${RESET_AFTER} bytes came in ${MOST_PER_RESET_MS / 1000} seconds`, {
        passes: false,
      });
    return result;
  }

  #wrongSize(why: string): CodedError {
    return CodedError.of('OCI_SIZE_MISMATCH', `the blob is to have ${this.#download.size} bytes, but ${why}`);
  }
}
