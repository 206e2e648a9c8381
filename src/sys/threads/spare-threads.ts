import { startThread, type Thread, type ThreadOptions } from './thread.ts';

/** How long after it is asked for a spare is started: whoever took the last one is served first. */
const REFILL_DELAY_MS = 30;

/**
 * Keeps some threads of one kind started ahead, their modules loaded, so that who needs one does not wait for that. A thread is used once. Spares do not keep the process
 * alive; more than the spares are started when they are needed.
 */
export class SpareThreads<In = unknown, Out = unknown> implements AsyncDisposable {
  readonly #options: ThreadOptions;
  readonly #count: number;
  readonly #warm: In | undefined;
  readonly #spares: Thread<In, Out>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `warm` is posted to a spare when it starts: it may run through its work once, so that its code is compiled when it is needed. */
  constructor(options: ThreadOptions, { count, warm }: { readonly count: number; readonly warm?: In }) {
    this.#options = options;
    this.#count = count;
    this.#warm = warm;
  }

  /** A spare, or a new thread when there is none. It is the caller's to end. */
  take(): Thread<In, Out> {
    const thread = this.#spares.pop() ?? startThread<In, Out>(this.#options);
    thread.ref();
    return thread;
  }

  /** Starts what is missing, soon and one after the other. */
  refill(): void {
    if (this.#closed || this.#timer !== undefined || this.#spares.length >= this.#count) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#closed) return;
      const thread = startThread<In, Out>(this.#options);
      thread.unref();
      if (this.#warm !== undefined) thread.post(this.#warm);
      this.#spares.push(thread);
      const forget = () => {
        const at = this.#spares.indexOf(thread);
        if (at >= 0) this.#spares.splice(at, 1);
      };
      thread.ended.then(forget, forget);
      this.refill();
    }, REFILL_DELAY_MS);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#spares.splice(0).map((thread) => thread.terminate()));
  }
}
