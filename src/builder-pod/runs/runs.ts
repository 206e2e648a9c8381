import {
  type AbortOptions,
  type Clock,
  CodedError,
  cancelledError,
  type Digest,
  type Logger,
  onAbort,
  type SessionTrust,
  sleep,
  systemClock,
  toCodedError,
} from '../../base/index.ts';
import { type SessionRegistry, wire } from '../../builder-api/index.ts';
import { formatRunId, isSamePart, type RunId, supersedes } from './id.ts';
import type { RunRequest } from './request.ts';
import { errorFields } from './result.ts';
import { Run, type RunWitnesses, type Solve } from './run.ts';
import type { RunResult, RunState, RunStore, StoredRun } from './store.ts';
import type { WriteTags } from './tags.ts';

const { UNKNOWN, RUNNING, SUCCEEDED, CANCELLED } = wire.slipway.builder.v1.SolveState;

export interface RunsOptions {
  readonly solve: Solve;
  readonly store: RunStore;
  readonly sessions: Pick<SessionRegistry, 'declareLogical'>;
  readonly writeTags: WriteTags;
  readonly witnesses?: RunWitnesses;
  readonly trusts?: SessionTrust;
  /** Solves at once. */
  readonly capacity: number;
  /** How long a solve goes on without anybody attached. */
  readonly unattachedMs: number;
  readonly log: Logger;
  /** Called when a solve is over. */
  readonly onOver?: () => void;
  readonly clock?: Clock;
}

/** Why a builder takes no new solves. */
export interface Draining {
  readonly reason: string;
  /** When what still runs is ended, ms since the epoch; absent for never. */
  readonly untilMs?: number;
}

export function drainingError({ reason }: Draining): CodedError {
  return CodedError.of('BUILDER_DRAINING', `the builder takes no new builds: ${reason}`);
}

interface Committing {
  readonly id: RunId;
  readonly done: Promise<StoredRun>;
  readonly controller: AbortController;
}

/** Solves that are over whose events can still be watched. */
const KEEP_RECENT = 16;
const KEEP_RECENT_MS = 10 * 60_000;
const KEEP_UNSAVED = 100;
/** How long Cancel waits for the end before it says that the solve still runs. */
const CANCEL_WAIT_MS = 5000;
/** For all tags of a solve, retries included. */
const COMMIT_TIMEOUT_MS = 10 * 60_000;

/** The solves of a builder that belong to no connection (ARCHITECTURE, Solves that outlive their client). */
export class Runs implements AsyncDisposable {
  readonly #options: RunsOptions;
  readonly #clock: Clock;
  readonly #live = new Map<string, Run>();
  readonly #recent = new Map<string, Run>();
  /** Results that could not be written, e.g. to a full disk. */
  readonly #unsaved = new Map<string, StoredRun>();
  readonly #committing = new Map<string, Committing>();
  #draining: Draining | undefined;
  /** Results of this life that nobody has acknowledged yet, and who waits for them. */
  readonly #unread = new Set<string>();
  readonly #readers = new Set<() => void>();

