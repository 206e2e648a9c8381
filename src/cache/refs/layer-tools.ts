import {
  applyLayer,
  convertLayer,
  indexLayer,
  type LayerCompression,
  packLayer,
  restackLayer,
  type UnpackLimits,
  unpackLimitsFor,
} from '../../oci/layers/index.ts';
import type { Pools, Privileges } from '../../sys/index.ts';
import type { Compression } from '../ports.ts';
import type { LayerTools } from './context.ts';

/** How layers are packed that a ref is asked for. */
export function layerCompression({ type, level, reproducible }: Compression): LayerCompression {
  // ISA-L is not on every machine, and its bytes are those of its version.
  return type === 'gzip' && reproducible === true ? { type, level, implementation: 'zlib' } : { type, level };
}

/** Layers packed and unpacked in the bulk workers. */
export function layerTools({ bulk }: Pools, privileges: Privileges, limits?: UnpackLimits): LayerTools {
  return {
    apply: async ({ limits: ofBuild, ...args }, options) => {
      await applyLayer(bulk, { ...args, privileges, limits: unpackLimitsFor(ofBuild, limits), ...options });
    },
    index: ({ limits: ofBuild, ...args }, options) =>
      indexLayer(bulk, { ...args, limits: unpackLimitsFor(ofBuild, limits), ...options }),
    pack: ({ compression, ...args }, options) =>
      packLayer(bulk, { ...args, compression: layerCompression(compression), privileges, ...options }),
    restack: (args, options) => restackLayer(bulk, { ...args, overlayXattrs: privileges.overlayXattrs }, options),
    convert: ({ compression, ...args }, options) =>
      convertLayer(bulk, { ...args, compression: layerCompression(compression), ...options }),
  };
}
