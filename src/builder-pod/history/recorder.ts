import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type AbortOptions,
  CodedError,
  type Digest,
  HOUSE,
  inSlices,
  type Logger,
  neverAborted,
  onAbort,
  sleep,
} from '../../base/index.ts';
import { statusOfError, wire } from '../../builder-api/index.ts';
import type { KeyedVertex } from '../../solver/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type {
  BuildEnd,
  BuildObserver,
  BuildWatch,
  BuiltProvenance,
  StepLayerStores,
  UnreadCache,
} from '../engine/index.ts';
import { buildkitCode } from '../protocol/index.ts';
import { withoutOwnPaths } from '../state/own-paths.ts';
import { fieldsOf, type HistoryFilter, patternTimeout } from './filter.ts';
import { hidingOf } from './key-parts.ts';
import { readLogFrames } from './log-frames.ts';
import { LogSpace } from './log-space.ts';
import { logTask, writeLog } from './log-writer.ts';
import { countSteps, failureOf, resultFields, startFields } from './record-fields.ts';
import { RecordedKeys, type RecordedVertex, withinTenant } from './recorded-keys.ts';
import { isMade, RecordedProvenance } from './recorded-provenance.ts';
import { type BuildRecord, fileOf, HistoryStore, type HistoryStoreOptions, type StoredRecord } from './store.ts';

const v1 = wire.moby.buildkit.v1;
const { STARTED, COMPLETE, DELETED } = v1.BuildHistoryEventType;

export interface HistoryEvent {
  readonly type: wire.moby.buildkit.v1.BuildHistoryEventType;
  readonly record: BuildRecord;
}

/** A record as it was listed. */
interface ListedRecord extends HistoryEvent {
  readonly id: number;
  /** It tells all that it can. */
  readonly isWhole: boolean;
}

interface RecorderOptions extends HistoryStoreOptions {
  /** Of the logs, and nothing else. */
  readonly directory: string;
  /** Not told to those who read records. */
  readonly stateRoot: string;
  readonly pool: WorkerPool;
  /** For what takes its time. */
  readonly bulk: WorkerPool;
  /** Where layers of steps are found. */
  readonly stores: StepLayerStores;
  readonly log: Logger;
}

type Listener = (scope: string, event: HistoryEvent) => void;

const filterTask = tasksOf<typeof import('./filter.ts')>(siblingModule(import.meta.url, './filter'));
const FILTER_TIMEOUT_MS = 2000;
/** Of what the logs may take, what keys may take beside them. */
const KEYS_OF_LOGS = 16;
const MOST_PINNED = 200;
/** Records of a list for which what they tell is made at the same time. */
const MADE_AT_ONCE = 4;
/** How often it is looked whether a log has grown. */
const GROWTH_MS = 150;
/** A log that is larger is no short work. */
const LARGE_LOG = 4 << 20;

/**
 * The history of builds (ARCHITECTURE, Build history): an observer of the engine that keeps a record and the log of every solve, over restarts. A record is
 * there from a build's start, so that one whose builder was killed is found and ended by the next life.
 */
