import type { RefManager } from '../../cache/ports.ts';
import { type RemoteCache, remoteCache } from '../../cache/remote/index.ts';
import type { CacheExportTypes, CacheImporter, CacheImporters } from '../engine/index.ts';
import { ExportOptions } from '../exporters/index.ts';
import { inlineCache } from './inline.ts';
import { type LocalDeps, localCaches } from './local.ts';
import { azureOptions } from './objects/azblob-options.ts';
import { ghaOptions } from './objects/gha-options.ts';
import { s3Options } from './objects/s3-options.ts';
import { type ObjectDeps, objectCaches } from './objects/store.ts';
import { type RegistryDeps, registryCaches } from './registry.ts';
import { type SecretsOfClients, storeOpener } from './secret-attributes.ts';
import type { CacheStore, CacheType, ReadAccess } from './store.ts';
import { refuseTrust } from './trust.ts';
import { cacheExporter, type WriteDeps } from './write.ts';

interface CacheDeps extends RegistryDeps, LocalDeps, ObjectDeps, WriteDeps, SecretsOfClients {
  readonly refs: RefManager;
}

/** Caches that lie outside of the builder, by type: what reads them, and what writes them. */
export function cacheTypes(deps: CacheDeps): {
  readonly importers: CacheImporters;
  readonly exports: CacheExportTypes;
} {
  const types: readonly CacheType[] = [
    registryCaches(deps),
    localCaches(deps),
    objectCaches(
      { type: 's3', exporting: 'exporting cache to Amazon S3', optional: ['session_token'], optionsOf: s3Options },
      deps,
    ),
    objectCaches(
      {
        ...{ type: 'gha', exporting: 'exporting to GitHub Actions Cache' },
        ...{ optional: ['url', 'url_v2'], optionsOf: ghaOptions },
      },
      deps,
    ),
    objectCaches({ type: 'azblob', exporting: 'exporting cache to Azure Blob Storage', optionsOf: azureOptions }, deps),
  ];
  return {
    importers: new Map(types.map((type) => [type.type, importer(type, deps)])),
    exports: {
      exporters: new Map(types.map((type) => [type.type, (attrs, asker) => cacheExporter(type, attrs, asker, deps)])),
      inline: (attrs) => inlineCache(attrs, deps),
    },
  };
}

function importer(type: CacheType, { refs, secret }: Pick<CacheDeps, 'refs' | 'secret'>): CacheImporter {
  return {
    open: async (attrs, { signal, sessions, owner, direct, progress }) => {
      const access = { signal, sessions, owner };
      const options = new ExportOptions(`${type.type} cache`, attrs);
      if (type.signed !== true) refuseTrust(type.type, options);
      const open = storeOpener(type, options, { as: 'importer', direct }, { secret });
      const store = await open(access);
      const caches = await openCaches(store, refs, access);
      if (caches.length === 0)
        progress.warn({
          level: 1,
          short: `the cache ${store.name} is not used: there is none yet`,
          detail: ['The build goes on without it.'],
        });
      return caches;
    },
  };
}

/** The caches of a store, to be read by a build. */
async function openCaches(store: CacheStore, refs: RefManager, access: ReadAccess): Promise<readonly RemoteCache[]> {
  const { id, name, place } = store;
  return await Promise.all(
    (await store.read(access)).map(({ digest, ...content }) =>
      remoteCache(content, { id: `${id} ${digest}`, name, places: [place], refs }, access),
    ),
  );
}
