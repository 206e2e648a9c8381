import { type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';
import { NativeGate, type ThreadStart } from './native-gate.ts';
import { THREAD_NODE_OPTIONS } from './node-options.ts';

/** How long native code of a thread that is to end may take, in milliseconds: one call of a compressor, or the library's first load from a slow disk. */
const NATIVE_MS = 30_000;
/** The same when the process ends, for all threads together. */
const EXIT_MS = 5000;

interface OwnThreadOptions {
  /** What runs in it. */
  readonly module: URL;
  readonly name: string;
  /** Its `workerData.data`. */
  readonly data?: unknown;
  readonly transfer?: readonly Transferable[] | undefined;
  readonly resourceLimits?: ResourceLimits | undefined;
}

/** A thread of this process: the one place where threads are started, and the one way to end them, at any moment of their lives. */
export class OwnThread {
  readonly worker: Worker;
  readonly #gate = new NativeGate();
  #exited = false;
  #ended: Promise<void> | undefined;

  constructor({ module, name, data, transfer = [], resourceLimits }: OwnThreadOptions) {
    this.worker = new Worker(module, {
      name,
      execArgv: [...THREAD_NODE_OPTIONS],
      // Descriptors from openat and friends are closed through node:fs, which would take each for a mistake.
      trackUnmanagedFds: false,
      workerData: { gate: this.#gate.memory, data } satisfies ThreadStart<unknown>,
      transferList: [...transfer],
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    if (living.size === 0) process.on('exit', leaveNativeCode);
    living.add(this.#gate);
    this.worker.on('exit', () => {
      this.#exited = true;
      living.delete(this.#gate);
      if (living.size === 0) process.off('exit', leaveNativeCode);
    });
  }

  /** Ends it wherever it is in its own code, endless loops too, as soon as it is not in native code. Never rejects; resolves when it is gone. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    this.#gate.close();
    const until = performance.now() + NATIVE_MS;
    await this.#gate.drained(() => this.#exited || performance.now() >= until);
    await this.worker.terminate();
  }
}

const living = new Set<NativeGate>();

/** The end of the process ends its threads as well. */
function leaveNativeCode(): void {
  for (const gate of living) gate.close();
  const until = performance.now() + EXIT_MS;
  for (const gate of living) gate.drainedHere(until);
}
