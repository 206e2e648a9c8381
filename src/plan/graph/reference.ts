import type { Platform } from '../../base/index.ts';
import { encodeDefinition, image } from '../../llb/index.ts';

/** The file of an image or artifact that is a serialized Definition. */
const FILE = 'definition.llb';

/** The files of an image that has a graph, as a graph, and which of them it is. */
export function artifactDefinition(
  ref: string,
  platform: Platform | undefined,
): { readonly definition: Uint8Array; readonly file: string } {
  const options = { name: `[internal] load spec.llb.ref ${ref}`, ...(platform === undefined ? {} : { platform }) };
  const files = image(ref, { artifact: true, ...options });
  return { definition: encodeDefinition(files.marshal({ platform: platform ?? 'builder' })), file: FILE };
}
