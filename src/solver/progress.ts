import type { AbortOptions, Clock, Digest } from '../base/index.ts';
import {
  cancelledError,
  inSlices,
  isTurnSpent,
  LargeMap,
  neverAborted,
  nextTurn,
  onAbort,
  toCodedError,
} from '../base/index.ts';
import { EventBuffer, type ProgressMemory } from './event-buffer.ts';
import { NONE, withOne, without } from './few.ts';
import type { VertexEvent, VertexProgress, VertexState } from './ports.ts';
import { Recording } from './recording.ts';

/** How long the end of an interval is not told, since another mostly follows. */
const PAUSE_MS = 150;

/** States of one vertex that are kept as they are. */
const FEW_STATES = 8;

/** All that is known of one vertex, told on to the builds that have it. */
export class VertexHistory {
  #state: VertexState;
  #paused: { readonly completed: number; readonly timer: NodeJS.Timeout } | undefined;
  /** What was; as long as nothing but states has been told, which are all kept, a list of them. */
  #events: readonly VertexEvent[] | EventBuffer;
  /** Few, so no sets, and replaced when they change, so that none has more room than it needs. */
  #builds: readonly BuildProgress[] = NONE;
  /** Builds that may yet show it to somebody, those that are over among them. */
  #keepers: readonly BuildProgress[] = NONE;
  readonly #clock: Clock;
  readonly #memory: ProgressMemory;
  #forgotten = false;

  constructor(state: VertexState, clock: Clock, memory: ProgressMemory) {
    this.#memory = memory;
    this.#state = state;
    this.#clock = clock;
    this.#events = [{ kind: 'vertex', vertex: state }];
  }

  get digest(): Digest {
    return this.#state.digest;
  }

  get state(): VertexState {
    return this.#paused === undefined ? this.#state : { ...this.#state, completed: this.#paused.completed };
  }

  get running(): boolean {
    return this.#state.started !== undefined && this.#state.completed === undefined;
  }

  /**
   * Begins an interval of work, or goes on with the one that is open or has paused: clients take each start that they are told of for an interval
   * of its own, and show a step as running until all of them have ended.
   */
  start(cached = false): void {
    const isOpen = this.running;
    this.#resume();
    if (isOpen && this.#state.cached === cached) return;
    const { completed: _, error: __, ...rest } = this.#state;
    this.#become({ ...rest, started: (isOpen ? rest.started : undefined) ?? this.#clock.now(), cached });
  }

  /** Begins what another does already: what that has printed and shown since it began is told of this one, too. */
  join(running: VertexHistory): void {
    this.start();
    const told = running.replay();
    const began = told.findLastIndex(({ kind }) => kind === 'vertex');
    for (const event of told.slice(began + 1))
      if (event.kind !== 'vertex') void this.emit({ ...event, vertex: this.#state.digest });
  }

  /** Whether anybody may yet be shown what it has told. */
  get isKept(): boolean {
    return !this.#forgotten;
  }

  /**
   * Ends an interval that another follows, mostly at once: what a source is has been asked, and now it is fetched or found. So that nobody reads
   * twice that it is done, the end is told only when nothing follows.
   */
  pause(): void {
    const timer = setTimeout(() => this.settle(), PAUSE_MS);
    timer.unref();
    this.#paused = { completed: this.#clock.now(), timer };
  }

  /** Tells the end of an interval that has paused. */
  settle(): void {
    const completed = this.#resume();
    if (completed !== undefined) this.#become({ ...this.#state, completed });
  }

  #resume(): number | undefined {
    const paused = this.#paused;
    this.#paused = undefined;
    clearTimeout(paused?.timer);
    return paused?.completed;
  }

  /** Ends it. */
  complete(options: { readonly error?: unknown; readonly cached?: boolean } = {}): void {
    this.#resume();
    const now = this.#clock.now();
    this.#become({
      ...this.#state,
      started: this.#state.started ?? now,
      completed: now,
      cached: options.cached ?? this.#state.cached,
      ...(options.error === undefined ? {} : { error: toCodedError(options.error).message }),
    });
  }

  /** A vertex that did not have to do anything. */
  markCached(): void {
    const completed = this.#resume();
    const now = this.#clock.now();
    const times = completed === undefined ? { started: now, completed: now } : { completed };
    this.#become({ ...this.#state, ...times, cached: true });
  }

  #progress: VertexProgress | undefined;

  get progress(): VertexProgress {
    this.#progress ??= this.#makeProgress();
    return this.#progress;
  }

