import {
  type AbortOptions,
  type Clock,
  CodedError,
  cancelledError,
  invalidArgument,
  NO_LIMITS,
  onAbort,
  type SessionTrust,
  systemClock,
  toCodedError,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { VertexOp } from '../../llb/index.ts';
import { type KeyStore, type OpResolver, type ResultStore, Solver, type SolverObserver } from '../../solver/index.ts';
import { readLongConfig } from '../exporters/index.ts';
import type { BridgeResult } from '../frontends/index.ts';
import { Attesting } from './attesting.ts';
import { Build, type BuildServices } from './build.ts';
import { BuildExports, type ExportServices, openExports } from './build-exports.ts';
import { ContinuousExports } from './continuous-exports.ts';
import { EarlyPacking } from './early-packing.ts';
import { grantEntitlements } from './entitlements.ts';
import { BuildWatches } from './observer.ts';
import { MadeInputs } from './provenance/requests.ts';
import { FailedSteps } from './remains.ts';
import type { BuildEnd, BuildObserver, SolveOutcome, SolveRequest } from './solve.ts';
import { SpareThreads } from './spare-threads.ts';

/** How long a build that is over is still known, for watchers that come late. */
const KEEP_MS = 10_000;

interface EngineOptions extends BuildServices, ExportServices {
  readonly resolver: OpResolver<VertexOp, ImmutableRef>;
  readonly keys: KeyStore;
  readonly results: ResultStore<ImmutableRef>;
  /** Entitlements that builds may ask for. */
  readonly allowedEntitlements: ReadonlySet<string>;
  /** Told of every solve, of whatever kind. */
  readonly buildObservers?: readonly BuildObserver[];
  /** Are told what the solver comes to know, of all builds. */
  readonly observers?: readonly SolverObserver<VertexOp, ImmutableRef>[];
  /** How connections of the builds of sessions leave the machine. */
  readonly trusts?: SessionTrust;
  readonly clock?: Clock;
}

/** Composes solves: frontends, the solver, exporters. One for a builder. */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #solver: Solver<VertexOp, ImmutableRef>;
  readonly #ahead: { readonly packing: EarlyPacking; readonly continuous: ContinuousExports };
  readonly #builds = new Map<string, Build>();
  /** By the client. */
  readonly #madeInputs = new WeakMap<object, MadeInputs>();
  /** Builds that failed before they began, by ref: whoever comes to watch them is told at once. */
  readonly #refused = new Map<string, CodedError>();
  readonly #waiters = new Set<() => void>();
  readonly #clock: Clock;
  /** Fires when the builder stops. */
  readonly #stop = new AbortController();
  /** Fires when builds are to end as if they had failed. */
  readonly #interrupt = new AbortController();
  #refusal: CodedError | undefined;
  /** With the time at which each began. */
  readonly #active = new Map<Promise<unknown>, number>();
  /** Up to when the last of them ended. */
  #busyMs = 0;
  #busyFrom = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const spare = new SpareThreads(options.pools.bulk.places);
    const packing = new EarlyPacking({ spare });
    const continuous = new ContinuousExports({ spare, log: options.log });
    this.#ahead = { packing, continuous };
    const observers = [...(options.observers ?? []), packing.observer, continuous.observer];
    this.#solver = new Solver({ ...options, clock: this.#clock, observers });
  }

  /** Builds under way. */
  get activeBuilds(): number {
    return this.#active.size;
  }

  /** When the oldest of them began (ms since the epoch); infinite for none. */
  get busySince(): number {
    return Math.min(...this.#active.values());
  }

  /** For how long, all in all, there was at least one (ms). */
  get busyMs(): number {
    return this.#busyMs + (this.#active.size > 0 ? performance.now() - this.#busyFrom : 0);
  }

  get services(): BuildServices {
    return this.#options;
  }

  /** Image names that the builds of these sessions have looked up. */
  resolutionsOf(sessions: readonly string[]): Build['resolutions'] | undefined {
    for (const build of this.#builds.values()) if (sessions.includes(build.request.session)) return build.resolutions;
    return undefined;
  }

  /** A build of this scope that is under way, or was over only just now. */
  find(scope: string, ref: string): Build | undefined {
    const build = this.#builds.get(ref);
    return build?.job.scope.write === scope ? build : undefined;
  }

  /** A build of this scope by its ref; one that is about to start is waited for. @throws CodedError not_found */
  async build(
    scope: string,
    ref: string,
    { signal, waitMs }: AbortOptions & { readonly waitMs: number },
  ): Promise<Build> {
    using aborted = onAbort(signal);
    const timeout = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => timeout.resolve(true), waitMs);
    try {
      while (true) {
        const build = this.find(scope, ref);
        if (build !== undefined) return build;
        const refused = this.#refused.get(ref);
        if (refused !== undefined) throw refused;
        const started = Promise.withResolvers<boolean>();
        const waiter = () => started.resolve(false);
        this.#waiters.add(waiter);
        try {
          if (await Promise.race([started.promise, timeout.promise, aborted.promise])) break;
        } finally {
          this.#waiters.delete(waiter);
        }
      }
    } finally {
      clearTimeout(timer);
    }
    throw CodedError.of('BUILD_UNKNOWN', `no such job ${ref}`);
  }

  /** Whether {@link build} throws what the build was refused for. */
  wasRefused(ref: string): boolean {
    return this.#refused.has(ref);
  }

  /** A build of this ref will not begin: ends the waits for it. */
  refuse(ref: string, error: unknown): void {
    if (this.#builds.has(ref) || this.#refused.has(ref)) return;
    this.#refused.set(ref, toCodedError(error));
    setTimeout(() => this.#refused.delete(ref), KEEP_MS).unref();
    for (const waiter of this.#waiters) waiter();
  }

  /** No build begins any more: whoever asks for one is told this. */
  drain(refusal: CodedError): void {
    this.#refusal ??= refusal;
  }

  /** Settles when no build is under way. */
  async idle(): Promise<void> {
    while (this.#active.size > 0) await Promise.allSettled(this.#active.keys());
  }

  /** Has all builds that are not yet at their outputs fail with this: what they had finished is still written to their caches. */
  interrupt(error: CodedError): void {
    this.#interrupt.abort(error);
  }

  /** Ends all builds, and waits for their ends; whoever asks for another is told. */
  async [Symbol.asyncDispose](): Promise<void> {
    const hint = 'run the build again, on this builder once it is back or on another';
    this.#stop.abort(CodedError.of('BUILDER_STOPPING', 'the builder is stopping', { hint }));
    await Promise.allSettled(this.#active.keys());
  }

  /** Runs a build to its end. @throws CodedError with the step and its place in the source, where there is one */
  async solve(request: SolveRequest, { signal }: AbortOptions): Promise<SolveOutcome> {
    this.#stop.signal.throwIfAborted();
    if (this.#refusal !== undefined) throw this.#refusal;
    const solving = this.#solve(request, AbortSignal.any([signal, this.#stop.signal]));
    if (this.#active.size === 0) this.#busyFrom = performance.now();
    this.#active.set(solving, Date.now());
    try {
      return await solving;
    } finally {
      const { busyMs } = this;
      this.#active.delete(solving);
      if (this.#active.size === 0) this.#busyMs = busyMs;
    }
  }

  async #solve(request: SolveRequest, signal: AbortSignal): Promise<SolveOutcome> {
    const { ref, session, limits = NO_LIMITS, direct = false, trust } = request;
    if (ref === '') throw invalidArgument('the build has no ref');
    using _trusted = this.#options.trusts?.hold(session, trust);
    if (this.#builds.has(ref)) throw new CodedError('already_exists', `job ID ${ref} exists`, { fault: 'user' });
    const attesting = new Attesting(request.frontendAttrs, this.#options);
    const entitlements = grantEntitlements(request.entitlements, this.#options.allowedEntitlements);
    const opened = openExports(request, this.#options);
    const over = new AbortController();
    const buildSignal = AbortSignal.any([signal, over.signal]);
    const sessions = () => (session === '' ? [] : [session]);
    const failedSteps = new FailedSteps();
    // Only a frontend outside can ask for more when a step has failed.
    const driven = request.definition === undefined && (request.frontend ?? '') === '';
    // What has begun is ended where the build cannot begin; once it has, its own end does that.
    await using begun = new AsyncDisposableStack();
    const job = this.#solver.job({
      ...{ id: ref, sessions, limits, scope: request.scope },
      keepRemains: driven ? (vertex, remains) => failedSteps.keep(vertex, remains) : undefined,
    });
    begun.defer(() => job.close());
    begun.defer(() => over.abort(cancelledError('the build could not begin')));
    const { frontend, frontendAttrs, frontendInputs, cacheImports = [], client } = request;
    const madeInputs = (client && this.#madeInputs.get(client)) ?? new MadeInputs();
    if (client !== undefined) this.#madeInputs.set(client, madeInputs);
    const build = new Build(
      {
        ...{ ref, session, frontend, frontendAttrs, frontendInputs, entitlements, cacheImports, madeInputs, direct },
        cacheExports: opened.caches.unmet,
      },
      { job, failedSteps },
      this.#options,
      buildSignal,
    );
    begun.defer(async () => {
      over.abort(cancelledError('the build could not begin'));
      await build.close();
      build.end();
      this.#builds.delete(ref);
    });
    this.#builds.set(ref, build);
    const retained = begun.use(job.progress.retain());
    for (const waiter of this.#waiters) waiter();
    const { buildObservers: observers = [], log } = this.#options;
    const { observer } = request;
    const solve = { request, build };
    const watches = new BuildWatches(observer === undefined ? observers : [...observers, observer], solve, log);
    const exports = new BuildExports(opened, { ...solve, signal: buildSignal }, { ...this.#options, ...this.#ahead });
    let end: BuildEnd | undefined;
    begun.move();
    try {
      const making = async () => {
        const made = await this.#result(build, request, buildSignal);
        await readLongConfig(made, { pool: this.#options.pools.bulk, owner: job.owner, signal: buildSignal });
        return await attesting.withScans(build, made, { signal: buildSignal });
      };
      using interrupted = onAbort(this.#interrupt.signal);
      const result = await Promise.race([making(), interrupted.promise]);
      const writing = exports.write(result, attesting);
      // What is made is also written.
      const given = interrupted.promise.catch((error: unknown) =>
        exports.isWriting ? writing : Promise.reject(error),
      );
      const done = await Promise.race([writing, given]);
      end = done;
      return done.outcome;
    } catch (error) {
      // Why it failed is known now: who goes while what is finished is still sent changes nothing of it.
      end = { kind: 'failed', error: signal.aborted ? toCodedError(signal.reason) : build.explain(error) };
      if (!buildSignal.aborted) await exports.leave();
      throw end.error;
    } finally {
      await watches.ending();
      over.abort(cancelledError('the build is over'));
      await exports[Symbol.asyncDispose]();
      await build.close();
      await job.close();
      if (end !== undefined) watches.ended(end);
      build.end();
      setTimeout(() => {
        this.#builds.delete(ref);
        retained[Symbol.dispose]();
      }, KEEP_MS).unref();
    }
  }

  async #result(build: Build, request: SolveRequest, signal: AbortSignal): Promise<BridgeResult> {
    if (request.definition !== undefined) {
      const ref = await build.load(request.definition, { signal, encoded: request.encodedDefinition });
      return { ...(ref === undefined ? {} : { ref }), metadata: new Map() };
    }
    if (request.frontend !== undefined && request.frontend !== '') {
      return await build.runFrontend(request.frontend, request.frontendAttrs, request.frontendInputs, { signal });
    }
    using aborted = onAbort(signal);
    return await Promise.race([build.returned, aborted.promise]);
  }
}
