import {
  annotate,
  CodedError,
  formatImageReference,
  formatPlatform,
  type ImageReference,
  type Platform,
  parseImageReference,
  parsePlatform,
  withDefaultTag,
} from '../../base/index.ts';
import type { Compression } from '../../cache/ports.ts';
import type { ExportContext, ExportSource } from './ports.ts';

export type Attributes = Readonly<Record<string, string>>;

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Options that the field's clients know and that change nothing here, with the reason. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  unpack: 'this builder unpacks no images for a container engine',
  store: 'this builder keeps no image store; what it made stays in its cache',
  'name-canonical': 'this builder keeps no image store',
  'unsafe-internal-store-allow-incomplete': 'this builder keeps no image store',
};

/** Metadata of a result that attributes may set, as with other builders (`containerimage.config={…}`). */
const METADATA = /^(?:containerimage\.|refs\.platforms$|image\.name$|source\.date\.epoch|frontend\.|annotation)/;

/** One output's attributes. What nobody asked for is told, so that an option that does nothing never passes in silence. */
export class ExportOptions {
  readonly #type: string;
  readonly #attributes: Attributes;
  readonly #asked: Set<string>;
  #applied = false;

  constructor(type: string, attributes: Attributes, asked = new Set<string>()) {
    this.#type = type;
    this.#attributes = attributes;
    this.#asked = asked;
  }

