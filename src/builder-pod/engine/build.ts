import {
  type AbortOptions,
  type Afterwork,
  annotate,
  CodedError,
  inSlices,
  isTurnSpent,
  LargeMap,
  type Logger,
  nextTurn,
  type Platform,
  restated,
} from '../../base/index.ts';
import type { RefManager } from '../../cache/ports.ts';
import { type Definition, type LlbGraph, loadDefinitionInSlices } from '../../llb/index.ts';
import type { Pools } from '../../sys/index.ts';
import type {
  BridgeCacheImport,
  BridgeCall,
  BridgeResult,
  BridgeWorker,
  FrontendBridge,
  FrontendRegistry,
} from '../frontends/index.ts';
import { uncachedMounts } from '../ops/exec/index.ts';
import type { ImageResolver, ResolutionMemo, SourceRegistry } from '../sources/index.ts';
import { BuildBridges } from './build-bridges.ts';
import { BuildContainers, type ContainerServices } from './build-containers.ts';
import { BuildRef, type EngineJob } from './build-ref.ts';
import { type CacheImporters, CacheImports, type UnreadCache } from './cache-imports.ts';
import { checkEntitlements } from './entitlements.ts';
import { SourceLocations } from './error-source.ts';
import { KeptView } from './kept-view.ts';
import { MadeInputs, RequestScope } from './provenance/requests.ts';
import type { PulledBytes, PulledTally } from './pulled-bytes.ts';
import type { FailedSteps } from './remains.ts';
import { UnmetRequests } from './unmet-requests.ts';

export interface BuildServices {
  readonly pools: Pools;
  /** Unmounts and the like that builds do not wait for. */
  readonly afterwork: Afterwork;
  readonly refs: Pick<RefManager, 'forgetNamed'>;
  readonly images: ImageResolver;
  readonly sources: SourceRegistry;
  readonly frontends: FrontendRegistry;
  readonly containers: ContainerServices;
  /** The builder as frontends see it; its first platform is its own. */
  readonly worker: BridgeWorker;
  /** Types of remote caches that builds may read. */
  readonly cacheImporters?: CacheImporters | undefined;
  /** Counts what builds pull. */
  readonly pulled?: PulledTally;
  readonly log: Logger;
}

interface BuildRequest {
  /** The frontend that it names, if any. */
  readonly frontend?: string | undefined;
  /** The client's name for the build. */
  readonly ref: string;
  /** Session of the client; empty when it has none. */
  readonly session: string;
  readonly frontendAttrs: ReadonlyMap<string, string>;
  readonly frontendInputs: ReadonlyMap<string, Definition>;
  readonly entitlements: ReadonlySet<string>;
  readonly cacheImports?: readonly BridgeCacheImport[];
  readonly cacheExports?: readonly BridgeCacheImport[];
  /** See {@link CacheAsker}. */
  readonly direct?: boolean;
  /** What graphs were made for that are inputs of others, of the builds of its client. */
  readonly madeInputs?: MadeInputs;
}

type ResultScan = NonNullable<ReturnType<NonNullable<BridgeResult['scans']>['get']>>[number];

const NO_SOURCES = { images: [], git: [], http: [], locals: [] };

/** A build under way: the graphs that it has loaded, the frontends that it runs, and what it comes to. */
export class Build {
  readonly request: BuildRequest;
  readonly job: EngineJob;
  /** Fires when the build is cancelled or over. */
  readonly signal: AbortSignal;
  /** Image names that were looked up: a tag means the same from the build's start to its end. */
  readonly resolutions: ResolutionMemo = new Map();
  /** What has failed so far, for a frontend that opens containers on it. */
  readonly failedSteps: FailedSteps;
  /** So far. */
  readonly pulled: PulledBytes;
  readonly #services: BuildServices;
  readonly #locations = new SourceLocations();
  readonly #refs = new Map<string, BuildRef>();
  /** What the client has asked for, and all that was asked for on its behalf. */
  readonly #root: RequestScope;
  readonly #scopes = new Map<BuildRef, RequestScope>();
  readonly #madeInputs: MadeInputs;
  /** By the ref of a result what an SBOM of it is to tell of beside it: what a frontend said of it, through whose hands it may have gone since. */
  readonly #scans = new Map<string, readonly ResultScan[]>();
  readonly #made = new DisposableStack();
  readonly #view: KeptView;
  readonly #returned = Promise.withResolvers<BridgeResult>();
  readonly #imports: CacheImports;
  readonly #bridges: BuildBridges;
  readonly #containers: BuildContainers;
  readonly #over = Promise.withResolvers<void>();
  #returnedOnce = false;

