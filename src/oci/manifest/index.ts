export {
  describe as describeDocument,
  descriptorJson,
  type EncodedDocument,
  encodeIndex,
  encodeManifest,
  sortedMap,
} from './encode.ts';
export {
  alignHistory,
  configPlatform,
  emptyConfig,
  epochTime,
  finishConfig,
  historyOf,
  type ImageLayer,
} from './image-config.ts';
export {
  ANNOTATION_CREATED,
  ANNOTATION_IMAGE_NAME,
  ANNOTATION_REF_NAME,
  type DockerImage,
  type LayoutBlob,
  layoutFiles,
  layoutTar,
} from './layout.ts';
export {
  foreignMediaType,
  isConfigType,
  isForeignLayer,
  isIndexType,
  isLayerType,
  isManifestType,
  layerCompression,
  layerMediaType,
  MEDIA_TYPE,
} from './media-types.ts';
export {
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  parseImageConfig,
  parseManifestOrIndex,
} from './parse.ts';
export { manifestsFor, noMatch } from './select-platform.ts';
export type { ImageManifest } from './types.ts';
