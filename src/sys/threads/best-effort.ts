import { closeSync, openSync, readSync } from 'node:fs';

/** How much of a core is used before it is asked whether others wanted it: some of the kernel's slices, so that it shows. */
const SLICE_MS = 8;
/** Waited so much for each part computed, somebody else wanted the core. */
const CROWDED = 0.25;
const FIRST_PAUSE_MS = 25;
/** With this a core that is always wanted loses a hundredth to each such work. */
const LONGEST_PAUSE_MS = 800;

/** Work that nobody waits for yet: it leaves the cores to whatever else wants them, until somebody does. */
export class BestEffort {
  readonly flag = new SharedArrayBuffer(4);

  /** From now on somebody waits for it: it goes on at once, as fast as any other work. */
  hurry(): void {
    const flag = new Int32Array(this.flag);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  }
}

/** How long a thread has computed, and has waited for a core, in ms. */
interface CpuTimes {
  readonly ran: number;
  readonly waited: number;
}

interface CpuMeter extends Disposable {
  /** Undefined where the kernel does not tell. */
  read(): CpuTimes | undefined;
}

/**
 * Has a thread give way: it is told by the time that the thread itself waits for a core, not by a priority. Those of threads count for nothing between the groups and sessions of processes that the
 * kernel is fair to, so none holds against a step; and what has been lowered only the privileged may raise again.
 */
export class Pacer implements Disposable {
  readonly #flag: Int32Array;
  readonly #times: CpuMeter;
  #since: CpuTimes | undefined;
  #looked = 0;
  #pause = 0;

  constructor(flag: SharedArrayBuffer, times: CpuMeter = new OwnTimes()) {
    this.#flag = new Int32Array(flag);
    this.#times = times;
    this.#since = times.read();
  }

  get hurried(): boolean {
    return Atomics.load(this.#flag, 0) !== 0;
  }

  /** Called often by work; does not return while others want the core. */
  pace(): void {
    const now = performance.now();
    if (this.hurried || now - this.#looked < SLICE_MS) return;
    this.#looked = now;
    const times = this.#times.read();
    const since = this.#since;
    if (times !== undefined && since !== undefined) {
      const ran = times.ran - since.ran;
      if (ran < SLICE_MS) return;
      this.#since = times;
      if (times.waited - since.waited < CROWDED * ran) {
        this.#pause = 0;
        return;
      }
    }
    // A kernel that does not tell is taken for crowded.
    this.#pause = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * this.#pause));
    Atomics.wait(this.#flag, 0, 0, this.#pause);
    this.#looked = performance.now();
    this.#since = this.#times.read();
  }

  [Symbol.dispose](): void {
    this.#times[Symbol.dispose]();
  }
}

/** Those of the thread that makes it. */
class OwnTimes implements CpuMeter {
  readonly #fd: number | undefined;
  readonly #text = Buffer.alloc(128);

  constructor() {
    try {
      this.#fd = openSync('/proc/thread-self/schedstat', 'r');
    } catch {
      // Not every kernel counts.
    }
  }

  read(): CpuTimes | undefined {
    if (this.#fd === undefined) return undefined;
    const length = readSync(this.#fd, this.#text, 0, this.#text.length, 0);
    const [ran, waited] = this.#text.toString('latin1', 0, length).split(' ');
    return { ran: Number(ran) / 1e6, waited: Number(waited) / 1e6 };
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}
