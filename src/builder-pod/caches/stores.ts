import { CodedError, newId, RecentMap } from '../../base/index.ts';
import type { BlobFetcher, BlobPlace } from '../../cache/ports.ts';
import type { CacheStore } from './store.ts';

type StorePlace = Extract<BlobPlace, { kind: 'store' }>;
type BlobsOfStore = Pick<CacheStore, 'name' | 'openBlob'>;

/** Stores that blobs may still be wanted from, of all builds. */
const MAX_STORES = 1000;

/** Where builds of this life have found caches, for refs that have blobs there. Credentials are in no place's name: after this life, or when it was long unused, a store is opened anew by a build that names it. */
export class CacheStores {
  /** By what names it, secrets among it, which never leaves here. */
  readonly #ids = new RecentMap<string, string>(MAX_STORES);
  readonly #stores = new RecentMap<string, BlobsOfStore>(MAX_STORES);

  /** The place that `named` names, the same for equal ones. */
  place(type: string, named: object, store: BlobsOfStore): StorePlace {
    const id = this.#ids.getOrMake(JSON.stringify([type, named]), newId);
    this.#stores.set(id, store);
    return { kind: 'store', store: id };
  }

  get fetcher(): BlobFetcher<StorePlace> {
    return {
      lasting: false,
      host: ({ store }) => this.#stores.get(store)?.name ?? store,
      open: async ({ store }, descriptor, { signal, sessions }) => {
        signal.throwIfAborted();
        const found = this.#stores.get(store);
        if (found === undefined)
          throw new CodedError('unavailable', 'the cache that has this blob is not open any more');
        return await found.openBlob(descriptor, { signal, sessions });
      },
    };
  }
}
