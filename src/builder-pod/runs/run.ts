import { type AbortOptions, CodedError, inSlices, onAbort, toCodedError, type WorkOwner } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import { KeySketch } from '../../cache/keys/index.ts';
import type { VertexEvent } from '../../solver/ports.ts';
import {
  type Build,
  type BuildFacts,
  type BuildObserver,
  factsOf,
  type SolveOutcome,
  type SolveRequest,
} from '../engine/index.ts';
import type { RunId } from './id.ts';
import { mainContext } from './main-context.ts';
import type { RunRequest } from './request.ts';
import { cachesOf, errorFields, factFields, outputsOf } from './result.ts';
import type { RunResult, StoredRun } from './store.ts';

const { RUNNING, SUCCEEDED, FAILED, CANCELLED } = wire.slipway.builder.v1.SolveState;

export type Solve = (request: SolveRequest, options: AbortOptions) => Promise<SolveOutcome>;

/** Why a run was ended from outside: `cancelled` holds whatever came of it, `stopped` leaves nothing behind. */
type EndKind = 'cancelled' | 'failed' | 'stopped';

/** What is asked about a solve beside what it tells itself. */
export interface RunWitnesses {
  /** What its steps used: bytes of memory of those that ran at once, and ms of CPU. */
  readonly used?: (owner: WorkOwner) => { readonly peakMemory: number; readonly cpuMs: number } | undefined;
  /** Scopes that have a result of a key. */
  readonly scopesOf?: (key: string, most: number) => readonly string[];
}

/** Scopes of one key that are looked at. */
const MOST_SCOPES = 64;

