import {
  type AbortOptions,
  type Clock,
  CodedError,
  cancelledError,
  invalidArgument,
  type Logger,
  onAbort,
  type Platform,
  parsePlatform,
  systemClock,
  toCodedError,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { FrontendResult } from '../../dockerfile/frontend-interface.ts';
import type { Definition, VertexOp } from '../../llb/index.ts';
import {
  type BuiltResult,
  type CacheScope,
  type KeyStore,
  type OpResolver,
  type ResultStore,
  Solver,
} from '../../solver/index.ts';
import { Build, type BuildServices } from './build.ts';
import { BuildRef } from './build-ref.ts';
import { grantEntitlements } from './entitlements.ts';
import type { ExporterFactory, ExportInput, ExportRef } from './ports.ts';

/** How long a build that is over is still known, for watchers that come late. */
const KEEP_MS = 10_000;

export interface EngineOptions extends BuildServices {
  readonly resolver: OpResolver<VertexOp, ImmutableRef>;
  readonly keys: KeyStore;
  readonly results: ResultStore<ImmutableRef>;
  readonly exporters: ReadonlyMap<string, ExporterFactory>;
  /** Entitlements that builds may ask for. */
  readonly allowedEntitlements: ReadonlySet<string>;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface SolveRequest {
  /** The client's name for the build; unique among those known. */
  readonly ref: string;
  /** Session of the client; empty for none. */
  readonly session: string;
  /** Solve this… */
  readonly definition?: Definition;
  /** …or what this frontend makes; with neither, a frontend in the client drives the build and hands in its result. */
  readonly frontend?: string;
  readonly frontendAttrs: ReadonlyMap<string, string>;
  readonly frontendInputs: ReadonlyMap<string, Definition>;
  readonly exporters: readonly { readonly type: string; readonly attrs: Readonly<Record<string, string>> }[];
  readonly entitlements: readonly string[];
  readonly scope: CacheScope;
}

export interface SolveOutcome {
  /** Research wire-facts 5.3. */
  readonly exporterResponse: Readonly<Record<string, string>>;
}

/** Composes solves: frontends, the solver, exporters. One for a builder. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #solver: Solver<VertexOp, ImmutableRef>;
  readonly #builds = new Map<string, Build>();
  readonly #waiters = new Set<() => void>();
  readonly #clock: Clock;
  #active = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#solver = new Solver({ ...options, clock: this.#clock });
  }

  /** Builds under way. */
  get activeBuilds(): number {
    return this.#active;
  }

  get services(): BuildServices {
    return this.#options;
  }

  /** Image names that the builds of these sessions have looked up. */
  resolutionsOf(sessions: readonly string[]): Build['resolutions'] | undefined {
    for (const build of this.#builds.values()) if (sessions.includes(build.request.session)) return build.resolutions;
    return undefined;
  }

  /** A build by its ref; one that is about to start is waited for. @throws CodedError not_found */
  async build(ref: string, { signal, waitMs }: AbortOptions & { readonly waitMs: number }): Promise<Build> {
    using aborted = onAbort(signal);
    const timeout = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => timeout.resolve(true), waitMs);
    try {
      while (true) {
        const build = this.#builds.get(ref);
        if (build !== undefined) return build;
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
    throw new CodedError('not_found', `no such job ${ref}`, { fault: 'user', reason: 'BUILD_UNKNOWN' });
  }

  /** Runs a build to its end. @throws CodedError with the step and its place in the source, where there is one */
  async solve(request: SolveRequest, { signal }: AbortOptions): Promise<SolveOutcome> {
    const { ref, session } = request;
    if (ref === '') throw invalidArgument('the build has no ref');
    if (this.#builds.has(ref)) throw new CodedError('already_exists', `job ID ${ref} exists`, { fault: 'user' });
    const entitlements = grantEntitlements(request.entitlements, this.#options.allowedEntitlements);
    const exporters = request.exporters.map(({ type, attrs }) => {
      const factory = this.#options.exporters.get(type);
      if (factory === undefined) {
        throw new CodedError('not_found', `exporter ${JSON.stringify(type)} could not be found`, {
          fault: 'user',
          hint: `there are ${[...this.#options.exporters.keys()].join(', ')}`,
        });
      }
      return factory(withEpoch(attrs, request.frontendAttrs));
    });
    const over = new AbortController();
    const buildSignal = AbortSignal.any([signal, over.signal]);
    const sessions = () => (session === '' ? [] : [session]);
    const job = this.#solver.job({ id: ref, sessions, scope: request.scope });
    const { frontendAttrs, frontendInputs } = request;
    const build = new Build(
      { ref, session, frontendAttrs, frontendInputs, entitlements },
      job,
      this.#options,
      buildSignal,
    );
    this.#builds.set(ref, build);
    this.#active++;
    for (const waiter of this.#waiters) waiter();
    try {
      const result = await this.#result(build, request, buildSignal);
      const { edges, input } = inputOf(result);
      const responses = await job.use(
        edges,
        (built) => {
          const refs = input(built);
          return Promise.all(
            exporters.map((exporter, exporterId) =>
              job.inVertex({ name: exporter.name, id: `${session || ref}-export-${exporterId}` }, (progress) =>
                exporter.export(refs, {
                  signal: buildSignal,
                  progress,
                  sessions,
                  session,
                  exporterId,
                  scope: job.scope.write,
                }),
              ),
            ),
          );
        },
        { signal: buildSignal },
      );
      const exporterResponse: Record<string, string> = {};
      for (const [key, value] of result.metadata) {
        if (key.startsWith('frontend.')) exporterResponse[key] = Buffer.from(value).toString('utf8');
      }
      for (const response of responses) Object.assign(exporterResponse, response);
      return { exporterResponse };
    } catch (error) {
      throw signal.aborted ? toCodedError(signal.reason) : build.explain(error);
    } finally {
      over.abort(cancelledError('the build is over'));
      this.#active--;
      await job.close();
      setTimeout(() => this.#builds.delete(ref), KEEP_MS).unref();
    }
  }

  async #result(build: Build, request: SolveRequest, signal: AbortSignal): Promise<FrontendResult> {
    if (request.definition !== undefined) return { ref: build.load(request.definition), metadata: new Map() };
    if (request.frontend !== undefined && request.frontend !== '') {
      return await build.runFrontend(request.frontend, request.frontendAttrs, request.frontendInputs, { signal });
    }
    using aborted = onAbort(signal);
    return await Promise.race([build.returned, aborted.promise]);
  }
}

interface ExportPlan {
  readonly edges: readonly BuildRef['edge'][];
  readonly input: (built: readonly BuiltResult<ImmutableRef>[]) => ExportInput;
}

/** The edges that a result stands for, and how their results are put back together. */
function inputOf(result: FrontendResult): ExportPlan {
  const named: readonly (readonly [string, unknown])[] =
    result.refs === undefined ? [['', result.ref]] : [...result.refs];
  const edges: BuildRef['edge'][] = [];
  const places = named.map(([id, ref]) => {
    if (ref === undefined) return { id, at: undefined };
    if (!(ref instanceof BuildRef))
      throw new CodedError('internal', 'a frontend returned a ref that is not the build’s');
    return { id, at: edges.push(ref.edge) - 1 };
  });
  const platforms = platformsOf(result);
  return {
    edges,
    input: (built) => ({
      multiPlatform: result.refs !== undefined,
      metadata: result.metadata,
      refs: places.map(
        ({ id, at }): ExportRef => ({
          id,
          platform: platforms.get(id),
          ref: at === undefined ? undefined : built[at]!.result.value,
        }),
      ),
    }),
  };
}

/** Platforms by ref id, from `refs.platforms`; an id that is a platform's name needs no entry. */
function platformsOf(result: FrontendResult): ReadonlyMap<string, Platform> {
  const platforms = new Map<string, Platform>();
  for (const id of result.refs?.keys() ?? []) {
    try {
      platforms.set(id, parsePlatform(id));
    } catch {
      // An id may be any text.
    }
  }
  const json = result.metadata.get('refs.platforms');
  if (json === undefined) return platforms;
  let parsed: { Platforms?: { ID?: string; Platform?: Platform & { 'os.version'?: string } }[] };
  try {
    parsed = JSON.parse(Buffer.from(json).toString('utf8')) as typeof parsed;
  } catch (error) {
    throw invalidArgument('result metadata refs.platforms is no JSON', { cause: error });
  }
  for (const { ID, Platform } of parsed.Platforms ?? []) {
    if (typeof ID === 'string' && Platform !== undefined) platforms.set(ID, Platform);
  }
  return platforms;
}

/** SOURCE_DATE_EPOCH given as a build argument holds for every output that names none. */
function withEpoch(
  attrs: Readonly<Record<string, string>>,
  frontendAttrs: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const epoch = frontendAttrs.get('build-arg:SOURCE_DATE_EPOCH');
  if (epoch === undefined || attrs['source-date-epoch'] !== undefined) return attrs;
  return { ...attrs, 'source-date-epoch': epoch };
}
