import {
  CodedError,
  type Descriptor,
  type Digest,
  type ImageReference,
  imagePackageUrl,
  type Platform,
} from '../../base/index.ts';
import { describeDocument, type EncodedDocument, encodeManifest, MEDIA_TYPE } from '../../oci/manifest/index.ts';
import { siblingModule, tasksOf } from '../../sys/index.ts';
import {
  type AttestationSource,
  type Attested,
  MOST_BYTES,
  MOST_TOTAL,
  PROVENANCE,
  type Subject,
} from './attestation-task.ts';
import type { LayerSource } from './layer-source.ts';
import type { ExportAttestation, ExportContext, ExporterDeps } from './ports.ts';
import { withRow } from './progress.ts';

export const attestationTask = tasksOf<typeof import('./attestation-task.ts')>(
  siblingModule(import.meta.url, './attestation-task'),
);

/** Of the index of an image, what is told of a manifest that holds attestations. */
const REFERENCE_TYPE = 'vnd.docker.reference.type';
const REFERENCE_DIGEST = 'vnd.docker.reference.digest';
const ARTIFACT_TYPE = 'application/vnd.docker.attestation.manifest.v1+json';
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const PREDICATE_TYPE = 'in-toto.io/predicate-type';
const UNKNOWN: Platform = { architecture: 'unknown', os: 'unknown' };

/** Of a statement, in memory until it is pushed or sent. */
export const MOST_HELD = 1 << 20;

const INLINE_ONLY = 'inline-only';
const SBOM_CORE = 'sbom-core';

/** Whether it is to be left out where it alone would make an index of an image, or a file. */
export function isInlineOnly({ metadata }: ExportAttestation): boolean {
  return Buffer.from(metadata.get(INLINE_ONLY) ?? []).toString() === 'true';
}

/** Attestations of one platform as statements can be made of them, bundles taken apart. @throws CodedError for those that are malformed */
export async function readAttestations(
  attestations: readonly ExportAttestation[],
  { bulk }: Pick<ExporterDeps, 'bulk'>,
  context: Pick<ExportContext, 'signal' | 'owner' | 'sessions' | 'limits'>,
): Promise<readonly Attested[]> {
  for (const attestation of attestations) check(attestation);
  const read: { readonly one: Attested; readonly isCore: boolean }[] = [];
  let room = MOST_TOTAL;
  // One after the other: each may take its share of memory.
  for (const attestation of attestations) {
    const core = attestation.metadata.get(SBOM_CORE);
    const all = await readOne(attestation, bulk, context);
    for (const { path, predicate } of all)
      if (predicate.length > MOST_BYTES)
        throw CodedError.of('EXPORT_ATTESTATION', `the attestation ${path} exceeds ${MOST_BYTES} bytes`);
    room -= all.reduce((sum, { predicate }) => sum + predicate.length, 0);
    if (room < 0)
      throw CodedError.of('EXPORT_ATTESTATION', `the attestations of a platform exceed ${MOST_TOTAL} bytes`);
    for (const one of all)
      read.push({ one, isCore: core !== undefined && one.path.split('.')[0] === Buffer.from(core).toString() });
  }
  // The main scan comes first, since clients look no further.
  return [...read.filter(({ isCore }) => isCore), ...read.filter(({ isCore }) => !isCore)].map(({ one }) => one);
}

async function readOne(
  { kind, path, ref, predicateType, subjects, content }: ExportAttestation,
  bulk: ExporterDeps['bulk'],
  context: Pick<ExportContext, 'signal' | 'owner' | 'sessions' | 'limits'>,
): Promise<readonly Attested[]> {
  const { signal, owner, sessions, limits } = context;
  if (content !== undefined) return [{ path, predicateType, subjects, predicate: await content({ signal, owner }) }];
  await using mounted = await ref!.mount({ signal, owner, sessions, ...(limits === undefined ? {} : { limits }) });
  const source: AttestationSource = { kind, path, predicateType, subjects };
  return await bulk.run(attestationTask('readAttestations'), { root: mounted.root, source }, { signal, owner });
}

function check({ kind, path, ref, predicateType, content }: ExportAttestation): void {
  const bad = (message: string) => CodedError.of('EXPORT_ATTESTATION', message);
  if (kind === 'in-toto' && path === '') throw bad('attestation does not have set path');
  if (content !== undefined) return;
  if (ref === undefined) throw bad('attestation does not have available content');
  if (kind === 'in-toto' && predicateType.startsWith(PROVENANCE))
    throw bad('frontend may not set provenance attestations');
}

