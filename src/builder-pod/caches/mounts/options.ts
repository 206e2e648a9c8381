import {
  annotate,
  CodedError,
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from '../../../base/index.ts';
import type { ExportOptions } from '../../exporters/index.ts';
import { durationOption, sizeOption } from '../bounds.ts';
import { type CacheTrust, cacheTrust, type TrustDeps } from '../trust.ts';

const MAX_BYTES = 10 * 2 ** 30;
const MAX_AGE_MS = 30 * 24 * 3600_000;
/** A step waits for what its mount begins with. */
const RESTORE_MS = 5 * 60_000;
const SAVE_MS = 10 * 60_000;
/** A tag is at most 128 characters, of which a mount's own part takes 65. */
const MAX_PREFIX = 63;

/** Cache mounts in a repository, as a build asks for them. */
export interface MountsOptions {
  readonly reference: ImageReference;
  readonly name: string;
  /** Before the names of all mounts: that of the tag, when one was given. */
  readonly prefix: string | undefined;
  readonly insecure: boolean;
  /** By {@link mountName}; all when undefined. */
  readonly ids: ReadonlySet<string> | undefined;
  /** Of a mount's tar. */
  readonly maxBytes: number;
  /** What was saved longer ago is not restored. */
  readonly maxAgeMs: number;
  readonly timeoutMs: number;
  /** What may be believed of what lies there, and how what is saved is signed. */
  readonly trust: CacheTrust;
}

/** @throws CodedError CACHE_ATTRIBUTE */
export function mountsOptions(options: ExportOptions, use: 'importer' | 'exporter', deps: TrustDeps): MountsOptions {
  const reference = referenceOf(options, use);
  const ids = options.text('ids');
  return {
    reference,
    name: formatImageReference(reference),
    prefix: reference.tag,
    insecure: options.boolean('registry.insecure', false, { empty: true }),
    ids: ids === undefined ? undefined : new Set(ids.split(';').filter((id) => id !== '')),
    maxBytes: sizeOption(options, 'max-size') ?? MAX_BYTES,
    maxAgeMs: durationOption(options, 'max-age') ?? MAX_AGE_MS,
    timeoutMs: durationOption(options, 'timeout') ?? (use === 'importer' ? RESTORE_MS : SAVE_MS),
    trust: cacheTrust(reference, options, use, deps),
  };
}

function referenceOf(options: ExportOptions, use: string): ImageReference {
  const ref = options.text('ref') ?? '';
  if (ref === '')
    throw CodedError.of('CACHE_ATTRIBUTE', `ref required for mounts cache ${use}`, {
      hint: 'add ref=<registry>/<repository>',
    });
  let reference: ImageReference;
  try {
    reference = parseImageReference(ref);
  } catch (error) {
    throw annotate(error, `failed to parse ${ref}`);
  }
  if (reference.digest !== undefined || (reference.tag?.length ?? 0) > MAX_PREFIX)
    throw CodedError.of('CACHE_ATTRIBUTE', `ref=${ref} of cache mounts: each mount has a tag of its own`, {
      hint: `name the repository alone, or with a tag of up to ${MAX_PREFIX} characters that their tags begin with`,
    });
  return reference;
}
