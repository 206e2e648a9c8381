import { CodedError, type Descriptor } from '../../base/index.ts';
import { parseManifestOrIndex } from '../manifest/index.ts';

/** Of one image; also those of others count. */
export const MAX_ATTACHED = 100;
/** Of all of them: an entry has a handful. */
const MAX_ANNOTATIONS = 5000;

/** What a manifest has attached, one more than may be where it has more; nothing for an index. @throws CodedError for what is neither */
export function attachedLayers({
  bytes,
  mediaType,
}: {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}): readonly Descriptor[] {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  const layers = parsed.kind === 'manifest' ? parsed.manifest.layers.slice(0, MAX_ATTACHED + 1) : [];
  const all = layers.reduce((sum, { annotations }) => sum + Object.keys(annotations ?? {}).length, 0);
  if (all > MAX_ANNOTATIONS)
    throw CodedError.of(
      'OCI_TOO_LARGE',
      `${layers.length} signatures have ${all} annotations, more than ${MAX_ANNOTATIONS}`,
    );
  return layers;
}
