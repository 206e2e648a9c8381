import { cancelledError, type ImageReference } from '../../base/index.ts';
import type { Compression, ImmutableRef } from '../../cache/ports.ts';
import { compressionFor } from './attributes.ts';
import { layerSource } from './layer-source.ts';
import { AHEAD_BANDWIDTH, type OutflowPart } from './outflow.ts';
import type { ExportContext, ExporterDeps } from './ports.ts';
import { pushLayer } from './push.ts';

interface PushAheadOptions {
  readonly names: readonly ImageReference[];
  readonly insecure: boolean;
  readonly compression: Compression;
  readonly oci: boolean;
}

/**
 * Gives the registries of an image what is packed of its layers before it is finished: one blob at a time, slowly, and nothing that lies elsewhere. Blobs show nowhere until a manifest names them.
 * What goes wrong ends it, and is met again by the push of the image.
 */
export class PushAhead {
  readonly #options: PushAheadOptions;
  readonly #deps: Pick<ExporterDeps, 'openRepository' | 'outflow'>;
  readonly #outflow: OutflowPart;
  readonly #hurry = new AbortController();
  /** By repository and digest; they never reject. */
  readonly #given = new Map<string, Promise<void>>();
  #failed = false;

  constructor(options: PushAheadOptions, deps: Pick<ExporterDeps, 'openRepository' | 'outflow'>) {
    this.#options = options;
    this.#deps = deps;
    this.#outflow = deps.outflow.part(AHEAD_BANDWIDTH);
  }

  /** Of the registries. */
  get hosts(): readonly string[] {
    return this.#options.names.map(({ domain }) => domain);
  }

  async push(ref: ImmutableRef, context: ExportContext): Promise<void> {
    const { names, insecure, oci } = this.#options;
    const compression = compressionFor(context, this.#options.compression);
    const layers = ref.lazy ? [] : (ref.packed({ compression }) ?? []);
    for (const reference of names) {
      const repository = this.#deps.openRepository(reference, { insecure, sessions: context.sessions });
      for (const { descriptor } of layers) {
        const name = nameOf(reference, descriptor.digest);
        if (this.#given.has(name)) continue;
        if (this.#failed || this.#hurry.signal.aborted) return;
        const layer = layerSource(descriptor, ref, { oci });
        const held = { owner: context.owner, signal: context.signal, hurry: this.#hurry.signal };
        const pushing = this.#outflow
          .upload(layer, held, (open) =>
            pushLayer({ ...layer, open }, reference, { repository, insecure, onProgress: () => {} }, context),
          )
          .catch(() => {
            this.#failed = true;
          });
        this.#given.set(name, pushing);
        await pushing;
      }
    }
  }

  /** The image is pushed now: nothing new is begun, and nothing held back any more. */
  stop(): void {
    this.#hurry.abort(cancelledError('the image is pushed'));
  }

  /** Settles when a blob that is under way has come to its end, whichever. */
  async settled(reference: ImageReference, digest: string): Promise<void> {
    await this.#given.get(nameOf(reference, digest));
  }
}

function nameOf({ domain, path }: ImageReference, digest: string): string {
  return `${domain}/${path} ${digest}`;
}
