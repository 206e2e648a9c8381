import { CodedError, type Descriptor, type Digest, type Platform } from '../../base/index.ts';
import { goJson, historyJson } from './encode.ts';
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

export interface AssembledImage {
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

export interface FinishConfigOptions {
  /** Seconds since the epoch; later times become this. */
  readonly sourceDateEpoch?: number | undefined;
  /** History of the base image, whose times stay. */
  readonly baseHistory?: readonly HistoryEntry[] | undefined;
  /** Added keys, e.g. an inline cache; strings are JSON strings. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * The final configuration: rootfs and history set, `created` filled, times clamped; all else as the frontend wrote it. Top-level keys sorted, the rest in its
 * order, so that equal input has equal bytes.
 */
export function finishConfig(config: Uint8Array, image: AssembledImage, options: FinishConfigOptions = {}): Uint8Array {
  const value = parseJson(config, 'image config', MAX_CONFIG_BYTES);
  const { sourceDateEpoch } = options;
  const epoch = sourceDateEpoch === undefined ? undefined : epochTime(sourceDateEpoch);
  const clamp = (time: string) => (epoch !== undefined && isAfter(time, epoch) ? epoch : time);
  let diverged = false;
  const history = image.history.map((entry, index) => {
    const base = options.baseHistory?.[index];
    if (!diverged && base !== undefined && goJson(historyJson(base)) === goJson(historyJson(entry))) return entry;
    diverged = true;
    return epoch === undefined ? entry : { ...entry, created: clamp(entry.created ?? epoch) };
  });
  const created =
    typeof value['created'] === 'string'
      ? clamp(value['created'])
      : history.findLast((entry) => entry.created !== undefined)?.created;
  const final: Record<string, unknown> = {
    ...value,
    ...options.extra,
    rootfs: { type: 'layers', diff_ids: image.layers.map(({ diffId }) => diffId) },
    history: history.map(historyJson),
    ...(created === undefined ? {} : { created }),
  };
  if (final['created'] === null) delete final['created'];
  const sorted = Object.fromEntries(Object.entries(final).sort(([a], [b]) => (a < b ? -1 : 1)));
  return Buffer.from(goJson(sorted));
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
      ...(variant === undefined ? {} : { variant }),
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  );
}

/** Architecture, os and variant filled where the configuration lacks them. @throws CodedError invalid_argument */
export function withPlatform(config: Uint8Array, platform: Platform): Uint8Array {
  const value = parseJson(config, 'image config', MAX_CONFIG_BYTES);
  if (value['architecture'] && value['os']) return config;
  return Buffer.from(
    goJson({
      ...value,
      architecture: value['architecture'] || platform.architecture,
      os: value['os'] || platform.os,
      ...(platform.variant !== undefined && !value['architecture'] ? { variant: platform.variant } : {}),
    }),
  );
}

/** Manifest layers with the diff ids of the configuration. @throws CodedError data_loss when their numbers differ */
export function pairLayers(
  layers: readonly Descriptor[],
  config: ImageConfig,
): { descriptor: Descriptor; diffId: Digest }[] {
  const diffIds = config.rootfs.diff_ids;
  if (layers.length !== diffIds.length)
    throw new CodedError(
      'data_loss',
      `the manifest has ${layers.length} layers, its configuration ${diffIds.length} diff ids`,
      {
        fault: 'user',
        reason: 'OCI_LAYER_COUNT',
        hint: 'the image is damaged: push it again',
      },
    );
  return layers.map((descriptor, index) => ({ descriptor, diffId: diffIds[index] as Digest }));
}

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

/** History of a configuration; empty when it cannot be read. */
export function historyOf(config: Uint8Array): readonly HistoryEntry[] {
  return parseImageConfig(config).history ?? [];
}
