import {
  annotate,
  CodedError,
  formatImageReference,
  formatPlatform,
  invalidArgument,
  parseImageReference,
  withDefaultTag,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { type Definition, decodeDefinitionInSlices } from '../../llb/index.ts';
import { lineLog, type VertexProgress } from '../../solver/index.ts';
import type {
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
} from '../frontends/index.ts';
import type { ImageResolver, ResolutionMemo, SourceRegistry } from '../sources/index.ts';
import { type ReadBelow, readDir, readFile, statFile } from './bridge-files.ts';
import type { BuildContainers } from './build-containers.ts';
import type { BuildRef, EngineJob } from './build-ref.ts';
import type { CacheImports } from './cache-imports.ts';
import { BUILDER_LLB_CAPS } from './capabilities.ts';
import type { RequestScope } from './provenance/requests.ts';
import type { FailedSteps } from './remains.ts';
import { SILENT } from './silent.ts';
import type { UnmetRequests } from './unmet-requests.ts';

/** Where frontends ask what they ask. */
interface BridgedBuild {
  readonly request: { readonly session: string };
  readonly job: EngineJob;
  readonly resolutions: ResolutionMemo;
  readonly failedSteps: FailedSteps;
  find(id: string): BuildRef | undefined;
  load(
    definition: Definition,
    options: BridgeCall & { readonly encoded: Uint8Array; readonly scope: RequestScope },
  ): Promise<BuildRef | undefined>;
  runFrontend(
    name: string,
    options: ReadonlyMap<string, string>,
    inputs: ReadonlyMap<string, Definition>,
    call: BridgeCall,
    asker: RequestScope,
  ): Promise<BridgeResult>;
  explainToFrontend(error: unknown): CodedError;
  /** No longer than the build. */
  bound(call: BridgeCall): BridgeCall;
}

interface BridgeServices {
  readonly images: ImageResolver;
  readonly sources: SourceRegistry;
  readonly worker: BridgeWorker;
}

/** What belongs to the build, and frontends may have more of. */
interface BridgeParts {
  readonly imports: CacheImports;
  readonly unmet: UnmetRequests;
  readonly containers: BuildContainers;
}

const SCRATCH: BridgeRef = { id: '' };
/** Warnings of one build that are kept: its watchers hold them all. */
const MAX_WARNINGS = 1000;
const IMAGE_SCHEME = 'docker-image://';

/** What the frontends of one build may ask, whether they run here or in the client: each has a bridge of its own. */
export class BuildBridges {
  readonly #build: BridgedBuild;
  readonly #services: BridgeServices;
  readonly #imports: CacheImports;
  readonly #unmet: UnmetRequests;
  readonly #containers: BuildContainers;
  /** Questions about sources that have been shown: whoever asks one again is answered from what was resolved. */
  readonly #asked = new Set<string>();
  #warnings = 0;

  constructor(build: BridgedBuild, services: BridgeServices, { imports, unmet, containers }: BridgeParts) {
    this.#build = build;
    this.#services = services;
    this.#imports = imports;
    this.#unmet = unmet;
    this.#containers = containers;
  }

  /** What a frontend with these inputs may ask. */
  open(inputs: ReadonlyMap<string, Definition>, scope: RequestScope): FrontendBridge {
    const read = (id: string, call: BridgeCall): ReadBelow => {
      const ref = this.#build.find(id);
      if (ref === undefined)
        throw new CodedError('not_found', 'no such file or directory: the ref is scratch', { fault: 'user' });
      return (task, args) => ref.read(task, args, this.#build.bound(call));
    };
    return {
      sessionId: this.#build.request.session,
      workers: [this.#services.worker],
      llbCaps: BUILDER_LLB_CAPS,
      solve: (request, call) => this.#solve(request, scope, call),
      readFile: async (id, path, range, call) => readFile(read(id, call), path, range),
      readDir: async (id, path, includePattern, call) => readDir(read(id, call), path, includePattern),
      statFile: async (id, path, call) => statFile(read(id, call), path),
      evaluate: async (id, call) => {
        await this.#build.find(id)?.evaluate(this.#build.bound(call));
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

  async #newContainer(request: BridgeContainerRequest, call: BridgeCall): Promise<void> {
    if (!request.mounts.some(({ dest }) => dest === '/')) throw invalidArgument('root mount is required');
    using _id = this.#containers.reserve(request.id);
    const refs = new Map<string, BuildRef>();
    const left = new Map<string, ImmutableRef>();
    for (const { resultId, dest } of request.mounts) {
      const remains = this.#build.failedSteps.find(resultId);
      if (remains !== undefined) {
        left.set(resultId, remains);
        continue;
      }
      try {
        const ref = this.#build.find(resultId);
        if (ref !== undefined) refs.set(resultId, ref);
      } catch (error) {
        throw annotate(error, `failed to find ref ${resultId} for ${JSON.stringify(dest)} mount`);
      }
    }
    const edges = [...refs.values()].map(({ edge }) => edge);
    // Others may fail meanwhile, for which these would make room.
    const held = [...left].map(([id, ref]) => [id, ref.clone()] as const);
    try {
      await this.#build.job.use(
        edges,
        async (built) => {
          const made = [...refs.keys()].map((id, at) => [id, built[at]!.result.value] as const);
          await this.#containers.open(request, new Map([...made, ...held]));
        },
        this.#build.bound(call),
      );
    } catch (error) {
      throw this.#build.explainToFrontend(error);
    } finally {
      for (const [, ref] of held) await ref.release();
    }
  }

  async #solve(request: BridgeSolveRequest, scope: RequestScope, call: BridgeCall): Promise<BridgeResult> {
    this.#imports.open(request.cacheImports ?? [], 'frontend');
    this.#unmet.tellOptions(request.frontendOptions ?? new Map());
    if (request.frontend !== undefined && request.frontend !== '') {
      const { frontend, frontendOptions = new Map(), frontendInputs = new Map() } = request;
      const result = this.#described(
        await this.#build.runFrontend(frontend, frontendOptions, frontendInputs, call, scope),
      );
      if (request.evaluate === true) {
        const refs = [result.ref, ...(result.refs?.values() ?? [])];
        for (const ref of refs)
          if (ref !== undefined) await this.#build.find(ref.id)?.evaluate(this.#build.bound(call));
      }
      return result;
    }
    const ref = request.definition === undefined ? undefined : await this.#loadEncoded(request.definition, scope, call);
    if (request.evaluate === true) await ref?.evaluate(this.#build.bound(call));
    return { ref: ref ?? SCRATCH, metadata: new Map() };
  }

  async #loadEncoded(encoded: Uint8Array, scope: RequestScope, call: BridgeCall): Promise<BuildRef | undefined> {
    const options = this.#build.bound(call);
    return await this.#build.load(await decodeDefinitionInSlices(encoded, options), { ...options, encoded, scope });
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
        ...this.#build.bound(call),
        platform,
        mode,
        scope: this.#build.job.scope.write,
        owner: this.#build.job.owner,
        sessions: this.#build.job.sessions,
        memo: this.#build.resolutions,
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
        const { sessions, owner } = this.#build.job;
        const limits = () => this.#build.job.limits;
        return instance.describe!(
          { ...this.#build.bound(call), owner, sessions, limits, progress, scope: this.#build.job.scope.write },
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
    return await this.#build.job.inVertex(vertex, work);
  }

  /** The result with the graphs of its refs, which whoever asked may build on. */
  #described(result: BridgeResult): BridgeResult {
    const known = (ref: BridgeRef): BridgeRef => this.#build.find(ref.id) ?? SCRATCH;
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
    this.#build.job.warn(vertex, { level, short: message, detail, url, ranges, ...info });
  }
}

function unsupported(what: string): CodedError {
  return CodedError.of('NOT_BUILT', `${what} are not supported yet`);
}

/** With domain and tag; what is no reference stays as it is. */
function fullName(reference: string): string {
  try {
    return formatImageReference(withDefaultTag(parseImageReference(reference)));
  } catch {
    return reference;
  }
}
