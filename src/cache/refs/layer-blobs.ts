import {
  ANNOTATION_UNCOMPRESSED,
  CodedError,
  type Descriptor,
  type Digest,
  type WorkOptions,
} from '../../base/index.ts';
import { BestEffort } from '../../sys/index.ts';
import type { Compression, Layer, RefOptions } from '../ports.ts';
import { openChanges } from './changes.ts';
import type { PackedBlob } from './context.ts';
import { EMPTY_CHAIN } from './layer-chain.ts';
import { type Losses, layerFailure } from './losses.ts';
import type { RefRecords } from './records.ts';
import type { BlobRow, RefRow } from './schema.ts';
import { ownerOf, SharedWork } from './shared-work.ts';
import type { Unlazier } from './unlazy.ts';

const SUFFIX = { gzip: '+gzip', zstd: '+zstd', uncompressed: '' } as const;
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

/** How a layer's media type says it is compressed (OCI image-spec layer.md; Docker's schema 2). */
export function compressionOf(mediaType: string): BlobRow['type'] {
  if (mediaType.endsWith('+zstd') || mediaType.endsWith('.zstd')) return 'zstd';
  return mediaType.endsWith('+gzip') || mediaType.endsWith('.gzip') ? 'gzip' : 'uncompressed';
}

/**
 * The descriptor of a row, with annotations for the diff id, when and why the layer was made (an image's history), and the repositories that have
 * it (a push to the same registry mounts it from there). Exporters take them off again.
 */
function layerOf(blob: BlobRow, row: RefRow, records: RefRecords): Layer {
  const descriptor = JSON.parse(blob.descriptor) as Descriptor;
  const scope = records.isHere(row, blob) ? row.scope : undefined;
  const repositories = records.places.repositories(row.id, blob.digest, scope);
  const annotations = {
    ...descriptor.annotations,
    [ANNOTATION_UNCOMPRESSED]: blob.diff_id,
    'buildkit/createdat': new Date(row.created_at).toISOString(),
    'buildkit/description': row.description,
    ...Object.fromEntries(
      [...repositories].map(([host, names]) => [`containerd.io/distribution.source.${host}`, names.join(',')]),
    ),
  };
  return { descriptor: { ...descriptor, annotations }, diffId: blob.diff_id as Digest };
}

function layerGone({ id }: RefRow): CodedError {
  return new CodedError('not_found', `ref ${id}: its layer can no longer be had`, { fault: 'infrastructure' });
}

/** Makes blobs of refs' layers where they are missing, each once. */
export class LayerBlobs {
  readonly #records: RefRecords;
  readonly #unlazier: Unlazier;
  readonly #losses: Losses;
  readonly #work = new SharedWork<Layer, RefOptions>();
  /** What is packed although nobody waits for it, by the names of the work. */
  readonly #ahead = new Map<string, BestEffort>();

  constructor(records: RefRecords, unlazier: Unlazier, losses: Losses) {
    this.#records = records;
    this.#unlazier = unlazier;
    this.#losses = losses;
  }