  #makeProgress(): VertexProgress {
    return {
      status: (row) =>
        void this.emit({
          kind: 'status',
          vertex: this.#state.digest,
          id: row.id,
          name: row.name ?? '',
          current: row.current ?? 0,
          total: row.total ?? 0,
          timestamp: this.#clock.now(),
          ...(row.started === undefined ? {} : { started: row.started }),
          ...(row.completed === undefined ? {} : { completed: row.completed }),
        }),
      log: (stream, data, audience) =>
        this.emit({
          ...{ kind: 'log', vertex: this.#state.digest, stream, data, timestamp: this.#clock.now() },
          ...(audience === undefined ? {} : { audience }),
        }),
      warn: (warning) => void this.emit({ kind: 'warning', vertex: this.#state.digest, warning }),
    };
  }

  /** What is returned resolves when there is room for more in what records it. */
  emit(event: VertexEvent): Promise<void> | undefined {
    if (!isForRecords(event)) this.#keep(event);
    return allOf(this.#builds.map((build) => build.publish(event, this)));
  }

  #keep(event: VertexEvent): void {
    if (this.#forgotten) return;
    if (!(this.#events instanceof EventBuffer)) {
      if (event.kind === 'vertex' && this.#events.length < FEW_STATES) {
        this.#events = withOne(this.#events, event);
        return;
      }
      const buffer = new EventBuffer(this.#memory.histories);
      for (const earlier of this.#events) buffer.push(earlier);
      this.#events = buffer;
    }
    this.#events.push(event);
  }

  #become(state: VertexState): void {
    this.#state = state;
    this.emit({ kind: 'vertex', vertex: state });
  }

  subscribe(build: BuildProgress): void {
    if (!this.#builds.includes(build)) this.#builds = withOne(this.#builds, build);
    if (this.#keepers.includes(build)) return;
    // Mostly it alone, and so one list.
    const same = this.#keepers.length === 0 && this.#builds.length === 1;
    this.#keepers = same ? this.#builds : withOne(this.#keepers, build);
  }

  unsubscribe(build: BuildProgress): void {
    this.#builds = without(this.#builds, build);
  }

  /** A build that is over shows it to nobody any more. */
  forget(build: BuildProgress): void {
    this.#keepers = without(this.#keepers, build);
    if (this.#keepers.length > 0) return;
    this.#forgotten = true;
    if (this.#events instanceof EventBuffer) this.#events.close();
    this.#events = NONE;
  }

  replay(): readonly VertexEvent[] {
    return this.#events instanceof EventBuffer ? this.#events.all() : this.#events;
  }
}

const digestOfVertex = ({ digest }: VertexHistory) => digest;

function isForRecords(event: VertexEvent): boolean {
  return event.kind === 'log' && event.audience === 'records';
}

/** Resolves when all have; nothing where there is nothing to wait for. */
export function allOf(waits: readonly (void | Promise<void>)[]): Promise<void> | undefined {
  const [first, ...others] = waits.filter((wait) => wait !== undefined);
  return others.length === 0 ? first : Promise.all([first, ...others]).then(() => {});
}

/** How many vertices a watcher that comes late is told of, and how many events in one batch, before others have their turn. */
const MOST_REPLAYED = 250;
const MOST_EVENTS = 500;

interface Watcher {
  readonly buffer: EventBuffer;
  /** How many of the build's vertices it has been told of; of the others it hears all when their turn comes. */
  told: number;
  wake(): void;
}

/** The vertices of one build, watched by any number of watchers, each of which first hears all that was: until it is over and nobody retains it. */
export class BuildProgress {
  /** With their places among them. */
  readonly #places = LargeMap.by<VertexHistory, number>(digestOfVertex);
  readonly #histories: VertexHistory[] = [];
  /** The first of each digest. */
  readonly #byDigest = LargeMap.byText<Digest, VertexHistory>();
  /** Those that went on without this build. */
  readonly #left = LargeMap.by<VertexHistory, VertexEvent>(digestOfVertex);
  /** What each came to while this build had it, by place; filled when it is over. */
  readonly #last: VertexState[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #recordings = new Set<Recording>();
  readonly #memory: ProgressMemory;
  #closed = false;
  #forgotten = false;
  #retained = 0;

  constructor(memory: ProgressMemory) {
    this.#memory = memory;
  }

  /** Keeps what happened for watchers that come when the build is over, until disposed. */
  retain(): Disposable {
    this.#retained++;
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        this.#retained--;
        this.#forgetIfOver();
      },
    };
  }

  #forgetIfOver(): void {
    if (!this.#closed || this.#retained > 0 || this.#forgotten) return;
    for (const { told } of this.#watchers) if (told < this.#histories.length) return;
    this.#forgotten = true;
    void inSlices(this.#forget(), { signal: neverAborted });
  }

  *#forget(): Generator<void, void, void> {
    for (const history of this.#histories) {
      history.forget(this);
      yield;
    }
  }

  add(history: VertexHistory): void {
    if (this.#closed || this.#places.has(history)) return;
    this.#places.set(history, this.#histories.length);
    this.#histories.push(history);
    const { digest } = history;
    if (!this.#byDigest.has(digest)) this.#byDigest.set(digest, history);
    history.subscribe(this);
    for (const recording of this.#recordings) recording.retell(history.replay());
    for (const watcher of this.#watchers) watcher.wake();
  }

  /** Tells watchers; of a vertex only those that have heard what was before. What is returned resolves when there is room for more in what records it. */
  publish(event: VertexEvent, history?: VertexHistory): Promise<void> | undefined {
    const waits = [...this.#recordings].map((recording) => recording.tell(event));
    if (!isForRecords(event)) {
      const place = history === undefined ? -1 : this.#places.get(history)!;
      for (const watcher of this.#watchers) {
        if (place >= watcher.told) continue;
        watcher.buffer.push(event);
        watcher.wake();
      }
    }
    return allOf(waits);
  }

  /** All that happens from now on, whole: steps wait when it is not read. */
  record(): Recording {
    const recording = new Recording(this.#memory.recordings);
    for (let at = 0; at < this.#histories.length; at++) recording.retell(this.#replayed(at));
    if (this.#closed) recording.end();
    else this.#recordings.add(recording);
    return recording;
  }

  /** States now, e.g. to count steps. */
  *states(): Generator<VertexState, void, void> {
    for (const { state } of this.#histories) yield state;
  }

  stateOf(vertex: Digest): VertexState | undefined {
    return this.#byDigest.get(vertex)?.state;
  }

  /** What a vertex has printed, as far as it is kept, in order. */
  logsOf(vertex: Digest): readonly Uint8Array[] {
    const events = this.#byDigest.get(vertex)?.replay() ?? [];
    return events.flatMap((event) => (event.kind === 'log' ? [event.data] : []));
  }

  warn(vertex: Digest, warning: Parameters<VertexProgress['warn']>[0]): void {
    const history = this.#byDigest.get(vertex);
    if (history === undefined) this.publish({ kind: 'warning', vertex, warning });
    else history.progress.warn(warning);
  }

  /** The build is over: watchers end after what they have yet to hear. What is still open is shown as cancelled. Yields after each vertex. */
  *close(): Generator<void, void, void> {
    if (this.#closed) return;
    for (const history of this.#histories) {
      history.settle();
      // All at once: what others begin after this build has left is no interval of it.
      history.unsubscribe(this);
      this.#last.push(history.state);
      if (history.running) {
        const vertex = { ...history.state, completed: Date.now(), error: cancelledError().message };
        this.#left.set(history, { kind: 'vertex', vertex });
        this.publish({ kind: 'vertex', vertex }, history);
      }
      yield;
    }
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.wake();
    for (const recording of this.#recordings) recording.end();
    this.#recordings.clear();
    this.#forgetIfOver();
  }

  /** Batches of events until the build ends. A watcher that reads slowly loses intermediate rows and the oldest of what was printed, and is told so. */
  async *watch({ signal }: AbortOptions): AsyncGenerator<readonly VertexEvent[], void> {
    const buffer = new EventBuffer(this.#memory.watchers);
    let wake = Promise.withResolvers<void>();
    const watcher: Watcher = { buffer, told: 0, wake: () => wake.resolve() };
    this.#watchers.add(watcher);
    using aborted = onAbort(signal);
    try {
      while (true) {
        signal.throwIfAborted();
        if (isTurnSpent()) await nextTurn({ signal });
        wake = Promise.withResolvers<void>();
        this.#replay(watcher);
        if (!buffer.empty) yield buffer.take(MOST_EVENTS);
        else if (watcher.told < this.#histories.length) continue;
        else if (this.#closed) return;
        else await Promise.race([wake.promise, aborted.promise]);
      }
    } finally {
      this.#watchers.delete(watcher);
      buffer.close();
      this.#forgetIfOver();
    }
  }

  #replay(watcher: Watcher): void {
    const to = Math.min(this.#histories.length, watcher.told + MOST_REPLAYED);
    for (; watcher.told < to; watcher.told++) {
      for (const event of this.#replayed(watcher.told)) watcher.buffer.push(event);
    }
  }

  /** What is to be told of a vertex to those who come late: none of the intervals that others have had it for since. */
  #replayed(at: number): readonly VertexEvent[] {
    const history = this.#histories[at]!;
    const events = history.replay();
    const last = this.#last[at];
    if (last === undefined) return events;
    const end = events.findIndex((event) => event.kind === 'vertex' && event.vertex === last);
    const own = events.filter(({ kind }, n) => n <= end || kind !== 'vertex');
    const left = this.#left.get(history);
    return left === undefined ? own : [...own, left];
  }
}
