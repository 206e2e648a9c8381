import { cacheSecret, invalidArgument } from '../base/index.ts';
import {
  type BuildSpec,
  CACHE_SECRETS,
  CACHE_STORES,
  type CacheMounts,
  type CacheSource,
  type CacheTarget,
  parseByteSize,
} from '../resources/index.ts';
import { cacheName } from './outputs.ts';
import { planSharedCache } from './shared-cache.ts';
import type { ClusterValues, PlannedCache, PlannedSecret, PlanOptions } from './solve-plan.ts';

/** The caches that a Build reads and writes, as builders know them. @throws CodedError invalid_argument */
export function planCaches(
  { cache }: BuildSpec,
  options: PlanOptions,
): { readonly imports: PlannedCache[]; readonly exports: PlannedCache[] } {
  const { defaultRegistry, values, sharedCache } = options;
  const shared =
    sharedCache === undefined
      ? undefined
      : planSharedCache(
          sharedCache,
          {
            noCache: cache?.noCache === true,
            mounts: sharedCache.cache.mounts === true && cache?.mounts === undefined,
          },
          defaultRegistry,
        );
  return {
    imports: [
      ...(cache?.from ?? []).map((one, at) => {
        const field = `spec.cache.from[${at}]`;
        const { type, attrs } = placeOf(one, defaultRegistry, field);
        return { type, attrs: { ...attrs, ...trusting(one, values, field) } };
      }),
      ...mountsOf(cache?.mounts, 'from', options),
      ...(shared?.imports ?? []),
    ],
    exports: [
      ...(cache?.to ?? []).map((one, at) => {
        const field = `spec.cache.to[${at}]`;
        const { type, attrs } = placeOf(one, defaultRegistry, field);
        return { type, attrs: { ...attrs, ...writing(one), ...signing(one), ...trusting(one, values, field) } };
      }),
      // The status is to say how it went.
      ...mountsOf(cache?.mounts, 'to', options).map(({ type, attrs }) => ({
        type,
        attrs: { ...attrs, wait: 'true', 'ignore-error': 'true' },
      })),
      ...(shared?.exports ?? []),
    ],
  };
}

