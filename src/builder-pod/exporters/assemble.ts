import { CodedError, type Descriptor, type Digest, goJson, type ImageReference } from '../../base/index.ts';
import type { Compression, Layer } from '../../cache/ports.ts';
import { INLINE_KEY } from '../../cache/remote/index.ts';
import {
  type DockerImage,
  describeDocument,
  descriptorJson,
  type EncodedDocument,
  emptyConfig,
  encodeIndex,
  encodeManifest,
  epochTime,
  type ImageLayer,
  MEDIA_TYPE,
} from '../../oci/manifest/index.ts';
import type { Task } from '../../sys/index.ts';
import {
  type AttestationManifest,
  type AttestedStatement,
  attestationManifest,
  isInlineOnly,
  readAttestations,
  typesOf,
} from './attestations.ts';
import {
  type Annotation,
  type AttestationOptions,
  annotationsFor,
  checkAnnotations,
  compressionFor,
} from './attributes.ts';
import { diffIdsOf, finishedConfig, MAX_AT_ONCE } from './config-task.ts';
import { configTask, type ExportInputs, type PlatformInput } from './inputs.ts';
import { type LayerSource, layerSource, REWRITTEN_TIMES } from './layer-source.ts';
import type { ExportAttestation, ExportContext, ExporterDeps, ImagePart } from './ports.ts';
import { withRow } from './progress.ts';

/** An image ready to be stored, pushed or sent. */
export interface AssembledExport {
  /** The manifest or index, with the annotations for whoever refers to it. */
  readonly root: Descriptor;
  readonly rootDocument: EncodedDocument;
  readonly isIndex: boolean;
  /** Configurations and attestations, then manifests, then the index: in the order they may be pushed. */
  readonly configs: readonly EncodedDocument[];
  readonly manifests: readonly EncodedDocument[];
  readonly layers: readonly LayerSource[];
  /** Of the only configuration, when there is one. */
  readonly configDigest: string | undefined;
  readonly images: readonly DockerImage[];
  /** Of `layers`, statements that lie in the content store and belong to no ref. */
  readonly stored: readonly Digest[];
  /** What its attestations state. */
  readonly statements: readonly AttestedStatement[];
  /** By platform. */
  readonly parts: readonly ImagePart[];
}

interface AssembleOptions {
  readonly oci: boolean;
  readonly compression: Compression;
  readonly annotations: readonly Annotation[];
  readonly attestations: AttestationOptions;
  /** Layers of base images that are to be had elsewhere are said to be. */
  readonly keepForeign: boolean;
  /** Layers, too, are to have no times later than the epoch. */
  readonly rewriteTimes: boolean;
  /** What attestations are to name the image by. */
  readonly names: readonly ImageReference[];
}

/** Why several platforms in a result that is no map are no image. */
export const SEVERAL_PLATFORMS = 'cannot export multiple platforms without multi-platform enabled';

const CREATED_AT = 'buildkit/createdat';
const DESCRIPTION = 'buildkit/description';

interface PlatformImage {
  readonly input: PlatformInput;
  readonly config: EncodedDocument;
  readonly manifest: EncodedDocument;
  readonly layers: readonly LayerSource[];
}

