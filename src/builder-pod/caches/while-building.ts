import type { UpdateContext } from '../engine/index.ts';
import type { OutflowPart } from '../exporters/index.ts';
import type { CacheStore } from './store.ts';

/** The store for a build that goes on: what is asked of it, and given to it, waits for its turn among all that do so. */
export function whileBuilding(
  store: CacheStore,
  outflow: OutflowPart,
  { owner, signal, hurry }: Pick<UpdateContext, 'owner' | 'signal' | 'hurry'>,
): CacheStore {
  const held = { owner, signal, hurry };
  return {
    ...store,
    read: (access) => outflow.request(held, () => store.read(access)),
    encode: async (content, options) => {
      const index = await store.encode(content, options);
      const { begin } = index;
      return {
        ...index,
        ...(begin === undefined ? {} : { begin: (context) => outflow.request(held, () => begin(context)) }),
        write: (context) => outflow.request(held, () => index.write(context)),
      };
    },
    keepBlob: (descriptor, access) => outflow.request(held, () => store.keepBlob(descriptor, access)),
    putBlob: (layer, context, onProgress) =>
      outflow.upload(layer, held, (open) => store.putBlob({ ...layer, open }, context, onProgress)),
  };
}