export interface AttestationManifest {
  /** As the index names it. */
  readonly descriptor: Descriptor;
  readonly document: EncodedDocument;
  /** The statements and what else it refers to… */
  readonly blobs: readonly EncodedDocument[];
  /** …and those that are too large to be held: they lie in the content store. */
  readonly stored: readonly LayerSource[];
  readonly statements: readonly AttestedStatement[];
}

/** A statement about an image, in memory or in the content store. */
export interface AttestedStatement {
  /** The manifest that it is about. */
  readonly subject: Digest;
  readonly predicateType: string;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array | undefined;
}

/** The manifest that an index holds beside that of an image, with the attestations of it. */
export async function attestationManifest(
  image: Descriptor,
  attested: readonly Attested[],
  options: { readonly names: readonly ImageReference[]; readonly platform: Platform; readonly asArtifact: boolean },
  { bulk, content }: Pick<ExporterDeps, 'bulk' | 'content'>,
  context: ExportContext,
): Promise<AttestationManifest> {
  const [, hex = ''] = image.digest.split(':');
  const self: Subject[] = options.names.map((name) => ({
    name: imagePackageUrl('docker', name, options.platform),
    digest: { sha256: hex },
  }));
  await using temps = new AsyncDisposableStack();
  const files: (string | undefined)[] = [];
  for (const { predicate } of attested)
    files.push(predicate.length > MOST_HELD ? temps.use(await content.temp()).path : undefined);
  const statements = await bulk.run(attestationTask('encodeStatements'), { attested, self, files }, context);
  const stored: LayerSource[] = [];
  const blobs: EncodedDocument[] = [];
  const layers: Descriptor[] = [];
  const signable: AttestedStatement[] = [];
  for (const [at, { digest, size, bytes, predicateType }] of statements.entries()) {
    const annotations = { [PREDICATE_TYPE]: predicateType };
    const descriptor: Descriptor = { mediaType: STATEMENT_TYPE, digest, size, annotations };
    layers.push(descriptor);
    signable.push({ subject: image.digest, predicateType, descriptor, bytes });
    if (bytes !== undefined) blobs.push({ descriptor, bytes });
    else {
      await content.adopt(files[at]!, digest, size, { signal: context.signal, owner: context.owner });
      stored.push(storedBlob(descriptor, content));
    }
  }
  const config = options.asArtifact ? EMPTY : configOf(layers);
  const { mediaType, digest, size } = image;
  const document = encodeManifest({
    ...{ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest },
    ...(options.asArtifact ? { artifactType: ARTIFACT_TYPE } : {}),
    config: options.asArtifact ? { ...EMPTY.descriptor, data: 'e30=' } : config.descriptor,
    layers,
    ...(options.asArtifact ? { subject: { mediaType, digest, size } } : {}),
  });
  await withRow(context, `exporting attestation manifest ${document.descriptor.digest}`, () => {});
  const annotations = { [REFERENCE_TYPE]: 'attestation-manifest', [REFERENCE_DIGEST]: image.digest };
  return {
    descriptor: { ...document.descriptor, platform: UNKNOWN, annotations },
    document,
    blobs: [config, ...blobs],
    stored,
    statements: signable,
  };
}

/** Kinds of statements, each once; of one image alone where it is named. */
export function typesOf(statements: readonly AttestedStatement[], of?: Digest): readonly string[] {
  const chosen = statements.filter(({ subject }) => of === undefined || subject === of);
  return [...new Set(chosen.map(({ predicateType }) => predicateType))].sort();
}

const EMPTY = describeDocument(MEDIA_TYPE.ociEmpty, Buffer.from('{}'));

/** A blob of the content store that is no layer of a ref, as exporters take layers. */
function storedBlob(descriptor: Descriptor, content: ExporterDeps['content']): LayerSource {
  return {
    descriptor,
    sources: {},
    open: ({ signal }) => content.open(descriptor, { signal }),
    check: async () => {},
    givenTo: () => {},
  };
}

function configOf(layers: readonly Descriptor[]): EncodedDocument {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const bytes = Buffer.from(JSON.stringify({ ...UNKNOWN, config: {}, rootfs }));
  return describeDocument(MEDIA_TYPE.ociConfig, bytes);
}
