import type { libc } from '../libc.ts';

/** How idle a thread is to be, in milliseconds, when it gives back what it can, and again what others have given back since, whose pages V8 keeps. */
const IDLE_MS = [10_000, 50_000];
/** The serving thread, whose collections are shorter and leave more: twice before the last of the other threads'. */
const SERVING_IDLE_MS = [10_000, 20_000];

/**
 * Has a thread give back memory once it is idle: V8 collects when more is wanted, which an idle thread never does, and the C library keeps what was freed, so what many
 * clients at once have left would stay resident. Works where Node was started with `--expose-gc`, as `bin/slipway-node` does.
 */
export class IdleMemory {
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #serving: boolean;

  /** `serving`: somebody may come at any time and should wait a little at most. */
  constructor({ serving = false }: { readonly serving?: boolean } = {}) {
    this.#serving = serving;
  }

  /** There is something to do. */
  busy(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }

  /** There is nothing to do any more. */
  idle(): void {
    this.busy();
    const giveBack = this.#serving ? collect : collectAll;
    for (const ms of this.#serving ? SERVING_IDLE_MS : IDLE_MS) this.#timers.push(setTimeout(giveBack, ms).unref());
  }
}

function collect(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'regular' });
}

async function collectAll(): Promise<void> {
  const { gc } = globalThis;
  if (gc === undefined) return;
  // Nobody waits for this thread: the kind that takes long and leaves least.
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const loaded: { readonly libc: typeof libc } = await import('../libc.ts');
  // What all threads of the process have freed.
  loaded.libc.mallocTrim(0);
}
