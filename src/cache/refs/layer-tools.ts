import {
  applyLayer,
  convertLayer,
  indexLayer,
  packLayer,
  restackLayer,
  type UnpackLimits,
  unpackLimitsFor,
} from '../../oci/layers/index.ts';
import type { Pools, Privileges } from '../../sys/index.ts';
import type { LayerTools } from './context.ts';

/** Layers packed and unpacked in the bulk workers. */
export function layerTools({ bulk }: Pools, privileges: Privileges, limits?: UnpackLimits): LayerTools {
  return {
    apply: async ({ limits: ofBuild, ...args }, options) => {
      await applyLayer(bulk, { ...args, privileges, limits: unpackLimitsFor(ofBuild, limits), ...options });
    },
    index: ({ limits: ofBuild, ...args }, options) =>
      indexLayer(bulk, { ...args, limits: unpackLimitsFor(ofBuild, limits), ...options }),
    pack: ({ directory, below, whole, into, compression: { type, level } }, options) =>
      packLayer(bulk, { directory, below, whole, into, compression: { type, level }, privileges, ...options }),
    restack: (args, options) => restackLayer(bulk, { ...args, overlayXattrs: privileges.overlayXattrs }, options),
    convert: ({ compression: { type, level }, ...args }, options) =>
      convertLayer(bulk, { ...args, compression: { type, level }, ...options }),
  };
}