  /** The same with more attributes: what is asked of either is not unused in the other. */
  with(more: Attributes): ExportOptions {
    return new ExportOptions(this.#type, { ...this.#attributes, ...more }, this.#asked);
  }

  /** Attributes whose keys begin so, with the rest of their keys. */
  below(prefix: string): readonly (readonly [string, string])[] {
    const found = Object.entries(this.#attributes).filter(([key]) => key.startsWith(prefix));
    for (const [key] of found) this.#asked.add(key);
    return found.map(([key, value]) => [key.slice(prefix.length), value] as const);
  }

  text(key: string): string | undefined {
    this.#asked.add(key);
    return this.#attributes[key];
  }

  /** A boolean as Go's strconv has it. @throws CodedError invalid_argument */
  boolean(key: string, fallback: boolean, { empty, saying }: BooleanForm = {}): boolean {
    const value = this.text(key);
    if (value === undefined) return fallback;
    if (value === '' && empty !== undefined) return empty;
    if (TRUE.has(value)) return true;
    if (FALSE.has(value)) return false;
    const what = saying?.(value) ?? `non-bool value specified for ${key}`;
    throw CodedError.of(
      'EXPORT_ATTRIBUTE',
      `${what}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
      { hint: `write ${key}=true or ${key}=false` },
    );
  }

  /** Refuses what is no boolean in options that have no effect otherwise; they still count as not asked for. @throws CodedError invalid_argument */
  checkBooleans(...keys: readonly string[]): void {
    for (const key of keys) {
      this.boolean(key, false, { empty: true });
      this.#asked.delete(key);
    }
  }

  integer(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
    throw CodedError.of(
      'EXPORT_ATTRIBUTE',
      `non-integer value ${value} specified for ${key}: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }

  /** The time that the output asks for; undefined where it leaves that to the frontend. @throws CodedError invalid_argument */
  epoch(): Epoch | undefined {
    const value = this.text('source-date-epoch');
    return value === undefined ? undefined : parseEpoch(value, 'source-date-epoch');
  }

  /** `annotation…` attributes. @throws CodedError invalid_argument */
  annotations(): Annotation[] {
    return parseAnnotations(Object.entries(this.#attributes));
  }

  /** The result with what the attributes set of its metadata. */
  applyTo(source: ExportSource): ExportSource {
    this.#applied = true;
    const set = Object.entries(this.#attributes).filter(([key]) => !this.#asked.has(key));
    if (set.length === 0) return source;
    const metadata = new Map(source.metadata);
    for (const [key, value] of set) metadata.set(key, Buffer.from(value));
    return { ...source, metadata };
  }

  /** Warns of each attribute that does nothing; `own` has reasons of this kind of output. */
  tellUnused({ progress }: Pick<ExportContext, 'progress'>, own: Readonly<Record<string, string>> = {}): void {
    const reasons = { ...WITHOUT_EFFECT, ...own };
    for (const key of Object.keys(this.#attributes)) {
      const reason = Object.hasOwn(reasons, key) ? reasons[key] : undefined;
      if (reason !== undefined)
        this.#warn(progress, `option ${key} of the ${this.#type} output does nothing: ${reason}`);
      else if (!this.#asked.has(key) && !(this.#applied && METADATA.test(key)))
        this.#warn(progress, `option ${key} of the ${this.#type} output is not known, so it does nothing`);
    }
  }

  #warn(progress: ExportContext['progress'], short: string): void {
    progress.warn({ level: 1, short });
  }
}

interface BooleanForm {
  /** What an option without a value means; by default it is an error. */
  readonly empty?: boolean;
  readonly saying?: (value: string) => string;
}

/** A time asked for; `seconds` undefined is the present one, whatever the frontend says. */
export interface Epoch {
  readonly seconds: number | undefined;
}

/** Years 0 to 9999: what the time formats of configurations can say. */
const EPOCHS = { min: -62_167_219_200, max: 253_402_300_799 };

/** Whole seconds since the epoch. @throws CodedError invalid_argument */
export function parseEpoch(value: string, name: string): Epoch {
  if (value === '') return { seconds: undefined };
  const seconds = /^[+-]?\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
  if (seconds >= EPOCHS.min && seconds <= EPOCHS.max) return { seconds };
  throw CodedError.of(
    'EXPORT_ATTRIBUTE',
    `invalid ${name}: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
    { hint: 'give whole seconds since 1970-01-01T00:00:00Z' },
  );
}

export interface AttestationOptions {
  /** Those that are not to make an index by themselves do so all the same. */
  readonly inline: boolean;
  /** Their manifests are artifacts that name their image; else images without a platform. */
  readonly asArtifact: boolean;
}

/** How attestations of an image are kept; `inline` is what is meant where nothing is said, `oci` whether OCI media types were asked for. */
function attestationOptions(
  options: ExportOptions,
  { inline, oci }: { readonly inline: boolean; readonly oci: boolean | undefined },
): AttestationOptions {
  const asArtifact = options.boolean('oci-artifact', true);
  if (oci === false && asArtifact && options.text('oci-artifact') !== undefined)
    throw CodedError.of(
      'EXPORT_ATTRIBUTE',
      'exporter option "oci-artifact=true" conflicts with "oci-mediatypes=false"',
    );
  return { inline: options.boolean('attestation-inline', inline), asArtifact };
}

/** How layers shall be packed. `oci`: whether OCI media types were asked for; undefined when nothing was said. `reproducible`: what else is asked for pins their times. */
export function compressionOf(options: ExportOptions, oci: boolean | undefined, reproducible = false): Compression {
  const type = options.text('compression') ?? 'gzip';
  const force = options.boolean('force-compression', false, {
    empty: true,
    saying: (value) => `non-bool value ${value} specified for force-compression`,
  });
  const level = options.integer('compression-level');
  switch (type) {
    case 'gzip':
    case 'estargz':
    case 'zstd':
    case 'uncompressed':
      break;
    default:
      throw CodedError.of('EXPORT_COMPRESSION', `unsupported compression type ${type}`, {
        hint: 'use gzip, estargz, zstd or uncompressed',
      });
  }
  if (type === 'estargz' && oci === false)
    throw CodedError.of(
      'EXPORT_COMPRESSION',
      `exporter option "compression=${type}" conflicts with "oci-mediatypes=false"`,
    );
  return { type, ...levelOf(type, level), ...(force ? { force } : {}), ...(reproducible ? { reproducible } : {}) };
}

/** How layers are packed for this build. */
export function compressionFor({ reproducible }: Pick<ExportContext, 'reproducible'>, asked: Compression): Compression {
  return reproducible === true ? { ...asked, reproducible } : asked;
}

/** As Go's compressors take it: -1 is their default; zstd's is any number. */
function levelOf(type: Compression['type'], level: number | undefined): Pick<Compression, 'level'> {
  if (level === undefined || level === -1) return {};
  if (type === 'zstd' || type === 'uncompressed') return { level };
  if (level < -2 || level > 9)
    throw CodedError.of('EXPORT_COMPRESSION', `gzip: invalid compression level: ${level}`, {
      hint: 'give compression-level=0 (none) to 9 (smallest)',
    });
  // -2 leaves out all but Huffman codes.
  return { level: level === -2 ? 1 : level };
}

/** Whether OCI media types were asked for; undefined when nothing was said. */
export function ociTypesOf(options: ExportOptions): boolean | undefined {
  return options.text('oci-mediatypes') === undefined ? undefined : options.boolean('oci-mediatypes', true);
}

/** What all outputs that are images are told alike. `inline`: whether attestations that are inline alone make an index. @throws CodedError for attributes that cannot be met */
export function imageOptions(options: ExportOptions, { inline }: { readonly inline: boolean }) {
  const asked = ociTypesOf(options);
  const annotations = options.annotations();
  const epoch = options.epoch();
  const keepForeign = options.boolean('prefer-nondist-layers', false);
  const rewriteTimes = options.boolean('rewrite-timestamp', false);
  const compression = compressionOf(options, asked, rewriteTimes || epoch?.seconds !== undefined);
  const attestations = attestationOptions(options, { inline, oci: asked });
  return { epoch, image: { oci: asked ?? true, annotations, keepForeign, rewriteTimes, compression, attestations } };
}

/**
 * Image names of a comma list, `*` standing for the frontend's; with tag `latest` where none is given, unless pushed by digest.
 * @throws CodedError that begins with what `failing` says was to be done with the name
 */
export function imageNames(
  list: string | undefined,
  fromResult: string | undefined,
  { byDigest = false, failing }: { readonly byDigest?: boolean; readonly failing: 'parse' | 'push' },
): ImageReference[] {
  const text = list === '*' ? (fromResult ?? list) : list;
  const names: ImageReference[] = [];
  const seen = new Set<string>();
  for (const name of (text ?? '').split(',').map((part) => part.trim())) {
    if (name === '') continue;
    const reference = imageName(name, failing);
    if (byDigest && (reference.tag !== undefined || reference.digest !== undefined))
      throw CodedError.of('EXPORT_NAME', `failed to push ${name}: can't push tagged ref ${name} by digest`, {
        hint: 'leave the tag out, or push-by-digest',
      });
    const complete = byDigest ? reference : withDefaultTag(reference);
    const full = formatImageReference(complete);
    if (seen.has(full)) throw CodedError.of('EXPORT_NAME', `image name ${full} is given twice`);
    seen.add(full);
    names.push(complete);
  }
  return names;
}

function imageName(name: string, failing: string): ImageReference {
  try {
    return parseImageReference(name);
  } catch (error) {
    throw annotate(error, `failed to ${failing} ${name}`);
  }
}

type AnnotationTarget = 'manifest' | 'index' | 'manifest-descriptor' | 'index-descriptor';
export interface Annotation {
  readonly target: AnnotationTarget;
  /** Platform that it is for, as {@link formatPlatform} writes it; all when absent. */
  readonly platform?: string | undefined;
  readonly key: string;
  readonly value: string;
}

const ANNOTATION = /^annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)$/;
const TARGETS: ReadonlySet<string> = new Set(['manifest', 'index', 'manifest-descriptor', 'index-descriptor']);

/** `annotation[-target][[platform]].KEY` of attributes or result metadata, which come in any order and leave in one. @throws CodedError invalid_argument */
export function parseAnnotations(entries: Iterable<readonly [string, string]>): Annotation[] {
  const found: Annotation[] = [];
  for (const [name, value] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const match = ANNOTATION.exec(name);
    if (match === null) continue;
    const [, target = 'manifest', platform, key = ''] = match;
    if (!TARGETS.has(target)) throw CodedError.of('EXPORT_ANNOTATION', `unrecognized annotation type ${target}`);
    found.push({
      target: target as AnnotationTarget,
      platform: platform === undefined ? undefined : formatPlatform(parsePlatform(platform)),
      key,
      value,
    });
  }
  return found;
}

/** Annotations that nothing of the image could carry are told, not dropped. @throws CodedError invalid_argument */
export function checkAnnotations(
  all: readonly Annotation[],
  image: { readonly platforms: readonly Platform[]; readonly isIndex: boolean; readonly oci: boolean },
): void {
  const there = new Set(image.platforms.map(formatPlatform));
  for (const { platform, target } of all) {
    if (platform !== undefined && !there.has(platform))
      throw CodedError.of('EXPORT_ANNOTATION', `invalid annotation: no platform ${platform} found in source`, {
        hint: `the result has ${[...there].join(', ')}`,
      });
    if (!image.oci && target !== 'manifest')
      throw CodedError.of('EXPORT_ANNOTATION', 'cannot export annotations with "oci-mediatypes=false"', {
        hint: 'set oci-mediatypes=true',
      });
    if (!image.isIndex && target.startsWith('index'))
      throw CodedError.of('EXPORT_ANNOTATION', 'index annotations not supported for single platform export', {
        hint: 'annotate the manifest, or build for several platforms',
      });
  }
}

/** The annotations for one place, those for its platform winning, then later ones; undefined for none. Those of an index hold for the whole, whatever platform they name. */
export function annotationsFor(
  all: readonly Annotation[],
  target: AnnotationTarget,
  platform?: Platform,
): Record<string, string> | undefined {
  const own = platform === undefined ? undefined : formatPlatform(platform);
  const chosen = all.filter(
    (annotation) =>
      annotation.target === target &&
      (own === undefined || annotation.platform === undefined || annotation.platform === own),
  );
  if (chosen.length === 0) return undefined;
  const general = chosen.filter((annotation) => annotation.platform === undefined);
  const special = chosen.filter((annotation) => annotation.platform !== undefined);
  return Object.fromEntries([...general, ...special].map(({ key, value }) => [key, value]));
}