  constructor(
    request: BuildRequest,
    { job, failedSteps }: Pick<Build, 'job' | 'failedSteps'>,
    services: BuildServices,
    signal: AbortSignal,
  ) {
    this.request = request;
    this.job = job;
    this.failedSteps = failedSteps;
    this.signal = signal;
    this.#services = services;
    this.#view = new KeptView(services.afterwork, signal);
    this.#returned.promise.catch(() => {});
    const pulled = services.pulled?.begin(job.owner);
    if (pulled !== undefined) this.#made.use(pulled);
    this.pulled = pulled?.bytes ?? new Map();
    this.#madeInputs = request.madeInputs ?? new MadeInputs();
    const { frontend = '', frontendAttrs: options, frontendInputs: inputs } = request;
    this.#root = new RequestScope({ frontend, options, inputs }, this.#madeInputs);
    this.#containers = new BuildContainers({
      ...services.containers,
      ...{ afterwork: services.afterwork, entitlements: request.entitlements, signal },
      ...{ scope: job.scope.write, owner: job.owner, sessions: job.sessions, limits: job.limits },
    });
    const { cacheImporters: importers = new Map(), log } = services;
    const unmet = new UnmetRequests(job, (type) => importers.has(type));
    this.#imports = new CacheImports(job, importers, unmet, { signal, log, direct: request.direct === true });
    this.#imports.open(request.cacheImports ?? [], 'client');
    unmet.tellExports(request.cacheExports ?? []);
    unmet.tellOptions(request.frontendAttrs);
    const parts = { imports: this.#imports, unmet, containers: this.#containers };
    this.#bridges = new BuildBridges(this, services, parts);
  }

  /** Caches that it was to read and does not, or not as a whole. */
  get unreadCaches(): readonly UnreadCache[] {
    return this.#imports.unread;
  }

  /** A graph to solve when something of it is wanted. Undefined for an empty one. @throws CodedError */
  async load(
    definition: Definition,
    {
      signal,
      encoded,
      scope: asker = this.#root,
    }: AbortOptions & { readonly encoded?: Uint8Array | undefined; readonly scope?: RequestScope },
  ): Promise<BuildRef | undefined> {
    this.signal.throwIfAborted();
    await this.#imports.ready({ signal });
    const platform: Platform | undefined = this.#services.worker.platforms[0];
    let graph: LlbGraph | undefined;
    const uncached = LargeMap.byText<string, true>();
    try {
      graph = await loadDefinitionInSlices(definition, { signal, ...(platform === undefined ? {} : { platform }) });
      if (graph === undefined) return undefined;
      await inSlices(this.#look(graph, uncached), { signal });
    } catch (error) {
      throw this.explain(annotate(error, 'failed to load LLB'));
    }
    const { afterwork, refs } = this.#services;
    const scope = this.job.scope.write;
    for (const key of uncached.keys()) {
      afterwork.run(() => refs.forgetNamed({ scope, key }));
      if (isTurnSpent()) await nextTurn({ signal });
    }
    const ref = new BuildRef(encoded, definition, graph, {
      job: this.job,
      pools: this.#services.pools,
      view: this.#view,
      sessions: this.job.sessions,
      explain: (error) => this.explainToFrontend(error),
    });
    this.#refs.set(ref.id, ref);
    this.#scopes.set(ref, asker);
    asker.refs.push(ref);
    const request = asker.own(NO_SOURCES);
    if (request !== undefined) this.#made.use(this.#madeInputs.add(definition, request));
    return ref;
  }

  /** Who has had this graph loaded. */
  scopeOf(ref: BuildRef): RequestScope {
    return this.#scopes.get(ref) ?? this.#root;
  }

  /** Notes what is to be known of a graph, and that it may be built. Yields after each vertex. */
  *#look({ vertices }: LlbGraph, uncached: LargeMap<string, true>): Generator<void, void, void> {
    for (const vertex of vertices) {
      this.#locations.add(vertex);
      checkEntitlements(vertex, this.request.entitlements);
      for (const key of uncachedMounts(vertex)) uncached.set(key, true);
      yield;
    }
  }

  /** Undefined for scratch, whose id is empty. @throws CodedError not_found */
  find(id: string): BuildRef | undefined {
    if (id === '') return undefined;
    const ref = this.#refs.get(id);
    if (ref === undefined) throw new CodedError('not_found', `no such ref: ${id}`, { fault: 'user' });
    return ref;
  }

  /** What an SBOM of a result tells of beside it. */
  scansBeside(ref: string): readonly ResultScan[] {
    return this.#scans.get(ref) ?? [];
  }

  /** What is asked for the builder's own ends, of which nothing that is told of the result tells. */
  aside(): RequestScope {
    return new RequestScope(this.#root.root, this.#madeInputs);
  }

  /** The error with the place in the source of the step that failed. */
  explain(error: unknown): CodedError {
    return this.#locations.explain(error);
  }

  /** The same with what the failed step has left, for who may look into it. */
  explainToFrontend(error: unknown): CodedError {
    return this.failedSteps.tell(this.explain(error));
  }

  /** @throws CodedError not_found for a frontend that is not there */
  async runFrontend(
    name: string,
    options: ReadonlyMap<string, string>,
    inputs: ReadonlyMap<string, Definition>,
    call: BridgeCall,
    asker: RequestScope = this.#root,
  ): Promise<BridgeResult> {
    // The name under which clients ask for the image of what is built in.
    const builtIn =
      name === 'gateway.v0' && options.get('source') === 'dockerfile.v0' && !options.has('context:dockerfile.v0');
    const frontend = builtIn ? 'dockerfile.v0' : name;
    try {
      const request = { options, inputs, owner: this.job.owner };
      const scope = asker.child({ frontend, options, inputs });
      const bridge = this.bridge(inputs, scope);
      const result = await this.#services.frontends.run(frontend, request, bridge, this.bound(call));
      for (const [platform, scans] of result.scans ?? []) {
        const core = result.refs?.get(platform)?.id ?? result.ref?.id ?? '';
        if (scans.length > 0) this.#scans.set(core, scans);
      }
      return result;
    } catch (error) {
      throw fromFrontend(this.explain(error), frontend, options.get('source') ?? '');
    }
  }

  /** What a frontend with these inputs may ask. */
  bridge(inputs: ReadonlyMap<string, Definition>, scope: RequestScope = this.#root): FrontendBridge {
    return this.#bridges.open(inputs, scope);
  }

  /** How often a frontend has warned. */
  get warnings(): number {
    return this.#bridges.warnings;
  }

  /** The same call, which ends with the build. */
  bound({ signal }: BridgeCall): BridgeCall {
    return { signal: AbortSignal.any([signal, this.signal]) };
  }

  /** What a frontend in the client came to (LLBBridge Return): once only. */
  giveResult(outcome: { readonly result: BridgeResult } | { readonly error: unknown }): void {
    if (this.#returnedOnce) {
      throw new CodedError('failed_precondition', 'the build has returned already', { fault: 'user' });
    }
    this.#returnedOnce = true;
    if ('error' in outcome) this.#returned.reject(outcome.error);
    else this.#returned.resolve(outcome.result);
  }

  get returned(): Promise<BridgeResult> {
    return this.#returned.promise;
  }

  /** Fulfilled when all of the build has ended and what it came to is about to be told. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  end(): void {
    this.#over.resolve();
  }

  /** Ends what frontends have left running. */
  async close(): Promise<void> {
    this.#made.dispose();
    await this.#containers.close();
    this.failedSteps.close();
  }
}

/** The error with the frontend that it came from; where one frontend has asked another, with the inner one. */
function fromFrontend(error: CodedError, name: string, source: string): CodedError {
  if (error.details.some(({ type }) => type === 'errdefs.Frontend')) return error;
  const frontend = { name, ...(source === '' ? {} : { source }) };
  return restated(error, { details: [{ type: 'errdefs.Frontend', value: frontend }, ...error.details] });
}
