import {
  ANNOTATION_COMPRESSOR,
  ANNOTATION_UNCOMPRESSED,
  CodedError,
  type Descriptor,
  type Digest,
  type WorkOptions,
} from '../../base/index.ts';
import { layerCompressors, TOC_DIGEST } from '../../oci/layers/index.ts';
import { BestEffort } from '../../sys/index.ts';
import type { Compression, Layer, RefOptions } from '../ports.ts';
import { openChanges } from './changes.ts';
import type { PackedBlob } from './context.ts';
import { EMPTY_CHAIN } from './layer-chain.ts';
import { layerCompression } from './layer-tools.ts';
import { type Losses, layerFailure } from './losses.ts';
import type { RefRecords } from './records.ts';
import type { BlobRow, RefRow } from './schema.ts';
import { ownerOf, SharedWork } from './shared-work.ts';
import type { Unlazier } from './unlazy.ts';

const SUFFIX = { gzip: '+gzip', estargz: '+gzip', zstd: '+zstd', uncompressed: '' } as const;
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

/** How a layer's media type says it is compressed (OCI image-spec layer.md; Docker's schema 2). */
export function compressionOf(mediaType: string): BlobRow['type'] {
  if (mediaType.endsWith('+zstd') || mediaType.endsWith('.zstd')) return 'zstd';
  return mediaType.endsWith('+gzip') || mediaType.endsWith('.gzip') ? 'gzip' : 'uncompressed';
}

/** As {@link BlobRow} has it: what reads the bytes. */
function blobType({ type }: Compression): BlobRow['type'] {
  return type === 'estargz' ? 'gzip' : type;
}

function isPackedAs({ type, descriptor }: BlobRow, compression: Compression): boolean {
  return type === blobType(compression) && isEstargz(descriptor) === (compression.type === 'estargz');
}

/** Whether its bytes are those of where it came from, whatever made them there; not of a step's layer that another builder of ours has packed. */
function isAsGiven({ origin, compressor }: BlobRow): boolean {
  return origin === 'given' && compressor == null;
}

/** Whether a blob, if a builder made it, is what would be made now, as far as that matters. */
function isMadeAs(blob: BlobRow, compression: Compression): boolean {
  if (compression.reproducible !== true || isAsGiven(blob)) return true;
  return layerCompressors(layerCompression(compression)).some((id) => id === blob.compressor);
}

/** Names the work of making a blob so. */
function nameOf({ type, level, force = false, reproducible = false }: Compression): string {
  return `${type} ${level ?? ''} ${force} ${reproducible}`;
}

/** What is made of a layer that differs from it; undefined for the layer itself. */
function derivation({ type }: Compression, latest?: number): string | undefined {
  const parts = [...(type === 'estargz' ? [type] : []), ...(latest === undefined ? [] : [`times to ${latest}`])];
  return parts.length === 0 ? undefined : parts.join(', ');
}

function isEstargz(descriptor: string): boolean {
  return (JSON.parse(descriptor) as Descriptor).annotations?.[TOC_DIGEST] !== undefined;
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
    ...(blob.compressor == null ? {} : { [ANNOTATION_COMPRESSOR]: blob.compressor }),
    'buildkit/createdat': new Date(row.created_at).toISOString(),
    'buildkit/description': row.description,
    ...Object.fromEntries(
      [...repositories].map(([host, names]) => [`containerd.io/distribution.source.${host}`, names.join(',')]),
    ),
  };
  return { descriptor: { ...descriptor, annotations }, diffId: blob.diff_id as Digest };
}

/** Of a ref: seconds since the epoch that no time in its layer is later than. */
const NO_TIME_AFTER = 'layer.no-time-after';

export function blobGone(digest: string, id: string): CodedError {
  return CodedError.of('REF_CONTENT_GONE', `blob ${digest} belongs to no layer of ref ${id}, or is gone`);
}

function layerGone({ id }: RefRow): CodedError {
  return new CodedError('not_found', `ref ${id}: its layer can no longer be had`, { fault: 'infrastructure' });
}

