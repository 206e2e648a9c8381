import { CodedError, type Digest, type Semaphore, type WorkOwner } from '../../base/index.ts';
import type { Compression, ImmutableRef, Layer } from '../../cache/ports.ts';
import { type BuiltResult, findLostResult } from '../../solver/index.ts';
import type { ExportContext, ExportResponse, InlineRecords } from '../exporters/index.ts';
import type { BridgeCacheImport } from '../frontends/index.ts';
import type { CacheAsker } from './cache-imports.ts';
import type { SpareThreads } from './spare-threads.ts';

/** What a build leads to, for who writes what it is found by. */
export interface CachedBuild {
  /** Keys of its results in the builder's own store. */
  readonly roots: readonly string[];
  /** Scopes whose records may be told of. */
  readonly scopes: readonly string[];
}

/** A build that is to write a cache, from its beginning on. */
export interface ExportingBuild {
  readonly owner: WorkOwner;
  readonly sessions: () => readonly string[];
  /** What it writes. */
  readonly scope: string;
  /** Fires when it is over. */
  readonly until: AbortSignal;
}

/** What writing a cache came to. */
export interface CacheWritten {
  /** What clients are told of it. */
  readonly response: ExportResponse;
  /** Of the document that names it, a manifest or an index of the store's own (of several, the last); undefined where none was written. */
  readonly digest?: Digest | undefined;
}

/** One remote cache to write, its attributes already checked. */
export interface CacheExporter {
  /** Of its vertex, e.g. `exporting cache to registry`. */
  readonly name: string;
  /** The build goes on when it fails. */
  readonly ignoreError: boolean;
  /** Where a build has nothing for it, that is no news. */
  readonly mayHaveNothing?: boolean;
  /** Told before anything is built. */
  begin?(build: ExportingBuild): void;
  export(build: CachedBuild, context: ExportContext): Promise<CacheWritten>;
  /** Where what is finished is to be written while the build goes on. */
  readonly continuous?: ContinuousCache | undefined;
  /** Where what {@link export} needs is made ready while the build goes on. Whatever goes wrong, that meets it, too. */
  readonly ahead?: ContinuousCache | undefined;
}

/** A cache that grows with its build. */
export interface ContinuousCache {
  /** Between the end of one update and the next, in ms, at the least. */
  readonly intervalMs: number;
  /**
   * Writes what these are found by, beside what is there, so that whoever reads it has a whole cache before and after.
   * @returns false where something is left for another time
   */
  update(build: CachedBuild, context: UpdateContext): Promise<boolean>;
  /** The export takes over what is under way, so that is neither waited for nor ended before it. */
  readonly isTakenOver?: boolean;
  /** Settles when what updates have left under way is at its end, at the latest when their signal has fired. */
  settled?(): Promise<void>;
}

export interface UpdateContext extends ExportContext {
  /** For what computes; absent where it is to be done at once. */
  readonly spare?: SpareThreads | undefined;
  /** Fires when it is waited for: nothing is held back any more, and nothing new is begun. */
  readonly hurry: AbortSignal;
  /** Of uploads that go ahead, of all caches of the build: a place for each. */
  readonly uploads: Semaphore;
  /** Registries that are given layers of the build's images while it goes on. */
  readonly imageHosts: ReadonlySet<string>;
}

/** A cache that images carry, as far as it is of their layers. */
export interface InlineCache {
  readonly ignoreError: boolean;
  /** As {@link InlineRecords}. */
  records(
    build: CachedBuild,
    image: { readonly layers: readonly Layer[]; readonly latest: number | undefined },
    compression: Compression,
    context: ExportContext,
  ): Promise<Uint8Array | undefined>;
}

/** By type. @throws CodedError for attributes that cannot be met */
type CacheExporters = ReadonlyMap<string, (attrs: BridgeCacheImport['attrs'], asker: CacheAsker) => CacheExporter>;

/** What opens them, by the kind of what it opens. */
export interface CacheExportTypes {
  readonly exporters: CacheExporters;
  /** Of the type `inline`. @throws CodedError for attributes that cannot be met */
  readonly inline?: (attrs: BridgeCacheImport['attrs']) => InlineCache;
}

/** With where it is to be written, as it was asked for. */
export interface OpenedCacheExport extends CacheExporter {
  readonly target: string;
}

export interface OpenedCacheExports {
  readonly exporters: readonly OpenedCacheExport[];
  readonly inline: InlineCache | undefined;
  /** Of types that this builder does not know, which the build can go on without. */
  readonly unmet: readonly BridgeCacheImport[];
}

/** @throws CodedError for what is asked for twice, and for what cannot be written and is needed */
export function openCacheExports(
  asked: readonly BridgeCacheImport[],
  { exporters: types, inline: openInline }: CacheExportTypes,
  asker: CacheAsker,
): OpenedCacheExports {
  let inline: InlineCache | undefined;
  const exporters: OpenedCacheExport[] = [];
  const unmet: BridgeCacheImport[] = [];
  const known = new Set<string>();
  for (const one of asked) {
    const { type, attrs } = one;
    // Clients ask for it more than once.
    if (type === 'inline' && openInline !== undefined) {
      inline ??= openInline(attrs);
      continue;
    }
    const key = JSON.stringify([type, Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1))]);
    if (known.has(key)) throw CodedError.of('CACHE_ATTRIBUTE', 'duplicated cache exports');
    known.add(key);
    const open = types.get(type);
    if (open !== undefined) exporters.push({ ...open(attrs, asker), target: targetOf(one) });
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
  return { exporters, inline, unmet };
}

/** Where a cache is to be written, for people. */
function targetOf({ type, attrs }: BridgeCacheImport): string {
  const path = [attrs['bucket'] ?? attrs['container'] ?? attrs['scope'], attrs['name']];
  const named = path.filter((part) => part !== undefined).join('/');
  return attrs['ref'] ?? attrs['dest'] ?? (named === '' ? type : `${type}://${named}`);
}

/** What each image of the build is to carry, by the keys of its own part. What cannot be made of it is left out where it may be. */
export function inlineRecordsOf(
  inline: InlineCache | undefined,
  built: readonly BuiltResult<ImmutableRef>[],
  scopes: readonly string[],
): InlineRecords | undefined {
  if (inline === undefined) return undefined;
  return async ({ ref, ...image }, compression, context) => {
    const keys = built.flatMap(({ result, keys: own }) => (result.value === ref ? own : []));
    try {
      return await inline.records({ roots: [...new Set(keys)], scopes }, image, compression, context);
    } catch (error) {
      if (context.signal.aborted || !inline.ignoreError || findLostResult(error) !== undefined) throw error;
      context.progress.warn({ level: 1, short: 'the image carries no cache', detail: [String(error)] });
      return undefined;
    }
  };
}