/** Makes layers, configurations, manifests and, for several platforms, the index. Nothing is stored yet. */
export async function assembleImage(
  { platforms, isMap }: ExportInputs,
  given: AssembleOptions,
  deps: Pick<ExporterDeps, 'bulk' | 'content'>,
  context: ExportContext,
): Promise<AssembledExport> {
  const { oci, annotations: all, rewriteTimes } = given;
  const reproducible = context.reproducible || rewriteTimes || platforms.some(({ epoch }) => epoch !== undefined);
  const options = { ...given, compression: compressionFor({ reproducible }, given.compression) };
  const isIndex = isMap || platforms.some(({ attestations }) => makeIndex(attestations, options));
  const attesting = isIndex ? platforms.filter(({ attestations }) => attestations.length > 0) : [];
  if (attesting.length > 0 && !oci)
    throw CodedError.of('EXPORT_ATTESTATION', 'cannot export attestations with "oci-mediatypes=false"', {
      hint: 'set oci-mediatypes=true',
    });
  checkAnnotations(all, { platforms: platforms.map(({ platform }) => platform), isIndex, oci });
  const asPacked = await withRow(context, 'exporting layers', () =>
    Promise.all(
      platforms.map(async (input) => {
        const packed = await layersOf(input, options, context);
        return { input, layers: packed, packed };
      }),
    ),
  );
  const layered = rewriteTimes
    ? await Promise.all(asPacked.map((one) => withClampedLayers(one, options, deps, context)))
    : asPacked;
  const images: PlatformImage[] = [];
  for (const one of layered) images.push(await platformImage(one, options, deps, context));
  const layers = new Map(
    images.flatMap((image) => image.layers.map((layer) => [layer.descriptor.digest, layer] as const)),
  );
  const attested: AttestationManifest[] = [];
  for (const { input, manifest } of images) {
    if (!attesting.includes(input)) continue;
    const { platform } = input;
    const { names, attestations } = options;
    const read = await readAttestations(input.attestations, deps, context);
    const { asArtifact } = attestations;
    attested.push(await attestationManifest(manifest.descriptor, read, { names, platform, asArtifact }, deps, context));
  }
  const configs = new Map(images.map(({ config }) => [config.descriptor.digest, config] as const));
  for (const { blobs } of attested) for (const blob of blobs) configs.set(blob.descriptor.digest, blob);
  const stored = attested.flatMap((one) => one.stored);
  const statements = attested.flatMap((one) => one.statements);
  const common = {
    statements,
    parts: images.map(({ input, manifest, config, layers: own }) => ({
      ...{
        platform: input.id,
        digest: manifest.descriptor.digest,
        attested: typesOf(statements, manifest.descriptor.digest),
      },
      size: [manifest, config, ...own].reduce((sum, { descriptor }) => sum + descriptor.size, 0),
    })),
    isIndex,
    configs: [...configs.values()],
    layers: [...layers.values(), ...stored],
    stored: stored.map(({ descriptor }) => descriptor.digest),
    images: images.map((image) => ({
      config: image.config.descriptor.digest,
      repoTags: [],
      layers: image.layers.map(({ descriptor }) => descriptor.digest),
    })),
  };
  const [first] = images;
  if (!isIndex && first !== undefined) {
    const { platform } = first.input;
    const annotations = annotationsFor(all, 'manifest-descriptor', platform);
    return {
      ...common,
      root: { ...first.manifest.descriptor, ...(annotations === undefined ? {} : { annotations }), platform },
      rootDocument: first.manifest,
      manifests: [first.manifest],
      configDigest: first.config.descriptor.digest,
    };
  }
  const index = await indexOf(images, attested, options, context);
  const annotations = annotationsFor(all, 'index-descriptor');
  const documents = [...images.map(({ manifest }) => manifest), ...attested.map(({ document }) => document)];
  const manifests = new Map(documents.map((document) => [document.descriptor.digest, document] as const));
  return {
    ...common,
    root: { ...index.descriptor, ...(annotations === undefined ? {} : { annotations }) },
    rootDocument: index,
    manifests: [...manifests.values(), index],
    configDigest: undefined,
  };
}

/** Whether attestations turn what would be a single manifest into an index. */
function makeIndex(all: readonly ExportAttestation[], { attestations }: AssembleOptions): boolean {
  return attestations.inline ? all.length > 0 : all.some((one) => !isInlineOnly(one));
}

async function layersOf(
  { ref }: PlatformInput,
  { compression }: AssembleOptions,
  { signal, owner, sessions, limits }: ExportContext,
): Promise<readonly Layer[]> {
  return ref === undefined ? [] : ref.layers({ signal, owner, sessions, limits, compression });
}

interface LayeredInput {
  readonly input: PlatformInput;
  /** Of the image. */
  readonly layers: readonly Layer[];
  /** As caches know them, each at the place of what the image has in its stead. */
  readonly packed: readonly Layer[];
}

/** Layers without times later than the epoch; those of the base image, as far as it is what lies below, stay as they are. */
async function withClampedLayers(
  given: LayeredInput,
  { compression }: AssembleOptions,
  deps: Pick<ExporterDeps, 'bulk'>,
  context: ExportContext,
): Promise<LayeredInput> {
  const { input, packed } = given;
  const { ref, epoch, baseConfig } = input;
  if (ref === undefined) return given;
  if (epoch === undefined) {
    const short = 'rewrite-timestamp is specified, but no source-date-epoch was found';
    context.progress.warn({ level: 1, short });
    return given;
  }
  const base =
    baseConfig === undefined
      ? []
      : await readConfig(configTask('diffIdsOf'), diffIdsOf, { config: baseConfig }, deps, context);
  const differing = packed.findIndex(({ diffId }, n) => diffId !== base[n]);
  const kept = differing < 0 ? packed.length : differing;
  const { signal, owner, sessions, limits } = context;
  const work = { signal, owner, sessions, limits, compression, latest: epoch };
  const row = `rewriting layers with source-date-epoch ${epoch} (${goTime(epoch)})`;
  const layers = await withRow(context, row, () =>
    Promise.all(
      packed.map(async (layer, n) => {
        if (n < kept) return layer;
        const { descriptor, diffId } = await ref.clamped(layer, work);
        const annotations = { ...descriptor.annotations, [REWRITTEN_TIMES]: String(epoch) };
        return { diffId, descriptor: { ...descriptor, annotations } };
      }),
    ),
  );
  return { input, layers, packed };
}

