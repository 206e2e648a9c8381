import { familiarImageName, formatImageReference, type ImageReference } from '../../base/index.ts';
import { isForeignLayer } from '../../oci/manifest/index.ts';
import { pushError, RegistryError } from '../../oci/registry-client/index.ts';
import { lineLog } from '../../solver/index.ts';
import type { AssembledExport } from './assemble.ts';
import type { LayerSource } from './layer-source.ts';
import type { ExportContext, ExporterDeps, PushRepository } from './ports.ts';
import { withRow } from './progress.ts';

/** Blobs in flight to one registry; its client bounds them again. */
const PARALLEL = 8;

/** What there is to push: of an image, or of what is kept like one. */
type PushedImage = Pick<AssembledExport, 'root' | 'rootDocument' | 'configs' | 'manifests' | 'layers'>;

interface PushOptions {
  readonly insecure: boolean;
  readonly byDigest: boolean;
  /** What may be under way already. */
  readonly ahead?: { settled(reference: ImageReference, digest: string): Promise<void> } | undefined;
}

/** Pushes an image under its names: blobs of each repository once, then manifests, the index last, then each tag unless by digest. */
export async function pushImage(
  image: PushedImage,
  names: readonly ImageReference[],
  { insecure, byDigest, ahead }: PushOptions,
  deps: Pick<ExporterDeps, 'openRepository'>,
  context: ExportContext,
): Promise<void> {
  const byRepository = Map.groupBy(names, ({ domain, path }) => `${domain}/${path}`);
  for (const [repositoryName, references] of byRepository) {
    const reference = references[0] as ImageReference;
    const { sessions, progress } = context;
    const repository = deps.openRepository(reference, { insecure, sessions, told: lineLog(progress) });
    try {
      await withRow(context, 'pushing layers', (update) =>
        pushBlobs(image, reference, { repository, insecure, ahead }, update, context),
      );
      for (const document of image.manifests.slice(0, -1))
        await repository.putManifest(document.descriptor.digest, toPush(document), { signal: context.signal });
      for (const name of byDigest ? references.slice(0, 1) : references) {
        const { tag, digest: _same, ...repositoryOf } = name;
        const shownName = byDigest || tag === undefined ? repositoryOf : { ...repositoryOf, tag };
        const shown = `${formatImageReference(shownName)}@${image.root.digest}`;
        await withRow(context, `pushing manifest for ${shown}`, () =>
          repository.putManifest(
            byDigest ? image.root.digest : (name.tag ?? image.root.digest),
            toPush(image.rootDocument),
            {
              signal: context.signal,
            },
          ),
        );
      }
    } catch (error) {
      context.signal.throwIfAborted();
      throw pushError(error, `failed to push ${familiarImageName(reference) || repositoryName}`);
    }
  }
}

function toPush({ descriptor, bytes }: AssembledExport['rootDocument']): { mediaType: string; bytes: Uint8Array } {
  return { mediaType: descriptor.mediaType, bytes };
}

async function pushBlobs(
  image: PushedImage,
  reference: ImageReference,
  { repository, insecure, ahead }: { readonly repository: PushRepository } & Omit<PushOptions, 'byDigest'>,
  update: (current: number, total: number) => void,
  context: ExportContext,
): Promise<void> {
  const layers = image.layers.filter(({ descriptor }) => !isForeignLayer(descriptor.mediaType));
  const total = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const sent = new Map<string, number>();
  const show = () =>
    update(
      sent.values().reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
  // The first failure stops the others, and all have ended before it is told.
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const work: (() => Promise<unknown>)[] = [
    ...layers.map((layer) => async () => {
      const { digest, size } = layer.descriptor;
      const onProgress = (bytes: number) => {
        sent.set(digest, bytes);
        show();
      };
      await ahead?.settled(reference, digest);
      await pushLayer(layer, reference, { repository, insecure, onProgress }, { ...context, signal });
      onProgress(size);
    }),
    ...image.configs.map(
      ({ descriptor: { digest, size }, bytes }) =>
        () =>
          repository
            .pushBlob({ digest, size, open: async () => ReadableStream.from([bytes]) }, { signal })
            .then((how) => context.moved?.(how, size)),
    ),
  ];
  const queue = work.values();
  const workers = Array.from({ length: Math.min(PARALLEL, work.length) }, async () => {
    for (const push of queue) {
      signal.throwIfAborted();
      await push();
    }
  });
  for (const worker of workers) worker.catch((error: unknown) => failed.abort(error));
  await Promise.allSettled(workers);
  context.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
}

/** Pushes a layer to one repository, mounted from another of its registry where that has it. @throws LostResultError where what is here of it is damaged */
export async function pushLayer(
  layer: LayerSource,
  { domain, path }: ImageReference,
  {
    repository,
    insecure,
    onProgress,
  }: {
    readonly repository: PushRepository;
    readonly insecure: boolean;
    readonly onProgress: (bytes: number) => void;
  },
  context: ExportContext,
): Promise<void> {
  const { signal } = context;
  const { digest, size } = layer.descriptor;
  const mountFrom = (layer.sources[domain] ?? []).filter((from) => from !== path);
  const push = async () => {
    const open = () => layer.open(context);
    const how = await repository.pushBlob({ digest, size, open }, { signal, mountFrom, onProgress });
    context.moved?.(how, size);
  };
  try {
    await push();
  } catch (error) {
    if (signal.aborted) throw error;
    // A registry refuses bytes that are not what their digest says.
    await layer.check(context);
    if (!refusedBytes(error)) throw error;
    // By now they are: another build found the damage and put them back while they were read.
    await push();
  }
  layer.givenTo({ kind: 'registry', host: domain, repository: path, ...(insecure ? { insecure } : {}) });
}

function refusedBytes(error: unknown): boolean {
  return error instanceof RegistryError && error.diagnostics.some(({ code }) => code === 'DIGEST_INVALID');
}
