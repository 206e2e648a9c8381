import type { BuildSpec, NamedContext, Source } from '../resources/index.ts';
import { cacheSecrets, trustedCaches } from './caches.ts';
import type { FluxObject } from './solve-plan.ts';

/** Something of the Build's namespace that a spec names, and where it does. */
export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  /** A key that must be there; when left out, see `use`. */
  readonly key?: string | undefined;
  /** Field of the Build, e.g. `spec.secrets[token]`. */
  readonly field: string;
  /** `value`: the key, or the only one. `git`, `http`: credentials by the Secret's type. `ssh`: a private key. `registry`: a docker config. `files`: all keys. `signing`: a private key and its password as cosign keeps them. */
  readonly use: 'value' | 'git' | 'http' | 'ssh' | 'registry' | 'files' | 'signing';
}

/** All Secrets and ConfigMaps that a spec names itself, in its order. */
export function references(spec: BuildSpec): readonly Reference[] {
  const found: Reference[] = [];
  const add = (use: Reference['use'], field: string, { name, key }: { name: string; key?: string | undefined }) =>
    found.push({ kind: 'Secret', name, ...(key === undefined ? {} : { key }), field, use });
  const addSource = (source: Source | NamedContext, field: string) => {
    if (source.configMap !== undefined)
      found.push({ kind: 'ConfigMap', name: source.configMap.name, field: `${field}.configMap`, use: 'files' });
    if (source.git?.secretRef !== undefined) add('git', `${field}.git.secretRef`, source.git.secretRef);
    if (source.http?.secretRef !== undefined) add('http', `${field}.http.secretRef`, source.http.secretRef);
  };
  for (const { source, field } of sourcesOf(spec)) addSource(source, field);
  for (const { name, valueFrom } of spec.args ?? [])
    if (valueFrom !== undefined)
      found.push({ kind: 'ConfigMap', ...valueFrom.configMapKeyRef, field: `spec.args[${name}]`, use: 'value' });
  const { configMapKeyRef: caMap, secretRef: caSecret } = spec.trust?.caBundleFrom ?? {};
  const caField = 'spec.trust.caBundleFrom';
  if (caMap !== undefined) found.push({ kind: 'ConfigMap', ...caMap, field: caField, use: 'value' });
  if (caSecret !== undefined) add('value', caField, caSecret);
  for (const { id, secretRef } of spec.secrets ?? []) add('value', `spec.secrets[${id}]`, secretRef);
  for (const { id, secretRef } of spec.ssh ?? []) add('ssh', `spec.ssh[${id}]`, secretRef);
  const { secretRef: signingKey, keyless } = spec.sign ?? {};
  if (signingKey !== undefined) add('signing', 'spec.sign.secretRef', signingKey);
  if (keyless !== undefined) add('value', 'spec.sign.keyless.tokenSecretRef', keyless.tokenSecretRef);
  for (const { field, one } of trustedCaches(spec))
    if (one.verify?.configMapKeyRef !== undefined)
      found.push({
        ...{ kind: 'ConfigMap', ...one.verify.configMapKeyRef, use: 'value' },
        field: `${field}.verify.configMapKeyRef`,
      });
  for (const { field, secretRef, optional } of cacheSecrets(spec)) if (!optional) add('value', field, secretRef);
  for (const [at, { secretRef }] of (spec.registryAuth ?? []).entries())
    add('registry', `spec.registryAuth[${at}]`, secretRef);
  return found;
}

/** A source of Flux that a spec names, and where it does. */
export interface FluxReference extends FluxObject {
  readonly field: string;
}

export function fluxReferences(spec: Pick<BuildSpec, 'source' | 'contexts'>): readonly FluxReference[] {
  return sourcesOf(spec).flatMap(({ source: { flux }, field }) =>
    flux === undefined ? [] : [{ kind: flux.kind, name: flux.name, field: `${field}.flux` }],
  );
}

function sourcesOf({ source, contexts = [] }: Pick<BuildSpec, 'source' | 'contexts'>) {
  return [
    ...(source === undefined ? [] : [{ source, field: 'spec.source' }]),
    ...contexts.map((one) => ({ source: one, field: `spec.contexts[${one.name}]` })),
  ];
}