  constructor(options: RunsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get running(): number {
    return this.#live.size;
  }

  get capacity(): number {
    return this.#options.capacity;
  }

  get draining(): Draining | undefined {
    return this.#draining;
  }

  /** Takes no new solves any more. The first reason stays, and the end is told once there is one. */
  drain(why: Draining): void {
    this.#draining = { ...why, reason: this.#draining?.reason ?? why.reason };
  }

  /** Settles when the results of all solves that were begun in this life are acknowledged, and so their tags written; or after `patienceMs`. */
  async settled(patienceMs: number, { signal }: AbortOptions): Promise<void> {
    using aborted = onAbort(signal);
    const patience = new AbortController();
    const late = sleep(patienceMs, { signal: patience.signal }).then(
      () => true,
      () => true,
    );
    try {
      while (this.#live.size + this.#committing.size + this.#unread.size > 0) {
        const read = Promise.withResolvers<false>();
        const reader = () => read.resolve(false);
        this.#readers.add(reader);
        try {
          if (await Promise.race([read.promise, late, aborted.promise])) return;
        } finally {
          this.#readers.delete(reader);
        }
      }
    } finally {
      patience.abort(cancelledError());
    }
  }

  /** Begins a solve, or says how a known one stands. @throws CodedError for one that must not start, and for a busy builder */
  async start(request: RunRequest): Promise<{ readonly state: RunState; readonly alreadyKnown: boolean }> {
    const { id } = request;
    const key = formatRunId(id);
    if (this.#live.has(key)) return { state: RUNNING, alreadyKnown: true };
    const known = this.#find(id);
    if (known?.state === UNKNOWN) throw CodedError.of('RUN_OVER', `solve ${key} is over and was acknowledged`);
    if (known !== undefined) return { state: known.state, alreadyKnown: true };
    const newest = this.#options.store.newestAttempt(id);
    if (newest > id.attempt) throw superseded(id, newest);
    this.#assertRoom(id);
    this.#options.store.noteAttempt(id);
    const { unattachedMs, witnesses = {} } = this.#options;
    const run = new Run(request, { startedMs: this.#now(), unattachedMs, witnesses });
    this.#live.set(key, run);
    this.#options.log.info('solve starts', { run: key, subject: request.subject });
    void this.#drive(run, key);
    await this.#fence(id);
    return { state: this.#live.has(key) ? RUNNING : (this.#find(id)?.state ?? UNKNOWN), alreadyKnown: false };
  }

  isLive(id: RunId): boolean {
    return this.#live.has(formatRunId(id));
  }

  /** A solve whose events can be watched; undefined for one that is over and no longer kept. @throws CodedError not_found */
  watchable(id: RunId): Run | undefined {
    const key = formatRunId(id);
    const run = this.#live.get(key) ?? this.#recent.get(key);
    if (run === undefined && (this.#find(id)?.state ?? UNKNOWN) === UNKNOWN) throw unknownRun(id);
    return run;
  }

  /** Ends a solve, now or before it ever starts. Its tags will not be written, unless they are being written already. */
  async cancel(id: RunId, reason: string, { signal }: AbortOptions): Promise<RunState> {
    const key = formatRunId(id);
    const error = CodedError.of('RUN_CANCELLED', reason === '' ? 'the solve was cancelled' : reason);
    const run = this.#live.get(key);
    if (run !== undefined) {
      run.end('cancelled', error);
      using aborted = onAbort(signal);
      const patience = new AbortController();
      const waited = sleep(CANCEL_WAIT_MS, { signal: patience.signal }).catch(() => {});
      await Promise.race([run.over, aborted.promise, waited]).finally(() => patience.abort());
      return this.#live.has(key) ? RUNNING : (this.#find(id)?.state ?? CANCELLED);
    }
    const known = this.#find(id);
    if (known === undefined) {
      this.#options.store.mark(id, CANCELLED);
      this.#options.store.noteAttempt(id);
      await this.#fence(id);
      return CANCELLED;
    }
    if (known.state !== SUCCEEDED || known.result?.committed === true || this.#committing.has(key)) return known.state;
    const result = { ...known.result, state: CANCELLED, ...errorFields(error, undefined) };
    this.#save(id, { ...known, state: CANCELLED, result });
    return CANCELLED;
  }

  /** How a solve stands; with `wait` once it is over. */
  async result(id: RunId, { signal, wait }: AbortOptions & { readonly wait: boolean }): Promise<RunResult> {
    const run = this.#live.get(formatRunId(id));
    if (run !== undefined) {
      if (!wait) return await run.progress({ signal });
      using _attached = run.attach();
      using aborted = onAbort(signal);
      await Promise.race([run.over, aborted.promise]);
      if (run.stopped !== undefined) throw run.stopped;
    }
    const known = this.#find(id);
    return known?.result ?? { state: known?.state ?? UNKNOWN };
  }

  /** Writes the tags, once; calls at the same time join. @throws CodedError failed_precondition when they must not be written */
  async commit(id: RunId, { signal }: AbortOptions): Promise<RunResult> {
    const key = formatRunId(id);
    const under = this.#committing.get(key) ?? this.#beginCommit(id, key);
    if (under === undefined) return this.#find(id)?.result ?? {};
    using aborted = onAbort(signal);
    return (await Promise.race([under.done, aborted.promise])).result ?? {};
  }

  /** The result may be forgotten; that the solve is over is remembered. @throws CodedError failed_precondition while it is not */
  async acknowledge(id: RunId, { signal }: AbortOptions): Promise<void> {
    const key = formatRunId(id);
    if (this.#live.has(key)) throw notOver(id);
    using aborted = onAbort(signal);
    await Promise.race([this.#committing.get(key)?.done.catch(() => {}), aborted.promise]);
    const known = this.#find(id);
    this.#dropRecent(key);
    this.#unsaved.delete(key);
    this.#unread.delete(key);
    for (const reader of this.#readers) reader();
    if (known?.result !== undefined) this.#options.store.mark(id, UNKNOWN);
  }

  /** Ends all solves without a result: to whoever asks later they are unknown. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.drain({ reason: 'the builder is stopping' });
    const error = CodedError.of('BUILDER_STOPPING', 'the builder is stopping');
    for (const run of this.#live.values()) run.end('stopped', error);
    for (const { controller } of this.#committing.values()) controller.abort(error);
    await Promise.allSettled([
      ...[...this.#live.values()].map((run) => run.over),
      ...[...this.#committing.values()].map(({ done }) => done),
    ]);
  }

  #assertRoom(id: RunId): void {
    if (this.#draining !== undefined) throw drainingError(this.#draining);
    // An older attempt at the same part makes room.
    const others = [...this.#live.values()].filter((run) => !isSamePart(run.id, id)).length;
    if (others < this.#options.capacity) return;
    throw CodedError.of('BUILDER_BUSY', `the builder has ${others} solves, as many as it takes at once`);
  }

  /** Sees to it that no older attempt at the part goes on, or writes another tag. */
  async #fence(newer: RunId): Promise<void> {
    const writing: Promise<unknown>[] = [];
    for (const run of this.#live.values())
      if (supersedes(newer, run.id)) run.end('cancelled', superseded(run.id, newer.attempt));
    for (const { id, controller, done } of this.#committing.values()) {
      if (!supersedes(newer, id)) continue;
      controller.abort(superseded(id, newer.attempt));
      writing.push(done.catch(() => {}));
    }
    await Promise.all(writing);
  }

  async #drive(run: Run, key: string): Promise<void> {
    const { log, sessions, solve, onOver } = this.#options;
    const scope = run.request.solve.scope.write;
    using logical = new DisposableStack();
    for (const id of sessionsOf(run.request)) logical.use(sessions.declareLogical(id, scope));
    try {
      const kept = await run.solve(solve, () => this.#now());
      log.info('solve is over', { run: key, state: kept?.state, err: kept?.result?.error?.message });
      if (kept !== undefined) this.#save(run.id, kept);
    } catch (error) {
      log.error('the end of a solve could not be told', { run: key, err: toCodedError(error) });
    } finally {
      this.#live.delete(key);
      if (run.stopped === undefined) this.#unread.add(key);
      this.#keepRecent(key, run);
      run.finish();
      onOver?.();
    }
  }

  #keepRecent(key: string, run: Run): void {
    this.#recent.set(key, run);
    setTimeout(() => {
      if (this.#recent.get(key) === run) this.#dropRecent(key);
    }, KEEP_RECENT_MS).unref();
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= KEEP_RECENT) break;
      this.#dropRecent(oldest);
    }
  }

  #dropRecent(key: string): void {
    this.#recent.get(key)?.[Symbol.dispose]();
    this.#recent.delete(key);
  }

  #find(id: RunId): StoredRun | undefined {
    return this.#unsaved.get(formatRunId(id)) ?? this.#options.store.find(id);
  }

  #save(id: RunId, run: StoredRun): void {
    const key = formatRunId(id);
    try {
      this.#options.store.save(id, run);
      this.#unsaved.delete(key);
    } catch (error) {
      this.#options.log.error('a result is kept in memory only', { run: key, err: toCodedError(error) });
      this.#unsaved.set(key, run);
      for (const oldest of this.#unsaved.keys()) {
        if (this.#unsaved.size <= KEEP_UNSAVED) break;
        this.#unsaved.delete(oldest);
      }
    }
  }

  /** Undefined when the tags were written before. */
  #beginCommit(id: RunId, key: string): Committing | undefined {
    const known = this.#find(id);
    if (this.#live.has(key)) throw notOver(id);
    if (known === undefined || known.state === UNKNOWN) throw unknownRun(id);
    if (known.result?.committed === true) return undefined;
    if (known.state !== SUCCEEDED) {
      const message = `solve ${key} has not succeeded: its tags are not written`;
      throw known.state === CANCELLED
        ? CodedError.of('RUN_CANCELLED', message, { code: 'failed_precondition' })
        : CodedError.of('RUN_FAILED', message);
    }
    const newest = this.#options.store.newestAttempt(id);
    if (newest > id.attempt) throw superseded(id, newest);
    const controller = new AbortController();
    const done = this.#writeTags(id, known, controller).finally(() => this.#committing.delete(key));
    done.catch(() => {});
    const committing = { id, done, controller };
    this.#committing.set(key, committing);
    return committing;
  }

  async #writeTags(id: RunId, known: StoredRun, controller: AbortController): Promise<StoredRun> {
    const { session, insecure, trust, result = {} } = known;
    using _trusted = this.#options.trusts?.hold(session, trust);
    using _logical = session === '' ? undefined : this.#options.sessions.declareLogical(session);
    const late = CodedError.of('COMMIT_TIMEOUT', 'writing the tags took too long');
    const timer = setTimeout(() => controller.abort(late), COMMIT_TIMEOUT_MS);
    try {
      const images = (result.outputs ?? []).map((output, i) => ({
        names: output.names ?? [],
        digest: output.digest as Digest,
        mediaType: output.mediaType ?? '',
        insecure: insecure[i] ?? false,
      }));
      const { signal } = controller;
      await this.#options.writeTags(images, { signal, sessions: () => (session === '' ? [] : [session]) });
      signal.throwIfAborted();
    } finally {
      clearTimeout(timer);
    }
    const committed = { ...known, result: { ...result, committed: true } };
    this.#save(id, committed);
    return committed;
  }

  #now(): number {
    return Math.floor(this.#clock.now());
  }
}

const OF_LOCAL = 'local-sessionid:';

/** The solve's session, and those below it that serve directories of their own. */
function sessionsOf({ session, solve }: RunRequest): ReadonlySet<string> {
  const ids = new Set(session === '' ? [] : [session]);
  for (const [name, id] of solve.frontendAttrs)
    if (session !== '' && name.startsWith(OF_LOCAL) && id.startsWith(`${session}.`)) ids.add(id);
  return ids;
}

function superseded(id: RunId, newest: number): CodedError {
  return CodedError.of('RUN_SUPERSEDED', `solve ${formatRunId(id)} is superseded by attempt ${newest}`);
}

function notOver(id: RunId): CodedError {
  return CodedError.of('RUN_NOT_OVER', `solve ${formatRunId(id)} is not over yet`);
}

function unknownRun(id: RunId): CodedError {
  return CodedError.of('RUN_UNKNOWN', `no solve ${formatRunId(id)} is known here`);
}
