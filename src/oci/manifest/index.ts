export {
  chainIds,
  describe as describeDocument,
  descriptorJson,
  type EncodedDocument,
  encodeIndex,
  encodeManifest,
  historyJson,
  sortedMap,
} from './encode.ts';
export {
  type AssembledImage,
  alignHistory,
  configPlatform,
  emptyConfig,
  epochTime,
  type FinishConfigOptions,
  finishConfig,
  historyOf,
  type ImageLayer,
  pairLayers,
} from './image-config.ts';
export {
  ANNOTATION_CREATED,
  ANNOTATION_IMAGE_NAME,
  ANNOTATION_REF_NAME,
  blobPath,
  type DockerImage,
  type LayoutBlob,
  type LayoutFile,
  layoutFiles,
  layoutTar,
} from './layout.ts';
export {
  isConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
  type LayerCompression,
  layerCompression,
  layerMediaType,
  MEDIA_TYPE,
} from './media-types.ts';
export {
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  parseImageConfig,
  parseIndex,
  parseManifest,
  parseManifestOrIndex,
} from './parse.ts';
export { manifestsFor, noMatch } from './select-platform.ts';
export type { HistoryEntry, ImageConfig, ImageIndex, ImageManifest, RuntimeConfig } from './types.ts';
