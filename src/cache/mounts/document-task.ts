import type { Descriptor } from '../../base/index.ts';
import { parseManifestOrIndex } from '../../oci/manifest/index.ts';
import { decodeMount, MOUNT_CONFIG_TYPE, type SavedMount } from './artifact.ts';

// Documents come from outside, and are long: a worker reads and checks them.

interface MountManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Undefined for what is no saved cache mount. @throws CodedError for what is no manifest */
export function mountManifestOf({
  bytes,
  mediaType,
}: {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}): MountManifest | undefined {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  if (parsed.kind === 'index' || parsed.manifest.config.mediaType !== MOUNT_CONFIG_TYPE) return undefined;
  const plain = ({ mediaType: type, digest, size }: Descriptor) => ({ mediaType: type, digest, size });
  const { config, layers } = parsed.manifest;
  return { config: plain(config), layers: layers.map(plain) };
}

/** @throws CodedError CACHE_MALFORMED */
export function mountOf({
  bytes,
  layers,
}: {
  readonly bytes: Uint8Array;
  readonly layers: readonly Descriptor[];
}): SavedMount {
  return decodeMount(bytes, layers);
}
