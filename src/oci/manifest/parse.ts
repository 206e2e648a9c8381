import { z } from 'zod';
import { CodedError, type Digest, isDigest } from '../../base/index.ts';
import { isIndexType, isManifestType, MEDIA_TYPE } from './media-types.ts';
import type { ImageConfig, ImageIndex, ImageManifest } from './types.ts';

/** Bounds of what is taken from outside. */
export const MAX_MANIFEST_BYTES = 8 << 20;
export const MAX_CONFIG_BYTES = 16 << 20;
const MAX_LAYERS = 4096;
const MAX_MANIFESTS = 4096;
const MAX_HISTORY = 16_384;

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'expected a digest');
const text = z.string().max(4096);
const annotations = z.record(text, z.string().max(1 << 20));
/** JSON of Go programs has null for empty. */
const optional = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? undefined);

const platform = z.object({
  architecture: text.default(''),
  os: text.default(''),
  variant: optional(text),
  'os.version': optional(text),
  'os.features': optional(z.array(text).max(100)),
});

const descriptor = z.object({
  mediaType: text.default(''),
  digest,
  size: z.number().int().nonnegative(),
  urls: optional(z.array(text).max(100)),
  annotations: optional(annotations),
  data: optional(z.string().max(MAX_MANIFEST_BYTES)),
  platform: optional(platform),
  artifactType: optional(text),
});

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: optional(text),
  artifactType: optional(text),
  config: descriptor,
  layers: z
    .array(descriptor)
    .max(MAX_LAYERS)
    .nullish()
    .transform((layers) => layers ?? []),
  subject: optional(descriptor),
  annotations: optional(annotations),
});

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: optional(text),
  artifactType: optional(text),
  manifests: z
    .array(descriptor)
    .max(MAX_MANIFESTS)
    .nullish()
    .transform((manifests) => manifests ?? []),
  subject: optional(descriptor),
  annotations: optional(annotations),
});

/** RFC 3339, as the programs that read configurations insist on. */
const time = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/, 'expected a time');

const history = z.looseObject({
  created: optional(time),
  created_by: optional(z.string().max(1 << 20)),
  author: optional(text),
  comment: optional(z.string().max(1 << 20)),
  empty_layer: optional(z.boolean()),
});

const words = z.array(z.string()).max(65_536).nullish();
const configSchema = z.looseObject({
  created: optional(time),
  author: optional(text),
  architecture: text.nullish().transform((value) => value ?? ''),
  os: text.nullish().transform((value) => value ?? ''),
  variant: optional(text),
  'os.version': optional(text),
  'os.features': optional(z.array(text).max(100)),
  config: optional(
    z.looseObject({
      User: z.string().optional(),
      Env: words,
      Entrypoint: words,
      Cmd: words,
      Shell: words,
      OnBuild: words,
      WorkingDir: z.string().optional(),
      StopSignal: z.string().optional(),
      Labels: z.record(z.string(), z.string()).nullish(),
      Volumes: z.record(z.string(), z.looseObject({})).nullish(),
      ExposedPorts: z.record(z.string(), z.looseObject({})).nullish(),
      Healthcheck: z.looseObject({}).nullish(),
      ArgsEscaped: z.boolean().nullish(),
    }),
  ),
  rootfs: z
    .object({ type: text.default('layers'), diff_ids: z.array(digest).max(MAX_LAYERS).nullish() })
    .nullish()
    .transform((rootfs) => ({ type: rootfs?.type ?? 'layers', diff_ids: rootfs?.diff_ids ?? [] })),
  history: optional(z.array(history).max(MAX_HISTORY)),
});

/** A manifest or an index, told by `mediaType` (of the transport, else of the document). @throws CodedError invalid_argument */
export function parseManifestOrIndex(
  bytes: Uint8Array,
  mediaType?: string,
):
  | { readonly kind: 'manifest'; readonly manifest: ImageManifest }
  | { readonly kind: 'index'; readonly index: ImageIndex } {
  const value = parseJson(bytes, 'manifest', MAX_MANIFEST_BYTES);
  // A document that reads as both is read differently by others (CVE-2021-41190).
  if ('manifests' in value && ('layers' in value || 'config' in value))
    throw malformed('manifest', 'it is a manifest and an index at once');
  const said = mediaType || (typeof value['mediaType'] === 'string' ? value['mediaType'] : '');
  if (isIndexType(said) || (said === '' && 'manifests' in value)) {
    const index = clean(check(indexSchema, value, 'image index'));
    return { kind: 'index', index: { ...index, mediaType: said || MEDIA_TYPE.ociIndex } as ImageIndex };
  }
  if (said !== '' && !isManifestType(said))
    throw CodedError.of('OCI_MEDIA_TYPE', `unsupported manifest type ${JSON.stringify(said.slice(0, 200))}`, {
      ...(said.includes('v1+prettyjws') ? { hint: 'push the image again with a current tool' } : {}),
    });
  const manifest = clean(check(manifestSchema, value, 'image manifest'));
  return { kind: 'manifest', manifest: { ...manifest, mediaType: said || MEDIA_TYPE.ociManifest } as ImageManifest };
}

/** An image configuration; unknown keys stay. @throws CodedError invalid_argument */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  return check(configSchema, parseJson(bytes, 'image config', MAX_CONFIG_BYTES), 'image config') as ImageConfig;
}

/** A JSON object within a size bound. @throws CodedError invalid_argument */
export function parseJson(bytes: Uint8Array, what: string, maxBytes: number): Record<string, unknown> {
  if (bytes.length > maxBytes)
    throw CodedError.of('OCI_TOO_LARGE', `the ${what} has ${bytes.length} bytes, more than ${maxBytes}`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch (cause) {
    throw malformed(what, (cause as Error).message, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what, 'it is no object');
  return value as Record<string, unknown>;
}

function check<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(what, `${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`);
}

/** Without keys that are undefined, so that values compare and encode as they were. */
function clean<T>(value: T): T {
  if (Array.isArray(value)) return value.map(clean) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, clean(member)]),
  ) as T;
}

function malformed(what: string, why: string, cause?: unknown): CodedError {
  return CodedError.of('OCI_MALFORMED', `malformed ${what}: ${why}`, { ...(cause === undefined ? {} : { cause }) });
}
