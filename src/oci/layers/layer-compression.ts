import { type CompressionChoice, compressorIds } from '../compression/index.ts';

/** `estargz`: gzip with a table of contents behind the tar; the diff id covers that, too. */
export type LayerCompression = CompressionChoice | { readonly type: 'estargz'; readonly level?: number | undefined };

/** Names of what packs layers so: what was made of a tar by one that is named so is made of it again. */
export function layerCompressors(compression: LayerCompression): readonly string[] {
  if (compression.type !== 'estargz') return compressorIds(compression);
  const { level } = compression;
  return [`estargz/zlib-${process.versions.zlib}${level === undefined ? '' : `-l${level}`}`];
}
