import type { Digest } from '../../base/index.ts';
import type { KeyReader } from '../../solver/index.ts';
import { ConfigKeys } from '../remote/config-keys.ts';
import { atOnce } from './walked.ts';

/** A record of a cache manifest as BuildKit writes it, of which only keys are read. */
export interface ManifestRecord {
  readonly digest: Digest;
  /** By input slot the ways to it. */
  readonly inputs?: readonly (readonly { readonly selector?: string; readonly link: number }[])[];
}

/** The keys of a manifest as it stands; `hasResult` says which records have one. */
export function manifestKeys(
  records: readonly ManifestRecord[],
  hasResult: (record: ManifestRecord) => boolean,
): KeyReader {
  const steps = ConfigKeys.of({
    layers: [],
    records: records.map((record) => ({
      digest: record.digest,
      inputs: (record.inputs ?? []).map((ways) => ways.map(({ selector = '', link }) => ({ selector, link }))),
      results: hasResult(record) ? [{ layers: [], createdAt: 1 }] : [],
    })),
  });
  return atOnce(steps);
}
