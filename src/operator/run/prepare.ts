import {
  type AbortOptions,
  CodedError,
  SIGNING_KEY_SECRET,
  SIGNING_PASSWORD_SECRET,
  SIGNING_TOKEN_SECRET,
  toCodedError,
} from '../../base/index.ts';
import {
  type DockerCredentialsOf,
  dockerConfigCredentials,
  parseSshKey,
  type SessionSources,
  type SshKey,
} from '../../builder-api/client/index.ts';
import { checkDockerfile, DockerfileError } from '../../dockerfile/index.ts';
import {
  type ClusterValues,
  type FluxArtifact,
  fluxKey,
  fluxReferences,
  type PlannedPart,
  planBuild,
  type Reference,
  references,
  type SharedCache,
  type SolvePlan,
  workDigest,
} from '../../plan/index.ts';
import type { BuilderPool, BuildRun, BuildSpec, Failure } from '../../resources/index.ts';
import { writeScope } from '../known.ts';
import { type ConfigMap, configMapType, type Secret, secretType, serviceAccountType } from '../resource-types.ts';
import type { KubeClient } from '../runtime/index.ts';
import { UPLOADER_ANNOTATION } from '../uploads.ts';
import { failureOf, snippetOf } from './failure.ts';
import { fluxArtifact } from './flux.ts';
import { MissingValue } from './missing.ts';
import { sharedCacheCredentials } from './shared-cache.ts';

export interface PrepareOptions {
  readonly client: KubeClient;
  /** Registry host for output names that have none. */
  readonly defaultRegistry: string | undefined;
  /** Namespace of the operator, where the Secret of a shared cache is. */
  readonly ownNamespace: string;
  /** Of a run that is solved in parts. */
  readonly part?: PlannedPart | undefined;
  /** The cache of the run's pool or of the cluster. */
  readonly sharedCache?: SharedCache | undefined;
  readonly pool?: Pick<BuilderPool, 'metadata' | 'spec'> | undefined;
}

/** What a run needs before it can be placed, as far as it is there. */
export type Prepared =
  | {
      readonly kind: 'ready';
      readonly plan: SolvePlan;
      readonly sources: SessionSources;
      /** What runs that do the same have in common. */
      readonly work?: string | undefined;
    }
  /** Something that the user may still make. */
  | { readonly kind: 'waiting'; readonly reason: string; readonly message: string }
  | { readonly kind: 'refused'; readonly failure: Failure };

const DOCKER_CONFIG = '.dockerconfigjson';

/**
 * Plans a run and gets what it refers to. Secrets are got by name, and live no longer than what is returned here. @throws CodedError when the API server does not answer
 */
export async function prepareRun(run: BuildRun, options: PrepareOptions & AbortOptions): Promise<Prepared> {
  const spec = run.spec.buildSpec;
  const refused = spec.dockerfile?.inline === undefined ? undefined : checkInline(spec.dockerfile.inline);
  if (refused !== undefined) return { kind: 'refused', failure: refused };
  const denied = deniedEntitlement(spec, options.pool);
  if (denied !== undefined) return { kind: 'refused', failure: denied };
  try {
    const found = new Objects(run, options);
    const named = references(spec);
    for (const reference of named) await found.load(reference);
    const fluxArtifacts = new Map<string, FluxArtifact>();
    for (const reference of fluxReferences(spec))
      fluxArtifacts.set(fluxKey(reference), await fluxArtifact(reference, run.metadata.namespace as string, options));
    const caBundle = caBundleOf(spec.trust?.caBundleFrom, found);
    const values = { ...clusterValues(named, found), caBundle, fluxArtifacts };
    const { defaultRegistry, sharedCache, part } = options;
    const plan = planBuild({ spec }, { defaultRegistry, values, sharedCache, part });
    if (plan.uploads.length > 0 && run.metadata.annotations?.[UPLOADER_ANNOTATION] === undefined)
      throw new MissingValue(
        'WaitingForUpload',
        `somebody has to upload its files: slipway build DIR --namespace ${run.metadata.namespace}`,
      );
    const ofRepository = await sharedCacheCredentials(options);
    const sources = await sessionSources(plan, named, found, run, options);
    return { kind: 'ready', plan, work: workDigest(plan, writeScope(run)), sources: { ...sources, ofRepository } };
  } catch (error) {
    if (error instanceof MissingValue) return { kind: 'waiting', reason: error.reason, message: error.message };
    const coded = toCodedError(error);
    if (coded.fault === 'infrastructure' || options.signal.aborted) throw error;
    return { kind: 'refused', failure: failureOf(coded) };
  }
}

