import type { Digest } from '../base/index.ts';
import type { VertexEvent } from './ports.ts';

/** What a row or a warning is taken to weigh. */
const ROW_BYTES = 256;

/**
 * Bounds what buffers of one kind keep, each and all together: in a daemon of many builds no number of steps that print much takes all memory.
 * What a buffer keeps counts until it is closed.
 */
export class EventMemory {
  readonly each: number;
  readonly #total: number;
  #used = 0;
  /** Those that keep anything. */
  readonly #buffers = new Set<EventBuffer>();

  constructor(limits: { readonly each: number; readonly total: number }) {
    this.each = limits.each;
    this.#total = limits.total;
  }

  get used(): number {
    return this.#used;
  }

  /** Counts what a buffer has added or dropped; the largest give way when it is too much. */
  count(buffer: EventBuffer, bytes: number): void {
    this.#used += bytes;
    if (buffer.bytes === 0) this.#buffers.delete(buffer);
    else this.#buffers.add(buffer);
    if (bytes <= 0 || this.#used <= this.#total) return;
    const limit = commonLimit(this.#buffers, this.#used - (this.#total * 7) / 8);
    for (const each of this.#buffers) if (each.bytes > limit) each.trim(limit);
  }
}

/** What none may be larger than for all of them to be smaller by `excess` together. */
function commonLimit(all: Iterable<EventBuffer>, excess: number): number {
  let sizes = [...all].map(({ bytes }) => bytes);
  while (true) {
    const limit = (sizes.reduce((sum, size) => sum + size, 0) - excess) / sizes.length;
    // Those below it have nothing to give, so the others give more: it only ever falls.
    const larger = sizes.filter((size) => size > limit);
    if (larger.length === sizes.length || larger.length === 0) return Math.max(limit, 0);
    sizes = larger;
  }
}

interface Dropped {
  readonly bytes: number;
  readonly timestamp: number;
}

/** What a daemon keeps of progress: of vertices for late watchers, of what waits for slow ones, and of what is yet to be written down. */
export interface ProgressMemory {
  readonly histories: EventMemory;
  readonly watchers: EventMemory;
  readonly recordings: EventMemory;
}

export function progressMemory(): ProgressMemory {
  return {
    histories: new EventMemory({ each: 2 << 20, total: 64 << 20 }),
    watchers: new EventMemory({ each: 16 << 20, total: 64 << 20 }),
    // What is printed waits before it comes to this, so nothing of it is dropped; rows and warnings may be.
    recordings: new EventMemory({ each: 16 << 20, total: 128 << 20 }),
  };
}

/**
 * Events in order, bounded: an unread progress row is replaced by its newer state, and the oldest rows, warnings and log bytes go when there are too
 * many; of log bytes one line says so. States of vertices are never dropped.
 */
export class EventBuffer {
  readonly #events = new Map<string | number, VertexEvent>();
  /** Keys of what can be dropped, oldest first. */
  readonly #order = new Set<string | number>();
  /** Log bytes dropped by vertex. */
  readonly #dropped = new Map<Digest, Dropped>();
  readonly #memory: EventMemory;
  #bytes = 0;
  #closed = false;
  #next = 0;

  constructor(memory: EventMemory) {
    this.#memory = memory;
  }

  get empty(): boolean {
    return this.#events.size === 0 && this.#dropped.size === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(event: VertexEvent): void {
    if (this.#closed) return;
    const key = event.kind === 'status' ? `${event.vertex} ${event.id}` : this.#next++;
    if (this.#order.has(key)) this.#drop(key);
    this.#events.set(key, event);
    if (event.kind === 'vertex') return;
    this.#order.add(key);
    this.#count(weightOf(event));
    this.trim(this.#memory.each);
  }

  /** Drops the oldest until what is left weighs no more than `limit`, save for the newest. */
  trim(limit: number): void {
    for (const key of this.#order) {
      if (this.bytes <= limit || this.#order.size === 1) break;
      const event = this.#drop(key);
      if (event.kind === 'log')
        this.#dropped.set(event.vertex, {
          bytes: (this.#dropped.get(event.vertex)?.bytes ?? 0) + event.data.length,
          timestamp: event.timestamp,
        });
    }
  }

  all(): readonly VertexEvent[] {
    const untold = new Map(this.#dropped);
    const events: VertexEvent[] = [];
    const tell = (vertex: Digest) => {
      const dropped = untold.get(vertex);
      if (dropped === undefined) return;
      untold.delete(vertex);
      events.push(unkept(vertex, dropped));
    };
    for (const event of this.#events.values()) {
      if (event.kind === 'log') tell(event.vertex);
      events.push(event);
    }
    for (const vertex of untold.keys()) tell(vertex);
    return events;
  }

  /** Takes out the oldest events, so many at most; of what was not kept it is said with the first. */
  take(most = Infinity): readonly VertexEvent[] {
    if (this.#events.size <= most) {
      const events = this.all();
      this.#events.clear();
      this.#order.clear();
      this.#dropped.clear();
      if (this.bytes > 0) this.#count(-this.bytes);
      return events;
    }
    const taken: VertexEvent[] = [];
    for (const [key, event] of this.#events) {
      if (taken.length >= most) break;
      if (event.kind === 'log') taken.push(...this.#untold(event.vertex));
      taken.push(event);
      if (event.kind === 'vertex') this.#events.delete(key);
      else this.#drop(key);
    }
    return taken;
  }

  /** What is to be said of the output of a vertex that is not kept; from then on it is said. */
  #untold(vertex: Digest): readonly VertexEvent[] {
    const dropped = this.#dropped.get(vertex);
    this.#dropped.delete(vertex);
    return dropped === undefined ? [] : [unkept(vertex, dropped)];
  }

  /** Nobody reads it any more: it keeps nothing, now and from now on. */
  close(): void {
    this.#closed = true;
    this.take();
  }

  #drop(key: string | number): VertexEvent {
    const event = this.#events.get(key)!;
    this.#events.delete(key);
    this.#order.delete(key);
    this.#count(-weightOf(event));
    return event;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#memory.count(this, bytes);
  }
}

function unkept(vertex: Digest, { bytes, timestamp }: Dropped): VertexEvent {
  return { kind: 'log', vertex, stream: 2, data: Buffer.from(`[${bytes} bytes of output are not kept]\n`), timestamp };
}

function weightOf(event: VertexEvent): number {
  return event.kind === 'log' ? event.data.length + ROW_BYTES : ROW_BYTES;
}
