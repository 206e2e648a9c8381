import {
  type AbortOptions,
  type Clock,
  CodedError,
  cancelledError,
  type Descriptor,
  formatPlatform,
  invalidArgument,
  NO_LIMITS,
  onAbort,
  systemClock,
  toCodedError,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { VertexOp } from '../../llb/index.ts';
import {
  type BuiltResult,
  findLostResult,
  type KeyStore,
  type OpResolver,
  type ResultStore,
  Solver,
  type SolverObserver,
  type VertexWarning,
} from '../../solver/index.ts';
import {
  compressionFor,
  type Exporter,
  type ExportResponse,
  type ExportResult,
  type ExportSource,
  frontendResponse,
  platformWarnings,
} from '../exporters/index.ts';
import type { BridgeResult } from '../frontends/index.ts';
import { Attesting, type BuiltProvenance } from './attesting.ts';
import { Build, type BuildServices } from './build.ts';
import type { BuildRef } from './build-ref.ts';
import {
  type CacheExportTypes,
  inlineRecordsOf,
  type OpenedCacheExport,
  openCacheExports,
  WRITTEN_INDEX,
} from './cache-exports.ts';
import { ContinuousExports } from './continuous-exports.ts';
import { EarlyPacking } from './early-packing.ts';
import { grantEntitlements } from './entitlements.ts';
import { MovedTally } from './moved-bytes.ts';
import { BuildWatches } from './observer.ts';
import { MadeInputs } from './provenance/requests.ts';
import { FailedSteps } from './remains.ts';
import { SILENT } from './silent.ts';
import type { BuildEnd, BuildObserver, SolveOutcome, SolveRequest } from './solve.ts';
import { SpareThreads } from './spare-threads.ts';

/** How long a build that is over is still known, for watchers that come late. */
const KEEP_MS = 10_000;

/** Asks clients for outputs of what was built, and tells them how these ended. */
interface SessionExports {
  find(
    session: string,
    result: { readonly metadata: ReadonlyMap<string, Uint8Array>; readonly refs: readonly string[] },
    options: AbortOptions,
  ): Promise<SolveRequest['exporters']>;
  finalize(session: string, response: ExportResponse, options: AbortOptions): Promise<void>;
}

interface EngineOptions extends BuildServices {
  readonly resolver: OpResolver<VertexOp, ImmutableRef>;
  readonly keys: KeyStore;
  readonly results: ResultStore<ImmutableRef>;
  /** @throws CodedError for an unknown type or bad attributes */
  readonly openExporter: (
    type: string,
    attrs: Readonly<Record<string, string>>,
    options: { readonly deferTags: boolean },
  ) => Exporter;
  readonly sessionExports?: SessionExports;
  /** Types of remote caches that builds may write. */
  readonly cacheExports?: CacheExportTypes | undefined;
  /** Entitlements that builds may ask for. */
  readonly allowedEntitlements: ReadonlySet<string>;
  /** Told of every solve, of whatever kind. */
  readonly buildObservers?: readonly BuildObserver[];
  /** Are told what the solver comes to know, of all builds. */
  readonly observers?: readonly SolverObserver<VertexOp, ImmutableRef>[];
  readonly clock?: Clock;
}

/** Composes solves: frontends, the solver, exporters. One for a builder. */
export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #solver: Solver<VertexOp, ImmutableRef>;
  readonly #packing: EarlyPacking;
  readonly #continuous: ContinuousExports;
  readonly #builds = new Map<string, Build>();
  /** By the client. */
  readonly #madeInputs = new WeakMap<object, MadeInputs>();
  /** Builds that failed before they began, by ref: whoever comes to watch them is told at once. */
  readonly #refused = new Map<string, CodedError>();
  readonly #waiters = new Set<() => void>();
  readonly #clock: Clock;
  /** Fires when the builder stops. */
  readonly #stop = new AbortController();
  /** With the time at which each began. */
  readonly #active = new Map<Promise<unknown>, number>();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const spare = new SpareThreads(options.pools.bulk.places);
    this.#packing = new EarlyPacking({ spare });
    this.#continuous = new ContinuousExports({ spare, log: options.log });
    const observers = [...(options.observers ?? []), this.#packing.observer, this.#continuous.observer];
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

  /** Ends all builds, and waits for their ends; whoever asks for another is told. */
  async [Symbol.asyncDispose](): Promise<void> {
    const hint = 'run the build again, on this builder once it is back or on another';
    this.#stop.abort(CodedError.of('BUILDER_STOPPING', 'the builder is stopping', { hint }));
    await Promise.allSettled(this.#active.keys());
  }

  /** Runs a build to its end. @throws CodedError with the step and its place in the source, where there is one */
  async solve(request: SolveRequest, { signal }: AbortOptions): Promise<SolveOutcome> {
    this.#stop.signal.throwIfAborted();
    const solving = this.#solve(request, AbortSignal.any([signal, this.#stop.signal]));
    this.#active.set(solving, Date.now());
    try {
      return await solving;
    } finally {
      this.#active.delete(solving);
    }
  }

  async #solve(request: SolveRequest, signal: AbortSignal): Promise<SolveOutcome> {
    const { ref, session, limits = NO_LIMITS, direct = false } = request;
    if (ref === '') throw invalidArgument('the build has no ref');
    if (this.#builds.has(ref)) throw new CodedError('already_exists', `job ID ${ref} exists`, { fault: 'user' });
    const attesting = new Attesting(request.frontendAttrs, this.#options);
    const entitlements = grantEntitlements(request.entitlements, this.#options.allowedEntitlements);
    const open = ({ type, attrs }: SolveRequest['exporters'][number]) =>
      this.#options.openExporter(type, withEpoch(attrs, request.frontendAttrs), {
        deferTags: request.deferTags === true,
      });
    const given = request.exporters.map(open);
    const asked = request.sessionExporters === true ? this.#options.sessionExports : undefined;
    const types = this.#options.cacheExports ?? { exporters: new Map() };
    const caches = openCacheExports(request.cacheExports ?? [], types, { direct });
    const over = new AbortController();
    const buildSignal = AbortSignal.any([signal, over.signal]);
    const sessions = () => (session === '' ? [] : [session]);
    const cacheVertex = (n: number) => `${session || ref}-cache-${n}`;
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
        cacheExports: caches.unmet,
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
    const cacheBytes = caches.exporters.map(() => new MovedTally());
    let reproducible =
      isTimeAsked(request.frontendAttrs) || given.some((one) => one.compression?.reproducible === true);
    const growing = this.#continuous.begin({
      ...{ job: ref, scopes: job.scope.read, signal: buildSignal },
      caches: new Map(
        caches.exporters.flatMap(({ continuous, ahead = continuous }, n) =>
          ahead ? [[ahead, cacheBytes[n]!.moved] as const] : [],
        ),
      ),
      context: {
        ...{ owner: job.owner, sessions, limits: () => limits, exporterId: given.length },
        get reproducible() {
          return reproducible;
        },
        imageHosts: new Set(given.flatMap(({ ahead }) => ahead?.hosts ?? [])),
      },
    });
    for (const { begin } of caches.exporters)
      begin?.({ owner: job.owner, sessions, scope: job.scope.write, until: buildSignal });
    let end: BuildEnd | undefined;
    begun.move();
    try {
      const made = await this.#result(build, request, buildSignal);
      const result = await attesting.withScans(build, made, { signal: buildSignal });
      reproducible ||= isTimeTold(result);
      const { edges, images: imageEdges, source } = planExport(build, result);
      const requested = frontendAttrs.get('platform')?.split(',') ?? [
        formatPlatform(this.#options.worker.platforms[0]!),
      ];
      let named: readonly Exporter[] | undefined;
      const results: ExportResult[] = [];
      const imageBytes = given.map(() => new MovedTally());
      const toImages = { owner: job.owner, sessions, limits: () => limits, progress: SILENT, reproducible };
      const ahead = given.flatMap(({ ahead: pushing }, exporterId) => {
        const context = { ...toImages, exporterId, moved: imageBytes[exporterId]!.moved };
        return pushing
          ? [(ref: ImmutableRef, options: AbortOptions) => pushing.push(ref, { ...context, ...options })]
          : [];
      });
      const cacheResponses: ExportResponse[] = [];
      const cacheErrors: CodedError[] = [];
      // The first failure ends the other exports; a lost result does not.
      const failed = new AbortController();
      const exportSignal = AbortSignal.any([buildSignal, failed.signal]);
      let provenance: BuiltProvenance | undefined;
      const isTold = attesting.asked || (request.recorded ?? 'whole') === 'whole';
      const compressions = given.flatMap(({ compression: one }) =>
        one ? [compressionFor({ reproducible }, one)] : [],
      );
      await using packing = this.#packing.expect({
        ...{
          job: ref,
          edges: imageEdges,
          compressions,
          ahead,
          sessions,
          owner: job.owner,
          limits: () => limits,
          signal: buildSignal,
        },
      });
      await job.use(
        edges,
        async (built) => {
          packing.stop();
          for (const { ahead: pushing } of given) pushing?.stop();
          growing.giveWay();
          if (isTold) provenance ??= await attesting.capture(build, result, { signal: buildSignal });
          const parts = provenance;
          const input = parts === undefined ? source(built) : attesting.attested(build, source(built), parts);
          if (asked !== undefined && named === undefined) {
            const refs = built.map(({ result: { id } }) => id);
            const found = await asked.find(session, { metadata: input.metadata, refs }, { signal: buildSignal });
            named = found.map(open);
          }
          const exporters = [...given, ...(named ?? [])];
          const warnings = platformWarnings(input, requested);
          const outcomes = await Promise.allSettled(
            exporters.map(async (exporter, exporterId) => {
              // One that has ended is not done again for the sake of another: the client takes a file only once.
              results[exporterId] ??= await job
                .inVertex({ name: exporter.name, id: `${session || ref}-export-${exporterId}` }, (progress) => {
                  imageBytes[exporterId] ??= new MovedTally();
                  if (exporterId === 0) for (const short of warnings) progress.warn({ level: 1, short });
                  return exporter.export(input, {
                    signal: exportSignal,
                    owner: job.owner,
                    progress,
                    sessions,
                    limits: () => limits,
                    reproducible,
                    moved: imageBytes[exporterId].moved,
                    inlineRecords: inlineRecordsOf(caches.inline, built, job.scope.read),
                    exporterId,
                  });
                })
                .catch((error: unknown) => {
                  if (findLostResult(error) === undefined) failed.abort(error);
                  throw error;
                });
            }),
          );
          if (failed.signal.aborted) throw failed.signal.reason;
          for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
          // After the outputs, whose layers they take as they were packed.
          const context = { signal: buildSignal, owner: job.owner, sessions, limits: () => limits, reproducible };
          const cached = { roots: [...new Set(built.flatMap(({ keys }) => keys))], scopes: job.scope.read };
          await growing.stop();
          for (const [n, cache] of caches.exporters.entries())
            cacheResponses[n] ??= await job
              .inVertex({ name: cache.name, id: cacheVertex(n) }, async (progress) => {
                const { moved } = cacheBytes[n]!;
                const exporterId = exporters.length + n;
                const response = await cache.export(cached, { ...context, progress, moved, exporterId });
                const problem = cache.continuous === undefined ? undefined : growing.problem(cache.continuous);
                if (problem !== undefined) progress.warn(lateWarning(problem));
                return response;
              })
              .catch((error: unknown) => {
                if (buildSignal.aborted || !cache.ignoreError || findLostResult(error) !== undefined) throw error;
                log.info('a cache could not be written, and is not to fail its build', { err: error });
                cacheErrors[n] = toCodedError(error);
                return {};
              });
        },
        { signal: buildSignal },
      );
      const exporterResponse: Record<string, string> = { ...frontendResponse({ metadata: result.metadata }) };
      for (const response of [...results.map((result) => result.response), ...cacheResponses])
        Object.assign(exporterResponse, response);
      delete exporterResponse[WRITTEN_INDEX];
      await asked?.finalize(session, exporterResponse, { signal: buildSignal });
      const images = results.flatMap(({ image }, n) =>
        image === undefined ? [] : [{ ...image, moved: imageBytes[n]! }],
      );
      const written = caches.exporters.flatMap(({ target, mayHaveNothing }, n) => {
        const response = cacheResponses[n];
        const digest = manifestDigest(
          response?.['cache.manifest'] ?? response?.['cachemount.manifest'] ?? response?.[WRITTEN_INDEX],
        );
        const error = cacheErrors[n];
        if (mayHaveNothing === true && digest === undefined && error === undefined) return [];
        return [{ target, digest, moved: cacheBytes[n]!, ...(error === undefined ? {} : { error }) }];
      });
      const outcome = { exporterResponse, images, caches: written };
      end = { kind: 'done', outcome, exports: results, provenance };
      return outcome;
    } catch (error) {
      if (!buildSignal.aborted) await this.#leave(build, caches.exporters, growing, cacheVertex);
      end = { kind: 'failed', error: signal.aborted ? toCodedError(signal.reason) : build.explain(error) };
      throw end.error;
    } finally {
      await watches.ending();
      over.abort(cancelledError('the build is over'));
      await growing[Symbol.asyncDispose]();
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

  /** A build that failed leaves what it had finished to who builds next. */
  async #leave(
    { job }: Build,
    exporters: readonly OpenedCacheExport[],
    growing: ReturnType<ContinuousExports['begin']>,
    vertexOf: (n: number) => string,
  ): Promise<void> {
    await growing.stop();
    // Side by side: whoever waits for the error waits for the slowest of them, not for all.
    await Promise.all(
      exporters.map(async ({ continuous, name }, n) => {
        if (continuous === undefined || !growing.hasMore(continuous)) return;
        await job
          .inVertex({ name, id: vertexOf(n) }, (progress) => growing.leave(continuous, { progress }))
          .catch((error: unknown) =>
            this.#options.log.info('what a failed build had finished could not be left', { err: error }),
          );
      }),
    );
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

/** Of a cache that is written now and was not to be while its build went on. */
function lateWarning(problem: unknown): VertexWarning {
  return {
    level: 1,
    short: 'the cache could be written at the end only: had the build failed, nothing would have been left of it',
    detail: [String(problem)],
  };
}

/** Of the descriptor that a cache's response has. */
function manifestDigest(descriptor: string | undefined): string | undefined {
  return descriptor === undefined ? undefined : (JSON.parse(descriptor) as Pick<Descriptor, 'digest'>).digest;
}

interface ExportPlan {
  readonly edges: readonly BuildRef['edge'][];
  /** Those of them whose layers are in images: what attestations are made from is read, and given to nobody. */
  readonly images: readonly BuildRef['edge'][];
  readonly source: (built: readonly BuiltResult<ImmutableRef>[]) => ExportSource;
}

/** The edges that a result stands for, and how their results are put back in its place. */
function planExport(build: Build, result: BridgeResult): ExportPlan {
  const edges: BuildRef['edge'][] = [];
  const place = (id: string | undefined): number | undefined => {
    const ref = id === undefined ? undefined : build.find(id);
    return ref === undefined ? undefined : edges.push(ref.edge) - 1;
  };
  const edgesAt = (all: readonly (number | undefined)[]) => all.flatMap((n) => (n === undefined ? [] : edges[n]!));
  const { metadata } = result;
  const at = (built: readonly BuiltResult<ImmutableRef>[], n: number | undefined) =>
    n === undefined ? undefined : built[n]!.result.value;
  const said = [...(result.attestations ?? [])].map(
    ([platform, all]) => [platform, all.map((given) => ({ given, place: place(given.ref?.id) }))] as const,
  );
  const attestations = (built: readonly BuiltResult<ImmutableRef>[]) =>
    new Map(
      said.map(([platform, all]) => [platform, all.map(({ given, place: n }) => ({ ...given, ref: at(built, n) }))]),
    );
  if (result.refs === undefined) {
    const only = place(result.ref?.id);
    return {
      ...{ edges, images: edgesAt([only]) },
      source: (built) => ({ ref: at(built, only), metadata, attestations: attestations(built) }),
    };
  }
  const places = [...result.refs].map(([id, ref]) => [id, place(ref.id)] as const);
  const refs = (built: readonly BuiltResult<ImmutableRef>[]) => new Map(places.map(([id, n]) => [id, at(built, n)]));
  return {
    ...{ edges, images: edgesAt(places.map(([, n]) => n)) },
    source: (built) => ({ refs: refs(built), metadata, attestations: attestations(built) }),
  };
}

/** SOURCE_DATE_EPOCH given as a build argument holds for every output that names none; where it is no number, it is for the frontend to understand. */
function withEpoch(
  attrs: Readonly<Record<string, string>>,
  frontendAttrs: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const epoch = frontendAttrs.get('build-arg:SOURCE_DATE_EPOCH');
  if (epoch === undefined || !/^(?:[+-]?\d+)?$/.test(epoch) || attrs['source-date-epoch'] !== undefined) return attrs;
  return { ...attrs, 'source-date-epoch': epoch };
}

/** Whether a build is told what time it is to be, in any form. */
function isTimeAsked(frontendAttrs: ReadonlyMap<string, string>): boolean {
  return (frontendAttrs.get('build-arg:SOURCE_DATE_EPOCH') ?? '') !== '';
}

/** Whether its frontend has found out. */
function isTimeTold({ metadata }: BridgeResult): boolean {
  return [...metadata].some(([key, value]) => key.startsWith('source.date.epoch') && value.length > 0);
}
