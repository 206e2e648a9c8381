import { addAbortListener } from 'node:events';
import type { Readable } from 'node:stream';
import type { AbortOptions } from '../../base/index.ts';
import { type BlobAnswer, type BlobHost, type ByteRange, TransferError } from './host.ts';

/** One answer of a host, as it comes; it ends with its signal, and when nothing comes of it while somebody waits. */
export class Connection implements Disposable {
  readonly from: number | undefined;
  readonly size: number | undefined;
  readonly #body: Readable;
  readonly #watch: Watch;

  private constructor({ body, from, size }: BlobAnswer, watch: Watch) {
    this.from = from;
    this.size = size;
    this.#body = body;
    this.#watch = watch;
    watch.onOver(() => body.destroy());
    // Whoever reads it is told.
    body.on('error', () => {});
  }

  static async open(host: BlobHost, range: ByteRange | undefined, options: AbortOptions): Promise<Connection> {
    const watch = new Watch(host.idleMs, options);
    try {
      const asked = host.open(range, { signal: watch.signal });
      // Given up, it may still answer.
      asked.then(
        ({ body }) => watch.signal.aborted && body.destroy(),
        () => {},
      );
      return new Connection(await watch.wait(asked), watch);
    } catch (error) {
      watch[Symbol.dispose]();
      throw error;
    }
  }

  /** What comes after the first `skip` bytes. */
  async *chunks(skip: number): AsyncGenerator<Buffer> {
    const chunks = (this.#body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    let left = skip;
    for (;;) {
      const { done, value } = await this.#watch.wait(chunks.next());
      if (done === true) return;
      if (value.length > left) yield left === 0 ? value : value.subarray(left);
      left = Math.max(0, left - value.length);
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#body.destroy();
  }
}

/** Fires with its signal, and when nothing has come for so long, of time in which somebody waits. */
class Watch implements Disposable {
  readonly #over = new AbortController();
  readonly #listeners = new DisposableStack();
  readonly #timer: NodeJS.Timeout | undefined;
  /** Of who waits now. */
  #giveUp: ((reason: unknown) => void) | undefined;

  constructor(idleMs: number | undefined, { signal }: AbortOptions) {
    this.#listeners.use(addAbortListener(signal, () => this.#end(signal.reason)));
    if (idleMs === undefined) return;
    const error = new TransferError(`nothing came for ${idleMs / 1000} s`, { passes: true });
    this.#timer = setTimeout(() => {
      if (this.#giveUp !== undefined) this.#end(error);
    }, idleMs);
    this.#listeners.defer(() => clearTimeout(this.#timer));
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  onOver(end: () => void): void {
    this.#listeners.use(addAbortListener(this.signal, end));
  }

  async wait<T>(work: Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { promise: over, reject } = Promise.withResolvers<never>();
    this.#giveUp = reject;
    this.#timer?.refresh();
    try {
      return await Promise.race([work, over]);
    } finally {
      this.#giveUp = undefined;
    }
  }

  #end(reason: unknown): void {
    this.#giveUp?.(reason);
    this.#over.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#listeners.dispose();
  }
}