/** One solve under way, or just over. */
export class Run implements Disposable {
  readonly id: RunId;
  readonly request: RunRequest;
  readonly #startedMs: number;
  readonly #unattachedMs: number;
  readonly #witnesses: RunWitnesses;
  readonly #controller = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  #build: Build | undefined;
  #retained: Disposable | undefined;
  #facts: BuildFacts | undefined;
  #keys: Uint8Array = new Uint8Array();
  #ended: { readonly kind: EndKind; readonly error: CodedError } | undefined;
  #attached = 0;
  #unattached: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(
    request: RunRequest,
    options: { readonly startedMs: number; readonly unattachedMs: number; readonly witnesses?: RunWitnesses },
  ) {
    this.id = request.id;
    this.request = request;
    this.#startedMs = options.startedMs;
    this.#unattachedMs = options.unattachedMs;
    this.#witnesses = options.witnesses ?? {};
  }

  /** Settles when the solve has ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Set when the builder stopped it, which says nothing about the solve. */
  get stopped(): CodedError | undefined {
    return this.#ended?.kind === 'stopped' ? this.#ended.error : undefined;
  }

  /** Solves; what is to be kept of it, or undefined when the builder stopped it. Call {@link finish} once that is kept. */
  async solve(solve: Solve, now: () => number): Promise<StoredRun | undefined> {
    const { timeoutMs, solve: request, session } = this.request;
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => this.end('failed', timedOut(timeoutMs)), timeoutMs);
    this.#watchAttachments();
    const observer: BuildObserver = ({ build }) => {
      this.#build = build;
      this.#retained = build.job.progress.retain();
      return { ending: () => this.#keepFacts(build) };
    };
    let outcome: SolveOutcome | undefined;
    let failure: CodedError | undefined;
    try {
      outcome = await solve({ ...request, observer }, { signal: this.#controller.signal });
    } catch (error) {
      failure = toCodedError(error);
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#unattached);
    }
    const ended = this.#ended;
    const used = this.#build === undefined ? undefined : this.#witnesses.used?.(this.#build.job.owner);
    const common = {
      ...{ startedMs: this.#startedMs, completedMs: now(), keys: this.#keys },
      ...factFields(this.#facts),
      ...(used === undefined ? {} : { peakMemory: used.peakMemory, cpuMs: Math.ceil(used.cpuMs) }),
    };
    if (outcome !== undefined && ended?.kind !== 'cancelled') {
      const result = { ...common, state: SUCCEEDED, outputs: outputsOf(outcome), caches: cachesOf(outcome) };
      const insecure = outcome.images.map((image) => image.insecure);
      return { state: SUCCEEDED, session, insecure, trust: request.trust, result };
    }
    if (ended?.kind === 'stopped') return undefined;
    const state = ended?.kind === 'cancelled' ? CANCELLED : FAILED;
    const error = ended?.error ?? notOurs(failure!);
    const step = ended === undefined ? this.#build : undefined;
    return { state, session, insecure: [], result: { ...common, state, ...errorFields(error, step) } };
  }

  finish(): void {
    this.#isOver = true;
    this.#over.resolve();
  }

  /** Over, and its events will not be asked for again. */
  [Symbol.dispose](): void {
    this.#retained?.[Symbol.dispose]();
  }

  /** How it stands while it runs. */
  async progress(options: AbortOptions): Promise<RunResult> {
    const facts =
      this.#facts ?? (this.#build === undefined ? undefined : await inSlices(this.#readFacts(this.#build), options));
    return { state: RUNNING, startedMs: this.#startedMs, ...factFields(facts) };
  }

  /** Ends it; the first reason counts, but that a cancellation comes before all others. */
  end(kind: EndKind, error: CodedError): void {
    if (this.#isOver) return;
    if (this.#ended === undefined || (kind === 'cancelled' && this.#ended.kind !== 'cancelled'))
      this.#ended = { kind, error };
    this.#controller.abort(error);
  }

  /** Somebody is there who wants the solve, until disposed. */
  attach(): Disposable {
    this.#attached++;
    clearTimeout(this.#unattached);
    let attached = true;
    return {
      [Symbol.dispose]: () => {
        if (!attached) return;
        attached = false;
        this.#attached--;
        this.#watchAttachments();
      },
    };
  }

  /** All events from the beginning, as far as they are kept, until the solve is over. @throws CodedError when the builder stopped it */
  async *events({ signal }: AbortOptions): AsyncGenerator<readonly VertexEvent[], void> {
    using _attached = this.attach();
    if (this.#build !== undefined) yield* this.#build.job.watch({ signal });
    using aborted = onAbort(signal);
    await Promise.race([this.over, aborted.promise]);
    if (this.stopped !== undefined) throw this.stopped;
  }

  #watchAttachments(): void {
    if (this.#attached > 0 || this.#isOver || this.#ended !== undefined) return;
    clearTimeout(this.#unattached);
    this.#unattached = setTimeout(() => this.end('failed', unattached(this.#unattachedMs)), this.#unattachedMs);
  }

  *#keepFacts(build: Build): Generator<void, void, void> {
    this.#facts = yield* this.#readFacts(build);
    const sketch = new KeySketch();
    for (const vertex of build.job.keyed()) {
      for (const { keys } of vertex?.outputs ?? []) if (keys[0] !== undefined) sketch.add(keys[0]);
      yield;
    }
    const { write, read } = this.request.solve.scope;
    this.#keys = sketch.bytes((key) => {
      const found = this.#witnesses.scopesOf?.(key, MOST_SCOPES) ?? [];
      return found.includes(write) ? write : (read.find((scope) => found.includes(scope)) ?? write);
    });
  }

  #readFacts(build: Build): Generator<void, BuildFacts, void> {
    return factsOf(build, mainContext(this.request.solve));
  }
}

/** A cancellation that nobody here asked for is a failure of the platform. */
function notOurs(error: CodedError): CodedError {
  if (error.fault !== 'cancelled') return error;
  return new CodedError('unavailable', `the solve was interrupted: ${error.message}`, {
    cause: error,
    reason: error.reason ?? 'RUN_INTERRUPTED',
    details: error.details,
  });
}

function timedOut(ms: number): CodedError {
  return CodedError.of('RUN_TIMEOUT', `the build took longer than ${ms / 1000} s`);
}

function unattached(ms: number): CodedError {
  return CodedError.of('RUN_UNATTACHED', `nobody was attached to the solve for ${ms / 1000} s`);
}
