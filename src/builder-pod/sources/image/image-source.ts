import {
  annotate,
  digestOf,
  formatImageReference,
  goJson,
  hostPlatform,
  invalidArgument,
  isCancelled,
  type Platform,
  parseImageReference,
} from '../../../base/index.ts';
import type { BlobFetcher, BlobPlace, ImmutableRef, RecordType, RefManager } from '../../../cache/ports.ts';
import { lineLog } from '../../../solver/index.ts';
import type { OpContext } from '../../../solver/ports.ts';
import { numberAttr, type SourceFactory, type SourceInstance, type SourceKey, type SourceRequest } from '../source.ts';
import type { ArtifactUnpacker } from './artifact.ts';
import type { ImageResolver, ResolutionMemo, ResolvedImage, ResolveMode } from './resolver.ts';

interface ImageSourceOptions {
  readonly resolver: ImageResolver;
  readonly refs: RefManager;
  /** Unpacks artifacts. */
  readonly artifacts: ArtifactUnpacker;
  /** The names that the builds of these sessions have looked up. */
  readonly memo?: (sessions: readonly string[]) => ResolutionMemo | undefined;
}

const MODES: Readonly<Record<string, ResolveMode>> = { default: 'default', pull: 'pull', local: 'local' };
const RECORD_TYPES: ReadonlySet<string> = new Set(['internal', 'frontend', 'regular']);

/** `docker-image://`: an image of a registry. Its layers stay where they are until something mounts the ref. */
export function imageSource(options: ImageSourceOptions): SourceFactory {
  return (request) => new ImageSource(options, request);
}

/** Reads blobs of repositories with the credentials of a build that wants them now. */
export function registryFetcher(resolver: ImageResolver): BlobFetcher<Extract<BlobPlace, { kind: 'registry' }>> {
  return {
    lasting: true,
    host: ({ host }) => host,
    open: ({ host, repository, insecure }, descriptor, { sessions, signal, told }) =>
      resolver
        .repository({ domain: host, path: repository }, sessions(), { insecure, told })
        .openBlob(descriptor, { signal }),
  };
}

class ImageSource implements SourceInstance {
  readonly #options: ImageSourceOptions;
  readonly #reference: string;
  readonly #platform: Platform;
  readonly #mode: ResolveMode;
  readonly #recordType: RecordType | undefined;
  readonly #layerLimit: number | undefined;
  readonly #checksum: string | undefined;
  readonly #mayBeArtifact: boolean;
  #resolved: ResolvedImage | undefined;

  constructor(options: ImageSourceOptions, { identifier, attrs, platform }: SourceRequest) {
    this.#options = options;
    parseImageReference(identifier);
    this.#reference = identifier;
    this.#platform = platform ?? hostPlatform();
    const mode = attrs['image.resolvemode'] ?? 'default';
    const known = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
    if (known === undefined)
      throw invalidArgument(`source attribute image.resolvemode: unknown mode ${JSON.stringify(mode)}`);
    this.#mode = known;
    const recordType = attrs['image.recordtype'] || undefined;
    if (recordType !== undefined && !RECORD_TYPES.has(recordType))
      throw invalidArgument(`source attribute image.recordtype: unknown type ${JSON.stringify(recordType)}`);
    this.#recordType = recordType as RecordType | undefined;
    this.#layerLimit = numberAttr(attrs, 'image.layerlimit');
    if (this.#layerLimit === 0) throw invalidArgument('source attribute image.layerlimit: must be above 0');
    this.#checksum = attrs['image.checksum'] || undefined;
    this.#mayBeArtifact = attrs['image.artifact'] === 'true';
  }

  /**
   * The root digest with the platform. The chain id of the config's diff ids is no second key: it is verified only once layers are unpacked, and
   * a lying image must not take the place of the one it names (BuildKit dropped that key for the same reason).
   */
  async cacheKey(context: OpContext): Promise<SourceKey> {
    const { root, reference, artifact } = await this.#resolve(context);
    const { os, architecture, variant } = this.#platform;
    const version = this.#platform['os.version'];
    const features = this.#platform['os.features'];
    const made = {
      Digest: root.digest,
      OS: os,
      Arch: architecture,
      ...(variant ? { Variant: variant } : {}),
      ...(version ? { OSVersion: version } : {}),
      ...(features?.length ? { OSFeatures: features } : {}),
      ...(this.#layerLimit === undefined ? {} : { Limit: this.#layerLimit }),
      ...(artifact === undefined ? {} : { Artifact: true }),
    };
    const { digest: _pinned, ...named } = parseImageReference(reference);
    const resolved = { kind: 'image', name: formatImageReference(named), digest: root.digest } as const;
    return { key: digestOf(goJson(made)), pin: root.digest, resolved, made };
  }

  async snapshot(context: OpContext): Promise<ImmutableRef> {
    const { layers, reference, root, artifact } = await this.#resolve(context);
    const { refs, resolver, artifacts } = this.#options;
    const { domain, path } = parseImageReference(reference);
    const pinned = reference.includes('@') ? reference : `${reference}@${root.digest}`;
    if (artifact !== undefined) {
      const repository = resolver.repository({ domain, path }, context.sessions(), { told: lineLog(context.progress) });
      return await artifacts.unpack({ name: pinned, blobs: artifact, repository }, context);
    }
    return await refs.fromLayers(this.#layerLimit === undefined ? layers : layers.slice(0, this.#layerLimit), {
      signal: context.signal,
      owner: context.owner,
      places: [{ kind: 'registry', host: domain, repository: path }],
      description: `pulled from ${pinned}`,
      scope: context.scope,
      ...(this.#recordType === undefined ? {} : { recordType: this.#recordType }),
    });
  }

  async #resolve(context: OpContext): Promise<ResolvedImage> {
    if (this.#resolved !== undefined) return this.#resolved;
    const { signal, owner, scope } = context;
    const id = `resolve docker-image://${this.#reference}`;
    const started = Date.now();
    context.progress.status({ id, started });
    const memo = this.#options.memo?.(context.sessions());
    const image = await this.#options.resolver
      .resolve(this.#reference, {
        signal,
        owner,
        scope,
        platform: this.#platform,
        mode: this.#mode,
        sessions: () => context.sessions(),
        artifacts: this.#mayBeArtifact,
        told: lineLog(context.progress),
        ...(memo === undefined ? {} : { memo }),
      })
      .catch((error: unknown) => {
        throw isCancelled(error) ? error : annotate(error, this.#reference);
      });
    if (this.#checksum !== undefined && image.root.digest !== this.#checksum)
      throw invalidArgument(
        `image digest ${image.root.digest} for ${this.#reference} does not match expected checksum ${this.#checksum}`,
      );
    if (this.#layerLimit !== undefined && this.#layerLimit > image.layers.length)
      throw invalidArgument(
        `source attribute image.layerlimit: ${this.#layerLimit} is more than the image's ${image.layers.length} layers`,
      );
    this.#resolved = image;
    context.progress.status({ id, started, completed: Date.now() });
    return image;
  }
}