/** What the pool does not let its Builds have. */
function deniedEntitlement({ entitlements = [] }: BuildSpec, pool: PrepareOptions['pool']): Failure | undefined {
  const allowed = pool?.spec.entitlements;
  const denied = allowed && entitlements.find((one) => !allowed.includes(one));
  if (denied === undefined) return undefined;
  return failureOf(
    CodedError.of(
      'ENTITLEMENT_NOT_ALLOWED',
      `spec.entitlements: the BuilderPool ${pool?.metadata.name} does not allow ${denied}`,
      { hint: 'name another pool in spec.poolRef, or have it allowed there' },
    ),
  );
}

/** What is wrong with an inline Dockerfile, told before a builder is asked. */
function checkInline(text: string): Failure | undefined {
  try {
    checkDockerfile(text);
    return undefined;
  } catch (error) {
    const failure = failureOf(toCodedError(error));
    const where = error instanceof DockerfileError ? error.locations[0] : undefined;
    if (where === undefined) return failure;
    const { startLine, endLine } = where;
    const snippet = snippetOf({ lines: text.split('\n'), startLine, endLine });
    return { ...failure, dockerfile: { path: 'Dockerfile', startLine, endLine, snippet } };
  }
}

/** The Secrets and ConfigMaps of a run's namespace that it names, each got once. */
class Objects {
  readonly #namespace: string;
  readonly #options: PrepareOptions & AbortOptions;
  readonly #values = new Map<string, ReadonlyMap<string, Uint8Array>>();

  constructor(run: BuildRun, options: PrepareOptions & AbortOptions) {
    this.#namespace = run.metadata.namespace as string;
    this.#options = options;
  }

  /** @throws MissingValue */
  async load({
    kind,
    name,
    key,
    field,
    use,
  }: Pick<Reference, 'kind' | 'name' | 'key' | 'field' | 'use'>): Promise<void> {
    const id = `${kind}/${name}`;
    if (!this.#values.has(id)) this.#values.set(id, await this.#get(kind, name, field));
    const keys = this.#values.get(id)!;
    if (key !== undefined && !keys.has(key))
      throw new MissingValue(`${kind}KeyNotFound`, `${field}: the ${kind} ${name} has no key ${key}`);
    if (key === undefined && (use === 'value' || use === 'ssh' || use === 'signing') && kind === 'Secret')
      this.only({ name, field, use });
  }

  async #get(kind: Reference['kind'], name: string, field: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { client, signal } = this.#options;
    try {
      const at = { namespace: this.#namespace, name };
      if (kind === 'Secret') {
        const { data } = await client.get<Secret>(secretType, at, { signal });
        return decoded(data);
      }
      const { data, binaryData } = await client.get<ConfigMap>(configMapType, at, { signal });
      const texts = Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const);
      return new Map([...texts, ...decoded(binaryData)]);
    } catch (error) {
      const { code } = toCodedError(error);
      if (code === 'not_found')
        throw new MissingValue(
          `${kind}NotFound`,
          `${field}: there is no ${kind} ${name} in namespace ${this.#namespace}`,
        );
      if (code === 'permission_denied')
        throw new MissingValue(`${kind}Forbidden`, `${field}: the operator may not read the ${kind} ${name}`);
      throw error;
    }
  }

