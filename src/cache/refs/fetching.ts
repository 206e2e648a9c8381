import { type AbortOptions, toCodedError } from '../../base/index.ts';
import { RegistryError } from '../../oci/registry-client/index.ts';
import type { LossKind } from '../../solver/ports.ts';
import type { BlobFetcher, BlobPlace } from '../ports.ts';
import type { BlobPlaces } from './places.ts';
import type { BlobRow } from './schema.ts';

/** Which failure counts when no place gives a blob: what may pass tells more than what is for good, which must be so everywhere. */
const WORTH: readonly LossKind[] = ['unavailable', 'refused', 'gone'];

/** What a place says is what it says to one build; only that a blob is unknown to a repository which this build can see is so for all. */
export function pullLoss(error: unknown): LossKind | undefined {
  if (error instanceof RegistryError) {
    const { status, diagnostics } = error;
    if (status === 404 && diagnostics.some(({ code }) => code === 'BLOB_UNKNOWN')) return 'gone';
    return status >= 500 || status === 408 || status === 429 ? 'unavailable' : 'refused';
  }
  const { code, reason } = toCodedError(error);
  if (reason === 'REF_CONTENT_GONE') return 'gone';
  switch (code) {
    case 'not_found':
    case 'permission_denied':
    case 'unauthenticated':
      return 'refused';
    case 'unavailable':
    case 'data_loss':
      return 'unavailable';
    default:
      return reason === 'REGISTRY_CERTIFICATE' ? 'unavailable' : undefined;
  }
}

/** What a place is called where it is told what came from it. */
export function sourceName(fetcher: BlobFetcher, place: BlobPlace): string {
  return place.kind === 'registry' ? `${place.host}/${place.repository}` : fetcher.host(place);
}

/**
 * What the first place of a blob gives, asked one after another; undefined when it has none. @throws what was said where it is worth most, so that the blob is
 * gone only when all places said so; and at once what no other place can help with
 */
export async function fromPlaces<T>(
  places: BlobPlaces,
  { ref, digest }: Pick<BlobRow, 'ref' | 'digest'>,
  { signal }: AbortOptions,
  work: (fetcher: BlobFetcher, place: BlobPlace) => Promise<T>,
): Promise<T | undefined> {
  const failures = new Map<LossKind, unknown>();
  for (const place of places.of(ref, digest)) {
    try {
      return await work(places.fetcher(place) as BlobFetcher, place);
    } catch (error) {
      const kind = signal.aborted ? undefined : pullLoss(error);
      if (kind === undefined) throw error;
      if (!failures.has(kind)) failures.set(kind, error);
    }
  }
  const worst = WORTH.find((kind) => failures.has(kind));
  if (worst !== undefined) throw failures.get(worst);
  return undefined;
}

/** Passes bytes on, and tells how many there were so far. */
export function counter(report: (bytes: number) => void): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      report(bytes);
      controller.enqueue(chunk);
    },
  });
}
