import { type Digest, LargeMap } from '../base/index.ts';
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
  /** In order, among them places of what is gone. */
  #places: Place[] = [];
  /** The first place that has not been taken. */
  #first = 0;
  /** Before this one nothing can be dropped. */
  #oldest = 0;
  /** What is kept… */
  #kept = 0;
  /** …and of that what can be dropped. */
  #droppable = 0;
  /** Where rows are that nobody has read. */
  readonly #rows = LargeMap.byText<string, Place>();
  /** Log bytes dropped by vertex. */
  readonly #dropped = LargeMap.byText<Digest, Dropped>();
  readonly #memory: EventMemory;
  #bytes = 0;
  #closed = false;

  constructor(memory: EventMemory) {
    this.#memory = memory;
  }

  get empty(): boolean {
    return this.#kept === 0 && this.#dropped.size === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(event: VertexEvent): void {
    if (this.#closed) return;
    const place: Place = { event };
    if (event.kind === 'status') {
      const name = nameOf(event);
      const earlier = this.#rows.get(name);
      if (earlier !== undefined) this.#drop(earlier);
      this.#rows.set(name, place);
    }
    this.#places.push(place);
    this.#kept++;
    if (event.kind !== 'vertex') {
      this.#droppable++;
      this.#count(weightOf(event));
      this.trim(this.#memory.each);
    }
    this.#tidy();
  }

  /** Drops the oldest until what is left weighs no more than `limit`, save for the newest. */
  trim(limit: number): void {
    this.#oldest = Math.max(this.#oldest, this.#first);
    for (; this.bytes > limit && this.#droppable > 1; this.#oldest++) {
      const place = this.#places[this.#oldest]!;
      const { event } = place;
      if (event === undefined || event.kind === 'vertex') continue;
      this.#drop(place);
      if (event.kind === 'log')
        this.#dropped.set(event.vertex, {
          bytes: (this.#dropped.get(event.vertex)?.bytes ?? 0) + event.data.length,
          timestamp: event.timestamp,
        });
    }
  }

  all(): readonly VertexEvent[] {
    const told = new Set<Digest>();
    const events: VertexEvent[] = [];
    const tell = (vertex: Digest) => {
      const dropped = this.#dropped.get(vertex);
      if (dropped === undefined || told.has(vertex)) return;
      told.add(vertex);
      events.push(unkept(vertex, dropped));
    };
    for (let at = this.#first; at < this.#places.length; at++) {
      const { event } = this.#places[at]!;
      if (event === undefined) continue;
      if (event.kind === 'log') tell(event.vertex);
      events.push(event);
    }
    for (const vertex of this.#dropped.keys()) tell(vertex);
    return events;
  }

  /** Takes out the oldest events, so many at most; of what was not kept it is said with the first. */
  take(most = Infinity): readonly VertexEvent[] {
    if (this.#kept <= most) {
      const events = this.all();
      this.#places = [];
      this.#first = this.#oldest = this.#kept = this.#droppable = 0;
      this.#rows.clear();
      this.#dropped.clear();
      if (this.bytes > 0) this.#count(-this.bytes);
      return events;
    }
    const taken: VertexEvent[] = [];
    for (; taken.length < most && this.#first < this.#places.length; this.#first++) {
      const place = this.#places[this.#first]!;
      const { event } = place;
      if (event === undefined) continue;
      if (event.kind === 'log') taken.push(...this.#untold(event.vertex));
      taken.push(event);
      this.#drop(place);
    }
    this.#tidy();
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

  #drop(place: Place): void {
    const { event } = place;
    if (event === undefined) return;
    place.event = undefined;
    this.#kept--;
    if (event.kind === 'vertex') return;
    if (event.kind === 'status') this.#rows.delete(nameOf(event));
    this.#droppable--;
    this.#count(-weightOf(event));
  }

  /** Places of what is gone are given up when they are the most. */
  #tidy(): void {
    if (this.#places.length <= 2 * this.#kept + FEW_PLACES) return;
    if (2 * this.#first > this.#places.length) {
      // Mostly they were taken, and then nothing need be looked at.
      this.#places = this.#places.slice(this.#first);
      this.#oldest = Math.max(0, this.#oldest - this.#first);
    } else {
      this.#places = this.#places.filter(({ event }) => event !== undefined);
      this.#oldest = 0;
    }
    this.#first = 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#memory.count(this, bytes);
  }
}

interface Place {
  event: VertexEvent | undefined;
}

/** Places of what is gone that do not matter. */
const FEW_PLACES = 64;

/** What tells rows apart. */
function nameOf({ id, vertex }: VertexEvent & { readonly kind: 'status' }): string {
  return `${id} ${vertex}`;
}

function unkept(vertex: Digest, { bytes, timestamp }: Dropped): VertexEvent {
  return { kind: 'log', vertex, stream: 2, data: Buffer.from(`[${bytes} bytes of output are not kept]\n`), timestamp };
}

function weightOf(event: VertexEvent): number {
  return event.kind === 'log' ? event.data.length + ROW_BYTES : ROW_BYTES;
}