  /** Blobs of the ref's layers, bottom first. */
  layers(id: string, compression: Compression, options: RefOptions): Promise<Layer[]> {
    return Promise.all(this.#rows(id).map((row) => this.#layer(row, compression, options)));
  }

  /** The same where all are there already. */
  packed(id: string, compression: Compression): Layer[] | undefined {
    const layers: Layer[] = [];
    for (const row of this.#rows(id)) {
      const blob = this.#find(row, compression);
      if (blob === undefined) return undefined;
      layers.push(layerOf(blob, row, this.#records));
    }
    return layers;
  }

  #rows(id: string): readonly RefRow[] {
    return this.#records.layersOf(id).filter(({ chain_id }) => chain_id !== EMPTY_CHAIN);
  }

  async #layer(row: RefRow, compression: Compression, options: RefOptions): Promise<Layer> {
    const fits = this.#find(row, compression);
    if (fits !== undefined) return layerOf(fits, row, this.#records);
    // Before it is shared, so that nobody is held to another build's limits.
    if (row.kind === 'diff' && this.#records.usableBlobs(row).length === 0)
      for (const parent of this.#records.parents(row.id)) await this.#unlazier.unlazy(parent, options);
    const key = `${row.id} ${compression.type} ${compression.level ?? ''} ${compression.force ?? false}`;
    if (options.bestEffort !== true) this.#ahead.get(key)?.hurry();
    return this.#work.run(key, { ...options }, options, async ({ signal, participants }) => {
      const sessions = () => [...new Set([...participants].flatMap((p) => p.sessions()))];
      const work = { signal, owner: ownerOf(participants), sessions };
      if ([...participants].some(({ bestEffort }) => bestEffort !== true))
        return await this.#make(row, compression, work);
      const ahead = new BestEffort();
      this.#ahead.set(key, ahead);
      try {
        return await this.#make(row, compression, work, ahead);
      } finally {
        this.#ahead.delete(key);
      }
    });
  }

  /** A blob that is there, or can be had from where it came, and is as wanted. */
  #find(row: RefRow, { type, force }: Compression): BlobRow | undefined {
    const usable = this.#records.usableBlobs(row);
    return (
      usable.find((blob) => blob.type === type) ??
      (force ? undefined : (usable.find((b) => b.origin === 'given') ?? usable[0]))
    );
  }

  async #make(row: RefRow, compression: Compression, options: RefOptions, bestEffort?: BestEffort): Promise<Layer> {
    const { content, tools } = this.#records.options;
    const again = this.#find(row, compression);
    if (again !== undefined) return layerOf(again, row, this.#records);
    await using temp = await content.temp();
    const source = this.#records.usableBlobs(row)[0];
    let packed: PackedBlob;
    if (source !== undefined) {
      const blob = await this.#unlazier.pull(row, source, options);
      const args = { blob, digest: source.digest as Digest, into: temp.path, compression };
      try {
        packed = await tools.convert(args, { signal: options.signal, owner: options.owner, bestEffort });
        if (packed.diffId !== source.diff_id)
          throw new CodedError('data_loss', `it has diff id ${packed.diffId}, ${source.diff_id} expected`);
      } catch (error) {
        throw layerFailure(row.id, await this.#losses.blameBlob(source, error, options), options);
      }
    } else packed = await this.#pack(row, { into: temp.path, compression }, options, bestEffort);
    await this.#adopt(temp.path, packed, options);
    const descriptor: Descriptor = {
      mediaType: `${LAYER_TYPE}${SUFFIX[compression.type]}`,
      digest: packed.digest,
      size: packed.size,
    };
    const blob: BlobRow = {
      ...{ ref: row.id, digest: packed.digest, descriptor: JSON.stringify(descriptor), type: compression.type },
      ...{ diff_id: packed.diffId, origin: 'made', held: 1 },
    };
    this.#records.addBlob(blob);
    return layerOf(blob, row, this.#records);
  }

  /** What a step changed, compared with what it stood on, or one ref of another. */
  async #pack(
    row: RefRow,
    args: { readonly into: string; readonly compression: Compression },
    options: RefOptions,
    bestEffort: BestEffort | undefined,
  ): Promise<PackedBlob> {
    await using changes = await openChanges(this.#records, row, options);
    if (changes === undefined) throw layerFailure(row.id, layerGone(row), options);
    const { directory, below, whole } = changes;
    return await this.#records.options.tools.pack(
      { ...args, directory, below, whole },
      { signal: options.signal, owner: options.owner, bestEffort },
    );
  }

  async #adopt(path: string, { digest, size }: PackedBlob, options: WorkOptions): Promise<void> {
    await this.#records.options.content.adopt(path, digest, size, options);
  }
}
