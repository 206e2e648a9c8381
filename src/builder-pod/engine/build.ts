import { type AbortOptions, CodedError, type Digest, formatPlatform, type Platform } from '../../base/index.ts';
import type { Session, SessionRegistry } from '../../builder-api/index.ts';
import type {
  CallOptions,
  DockerfileClient,
  ForwardRequest,
  FrontendResult,
  FrontendSolveRequest,
  FrontendWarning,
  ImageConfigRequest,
  ResolvedImage,
} from '../../dockerfile/frontend-interface.ts';
import { type Definition, LLB_CAPS, loadDefinition } from '../../llb/index.ts';
import type { Pools } from '../../sys/index.ts';
import type { ImageResolver, ResolutionMemo } from '../sources/index.ts';
import { BuildRef, type EngineJob } from './build-ref.ts';
import { checkEntitlements } from './entitlements.ts';
import { SourceLocations } from './error-source.ts';
import type { Frontend } from './ports.ts';

export interface BuildServices {
  readonly pools: Pools;
  readonly sessions: SessionRegistry;
  readonly images: ImageResolver;
  readonly frontends: ReadonlyMap<string, Frontend>;
  /** The first is the builder's own. */
  readonly platforms: readonly Platform[];
}

export interface BuildRequest {
  /** The client's name for the build. */
  readonly ref: string;
  /** Session of the client; empty when it has none. */
  readonly session: string;
  readonly frontendAttrs: ReadonlyMap<string, string>;
  readonly frontendInputs: ReadonlyMap<string, Definition>;
  readonly entitlements: ReadonlySet<string>;
}

/** A build under way: what its frontends may do, whether they run here or in the client. */
export class Build {
  readonly request: BuildRequest;
  readonly job: EngineJob;
  /** Fires when the build is cancelled or over. */
  readonly signal: AbortSignal;
  /** Image names that were looked up: a tag means the same from the build's start to its end. */
  readonly resolutions: ResolutionMemo = new Map();
  readonly #services: BuildServices;
  readonly #locations = new SourceLocations();
  readonly #refs = new Map<string, BuildRef>();
  readonly #returned = Promise.withResolvers<FrontendResult>();
  #returnedOnce = false;

  constructor(request: BuildRequest, job: EngineJob, services: BuildServices, signal: AbortSignal) {
    this.request = request;
    this.job = job;
    this.signal = signal;
    this.#services = services;
    this.#returned.promise.catch(() => {});
  }

  get platforms(): readonly Platform[] {
    return this.#services.platforms;
  }

  session(options: AbortOptions): Promise<Session> {
    return this.#services.sessions.get(this.request.session, options);
  }

  /** A graph to solve when something of it is wanted. Undefined for an empty one. @throws CodedError */
  load(definition: Definition): BuildRef | undefined {
    this.signal.throwIfAborted();
    const platform = this.#services.platforms[0];
    const graph = loadDefinition(definition, platform === undefined ? {} : { platform });
    if (graph === undefined) return undefined;
    this.#locations.add(graph);
    try {
      checkEntitlements(graph, this.request.entitlements);
    } catch (error) {
      throw this.explain(error);
    }
    const ref = new BuildRef(definition, graph.root, {
      job: this.job,
      pools: this.#services.pools,
      sessions: this.job.sessions,
      explain: (error) => this.explain(error),
    });
    this.#refs.set(ref.id, ref);
    return ref;
  }

  /** @throws CodedError not_found */
  ref(id: string): BuildRef {
    const ref = this.#refs.get(id);
    if (ref === undefined) throw new CodedError('not_found', `no such ref: ${id}`, { fault: 'user' });
    return ref;
  }

  explain(error: unknown): CodedError {
    return this.#locations.explain(error);
  }

  /** Runs a frontend of ours. @throws CodedError unimplemented for others */
  async runFrontend(
    name: string,
    attrs: ReadonlyMap<string, string>,
    inputs: ReadonlyMap<string, Definition>,
    options: AbortOptions,
  ): Promise<FrontendResult> {
    // The image's own name for what is built in.
    const builtIn =
      name === 'gateway.v0' && attrs.get('source') === 'dockerfile.v0' && !attrs.has('context:dockerfile.v0');
    const frontend = this.#services.frontends.get(builtIn ? 'dockerfile.v0' : name);
    if (frontend === undefined) {
      throw new CodedError('unimplemented', `frontend ${name} is not supported`, {
        fault: 'user',
        reason: 'FRONTEND_UNKNOWN',
        hint: `built in: ${[...this.#services.frontends.keys()].join(', ')}`,
      });
    }
    try {
      return await frontend(this.client(attrs, inputs), options);
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** What a frontend sees of the build. */
  client(attrs: ReadonlyMap<string, string>, inputs: ReadonlyMap<string, Definition>): DockerfileClient {
    return {
      options: attrs,
      sessionId: this.request.session,
      buildPlatforms: this.#services.platforms,
      llbCaps: new Set(LLB_CAPS),
      solve: (request, options) => this.solve(request, options),
      resolveImageConfig: (reference, request, options) => this.resolveImageConfig(reference, request, options),
      forward: (request: ForwardRequest, options) =>
        this.runFrontend(request.frontend, request.options, request.inputs, options),
      inputs: async () => inputs,
      warn: (warning) => this.warn(warning),
    };
  }

  async solve(request: FrontendSolveRequest, options: CallOptions): Promise<BuildRef | undefined> {
    const ref = this.load(request.definition);
    if (request.evaluate === true) await ref?.evaluate(options);
    return ref;
  }

  async resolveImageConfig(
    reference: string,
    request: ImageConfigRequest,
    { signal }: CallOptions,
  ): Promise<ResolvedImage> {
    if (request.ociLayout !== undefined) {
      throw new CodedError('unimplemented', 'images in a content store of the client are not supported yet', {
        fault: 'user',
      });
    }
    const platform = request.platform ?? this.#services.platforms[0]!;
    const mode = request.resolveMode === 'pull' || request.resolveMode === 'local' ? request.resolveMode : 'default';
    const name = request.logName === '' ? `resolve image config for docker-image://${reference}` : request.logName;
    const id = `${name} ${formatPlatform(platform)}`;
    return await this.job.inVertex({ name, id }, () =>
      this.#services.images.resolveImageConfig(reference, {
        signal: AbortSignal.any([signal, this.signal]),
        platform,
        mode,
        scope: this.job.scope.write,
        sessions: this.job.sessions,
        memo: this.resolutions,
      }),
    );
  }

  warn({ vertex, level, message, detail, url, source, ranges }: FrontendWarning): void {
    this.job.warn(vertex, { level, short: message, detail, url, sourceInfo: source, ranges });
  }

  warnVertex(vertex: Digest, warning: Parameters<EngineJob['warn']>[1]): void {
    this.job.warn(vertex, warning);
  }

  /** What a frontend in the client came to (LLBBridge Return): once only. */
  giveResult(outcome: { readonly result: FrontendResult } | { readonly error: unknown }): void {
    if (this.#returnedOnce)
      throw new CodedError('failed_precondition', 'the build has returned already', { fault: 'user' });
    this.#returnedOnce = true;
    if ('error' in outcome) this.#returned.reject(outcome.error);
    else this.#returned.resolve(outcome.result);
  }

  get returned(): Promise<FrontendResult> {
    return this.#returned.promise;
  }
}
