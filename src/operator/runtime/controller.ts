import { type AbortOptions, type CodedError, type Logger, toCodedError } from '../../base/index.ts';
import { backoff } from './informer.ts';
import type { KeyText, Reconcile } from './ports.ts';

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 60_000;
const MAX_WISH_MS = 3_600_000;
/** Failures in a row after which it is told. */
const TROUBLE = 4;

export interface ControllerOptions {
  readonly name: string;
  readonly reconcile: Reconcile;
  /** Keys in work at once. */
  readonly workers: number;
  readonly log: Logger;
  readonly onReconcile?: (outcome: 'ok' | 'error', seconds: number) => void;
  /** A key that fails again and again, and, without an error, one that does no more: nothing may fail in silence. */
  readonly onTrouble?: ((key: KeyText, error: CodedError | undefined) => void) | undefined;
}

/**
 * Keys to reconcile: each at most once in the queue and once in work; one that is added while it is in work comes again. Failures come again with
 * exponential back-off and jitter. Nothing is worked on before {@link run}.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue = new Set<KeyText>();
  readonly #working = new Set<KeyText>();
  readonly #again = new Set<KeyText>();
  readonly #timers = new Map<KeyText, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<KeyText, number>();
  #signal: AbortSignal | undefined;
  #idle = Promise.withResolvers<void>();

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Keys that wait, without those for later. */
  get size(): number {
    return this.#queue.size;
  }

  add(key: KeyText): void {
    if (this.#working.has(key)) this.#again.add(key);
    else this.#queue.add(key);
    this.#pump();
  }

  /** The earliest wish counts. What is far off, or no time at all, as times in records may be, is looked at once an hour. */
  addAfter(key: KeyText, wishMs: number): void {
    const delayMs = wishMs < MAX_WISH_MS ? Math.max(0, wishMs) : MAX_WISH_MS;
    const at = performance.now() + delayMs;
    const before = this.#timers.get(key);
    if (before !== undefined && before.at <= at) return;
    clearTimeout(before?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, delayMs);
    this.#timers.set(key, { at, timer });
  }

  /** Works until the signal; settles when what was in work is over. */
  async run({ signal }: AbortOptions): Promise<void> {
    this.#signal = signal;
    this.#pump();
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (!signal.aborted) await promise;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    while (this.#working.size > 0) await this.#idle.promise;
  }

  #pump(): void {
    const signal = this.#signal;
    if (signal === undefined || signal.aborted) return;
    for (const key of this.#queue) {
      if (this.#working.size >= this.#options.workers) return;
      this.#queue.delete(key);
      this.#working.add(key);
      void this.#work(key, signal);
    }
  }

  async #work(key: KeyText, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    let outcome: 'ok' | 'error' = 'ok';
    try {
      const result = await this.#options.reconcile(key, { signal });
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.delete(key);
      if (failures >= TROUBLE) this.#options.onTrouble?.(key, undefined);
      if (result !== undefined) this.addAfter(key, result.requeueAfterMs);
    } catch (error) {
      outcome = 'error';
      if (!signal.aborted) this.#failed(key, error);
    } finally {
      this.#options.onReconcile?.(outcome, (performance.now() - started) / 1000);
      this.#working.delete(key);
      if (this.#again.delete(key)) this.#queue.add(key);
      if (this.#working.size === 0) {
        this.#idle.resolve();
        this.#idle = Promise.withResolvers();
      }
      this.#pump();
    }
  }

  #failed(key: KeyText, error: unknown): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = backoff(failures, FIRST_DELAY_MS, MAX_DELAY_MS);
    // A conflict is how optimistic writes work, not a fault.
    const coded = toCodedError(error);
    const conflict = coded.code === 'aborted';
    const fields = { controller: this.#options.name, key, err: error, retryMs: Math.round(delayMs) };
    if (conflict && failures < 3) this.#options.log.debug('the object changed meanwhile', fields);
    else this.#options.log.warn('a reconcile failed', fields);
    if (failures + 1 >= TROUBLE) this.#options.onTrouble?.(key, coded);
    this.addAfter(key, delayMs);
  }
}
