import {
  type AbortOptions,
  type Afterwork,
  annotate,
  CodedError,
  formatImageReference,
  formatPlatform,
  inSlices,
  invalidArgument,
  type Logger,
  type Platform,
  parseImageReference,
  restated,
  withDefaultTag,
} from '../../base/index.ts';
import type { ImmutableRef, RefManager } from '../../cache/ports.ts';
import { type Definition, decodeDefinitionInSlices, type LlbGraph, loadDefinitionInSlices } from '../../llb/index.ts';
import { lineLog, type VertexProgress } from '../../solver/index.ts';
import type { Pools } from '../../sys/index.ts';
import type {
  BridgeCacheImport,
  BridgeCall,
  BridgeContainerRequest,
  BridgeImage,
  BridgeImageRequest,
  BridgeRef,
  BridgeResult,
  BridgeSolveRequest,
  BridgeSourceMeta,
  BridgeSourceMetaRequest,
  BridgeWarning,
  BridgeWorker,
  FrontendBridge,
  FrontendRegistry,
} from '../frontends/index.ts';
import { uncachedMounts } from '../ops/exec/index.ts';
import type { ImageResolver, ResolutionMemo, SourceRegistry } from '../sources/index.ts';
import { type ReadBelow, readDir, readFile, statFile } from './bridge-files.ts';
import { BuildContainers, type ContainerServices } from './build-containers.ts';
import { BuildRef, type EngineJob } from './build-ref.ts';
import { type CacheImporters, CacheImports } from './cache-imports.ts';
import { BUILDER_LLB_CAPS } from './capabilities.ts';
import { checkEntitlements } from './entitlements.ts';
import { SourceLocations } from './error-source.ts';
import { KeptView } from './kept-view.ts';
import { MadeInputs, RequestScope } from './provenance/requests.ts';
import type { PulledBytes, PulledTally } from './pulled-bytes.ts';
import type { FailedSteps } from './remains.ts';
import { SILENT } from './silent.ts';
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
const SCRATCH: BridgeRef = { id: '' };
/** Warnings of one build that are kept: its watchers hold them all. */
const MAX_WARNINGS = 1000;
const IMAGE_SCHEME = 'docker-image://';

