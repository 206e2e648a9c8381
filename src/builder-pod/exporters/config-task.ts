import { CodedError, type Digest, normalizePlatform, type Platform } from '../../base/index.ts';
import { alignHistory, finishConfig, historyOf, type ImageLayer, parseImageConfig } from '../../oci/manifest/index.ts';

// Configurations come from frontends and from base images, and some are long: a worker reads those.

/** Bytes of a document that is read where it is wanted: it takes a millisecond or two. */
export const MAX_AT_ONCE = 64 << 10;

interface ConfigToFinish {
  /** As the frontend gives it. */
  readonly config: Uint8Array;
  /** Of the base image, whose times stay. */
  readonly baseConfig: Uint8Array | undefined;
  readonly layers: readonly ImageLayer[];
  /** Seconds since the epoch; later times become this. */
  readonly sourceDateEpoch: number | undefined;
  /** Keys that are added. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** The configuration of an image of these layers. @throws CodedError */
export function finishedConfig({ config, baseConfig, layers, ...options }: ConfigToFinish): Uint8Array {
  const image = alignHistory(layers, historyOf(config));
  const baseHistory = baseConfig === undefined ? undefined : historyOf(baseConfig);
  return finishConfig(config, image, { ...options, baseHistory });
}

/** The layers that an image's configuration names. @throws CodedError */
export function diffIdsOf({ config }: { readonly config: Uint8Array }): readonly Digest[] {
  return parseImageConfig(config).rootfs.diff_ids;
}

/** Where an image with this configuration runs; undefined where it does not say. @throws CodedError where it says half of it */
export function platformOfConfig({ config }: { readonly config: Uint8Array }): Platform | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(config).toString('utf8'));
  } catch {
    // The exporter that needs the configuration says what is wrong with it.
    return undefined;
  }
  const platform = platformOf(object(json));
  if (platform.os === '' && platform.architecture === '') return undefined;
  if (platform.os === '' || platform.architecture === '')
    throw platformError('invalid image config: os and architecture must be specified together');
  return normalizePlatform(platform);
}

export function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export function platformOf(json: Readonly<Record<string, unknown>>): Platform {
  const text = (key: string) => (typeof json[key] === 'string' ? json[key] : '');
  const features = Array.isArray(json['os.features']) ? json['os.features'] : [];
  return {
    architecture: text('architecture'),
    os: text('os'),
    variant: text('variant'),
    'os.version': text('os.version'),
    'os.features': features.filter((feature) => typeof feature === 'string'),
  };
}

export function platformError(message: string, cause?: unknown) {
  return CodedError.of('EXPORT_PLATFORM', message, { ...(cause === undefined ? {} : { cause }) });
}