interface Wanted {
  readonly compression: Compression;
  /** By ref. */
  readonly known: Map<string, Layer> | undefined;
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
  layers(id: string, { compression, known }: Wanted, options: RefOptions): Promise<Layer[]> {
    return Promise.all(
      this.#rows(id).map(async (row) => {
        const layer = known?.get(row.id) ?? (await this.#layer(row, compression, options));
        known?.set(row.id, layer);
        return layer;
      }),
    );
  }

  /** The same where all are there already. */
  packed(id: string, { compression, known }: Wanted): Layer[] | undefined {
    const layers: Layer[] = [];
    for (const row of this.#rows(id)) {
      let layer = known?.get(row.id);
      if (layer === undefined) {
        const blob = this.#find(row, compression);
        if (blob === undefined) return undefined;
        layer = layerOf(blob, row, this.#records);
        known?.set(row.id, layer);
      }
      layers.push(layer);
    }
    return layers;
  }

  /** A layer of the ref without times later than `latest`; its own where it has none. */
  async clamped(
    id: string,
    layer: Layer,
    { compression, latest }: { readonly compression: Compression; readonly latest: number },
    options: RefOptions,
  ): Promise<Layer> {
    const { digest } = layer.descriptor;
    const row = this.#rows(id).find((one) => this.#records.blobs(one.id).some((blob) => blob.digest === digest));
    if (row === undefined) throw layerFailure(id, blobGone(digest, id), options);
    // What has no time later than one that was tried has none later than a later one.
    if (latest >= Number(this.#records.metadata(row.id, NO_TIME_AFTER) ?? Number.POSITIVE_INFINITY))
      return await this.#layer(row, { ...compression, force: true }, options);
    const derived = derivation(compression, latest);
    const known = this.#derived(row, compression, derived);
    if (known !== undefined) return layerOf(known, row, this.#records);
    const key = `${row.id} ${digest} ${derived} ${nameOf(compression)}`;
    return this.#work.run(key, { ...options }, options, async ({ signal, participants }) => {
      const sessions = () => [...new Set([...participants].flatMap((p) => p.sessions()))];
      const work = { signal, owner: ownerOf(participants), sessions };
      const again = this.#derived(row, compression, derived);
      if (again !== undefined) return layerOf(again, row, this.#records);
      const source = this.#records.blobs(row.id).find((blob) => blob.digest === digest);
      if (source === undefined) throw layerFailure(row.id, blobGone(digest, row.id), work);
      await using temp = await this.#records.options.content.temp();
      const packed = await this.#convert(row, source, { into: temp.path, compression, latest }, work);
      if (packed.diffId === source.diff_id) {
        this.#records.setMetadata(row.id, NO_TIME_AFTER, String(latest));
        if (isPackedAs(source, compression) && isMadeAs(source, compression))
          return layerOf(source, row, this.#records);
        await this.#adopt(temp.path, packed, work);
        return this.#made(row, packed, compression, derivation(compression));
      }
      await this.#adopt(temp.path, packed, work);
      return this.#made(row, packed, compression, derived);
    });
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
    const key = `${row.id} ${nameOf(compression)}`;
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
  #find(row: RefRow, compression: Compression): BlobRow | undefined {
    const usable = this.#records.usableBlobs(row);
    if (compression.reproducible) {
      const given = usable.filter(isAsGiven);
      // Nothing that was made in another way is as good as what is to be made.
      const kept = given.find((blob) => isPackedAs(blob, compression)) ?? (compression.force ? undefined : given[0]);
      return (
        kept ??
        usable.find((blob) => isPackedAs(blob, compression) && isMadeAs(blob, compression)) ??
        this.#derived(row, compression, derivation(compression))
      );
    }
    return (
      usable.find((blob) => isPackedAs(blob, compression)) ??
      this.#derived(row, compression, derivation(compression)) ??
      (compression.force ? undefined : (usable.find(({ origin }) => origin === 'given') ?? usable[0]))
    );
  }

  #derived(row: RefRow, compression: Compression, derived: string | undefined): BlobRow | undefined {
    if (derived === undefined) return undefined;
    const isIt = (blob: BlobRow) =>
      blob.derived === derived && blob.type === blobType(compression) && isMadeAs(blob, compression);
    return this.#records.blobs(row.id).find((blob) => isIt(blob) && this.#records.isHere(row, blob));
  }

  async #make(row: RefRow, compression: Compression, options: RefOptions, bestEffort?: BestEffort): Promise<Layer> {
    const { content } = this.#records.options;
    const again = this.#find(row, compression);
    if (again !== undefined) return layerOf(again, row, this.#records);
    await using temp = await content.temp();
    const source = this.#records.usableBlobs(row)[0];
    let packed: PackedBlob;
    if (source !== undefined) {
      packed = await this.#convert(row, source, { into: temp.path, compression }, options, bestEffort);
    } else packed = await this.#pack(row, { into: temp.path, compression }, options, bestEffort);
    await this.#adopt(temp.path, packed, options);
    return this.#made(row, packed, compression, derivation(compression));
  }

  #made(row: RefRow, packed: PackedBlob, compression: Compression, derived: string | undefined): Layer {
    const { digest, size, diffId, compressor, annotations } = packed;
    const descriptor: Descriptor = {
      mediaType: `${LAYER_TYPE}${SUFFIX[compression.type]}`,
      ...{ digest, size },
      ...(annotations === undefined ? {} : { annotations }),
    };
    const blob: BlobRow = {
      ...{ ref: row.id, digest, descriptor: JSON.stringify(descriptor), type: blobType(compression), diff_id: diffId },
      ...{ origin: 'made', held: 1, derived: derived ?? null, compressor },
    };
    this.#records.addBlob(blob);
    return layerOf(blob, row, this.#records);
  }

  async #convert(
    row: RefRow,
    source: BlobRow,
    args: { readonly into: string; readonly compression: Compression; readonly latest?: number },
    options: RefOptions,
    bestEffort?: BestEffort,
  ): Promise<PackedBlob> {
    const blob = await this.#unlazier.pull(row, source, options);
    const { signal, owner } = options;
    try {
      const converting = { ...args, blob, digest: source.digest as Digest };
      const packed = await this.#records.options.tools.convert(converting, { signal, owner, bestEffort });
      if (packed.sourceDiffId !== source.diff_id)
        throw new CodedError('data_loss', `it has diff id ${packed.sourceDiffId}, ${source.diff_id} expected`);
      return packed;
    } catch (error) {
      throw layerFailure(row.id, await this.#losses.blameBlob(source, error, options), options);
    }
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