/** A build under way: what its frontends may do, whether they run here or in the client. */
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
  /** Questions about sources that have been shown: whoever asks one again is answered from what was resolved. */
  readonly #asked = new Set<string>();
  readonly #returned = Promise.withResolvers<BridgeResult>();
  readonly #unmet: UnmetRequests;
  readonly #imports: CacheImports;
  readonly #containers: BuildContainers;
  readonly #over = Promise.withResolvers<void>();
  #returnedOnce = false;
  #warnings = 0;

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
    this.#unmet = new UnmetRequests(job, (type) => importers.has(type));
    this.#imports = new CacheImports(job, importers, this.#unmet, {
      ...{ signal, log, direct: request.direct === true },
    });
    this.#imports.open(request.cacheImports ?? [], 'client');
    this.#unmet.tellExports(request.cacheExports ?? []);
    this.#unmet.tellOptions(request.frontendAttrs);
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
    const uncached = new Set<string>();
    try {
      graph = await loadDefinitionInSlices(definition, { signal, ...(platform === undefined ? {} : { platform }) });
      if (graph === undefined) return undefined;
      await inSlices(this.#look(graph, uncached), { signal });
    } catch (error) {
      throw this.explain(annotate(error, 'failed to load LLB'));
    }
    const { afterwork, refs } = this.#services;
    const scope = this.job.scope.write;
    for (const key of uncached) afterwork.run(() => refs.forgetNamed({ scope, key }));
    const ref = new BuildRef(encoded, definition, graph, {
      job: this.job,
      pools: this.#services.pools,
      view: this.#view,
      sessions: this.job.sessions,
      explain: (error) => this.#explainToFrontend(error),
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
  *#look({ vertices }: LlbGraph, uncached: Set<string>): Generator<void, void, void> {
    for (const vertex of vertices) {
      this.#locations.add(vertex);
      checkEntitlements(vertex, this.request.entitlements);
      for (const key of uncachedMounts(vertex)) uncached.add(key);
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

  #explainToFrontend(error: unknown): CodedError {
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
      const result = await this.#services.frontends.run(frontend, request, bridge, this.#bound(call));
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
    const read = (id: string, call: BridgeCall): ReadBelow => {
      const ref = this.find(id);
      if (ref === undefined)
        throw new CodedError('not_found', 'no such file or directory: the ref is scratch', { fault: 'user' });
      return (task, args) => ref.read(task, args, this.#bound(call));
    };
    return {
      sessionId: this.request.session,
      workers: [this.#services.worker],
      llbCaps: BUILDER_LLB_CAPS,
      solve: (request, call) => this.#solve(request, scope, call),
      readFile: async (id, path, range, call) => readFile(read(id, call), path, range),
      readDir: async (id, path, includePattern, call) => readDir(read(id, call), path, includePattern),
      statFile: async (id, path, call) => statFile(read(id, call), path),
      evaluate: async (id, call) => {
        await this.find(id)?.evaluate(this.#bound(call));
      },
      resolveImageConfig: (request, call) => this.#resolveImageConfig(request, scope, call),
      resolveSourceMeta: (request, call) => this.#resolveSourceMeta(request, scope, call),
      inputs: async () => inputs,
      warn: (warning) => this.#warn(warning),
      newContainer: (request, call) => this.#newContainer(request, call),
      container: (id) => this.#containers.find(id),
    };
  }

  /** How often a frontend has warned. */
  get warnings(): number {
    return this.#warnings;
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

  async #newContainer(request: BridgeContainerRequest, call: BridgeCall): Promise<void> {
    if (!request.mounts.some(({ dest }) => dest === '/')) throw invalidArgument('root mount is required');
    using _id = this.#containers.reserve(request.id);
    const refs = new Map<string, BuildRef>();
    const left = new Map<string, ImmutableRef>();
    for (const { resultId, dest } of request.mounts) {
      const remains = this.failedSteps.find(resultId);
      if (remains !== undefined) {
        left.set(resultId, remains);
        continue;
      }
      try {
        const ref = this.find(resultId);
        if (ref !== undefined) refs.set(resultId, ref);
      } catch (error) {
        throw annotate(error, `failed to find ref ${resultId} for ${JSON.stringify(dest)} mount`);
      }
    }
    const edges = [...refs.values()].map(({ edge }) => edge);
    // Others may fail meanwhile, for which these would make room.
    const held = [...left].map(([id, ref]) => [id, ref.clone()] as const);
    try {
      await this.job.use(
        edges,
        async (built) => {
          const made = [...refs.keys()].map((id, at) => [id, built[at]!.result.value] as const);
          await this.#containers.open(request, new Map([...made, ...held]));
        },
        this.#bound(call),
      );
    } catch (error) {
      throw this.#explainToFrontend(error);
    } finally {
      for (const [, ref] of held) await ref.release();
    }
  }

  #bound({ signal }: AbortOptions): AbortOptions {
    return { signal: AbortSignal.any([signal, this.signal]) };
  }

  async #solve(request: BridgeSolveRequest, scope: RequestScope, call: BridgeCall): Promise<BridgeResult> {
    this.#imports.open(request.cacheImports ?? [], 'frontend');
    this.#unmet.tellOptions(request.frontendOptions ?? new Map());
    if (request.frontend !== undefined && request.frontend !== '') {
      const { frontend, frontendOptions = new Map(), frontendInputs = new Map() } = request;
      const result = this.#described(await this.runFrontend(frontend, frontendOptions, frontendInputs, call, scope));
      if (request.evaluate === true) {
        const refs = [result.ref, ...(result.refs?.values() ?? [])];
        for (const ref of refs) if (ref !== undefined) await this.find(ref.id)?.evaluate(this.#bound(call));
      }
      return result;
    }
    const ref = request.definition === undefined ? undefined : await this.#loadEncoded(request.definition, scope, call);
    if (request.evaluate === true) await ref?.evaluate(this.#bound(call));
    return { ref: ref ?? SCRATCH, metadata: new Map() };
  }

  async #loadEncoded(encoded: Uint8Array, scope: RequestScope, call: BridgeCall): Promise<BuildRef | undefined> {
    const options = this.#bound(call);
    return await this.load(await decodeDefinitionInSlices(encoded, options), { ...options, encoded, scope });
  }

  async #resolveImageConfig(request: BridgeImageRequest, scope: RequestScope, call: BridgeCall): Promise<BridgeImage> {
    const { reference, resolveMode, logName } = request;
    if (request.ociLayout !== undefined) {
      throw unsupported('images in a content store of the client');
    }
    const platform = request.platform ?? this.#services.worker.platforms[0]!;
    const mode = resolveMode === 'pull' || resolveMode === 'local' ? resolveMode : 'default';
    const name = logName === '' ? `resolve image config for ${IMAGE_SCHEME}${reference}` : logName;
    const id = `${name} ${formatPlatform(platform)}`;
    const resolve = (progress: VertexProgress) =>
      this.#services.images.resolveImageConfig(reference, {
        ...this.#bound(call),
        platform,
        mode,
        scope: this.job.scope.write,
        sessions: this.job.sessions,
        memo: this.resolutions,
        told: lineLog(progress),
      });
    try {
      const image = await this.#asking({ name, id }, resolve);
      scope.addImage({ ref: fullName(reference), platform: request.platform, digest: image.digest, local: false });
      return image;
    } catch (error) {
      throw annotate(error, `failed to resolve source metadata for ${fullName(reference)}`);
    }
  }

  /** Images by their digest and config, other sources by what they can say of themselves; the rest are known by what they are asked for. */
  async #resolveSourceMeta(
    request: BridgeSourceMetaRequest,
    scope: RequestScope,
    call: BridgeCall,
  ): Promise<BridgeSourceMeta> {
    const { source, platform, resolveMode, logName } = request;
    const { identifier, attrs } = source;
    if (!identifier.startsWith(IMAGE_SCHEME)) {
      const instance = this.#services.sources.resolve(
        identifier,
        attrs,
        platform ?? this.#services.worker.platforms[0],
      );
      if (instance.describe === undefined) return { source };
      const name = logName === '' ? `resolve image config for ${identifier}` : logName;
      const described = await this.#asking({ name, id: `${name} ${JSON.stringify(attrs)}` }, (progress) => {
        const { sessions, owner } = this.job;
        const limits = () => this.job.limits;
        return instance.describe!(
          { ...this.#bound(call), owner, sessions, limits, progress, scope: this.job.scope.write },
          { gitObject: request.gitObject === true },
        );
      });
      return { source, ...described };
    }
    const reference = identifier.slice(IMAGE_SCHEME.length);
    const { digest, config } = await this.#resolveImageConfig(
      { reference, resolveMode, logName, ...(platform === undefined ? {} : { platform }) },
      scope,
      call,
    );
    if (digest === '') return { source };
    return { source, image: { digest, config: request.noConfig === true ? new Uint8Array() : config } };
  }

  /** One vertex for each question, however many stages ask it. */
  async #asking<R>(
    vertex: { readonly name: string; readonly id: string },
    work: (progress: VertexProgress) => Promise<R>,
  ): Promise<R> {
    if (this.#asked.has(vertex.id)) return await work(SILENT);
    this.#asked.add(vertex.id);
    return await this.job.inVertex(vertex, work);
  }

  /** The result with the graphs of its refs, which whoever asked may build on. */
  #described(result: BridgeResult): BridgeResult {
    const known = (ref: BridgeRef): BridgeRef => this.find(ref.id) ?? SCRATCH;
    const { ref, refs, attestations } = result;
    const said = [...(attestations ?? [])].map(
      ([platform, all]) =>
        [platform, all.map((one) => (one.ref === undefined ? one : { ...one, ref: known(one.ref) }))] as const,
    );
    return {
      ...result,
      ...(attestations === undefined ? {} : { attestations: new Map(said) }),
      ...(ref === undefined ? {} : { ref: known(ref) }),
      ...(refs === undefined ? {} : { refs: new Map([...refs].map(([id, one]) => [id, known(one)])) }),
    };
  }

  #warn({ vertex, level, message, detail, url, source, ranges }: BridgeWarning): void {
    this.#warnings += 1;
    if (this.#warnings > MAX_WARNINGS) return;
    const info = source === undefined ? {} : { sourceInfo: source };
    this.job.warn(vertex, { level, short: message, detail, url, ranges, ...info });
  }
}

function unsupported(what: string): CodedError {
  return CodedError.of('NOT_BUILT', `${what} are not supported yet`);
}

/** The error with the frontend that it came from; where one frontend has asked another, with the inner one. */
function fromFrontend(error: CodedError, name: string, source: string): CodedError {
  if (error.details.some(({ type }) => type === 'errdefs.Frontend')) return error;
  const frontend = { name, ...(source === '' ? {} : { source }) };
  return restated(error, { details: [{ type: 'errdefs.Frontend', value: frontend }, ...error.details] });
}

/** With domain and tag; what is no reference stays as it is. */
function fullName(reference: string): string {
  try {
    return formatImageReference(withDefaultTag(parseImageReference(reference)));
  } catch {
    return reference;
  }
}
