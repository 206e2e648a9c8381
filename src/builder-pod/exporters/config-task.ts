import type { Digest } from '../../base/index.ts';
import { alignHistory, finishConfig, historyOf, type ImageLayer, parseImageConfig } from '../../oci/manifest/index.ts';

// Configurations come from frontends and from base images, and some are long: a worker reads those.

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
