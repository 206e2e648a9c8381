/** Media types of the OCI image spec 1.1 and of Docker's registry schema 2, with what tells them apart. */
export const MEDIA_TYPE = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar',
  dockerForeignLayerGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

type LayerCompression = 'gzip' | 'zstd' | 'uncompressed';

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerList;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociManifest || mediaType === MEDIA_TYPE.dockerManifest;
}

/** Configurations of images, by the name that early versions of Docker gave them, too. */
export function isConfigType(mediaType: string): boolean {
  return [MEDIA_TYPE.ociConfig, MEDIA_TYPE.dockerConfig, 'application/octet-stream'].includes(mediaType);
}

/** Which layers an unpacker knows; the foreign and non-distributable kinds included. */
export function isLayerType(mediaType: string): boolean {
  return layerCompression(mediaType) !== undefined;
}

const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+(gzip|zstd))?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.(gzip|zstd))?)$/;

/** How a layer of this type is packed; undefined for what is no layer. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  const match = LAYER.exec(mediaType);
  if (match === null) return undefined;
  return (match[1] ?? match[2] ?? 'uncompressed') as LayerCompression;
}

/** As {@link layerMediaType}, of a layer that is to be had elsewhere: registries need not have it. Docker has no such name for zstd. */
export function foreignMediaType(compression: LayerCompression, oci: boolean): string {
  if (!oci && compression !== 'zstd')
    return compression === 'gzip' ? MEDIA_TYPE.dockerForeignLayerGzip : MEDIA_TYPE.dockerForeignLayer;
  return layerMediaType(compression, true).replace('.layer.', '.layer.nondistributable.');
}

/** Whether a layer is to be had elsewhere, so that it is not pushed. */
export function isForeignLayer(mediaType: string): boolean {
  return isLayerType(mediaType) && /nondistributable|foreign/.test(mediaType);
}

/** The distributable layer type for a compression, in OCI or Docker's words. */
export function layerMediaType(compression: LayerCompression, oci: boolean): string {
  switch (compression) {
    case 'gzip':
      return oci ? MEDIA_TYPE.ociLayerGzip : MEDIA_TYPE.dockerLayerGzip;
    case 'zstd':
      return oci ? MEDIA_TYPE.ociLayerZstd : MEDIA_TYPE.dockerLayerZstd;
    case 'uncompressed':
      return oci ? MEDIA_TYPE.ociLayer : MEDIA_TYPE.dockerLayer;
  }
}