export class Recorder implements AsyncDisposable {
  readonly #options: RecorderOptions;
  readonly #store: HistoryStore;
  readonly #keys: RecordedKeys;
  readonly #provenance: RecordedProvenance;
  readonly #space: LogSpace;
  readonly #listeners = new Set<Listener>();
  /** Logs that are yet to be closed, and files to be removed. */
  readonly #closing = new Set<Promise<void>>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#store = new HistoryStore(options);
    this.#keys = new RecordedKeys(options.db, options.mostLogBytes / KEYS_OF_LOGS);
    this.#provenance = new RecordedProvenance({ ...options, store: this.#store });
    this.#space = new LogSpace({
      each: options.limits.maxLogSize,
      total: options.mostLogBytes,
      makeRoom: (bytes) => this.#removeAll(this.#store.prune(bytes)),
    });
    const killed = CodedError.of('BUILD_INTERRUPTED', 'the builder ended while the build ran');
    for (const { id, isOver } of this.#store.unfinished()) {
      if (!isOver) this.#store.complete(id, failureOf(statusOfError(killed, buildkitCode)));
      this.#defer(() => this.#seal(id, Infinity));
    }
    this.#removeAll(this.#store.prune());
    this.#defer(() => this.#sweep());
    this.#defer(() => inSlices(this.#keys.sweep(), { signal: neverAborted }));
  }

  readonly observe: BuildObserver = ({ request, build }): BuildWatch => {
    if (request.recorded === 'not') return {};
    const scope = request.scope.write;
    const { ref } = request;
    const earlier = this.#store.find(scope, ref);
    if (earlier !== undefined) this.#remove(earlier);
    const id = this.#store.start(scope, ref, startFields(request));
    if (id === undefined) return {};
    const { pool, log } = this.#options;
    const { owner } = build.job;
    const written = writeLog(build.job.record(), { path: this.#path(id), pool, log, space: this.#space, owner });
    this.#tell(STARTED, id);
    let counts: BuildRecord = {};
    const keyed: KeyedVertex[] = [];
    return {
      *ending() {
        counts = yield* countSteps(build);
        for (const vertex of build.job.keyed()) {
          if (vertex !== undefined) keyed.push(withinTenant(vertex, scope));
          yield;
        }
      },
      ended: (end) => {
        const hiding = request.recorded === 'outline' ? hidingOf(request.frontendAttrs) : undefined;
        const keep = async (provenance: BuiltProvenance) => {
          // Secrets of an operator's build may be in it.
          if (hiding !== undefined) return;
          await this.#provenance.keep(id, { provenance, keyed, scopes: request.scope.read, owner });
        };
        this.#complete(id, end, { counts, written, keep });
        const { unreadCaches } = build;
        this.#defer(async () => {
          this.#keys.writeUnread(id, unreadCaches, hiding);
          await inSlices(this.#keys.write(id, keyed, hiding), { signal: neverAborted });
        });
      },
    };
  };

  /** Resolves once what has ended until now is recorded whole. */
  async settled({ signal }: AbortOptions = { signal: neverAborted }): Promise<void> {
    using aborted = onAbort(signal);
    await Promise.race([Promise.all(this.#closing), aborted.promise]);
  }

  /** Resolves once all that records of this scope tell of builds that have ended until now can be had. */
  async ready(scope: string, { signal }: AbortOptions): Promise<void> {
    await this.settled({ signal });
    for await (const _ of this.whole(this.list(scope, { activeOnly: false, ref: '' }), { signal }));
  }

  /** What is active, then what is over, as far as it is known without work: {@link whole} makes the rest. */
  list(
    scope: string,
    { activeOnly, ref }: { readonly activeOnly: boolean; readonly ref: string },
  ): readonly ListedRecord[] {
    const all = this.#store
      .list(scope)
      .filter((one) => ref === '' || one.ref === ref)
      .map(({ id, isOver, attested, record }) => ({
        ...{ type: isOver ? COMPLETE : STARTED, record, id },
        isWhole: isMade(attested),
      }));
    const active = all.filter(({ type }) => type === STARTED);
    return activeOnly ? active : [...active, ...all.filter(({ type }) => type === COMPLETE)];
  }

  /** Tells them in their order, each once all that it tells can be had. Nothing is made for those that nobody takes, but for a few ahead. */
  async *whole(listed: readonly ListedRecord[], { signal }: AbortOptions): AsyncGenerator<HistoryEvent, void> {
    const begun: Promise<HistoryEvent>[] = [];
    for (let at = 0; at < listed.length; at++) {
      for (const one of listed.slice(begun.length, at + MADE_AT_ONCE)) {
        const making = this.#whole(one, { signal });
        // Told when its turn comes.
        making.catch(() => {});
        begun.push(making);
      }
      yield await begun[at]!;
    }
  }

  async #whole({ id, isWhole, ...event }: ListedRecord, { signal }: AbortOptions): Promise<HistoryEvent> {
    if (isWhole) return event;
    await this.#provenance.make(id, { signal });
    return { ...event, record: this.#store.byId(id)?.record ?? event.record };
  }

  /** Those whose record matches any of the filters, or is gone. Patterns are tried in a worker, for a bounded time. */
  async matching<E extends HistoryEvent>(
    events: readonly E[],
    filter: HistoryFilter,
    { signal }: AbortOptions,
  ): Promise<readonly E[]> {
    if (filter.length === 0 || events.length === 0) return events;
    const timeout = AbortSignal.timeout(FILTER_TIMEOUT_MS);
    const records = events.map(({ record }) => fieldsOf(record));
    try {
      const found = await this.#options.pool.run(
        filterTask('matchRecords'),
        { filter, records },
        { signal: AbortSignal.any([signal, timeout]), owner: HOUSE },
      );
      const matched = new Set(found);
      return events.filter(({ type }, index) => type === DELETED || matched.has(index));
    } catch (error) {
      throw signal.aborted || !timeout.aborted ? error : patternTimeout(error);
    }
  }

  listen(scope: string, listener: (event: HistoryEvent) => void): Disposable {
    const own: Listener = (its, event) => {
      if (its === scope) listener(event);
    };
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  /** @throws CodedError not_found; resource_exhausted when too many are pinned */
  pin(scope: string, ref: string, pinned: boolean): void {
    const { id, isPinned } = this.#find(scope, ref);
    if (pinned && !isPinned && this.#store.pinned >= MOST_PINNED)
      throw new CodedError('resource_exhausted', `${MOST_PINNED} builds are pinned already`, {
        fault: 'user',
        hint: 'unpin or delete some of them',
      });
    this.#store.pin(id, pinned);
    this.#tell(COMPLETE, id);
  }

  /** @throws CodedError not_found; failed_precondition while the build runs */
  delete(scope: string, ref: string): void {
    const found = this.#find(scope, ref);
    if (!found.isOver) throw new CodedError('failed_precondition', `build ${ref} is still running`, { fault: 'user' });
    this.#remove(found);
  }

  /** All that happened in a build that is over, once it is written; undefined where there is none. */
  replay(scope: string, ref: string, { signal }: AbortOptions) {
    return this.#replay(this.#store.find(scope, ref), signal);
  }

  /** The same of a solve of an operator. */
  replayRun(ref: string, { signal }: AbortOptions) {
    return this.#replay(this.#store.findRun(ref), signal);
  }

  /** The same whether it is over or not: what its log holds by now, and with `follow` what comes to it until it is over. Whoever reads slowly misses nothing. */
  recordedRun(ref: string, { signal, follow }: AbortOptions & { readonly follow: boolean }) {
    const found = this.#store.findRun(ref);
    return found === undefined ? undefined : readLogFrames(this.#grown(found.id, follow, signal));
  }

  /** Caches that a build which is over was to read and could not, once that is written. */
  unread(scope: string, ref: string): readonly UnreadCache[] {
    const found = this.#store.find(scope, ref);
    return found === undefined ? [] : this.#keys.unread(found.id);
  }

  /**
   * What went into the keys of a build that is over, once that is written; undefined where there is none. What another tenant has made is no concern of this one:
   * a step that it could not see is recorded as new.
   */
  async keys(scope: string, ref: string, { signal }: AbortOptions): Promise<readonly RecordedVertex[] | undefined> {
    const found = this.#store.find(scope, ref);
    if (found === undefined) return undefined;
    await this.settled({ signal });
    return await inSlices(this.#keys.read(found.id), { signal });
  }

  /** The same of builds of this scope that are over, newest first; with `ref` of those before that one alone. */
  async *earlierKeys(
    scope: string,
    ref: string | undefined,
    { signal }: AbortOptions,
  ): AsyncGenerator<readonly RecordedVertex[], void> {
    const last = ref === undefined ? Infinity : (this.#store.find(scope, ref)?.id ?? 0);
    const earlier = this.#store.list(scope).filter(({ id, isOver }) => isOver && id < last);
    await this.settled({ signal });
    for (const { id } of earlier.reverse()) yield await inSlices(this.#keys.read(id), { signal });
  }

  /** The newest build of this scope that is over. */
  latest(scope: string): string | undefined {
    return this.#store.list(scope).findLast(({ isOver }) => isOver)?.ref;
  }

  /** Whether a build of this scope is over; undefined where there is none. */
  isOver(scope: string, ref: string): boolean | undefined {
    return this.#store.find(scope, ref)?.isOver;
  }

  /** The scope of a solve of an operator. */
  scopeOfRun(ref: string): string | undefined {
    return this.#store.findRun(ref)?.scope;
  }

  /** A blob that belongs to a record of this scope. */
  blob(scope: string, digest: string) {
    const found = this.#store.blob(scope, digest);
    if (found === undefined) return undefined;
    if (!('file' in found)) {
      const bytes = found;
      return {
        size: bytes.length,
        read: async function* (offset: number, _: AbortOptions) {
          yield bytes.subarray(offset);
        },
      };
    }
    const { file, size } = found;
    return { size, read: (offset: number, { signal }: AbortOptions) => this.#read(file, offset, signal) };
  }

  /** Whether a result of this scope's builds consists of the blob, which lies in the content store. */
  names(scope: string, digest: Digest): boolean {
    return this.#store.names(scope, digest);
  }

  /** All blobs of this scope's records. */
  digests(scope: string): readonly Digest[] {
    return this.#store.digests(scope);
  }

  /** Ends when all that is over is recorded. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#closing.size > 0) await this.settled();
    await this.#provenance.settled();
  }

  #replay(found: StoredRecord | undefined, signal: AbortSignal) {
    if (found?.record.logs === undefined) return undefined;
    return readLogFrames(this.#read(String(found.id), 0, signal));
  }

  #find(scope: string, ref: string): StoredRecord {
    const found = this.#store.find(scope, ref);
    if (found === undefined) throw new CodedError('not_found', `no build record of ${ref}`, { fault: 'user' });
    return found;
  }

  #complete(
    id: number,
    end: BuildEnd,
    {
      counts,
      written,
      keep,
    }: {
      readonly counts: BuildRecord;
      readonly written: Promise<number>;
      readonly keep: (provenance: BuiltProvenance) => Promise<void>;
    },
  ): void {
    const told = end.kind === 'done' ? resultFields(end) : failureOf(this.#status(end.error));
    this.#store.complete(id, { ...told, fields: { ...counts, ...told.fields } });
    this.#defer(async () => {
      await this.#seal(id, await written);
      if (end.kind === 'done' && end.provenance !== undefined) await keep(end.provenance);
      if (this.#listeners.size > 0) await this.#provenance.make(id, { signal: neverAborted });
      this.#tell(COMPLETE, id);
      this.#removeAll(this.#store.prune());
    });
  }

  #status(error: CodedError) {
    return statusOfError(withoutOwnPaths(error, this.#options.stateRoot), buildkitCode);
  }

  async #seal(id: number, bytes: number): Promise<void> {
    const pool = bytes > LARGE_LOG ? this.#options.bulk : this.#options.pool;
    const path = this.#path(id);
    const log = await pool.run(logTask('seal'), { path }, { signal: neverAborted, owner: HOUSE });
    this.#store.setLog(id, log);
  }

  #removeAll(records: readonly StoredRecord[]): void {
    if (records.length === 0) return;
    const paths = records.flatMap(({ id, attested }) => [
      this.#path(id),
      ...attested.map((_, place) => join(this.#options.directory, fileOf(id, place))),
    ]);
    this.#defer(() => this.#options.pool.run(logTask('remove'), { paths }, { signal: neverAborted, owner: HOUSE }));
    for (const { id, scope, ref } of records) {
      this.#defer(() => inSlices(this.#keys.remove(id), { signal: neverAborted }));
      this.#emit(scope, { type: DELETED, record: { ref } });
    }
  }

  #remove(record: StoredRecord): void {
    this.#store.remove(record.id);
    this.#removeAll([record]);
  }

  /** Removes logs without a record: their removal was cut short. */
  async #sweep(): Promise<void> {
    const { pool, directory } = this.#options;
    const files = await pool.run(logTask('list'), { directory }, { signal: neverAborted, owner: HOUSE });
    const paths = files.filter((file) => !this.#store.has(Number(basename(file).split('.', 1)[0])));
    if (paths.length > 0) await pool.run(logTask('remove'), { paths }, { signal: neverAborted, owner: HOUSE });
  }

  #defer(work: () => Promise<unknown>): void {
    const closing = work()
      .then(
        () => {},
        (error: unknown) => this.#options.log.error('the history of a build was not written', { err: error }),
      )
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #tell(type: HistoryEvent['type'], id: number): void {
    const found = this.#listeners.size === 0 ? undefined : this.#store.byId(id);
    if (found !== undefined) this.#emit(found.scope, { type, record: found.record });
  }

  #emit(scope: string, event: HistoryEvent): void {
    for (const listener of this.#listeners) listener(scope, event);
  }

  #path(id: number): string {
    return join(this.#options.directory, String(id));
  }

  async *#grown(id: number, follow: boolean, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    for (let offset = 0; ; ) {
      const found = this.#store.byId(id);
      for await (const bytes of this.#read(String(id), offset, signal)) {
        yield bytes;
        offset += bytes.length;
      }
      // What had been written whole was read whole; of one that has just ended the rest is about to be written.
      if (found === undefined || found.record.logs !== undefined || !(follow || found.isOver)) return;
      await sleep(GROWTH_MS, { signal });
    }
  }

  async *#read(file: string, start: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { pool, directory } = this.#options;
    const path = join(directory, file);
    for (let offset = start; ; ) {
      const bytes = await pool.run(logTask('read'), { path, offset }, { signal, owner: HOUSE });
      if (bytes.length === 0) return;
      yield bytes;
      offset += bytes.length;
    }
  }
}
