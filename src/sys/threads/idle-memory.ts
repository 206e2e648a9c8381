import type { libc } from '../libc.ts';

/** After so many milliseconds without anything to do a thread gives back what it can: soon, and once V8 has collected what the serving thread left, whose pages it keeps. */
const QUIET_MS = [10_000, 50_000];

/**
 * Has a thread give back memory once it is idle: V8 collects when more is wanted, which an idle thread never does, and the C library keeps what was freed, so what many
 * clients at once have left would stay resident. Works where Node was started with `--expose-gc`, as `bin/slipway-node` does.
 */
export class IdleMemory {
  readonly #timers: NodeJS.Timeout[] = [];

  /** There is something to do. */
  busy(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }

  /** There is nothing to do any more. */
  idle(): void {
    this.busy();
    for (const ms of QUIET_MS) this.#timers.push(setTimeout(() => void giveBack(), ms).unref());
  }
}

async function giveBack(): Promise<void> {
  const { gc } = globalThis;
  if (gc === undefined) return;
  // Nobody waits for this thread: the kind that takes long and leaves least.
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const loaded: { readonly libc: typeof libc } = await import('../libc.ts');
  // What all threads of the process have freed.
  loaded.libc.mallocTrim(0);
}