/** As Go prints a time. */
function goTime(seconds: number): string {
  return epochTime(seconds).replace('T', ' ').replace('Z', ' +0000 UTC');
}

async function readConfig<A extends { readonly config: Uint8Array; readonly baseConfig?: Uint8Array | undefined }, R>(
  to: Task<A, R>,
  here: (args: A) => R,
  args: A,
  deps: Pick<ExporterDeps, 'bulk'>,
  { signal, owner }: ExportContext,
): Promise<R> {
  const bytes = args.config.length + (args.baseConfig?.length ?? 0);
  return bytes <= MAX_AT_ONCE ? here(args) : await deps.bulk.run(to, args, { signal, owner });
}

async function platformImage(
  { input, layers, packed }: LayeredInput,
  options: AssembleOptions,
  deps: Pick<ExporterDeps, 'bulk'>,
  context: ExportContext,
): Promise<PlatformImage> {
  const { oci, keepForeign } = options;
  const { ref, epoch, baseConfig } = input;
  const ofImage = layers.map(toImageLayer);
  const records =
    ref === undefined
      ? undefined
      : await context.inlineRecords?.(
          { ref, layers: packed, latest: epoch === undefined ? undefined : epoch * 1000 },
          options.compression,
          context,
        );
  const extra = records === undefined ? {} : { [INLINE_KEY]: Buffer.from(records).toString('base64') };
  const given = input.config === undefined ? emptyConfig(input.platform) : input.config;
  const toFinish = { config: given, baseConfig, layers: ofImage, sourceDateEpoch: epoch, extra };
  const bytes = await readConfig(configTask('finishedConfig'), finishedConfig, toFinish, deps, context);
  const config = describeDocument(oci ? MEDIA_TYPE.ociConfig : MEDIA_TYPE.dockerConfig, bytes);
  const sources = ofImage.map(({ descriptor }) => layerSource(descriptor, input.ref, { oci, keepForeign }));
  const annotations = annotationsFor(options.annotations, 'manifest', input.platform);
  const manifest = encodeManifest({
    schemaVersion: 2,
    mediaType: oci ? MEDIA_TYPE.ociManifest : MEDIA_TYPE.dockerManifest,
    config: config.descriptor,
    layers: sources.map(({ descriptor }) => descriptor),
    ...(annotations === undefined ? {} : { annotations }),
  });
  await withRow(context, `exporting manifest ${manifest.descriptor.digest}`, () => {});
  await withRow(context, `exporting config ${config.descriptor.digest}`, () => {});
  return { input, config, manifest, layers: sources };
}

async function indexOf(
  images: readonly PlatformImage[],
  attested: readonly AttestationManifest[],
  { oci, annotations: all }: AssembleOptions,
  context: ExportContext,
): Promise<EncodedDocument> {
  const annotations = annotationsFor(all, 'index');
  const index = encodeIndex({
    schemaVersion: 2,
    mediaType: oci ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.dockerList,
    manifests: [
      ...images.map(({ manifest, input }) => {
        const { platform } = input;
        const own = annotationsFor(all, 'manifest-descriptor', platform);
        return {
          ...manifest.descriptor,
          platform,
          ...(own === undefined ? {} : { annotations: own }),
        };
      }),
      ...attested.map(({ descriptor }) => descriptor),
    ],
    ...(annotations === undefined ? {} : { annotations }),
  });
  await withRow(context, `exporting manifest list ${index.descriptor.digest}`, () => {});
  return index;
}

function toImageLayer({ descriptor, diffId }: Layer): ImageLayer {
  const { [CREATED_AT]: createdAt, [DESCRIPTION]: description } = descriptor.annotations ?? {};
  return { descriptor, diffId, createdAt, description };
}

/** What the client is told about an image. */
export function imageResponse(
  { root, configDigest }: Pick<AssembledExport, 'root' | 'configDigest'>,
  names: string,
): Record<string, string> {
  return {
    'containerimage.digest': root.digest,
    'containerimage.descriptor': Buffer.from(goJson(descriptorJson(root))).toString('base64'),
    ...(configDigest === undefined ? {} : { 'containerimage.config.digest': configDigest }),
    ...(names === '' ? {} : { 'image.name': names }),
  };
}