function mountsOf(
  mounts: CacheMounts | undefined,
  way: 'from' | 'to',
  { defaultRegistry, values }: PlanOptions,
): PlannedCache[] {
  const ref = mounts?.[way];
  if (mounts === undefined || ref === undefined) return [];
  const { insecure, ids, maxSize, maxAge, timeout } = mounts;
  const attrs = {
    ref: cacheName(ref, defaultRegistry, `spec.cache.mounts.${way}`),
    ...(insecure ? { 'registry.insecure': 'true' } : {}),
    ...(ids === undefined ? {} : { ids: ids.join(';') }),
    ...(maxSize === undefined ? {} : { 'max-size': String(parseByteSize(maxSize)) }),
    ...(maxAge === undefined ? {} : { 'max-age': maxAge }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(way === 'to' ? signing(mounts) : {}),
    ...trusting(mounts, values, 'spec.cache.mounts'),
  };
  return [{ type: 'mounts', attrs }];
}

/** Everything in a cache that may be signed or verified, by its field. */
export function trustedCaches({ cache }: BuildSpec): readonly { readonly field: string; readonly one: Trusting }[] {
  const listed = (list: 'from' | 'to') =>
    (cache?.[list] ?? []).map((one: Trusting, at) => ({ field: `spec.cache.${list}[${at}]`, one }));
  const mounts = cache?.mounts === undefined ? [] : [{ field: 'spec.cache.mounts', one: cache.mounts }];
  return [...listed('from'), ...listed('to'), ...mounts];
}

type Trusting = Pick<CacheTarget, 'sign' | 'verify'>;

/** Values of Secrets that caches are opened, signed and verified with, each once. */
export function cacheSecrets(spec: BuildSpec): PlannedSecret[] {
  const { cache } = spec;
  const found = new Map<string, PlannedSecret>();
  const add = ({ name }: { readonly name: string }, key: string, rest: Omit<PlannedSecret, 'id' | 'secretRef'>) => {
    const id = cacheSecret(name, key);
    if (!found.has(id)) found.set(id, { id, secretRef: { name, key }, ...rest });
  };
  for (const { field: at, one } of trustedCaches(spec)) {
    const { sign, verify } = one;
    const field = `${at}.sign.secretRef`;
    if (sign?.secretRef !== undefined) {
      add(sign.secretRef, sign.secretRef.key ?? SIGNING_KEY, { field, flag: 'cache-sign-key' });
      add(sign.secretRef, SIGNING_PASSWORD, { field, env: 'COSIGN_PASSWORD', optional: true });
    }
    const token = sign?.keyless?.tokenSecretRef;
    if (token !== undefined)
      add(token, token.key ?? TOKEN, { field: `${at}.sign.keyless.tokenSecretRef`, env: 'SIGSTORE_ID_TOKEN' });
    const keys = verify?.secretRef;
    if (keys !== undefined)
      add(keys, keys.key ?? VERIFYING_KEY, { field: `${at}.verify.secretRef`, flag: 'cache-verify-key' });
    const root = verify?.identity?.trustedRootSecretRef;
    if (root !== undefined)
      add(root, root.key ?? TRUSTED_ROOT, { field: `${at}.verify.identity.trustedRootSecretRef` });
  }
  const all: Readonly<Record<string, readonly (CacheSource | CacheTarget)[]>> = {
    from: cache?.from ?? [],
    to: cache?.to ?? [],
  };
  for (const [list, caches] of Object.entries(all))
    for (const [at, one] of caches.entries()) {
      const field = `spec.cache.${list}[${at}]`;
      for (const store of CACHE_STORES) {
        const secretRef = one[store]?.secretRef;
        if (secretRef === undefined) continue;
        for (const { key, optional = false } of CACHE_SECRETS[store])
          add(secretRef, key, { field: `${field}.${store}.secretRef`, optional });
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

/** Keys of a Secret as cosign makes it. */
const SIGNING_KEY = 'cosign.key';
const SIGNING_PASSWORD = 'cosign.password';
const VERIFYING_KEY = 'cosign.pub';
/** Of Secrets for those who sign without one. */
const TOKEN = 'token';
const TRUSTED_ROOT = 'trusted_root.json';

/** The key goes where the builder asks for it, and into nothing else: attributes have ids of secrets. */
function signing({ sign }: Trusting): Record<string, string> {
  if (sign?.keyless !== undefined) {
    const { tokenSecretRef, fulcioUrl, rekorUrl } = sign.keyless;
    return {
      'sign-identity-token': cacheSecret(tokenSecretRef.name, tokenSecretRef.key ?? TOKEN),
      ...(fulcioUrl === undefined ? {} : { 'sign-fulcio-url': fulcioUrl }),
      ...(rekorUrl === undefined ? {} : { 'sign-rekor-url': rekorUrl }),
    };
  }
  if (sign?.secretRef === undefined) return {};
  const { name, key = SIGNING_KEY } = sign.secretRef;
  return { 'sign-key': cacheSecret(name, key), 'sign-password': cacheSecret(name, SIGNING_PASSWORD) };
}

function trusting({ verify }: Trusting, values: ClusterValues | undefined, field: string): Record<string, string> {
  if (verify === undefined) return {};
  const { publicKey, secretRef, configMapKeyRef, identity: by } = verify;
  if (by !== undefined) {
    const { name: root, key: at = TRUSTED_ROOT } = by.trustedRootSecretRef;
    const trusted = { 'verify-identity': by.identity, 'verify-issuer': by.issuer };
    return { ...trusted, 'verify-trusted-root': cacheSecret(root, at) };
  }
  if (publicKey !== undefined) return { 'verify-key': publicKey };
  if (secretRef !== undefined) return { 'verify-key': cacheSecret(secretRef.name, secretRef.key ?? VERIFYING_KEY) };
  if (configMapKeyRef === undefined) return {};
  if (values === undefined)
    throw invalidArgument(`${field}.verify comes from a ConfigMap, which only a cluster has`, {
      hint: 'give the key itself (publicKey), or a secretRef and --cache-verify-key cosign.pub',
    });
  const { name, key } = configMapKeyRef;
  const text = Buffer.from(values.configMaps.get(name)?.get(key) ?? []).toString('utf8');
  // Anything else would be taken for the name of a secret.
  if (!text.includes('-----BEGIN '))
    throw invalidArgument(`${field}.verify: key ${key} of the ConfigMap ${name} has no public key in PEM form`);
  return { 'verify-key': text };
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
