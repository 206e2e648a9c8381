import { annotate, CodedError, type Descriptor, type Digest, goJson, type Platform } from '../../base/index.ts';
import { goTime, historyJson } from './encode.ts';
import { MAX_CONFIG_BYTES, parseImageConfig, parseJson } from './parse.ts';
import type { HistoryEntry, ImageConfig } from './types.ts';

/** Comment of history entries that an exporter adds, as the field has it. */
const ADDED_COMMENT = 'buildkit.exporter.image.v0';

/** A layer on its way into an image. `createdAt` is RFC 3339. */
export interface ImageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly description?: string | undefined;
  readonly createdAt?: string | undefined;
}

interface AssembledImage {
  /** All of them: one without content is a layer like any other. */
  readonly layers: readonly ImageLayer[];
  readonly history: readonly HistoryEntry[];
}

/**
 * Aligns history with layers as BuildKit's exporter does: one non-empty entry a layer, missing ones added, times filled from the layers, then from the
 * neighbours.
 */
export function alignHistory(layers: readonly ImageLayer[], history: readonly HistoryEntry[]): AssembledImage {
  let left = layers.length;
  // More entries than layers should not be: the ones at the end are then taken as empty.
  const aligned = history.map((entry) =>
    entry.empty_layer || left-- > 0 ? { ...entry } : { ...entry, empty_layer: true },
  );
  for (const layer of layers.slice(layers.length - Math.max(0, left)))
    aligned.push({ created: layer.createdAt, created_by: layer.description, comment: ADDED_COMMENT });
  let at = 0;
  for (const [index, entry] of aligned.entries()) {
    if (entry.empty_layer) continue;
    const layer = layers[at++] as ImageLayer;
    aligned[index] = { ...entry, created: entry.created ?? layer.createdAt };
  }
  return { layers, history: fillTimes(aligned) };
}

/** An entry without a time gets that of the one before it; those before any get the first new layer's. */
function fillTimes(history: readonly HistoryEntry[]): HistoryEntry[] {
  let created: string | undefined;
  let isMissing = false;
  for (const entry of history) {
    if (entry.created === undefined) isMissing = true;
    else {
      created = entry.created;
      if (isMissing) break;
    }
  }
  isMissing = false;
  return history.map((entry) => {
    if (entry.created === undefined) {
      isMissing = true;
      return { ...entry, created };
    }
    if (isMissing) created = entry.created;
    return entry;
  });
}

interface FinishConfigOptions {
  /** Seconds since the epoch; later times become this. */
  readonly sourceDateEpoch?: number | undefined;
  /** History of the base image, whose times stay. */
  readonly baseHistory?: readonly HistoryEntry[] | undefined;
  /** Added keys, e.g. an inline cache; strings are JSON strings. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * The final configuration: rootfs and history set, `created` filled, times clamped; all else as the frontend wrote it. Top-level keys sorted, the rest in its
 * order, what is empty as null, so that equal input has the bytes that BuildKit makes. @throws CodedError invalid_argument for what is no configuration
 */
export function finishConfig(config: Uint8Array, image: AssembledImage, options: FinishConfigOptions = {}): Uint8Array {
  const value = checkedConfig(config);
  const { sourceDateEpoch } = options;
  const epoch = sourceDateEpoch === undefined ? undefined : epochTime(sourceDateEpoch);
  const clamp = (time: string) => (epoch !== undefined && isAfter(time, epoch) ? epoch : time);
  let diverged = false;
  const history = image.history.map((entry, index) => {
    const base = options.baseHistory?.[index];
    if (!diverged && base !== undefined && goJson(historyJson(base)) === goJson(historyJson(entry))) return entry;
    diverged = true;
    return epoch === undefined
      ? entry
      : { ...entry, created: entry.created === undefined ? epoch : clamp(entry.created) };
  });
  const given = value['created'];
  const last = history.findLast((entry) => entry.created !== undefined)?.created;
  const diffIds = image.layers.map(({ diffId }) => diffId);
  const final: Record<string, unknown> = {
    ...value,
    ...options.extra,
    rootfs: { type: 'layers', diff_ids: diffIds.length > 0 ? diffIds : null },
    history: history.length > 0 || Array.isArray(value['history']) ? history.map(historyJson) : null,
    created:
      typeof given === 'string'
        ? clamp(given)
        : given === undefined
          ? last === undefined
            ? null
            : goTime(last)
          : given,
  };
  const sorted = Object.fromEntries(Object.entries(final).sort(([a], [b]) => (a < b ? -1 : 1)));
  return Buffer.from(goJson(sorted));
}

/** A configuration that an image can have. @throws CodedError invalid_argument */
function checkedConfig(config: Uint8Array): Record<string, unknown> {
  if (Buffer.from(config).toString('utf8').trim() === 'null')
    throw CodedError.of('OCI_MALFORMED', 'invalid null image config for export');
  const { os, architecture } = parsed(config, 'invalid image config for export');
  for (const [name, text] of Object.entries({ os, architecture }))
    if (text === '')
      throw CodedError.of('OCI_MALFORMED', `invalid image config for export: missing ${name}`, {
        hint: 'the configuration that the frontend gives must name the platform of the image',
      });
  return parseJson(config, 'image config', MAX_CONFIG_BYTES);
}

function parsed(config: Uint8Array, doing: string): ImageConfig {
  try {
    return parseImageConfig(config);
  } catch (error) {
    throw annotate(error, doing);
  }
}

/** RFC 3339 of whole seconds, as Go prints it. */
export function epochTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function isAfter(time: string, other: string): boolean {
  const [a, b] = [Date.parse(time), Date.parse(other)];
  return Number.isNaN(a) || a > b;
}

/** The configuration of an image whose frontend gave none. */
export function emptyConfig(platform: Platform): Uint8Array {
  const { architecture, os, variant } = platform;
  return Buffer.from(
    goJson({
      architecture,
      os,
      'os.version': platform['os.version'],
      'os.features': platform['os.features'],
      variant,
      config: { ...(os === 'windows' ? {} : { Env: [`PATH=${UNIX_PATH}`] }), WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: null },
    }),
  );
}

const UNIX_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The platform a configuration is for. */
export function configPlatform(config: ImageConfig): Platform {
  return {
    architecture: config.architecture,
    os: config.os,
    ...(config.variant ? { variant: config.variant } : {}),
    ...(config['os.version'] ? { 'os.version': config['os.version'] } : {}),
    ...(config['os.features']?.length ? { 'os.features': config['os.features'] } : {}),
  };
}

/** History of a configuration. @throws CodedError invalid_argument when it is none */
export function historyOf(config: Uint8Array): readonly HistoryEntry[] {
  if (Buffer.from(config).toString('utf8').trim() === 'null') return [];
  return parsed(config, 'failed to unmarshal history from config').history ?? [];
}
