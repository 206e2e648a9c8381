import { hostname } from 'node:os';
import type { Platform } from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';
import type { GcRule } from '../../cache/gc/index.ts';

type Record_ = wire.moby.buildkit.v1.types.WorkerRecord.$Properties;

/** The BuildKit version whose protocols are spoken; clients decide by it what they may send. */
export const BUILDKIT_VERSION = { package: 'slipway', version: 'v0.34.2', revision: '' };

/** The one worker that a builder has, as clients see it. */
export function workerRecord(options: {
  readonly id: string;
  readonly platforms: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  /** As its steps have it. */
  readonly network: string;
  readonly gcPolicy: readonly GcRule[];
}): Record_ {
  const prefix = 'org.mobyproject.buildkit.worker.';
  return {
    id: options.id,
    labels: {
      [`${prefix}executor`]: 'oci',
      [`${prefix}hostname`]: hostname(),
      [`${prefix}network`]: options.network,
      [`${prefix}snapshotter`]: 'overlayfs',
      [`${prefix}oci.process-mode`]: 'sandbox',
      [`${prefix}selinux.enabled`]: 'false',
      ...options.labels,
    },
    platforms: options.platforms.map(platformMessage),
    gcPolicy: options.gcPolicy.map((rule) => ({
      all: rule.all ?? false,
      filters: [...(rule.filters ?? [])],
      keepDuration: (rule.keepDurationMs ?? 0) * 1e6,
      reservedSpace: rule.reservedSpace ?? 0,
      maxUsedSpace: rule.maxUsedSpace ?? 0,
      minFreeSpace: rule.minFreeSpace ?? 0,
    })),
    buildkitVersion: BUILDKIT_VERSION,
  };
}

function platformMessage(platform: Platform): wire.pb.Platform.$Properties {
  return {
    os: platform.os,
    architecture: platform.architecture,
    variant: platform.variant ?? '',
    osVersion: platform['os.version'] ?? '',
    osFeatures: [...(platform['os.features'] ?? [])],
  };
}

/** Undefined for a platform that is not given. */
export function platformOf(message: wire.pb.Platform.$Properties | null | undefined): Platform | undefined {
  if (message == null || !message.os || !message.architecture) return undefined;
  return {
    os: message.os,
    architecture: message.architecture,
    ...(message.variant ? { variant: message.variant } : {}),
    ...(message.osVersion ? { 'os.version': message.osVersion } : {}),
    ...(message.osFeatures?.length ? { 'os.features': message.osFeatures } : {}),
  };
}
