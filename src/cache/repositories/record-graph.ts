import type { AbortOptions, Digest } from '../../base/index.ts';
import { chainOf } from '../remote/cache-config.ts';
import { readCaches } from '../remote/cache-manifest.ts';
import type { ReadRepository } from './tagged.ts';

const DESCRIPTION = 'buildkit/description';

/** A cache as its records tell it. */
export interface RecordGraph {
  readonly digest: Digest;
  readonly layers: readonly GraphLayer[];
  readonly records: readonly GraphRecord[];
}

interface GraphLayer {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  /** What made it, where the cache says that. */
  readonly step?: string;
}

interface GraphRecord {
  /** BuildKit's digest of what the key is of. */
  readonly digest: Digest;
  /** What made its result, where the cache says that. */
  readonly step?: string;
  /** By input of the step, the records (places in the list) that lead here. */
  readonly inputs: readonly (readonly { readonly record: number; readonly selector?: string }[])[];
  /** Each a list of layers (places in the list), bottom first. */
  readonly results: readonly { readonly layers: readonly number[]; readonly createdAt?: string }[];
}

/** The caches under a name: one of its own, or those in the configurations of images. @throws CodedError CACHE_NOT_FOUND, CACHE_MALFORMED… */
export async function readRecordGraphs(
  repository: ReadRepository,
  reference: Parameters<typeof readCaches>[1],
  options: AbortOptions,
): Promise<readonly RecordGraph[]> {
  const caches = await readCaches(repository, reference, options);
  return caches.map(({ digest, config, layers: described }) => {
    const layers = config.layers.map(({ blob }): GraphLayer => {
      const { size = 0, mediaType = '', annotations } = described.get(blob)?.descriptor ?? {};
      const step = annotations?.[DESCRIPTION];
      return { digest: blob, size, mediaType, ...(step === undefined ? {} : { step }) };
    });
    const records = config.records.map((record): GraphRecord => {
      const results = record.results.map((result) => ({
        layers: chainOf(config, result),
        ...(result.createdAt === 0 ? {} : { createdAt: new Date(result.createdAt).toISOString() }),
      }));
      const top = results[0]?.layers.at(-1);
      const step = top === undefined ? undefined : layers[top]?.step;
      const inputs = record.inputs.map((ways) =>
        ways.map(({ link, selector }) => ({ record: link, ...(selector === '' ? {} : { selector }) })),
      );
      return { digest: record.digest, ...(step === undefined ? {} : { step }), inputs, results };
    });
    return { digest, layers, records };
  });
}