  keys(kind: Reference['kind'], name: string): ReadonlyMap<string, Uint8Array> {
    return this.#values.get(`${kind}/${name}`) ?? new Map();
  }

  /** The key named, or the only one; of an ssh-auth Secret its private key, of cosign's its key. @throws MissingValue */
  only({
    name,
    key,
    field,
    use,
  }: {
    name: string;
    key?: string | undefined;
    field: string;
    use?: Reference['use'];
  }): Uint8Array {
    const keys = this.keys('Secret', name);
    if (key !== undefined) return keys.get(key) as Uint8Array;
    const usual = use === 'ssh' || use === 'git' ? 'ssh-privatekey' : use === 'signing' ? 'cosign.key' : undefined;
    const privateKey = usual === undefined ? undefined : keys.get(usual);
    if (privateKey !== undefined) return privateKey;
    if (keys.size !== 1)
      throw new MissingValue('SecretKeyNotFound', `${field}: the Secret ${name} has ${keys.size} keys: name one`);
    return [...keys.values()][0] as Uint8Array;
  }
}

const decoded = (data: Readonly<Record<string, string>> | undefined) =>
  new Map(Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const));

function caBundleOf(from: NonNullable<BuildSpec['trust']>['caBundleFrom'], found: Objects): string | undefined {
  const { configMapKeyRef: map, secretRef } = from ?? {};
  const field = 'spec.trust.caBundleFrom';
  const bytes =
    map !== undefined
      ? found.keys('ConfigMap', map.name).get(map.key)
      : secretRef && found.only({ ...secretRef, field });
  return bytes && Buffer.from(bytes).toString('utf8');
}

function clusterValues(named: readonly Reference[], found: Objects): Pick<ClusterValues, 'configMaps' | 'knownHosts'> {
  const configMaps = new Map<string, ReadonlyMap<string, Uint8Array>>();
  const knownHosts = new Map<string, string>();
  for (const { kind, name, use } of named) {
    if (kind === 'ConfigMap') configMaps.set(name, found.keys(kind, name));
    const hosts = use === 'git' ? found.keys(kind, name).get('known_hosts') : undefined;
    if (hosts !== undefined) knownHosts.set(name, Buffer.from(hosts).toString('utf8'));
  }
  return { configMaps, knownHosts };
}

async function sessionSources(
  plan: SolvePlan,
  named: readonly Reference[],
  found: Objects,
  run: BuildRun,
  options: PrepareOptions & AbortOptions,
): Promise<SessionSources> {
  const secrets = new Map<string, Uint8Array>();
  for (const { id, secretRef, field } of plan.secrets) secrets.set(id, found.only({ ...secretRef, field }));
  for (const { id, secretRef } of plan.cacheSecrets)
    secrets.set(id, found.keys('Secret', secretRef.name).get(secretRef.key ?? '') ?? new Uint8Array());
  for (const { id, host, secretRef, field } of plan.gitAuth) {
    const basic = basicAuth(found, secretRef);
    if (basic !== undefined) secrets.set(id === undefined ? `GIT_AUTH_HEADER.${host}` : `${id}.header`, basic);
    else secrets.set(id === undefined ? `GIT_AUTH_TOKEN.${host}` : `${id}.token`, found.only({ ...secretRef, field }));
  }
  for (const { id, secretRef, field } of plan.httpAuth)
    secrets.set(id, basicAuth(found, secretRef) ?? authorizationHeader(found.only({ ...secretRef, field })));
  if (plan.signing !== undefined) {
    const { by, secretRef, field } = plan.signing;
    if (by === 'token') secrets.set(SIGNING_TOKEN_SECRET, found.only({ ...secretRef, field, use: 'value' }));
    else {
      secrets.set(SIGNING_KEY_SECRET, found.only({ ...secretRef, field, use: 'signing' }));
      const password = found.keys('Secret', secretRef.name).get('cosign.password');
      if (password !== undefined) secrets.set(SIGNING_PASSWORD_SECRET, password);
    }
  }
  const sshKeys = new Map<string, readonly SshKey[]>();
  for (const { id, secretRef, field } of plan.ssh) {
    const text = Buffer.from(found.only({ ...secretRef, field, use: 'ssh' })).toString('utf8');
    sshKeys.set(id, [await parseSshKey(text).catch((error: unknown) => refuse(error, field, secretRef.name))]);
  }
  const configs: DockerCredentialsOf[] = [];
  const addConfig = (name: string, key: string, field: string) => {
    const text = found.keys('Secret', name).get(key);
    if (text === undefined)
      throw new MissingValue('SecretKeyNotFound', `${field}: the Secret ${name} has no key ${key}`);
    try {
      configs.push(dockerConfigCredentials(Buffer.from(text).toString('utf8')));
    } catch (error) {
      refuse(error, field, name);
    }
  };
  for (const { use, name, key, field } of named) if (use === 'registry') addConfig(name, key ?? DOCKER_CONFIG, field);
  for (const name of await pullSecrets(run, found, options)) addConfig(name, DOCKER_CONFIG, 'spec.serviceAccountName');
  return { secrets, sshKeys, credentials: configs.length === 0 ? undefined : firstOf(configs) };
}

