import {
  CodedError,
  formatImageReference,
  type ImageReference,
  invalidArgument,
  parseImageReference,
  withDefaultTag,
} from '../../base/index.ts';
import type { Compression } from '../../cache/ports.ts';

export type Attributes = Readonly<Record<string, string>>;

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** A boolean as Go's strconv has it; present but empty is true. @throws CodedError invalid_argument */
export function booleanAttribute(attributes: Attributes, key: string, fallback: boolean): boolean {
  const value = attributes[key];
  if (value === undefined) return fallback;
  if (value === '' || TRUE.has(value)) return true;
  if (FALSE.has(value)) return false;
  throw invalidArgument(`non-bool value ${JSON.stringify(value)} specified for ${key}`, {
    reason: 'EXPORT_ATTRIBUTE',
    hint: `write ${key}=true or ${key}=false`,
  });
}

export function integerAttribute(attributes: Attributes, key: string): number | undefined {
  const value = attributes[key];
  if (value === undefined || value === '') return undefined;
  if (/^-?\d{1,15}$/.test(value)) return Number(value);
  throw invalidArgument(`non-integer value ${JSON.stringify(value)} specified for ${key}`, {
    reason: 'EXPORT_ATTRIBUTE',
  });
}

/** Seconds since the epoch. @throws CodedError invalid_argument */
export function parseEpoch(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,11}$/.test(value)) return Number(value);
  throw invalidArgument(`invalid SOURCE_DATE_EPOCH: ${JSON.stringify(value)}`, {
    reason: 'EXPORT_ATTRIBUTE',
    hint: 'give whole seconds since 1970-01-01T00:00:00Z',
  });
}

export function compressionAttributes(attributes: Attributes): Compression {
  const type = attributes['compression'] ?? 'gzip';
  const level = integerAttribute(attributes, 'compression-level');
  const force = booleanAttribute(attributes, 'force-compression', false);
  switch (type) {
    case 'gzip':
    case 'zstd':
    case 'uncompressed':
      return { type, ...(level === undefined ? {} : { level }), ...(force ? { force } : {}) };
    case 'estargz':
    case 'nydus':
      throw new CodedError('unimplemented', `compression ${type} is not supported`, {
        fault: 'user',
        reason: 'EXPORT_COMPRESSION',
        hint: 'use gzip, zstd or uncompressed',
      });
    default:
      throw invalidArgument(`unsupported layer compression type: ${JSON.stringify(type)}`, {
        reason: 'EXPORT_COMPRESSION',
      });
  }
}

/** Refuses what would silently be something else; unknown attributes are passed over, as clients expect. */
export function refuse(attributes: Attributes, ...keys: readonly string[]): void {
  for (const key of keys)
    if (booleanAttribute(attributes, key, false))
      throw new CodedError('unimplemented', `${key} is not supported by this builder`, {
        fault: 'user',
        reason: 'EXPORT_ATTRIBUTE',
        hint: `leave ${key} out`,
      });
}

/** Image names of a comma list, `*` standing for the frontend's; with tag `latest` where none is given, unless pushed by digest. */
export function imageNames(
  list: string | undefined,
  fromResult: string | undefined,
  byDigest: boolean,
): ImageReference[] {
  const text = list === '*' ? fromResult : list;
  const names: ImageReference[] = [];
  const seen = new Set<string>();
  for (const name of (text ?? '').split(',').map((part) => part.trim())) {
    if (name === '') continue;
    const reference = parseImageReference(name);
    if (byDigest && reference.tag !== undefined)
      throw invalidArgument(`can't push tagged ref ${name} by digest`, {
        reason: 'EXPORT_NAME',
        hint: 'leave the tag out, or push-by-digest',
      });
    const complete = byDigest ? reference : withDefaultTag(reference);
    const full = formatImageReference(complete);
    if (seen.has(full)) throw invalidArgument(`image name ${full} is given twice`, { reason: 'EXPORT_NAME' });
    seen.add(full);
    names.push(complete);
  }
  return names;
}

export type AnnotationTarget = 'manifest' | 'index' | 'manifest-descriptor' | 'index-descriptor';
export interface Annotation {
  readonly target: AnnotationTarget;
  /** Platform id that it is for; all when absent. */
  readonly platform?: string | undefined;
  readonly key: string;
  readonly value: string;
}

const ANNOTATION = /^annotation(?:-(manifest|index|manifest-descriptor|index-descriptor))?(?:\[([^\]]*)\])?\.(.+)$/s;

/** `annotation[-target][[platform]].KEY` of attributes or result metadata. @throws CodedError invalid_argument */
export function parseAnnotations(entries: Iterable<readonly [string, string]>): Annotation[] {
  const found: Annotation[] = [];
  for (const [name, value] of entries) {
    if (!name.startsWith('annotation')) continue;
    const match = ANNOTATION.exec(name);
    if (match === null) continue;
    const [, target = 'manifest', platform, key] = match;
    if (platform !== undefined && target.startsWith('index'))
      throw invalidArgument(`an annotation of an index has no platform: ${name}`, { reason: 'EXPORT_ANNOTATION' });
    found.push({ target: target as AnnotationTarget, platform, key: key as string, value });
  }
  return found;
}

/** The annotations for one place, later ones winning; undefined for none. */
export function annotationsFor(
  all: readonly Annotation[],
  target: AnnotationTarget,
  platformId?: string,
): Record<string, string> | undefined {
  const chosen = all.filter(
    (annotation) =>
      annotation.target === target && (annotation.platform === undefined || annotation.platform === platformId),
  );
  return chosen.length === 0 ? undefined : Object.fromEntries(chosen.map(({ key, value }) => [key, value]));
}
