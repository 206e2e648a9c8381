import { startThread, type Thread, type ThreadOptions } from './thread.ts';

/** How long after it is asked for a spare is started: whoever took the last one is served first. */
const REFILL_DELAY_MS = 30;

/**
 * Keeps some threads of one kind started ahead, their modules loaded, so that who needs one does not wait for that. A thread is used once, or given back by who knows it
 * to be as good as new. Spares do not keep the process alive; more than the spares are started when they are needed.
 */
export class SpareThreads<In = unknown, Out = unknown> implements AsyncDisposable {
  readonly #options: ThreadOptions;
  readonly #count: number;
  readonly #keep: number;
  readonly #warm: In | undefined;
  readonly #spares: Thread<In, Out>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * `count` are started ahead, up to `keep` are kept of those that are given back. `warm` is posted to a spare when it starts: it may run through its work once, so
   * that its code is compiled when it is needed.
   */
  constructor(
    options: ThreadOptions,
    { count, keep = count, warm }: { readonly count: number; readonly keep?: number; readonly warm?: In },
  ) {
    this.#options = options;
    this.#count = count;
    this.#keep = keep;
    this.#warm = warm;
  }

  /** A spare, or a new thread when there is none. It is the caller's to end. */
  take(): Thread<In, Out> {
    const thread = this.#spares.pop() ?? this.#start();
    thread.ref();
    return thread;
  }

  /** Takes back a thread that {@link take} gave: it becomes a spare, or is ended where enough are there. */
  async giveBack(thread: Thread<In, Out>): Promise<void> {
    if (this.#closed || this.#spares.length >= this.#keep) {
      await thread.terminate();
      return;
    }
    thread.unref();
    this.#spares.push(thread);
  }

  /** Starts what is missing, soon and one after the other. */
  refill(): void {
    if (this.#closed || this.#timer !== undefined || this.#spares.length >= this.#count) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#closed) return;
      if (this.#spares.length >= this.#count) return;
      const thread = this.#start();
      thread.unref();
      if (this.#warm !== undefined) thread.post(this.#warm);
      this.#spares.push(thread);
      this.refill();
    }, REFILL_DELAY_MS);
    this.#timer.unref();
  }

  #start(): Thread<In, Out> {
    const thread = startThread<In, Out>(this.#options);
    const forget = () => {
      const at = this.#spares.indexOf(thread);
      if (at >= 0) this.#spares.splice(at, 1);
    };
    thread.ended.then(forget, forget);
    return thread;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#spares.splice(0).map((thread) => thread.terminate()));
  }
}
