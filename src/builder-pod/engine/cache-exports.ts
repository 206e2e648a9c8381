import { CodedError } from '../../base/index.ts';
import type { ExportContext, ExportResponse } from '../exporters/index.ts';
import type { BridgeCacheImport } from '../frontends/index.ts';

/** What a build leads to, for who writes what it is found by. */
export interface CachedBuild {
  /** Keys of its results in the builder's own store. */
  readonly roots: readonly string[];
  /** Scopes whose records may be told of. */
  readonly scopes: readonly string[];
}

/** One remote cache to write, its attributes already checked. */
export interface CacheExporter {
  /** Of its vertex, e.g. `exporting cache to registry`. */
  readonly name: string;
  /** The build goes on when it fails. */
  readonly ignoreError: boolean;
  export(build: CachedBuild, context: ExportContext): Promise<ExportResponse>;
}

/** By type. @throws CodedError for attributes that cannot be met */
export type CacheExporters = ReadonlyMap<string, (attrs: BridgeCacheImport['attrs']) => CacheExporter>;

interface OpenedCacheExports {
  readonly exporters: readonly CacheExporter[];
  /** Of types that this builder does not know, which the build can go on without. */
  readonly unmet: readonly BridgeCacheImport[];
}

/** @throws CodedError for what is asked for twice, and for what cannot be written and is needed */
export function openCacheExports(asked: readonly BridgeCacheImport[], types: CacheExporters): OpenedCacheExports {
  const exporters: CacheExporter[] = [];
  const unmet: BridgeCacheImport[] = [];
  const known = new Set<string>();
  for (const one of asked) {
    const { type, attrs } = one;
    const key = JSON.stringify([type, Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1))]);
    if (known.has(key)) throw CodedError.of('CACHE_ATTRIBUTE', 'duplicated cache exports');
    known.add(key);
    const open = types.get(type);
    if (open !== undefined) exporters.push(open(attrs));
    else if (attrs['ignore-error'] === 'true') unmet.push(one);
    else
      throw CodedError.of(
        'NOT_BUILT',
        `cache exports of type ${JSON.stringify(type)} are not supported by this builder yet`,
        {
          hint: 'leave the export out, or add ignore-error=true to it: then the build goes on without',
        },
      );
  }
  return { exporters, unmet };
}
