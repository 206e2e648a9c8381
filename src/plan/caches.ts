import { cacheSecret } from '../base/index.ts';
import {
  type BuildSpec,
  CACHE_SECRETS,
  CACHE_STORES,
  type CacheSource,
  type CacheTarget,
  parseByteSize,
} from '../resources/index.ts';
import { cacheName } from './outputs.ts';
import type { PlannedCache, PlannedSecret, PlanOptions } from './solve-plan.ts';

/** The caches that a Build reads and writes, as builders know them. @throws CodedError invalid_argument */
export function planCaches(
  { cache }: BuildSpec,
  { defaultRegistry }: PlanOptions,
): { readonly imports: PlannedCache[]; readonly exports: PlannedCache[] } {
  return {
    imports: [
      ...(cache?.from ?? []).map((one, at) => placeOf(one, defaultRegistry, `spec.cache.from[${at}]`)),
      ...mountsOf(cache?.mounts, 'from', defaultRegistry),
    ],
    exports: [
      ...(cache?.to ?? []).map((one, at) => {
        const { type, attrs } = placeOf(one, defaultRegistry, `spec.cache.to[${at}]`);
        return { type, attrs: { ...attrs, ...writing(one) } };
      }),
      // The status is to say how it went.
      ...mountsOf(cache?.mounts, 'to', defaultRegistry).map(({ type, attrs }) => ({
        type,
        attrs: { ...attrs, wait: 'true', 'ignore-error': 'true' },
      })),
    ],
  };
}

function mountsOf(
  mounts: NonNullable<BuildSpec['cache']>['mounts'],
  way: 'from' | 'to',
  defaultRegistry: string | undefined,
): PlannedCache[] {
  const ref = mounts?.[way];
  if (mounts === undefined || ref === undefined) return [];
  const { insecure, ids, maxSize, maxAge } = mounts;
  const attrs = {
    ref: cacheName(ref, defaultRegistry, `spec.cache.mounts.${way}`),
    ...(insecure ? { 'registry.insecure': 'true' } : {}),
    ...(ids === undefined ? {} : { ids: ids.join(';') }),
    ...(maxSize === undefined ? {} : { 'max-size': String(parseByteSize(maxSize)) }),
    ...(maxAge === undefined ? {} : { 'max-age': maxAge }),
  };
  return [{ type: 'mounts', attrs }];
}

/** Values of Secrets that stores are opened with, each once. */
export function cacheSecrets({ cache }: BuildSpec): PlannedSecret[] {
  const found = new Map<string, PlannedSecret>();
  const all = { from: cache?.from ?? [], to: cache?.to ?? [] };
  for (const [list, caches] of Object.entries(all))
    for (const [at, one] of caches.entries())
      for (const store of CACHE_STORES) {
        const secretRef = one[store]?.secretRef;
        if (secretRef === undefined) continue;
        const field = `spec.cache.${list}[${at}].${store}.secretRef`;
        for (const { key, optional = false } of CACHE_SECRETS[store]) {
          const id = cacheSecret(secretRef.name, key);
          if (!found.has(id)) found.set(id, { id, secretRef: { ...secretRef, key }, field, optional });
        }
      }
  return [...found.values()];
}

function placeOf(one: CacheSource | CacheTarget, defaultRegistry: string | undefined, field: string): PlannedCache {
  if (one.ref !== undefined)
    return {
      type: 'registry',
      attrs: {
        ref: cacheName(one.ref, defaultRegistry, `${field}.ref`),
        ...(one.insecure ? { 'registry.insecure': 'true' } : {}),
      },
    };
  for (const type of CACHE_STORES) {
    const store = one[type];
    if (store === undefined) continue;
    const { secretRef, ...options } = store;
    const attrs: Record<string, string> = {};
    for (const [name, value] of Object.entries(options))
      if (value !== undefined) attrs[snakeCase(name)] = String(value);
    if (secretRef !== undefined)
      // What the spec says itself counts.
      for (const { key, attribute } of CACHE_SECRETS[type])
        if (attrs[attribute] === undefined) attrs[`secret.${attribute}`] = cacheSecret(secretRef.name, key);
    return { type, attrs };
  }
  return { type: 'inline', attrs: {} };
}

/** How a cache is written. It is never the reason for which a Build fails. */
function writing(one: CacheTarget): Record<string, string> {
  const failing = { 'ignore-error': 'true' };
  if (one.inline !== undefined) return failing;
  const { mode = 'min', keepLast, maxAge, maxSize, continuousInterval, continuousBandwidth } = one;
  const { compression, compressionLevel, forceCompression, imageManifest, ociMediaTypes } = one;
  const said = {
    'keep-last': keepLast,
    'max-age': maxAge,
    'max-size': maxSize === undefined ? undefined : parseByteSize(maxSize),
    'continuous-interval': continuousInterval,
    'continuous-bandwidth': continuousBandwidth === undefined ? undefined : parseByteSize(continuousBandwidth),
    ...{ compression, 'compression-level': compressionLevel, 'force-compression': forceCompression },
    ...{ 'image-manifest': imageManifest, 'oci-mediatypes': ociMediaTypes },
  };
  const given = Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  // It is written outside of the fence that tags of outputs are in: a run that is superseded and does not know it yet adds to what is there, and replaces nothing.
  return { mode, ...failing, merge: 'true', ...Object.fromEntries(given) };
}

/** `blobsPrefix` as `blobs_prefix`. */
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