/** The header of a Secret with user name and password, if it is one and none of its keys is named. */
function basicAuth(found: Objects, { name, key }: Reference | { name: string; key?: string | undefined }) {
  const keys = found.keys('Secret', name);
  const [username, password] = ['username', 'password'].map((one) => keys.get(one));
  if (key !== undefined || password === undefined) return undefined;
  const pair = `${Buffer.from(username ?? '').toString()}:${Buffer.from(password).toString()}`;
  return Buffer.from(`Basic ${Buffer.from(pair).toString('base64')}`);
}

/** A token, or the scheme and what follows it. */
function authorizationHeader(secret: Uint8Array): Uint8Array {
  const text = Buffer.from(secret).toString('utf8').trim();
  return Buffer.from(/\s/.test(text) ? text : `Bearer ${text}`);
}

/** Names of the ServiceAccount's pull secrets that are there; as with pods, one that is not is no fault. */
async function pullSecrets(run: BuildRun, found: Objects, options: PrepareOptions & AbortOptions): Promise<string[]> {
  const account = run.spec.buildSpec.serviceAccountName;
  if (account === undefined) return [];
  const field = 'spec.serviceAccountName';
  const at = { namespace: run.metadata.namespace, name: account };
  const { imagePullSecrets = [] } = await options.client
    .get(serviceAccountType, at, options)
    .catch((error: unknown) => {
      if (toCodedError(error).code !== 'not_found') throw error;
      throw new MissingValue(
        'ServiceAccountNotFound',
        `${field}: there is no ServiceAccount ${account} in namespace ${at.namespace}`,
      );
    });
  const there: string[] = [];
  for (const { name } of imagePullSecrets) {
    if (name === undefined) continue;
    try {
      await found.load({ kind: 'Secret', name, key: DOCKER_CONFIG, field, use: 'registry' });
      there.push(name);
    } catch (error) {
      if (!(error instanceof MissingValue)) throw error;
    }
  }
  return there;
}

/** The first that knows the host. */
function firstOf(configs: readonly DockerCredentialsOf[]): DockerCredentialsOf {
  return async (host, options) => {
    for (const config of configs) {
      const found = await config(host, options);
      if (found.kind !== 'anonymous') return found;
    }
    return { kind: 'anonymous' };
  };
}

function refuse(error: unknown, field: string, secret: string): never {
  const { message, hint } = toCodedError(error);
  throw new MissingValue(
    'SecretUnusable',
    `${field}: the Secret ${secret}: ${message}${hint === undefined ? '' : ` (${hint})`}`,
  );
}
