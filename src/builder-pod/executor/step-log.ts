/** Bounds of one step's log; -1 is unbounded. */
export interface LogLimits {
  /** Bytes in all. */
  readonly maxSize: number;
  /** Bytes a second. */
  readonly maxSpeed: number;
}

export const DEFAULT_LOG_LIMITS: LogLimits = { maxSize: 2 << 20, maxSpeed: 200 << 10 };

/** Kept of what was clipped, to be shown when the step fails. */
const TAIL = 256 << 10;

type Sink = (stream: 1 | 2, data: Uint8Array, audience?: 'watchers' | 'records') => void | Promise<void>;

/**
 * Clips the output of a step for those who watch it: what comes faster or is more than the limits goes to records only, a notice standing in
 * its place once a gap. The last 256 KiB of a gap that lasts to the end are shown if the step fails, since there the reason stands.
 */
export class StepLog {
  readonly #sink: Sink;
  readonly #limits: LogLimits;
  readonly #now: () => number;
  readonly #startedAt: number;
  #passed = 0;
  #isClipping = false;
  #tail: { readonly stream: 1 | 2; readonly data: Uint8Array }[] = [];
  #tailSize = 0;

  /** `now` in milliseconds. */
  constructor(sink: Sink, limits: LogLimits = DEFAULT_LOG_LIMITS, now: () => number = () => performance.now()) {
    this.#sink = sink;
    this.#limits = limits;
    this.#now = now;
    this.#startedAt = now();
  }

  /** What is returned holds the step back until it resolves. */
  write(stream: 1 | 2, data: Uint8Array): void | Promise<void> {
    const { room, notice } = this.#room();
    if (data.length <= room) return this.#pass(stream, data);
    // A step that was clipped goes on only where there is room for all, so that a gap is one gap and not many.
    let clipped = data;
    if (!this.#isClipping) {
      const shown = Math.max(room, 0);
      if (shown > 0) this.#pass(stream, data.subarray(0, shown));
      this.#isClipping = true;
      this.#sink(stream, Buffer.from(`\n[output clipped, log limit ${notice} reached]\n`), 'watchers');
      clipped = data.subarray(shown);
    }
    this.#keep(stream, clipped);
    return this.#sink(stream, clipped, 'records');
  }

  /** Shows the end of what was clipped last. */
  flushTail(): void {
    let excess = Math.max(0, this.#tailSize - TAIL);
    for (const { stream, data } of this.#tail) {
      this.#sink(stream, data.subarray(excess), 'watchers');
      excess = 0;
    }
    this.#dropTail();
  }

  #pass(stream: 1 | 2, data: Uint8Array): void | Promise<void> {
    this.#passed += data.length;
    this.#isClipping = false;
    this.#dropTail();
    return this.#sink(stream, data);
  }

  #room(): { room: number; notice: string } {
    const { maxSize, maxSpeed } = this.#limits;
    const bySize = maxSize < 0 ? Infinity : maxSize - this.#passed;
    const seconds = Math.max(1, Math.ceil((this.#now() - this.#startedAt) / 1000));
    const bySpeed = maxSpeed < 0 ? Infinity : maxSpeed * seconds - this.#passed;
    return bySize <= bySpeed
      ? { room: bySize, notice: inBytes(maxSize) }
      : { room: bySpeed, notice: `${inBytes(maxSpeed)}/s` };
  }

  #keep(stream: 1 | 2, data: Uint8Array): void {
    // Copied: the chunk may be a view of a buffer that its owner reuses.
    const kept = Buffer.from(data.subarray(Math.max(0, data.length - TAIL)));
    this.#tail.push({ stream, data: kept });
    this.#tailSize += kept.length;
    for (
      let first = this.#tail[0];
      first !== undefined && this.#tailSize - first.data.length >= TAIL;
      first = this.#tail[0]
    ) {
      this.#tail.shift();
      this.#tailSize -= first.data.length;
    }
  }

  #dropTail(): void {
    this.#tail = [];
    this.#tailSize = 0;
  }
}

function inBytes(size: number): string {
  return size >= 1 << 20 ? `${Math.round(size / (1 << 20))}MiB` : `${Math.round(size / (1 << 10))}KiB`;
}
