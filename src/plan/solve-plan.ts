import type { LlbSummary, PoolCache } from '../resources/index.ts';

/** What a builder is asked to do for a Build: one solve request without ids, sessions and secret values. Wire form of BuildKit's Control.Solve. */
export interface SolvePlan {
  readonly frontend: 'dockerfile.v0' | 'gateway.v0' | 'llb.v0';
  readonly frontendAttrs: Readonly<Record<string, string>>;
  /** Serialized Definitions by input name. */
  readonly frontendInputs: Readonly<Record<string, Uint8Array>>;
  /** What the graphs that the spec gives are made of, where they are known before a builder is asked. */
  readonly llb: LlbSummary | undefined;
  readonly exporters: readonly PlannedExporter[];
  readonly cacheImports: readonly PlannedCache[];
  readonly cacheExports: readonly PlannedCache[];
  readonly entitlements: readonly string[];
  /** What the connections of this build alone trust and go through. */
  readonly trust: PlannedTrust | undefined;
  /** Local sources that the session must serve: names as the frontend asks for them. */
  readonly uploads: readonly string[];
  /** Secrets that the session must serve by id, and where they come from. */
  readonly secrets: readonly PlannedSecret[];
  /** The same for caches: each is a key of a Secret. */
  readonly cacheSecrets: readonly PlannedSecret[];
  /** Credentials that git sources ask for, by host. */
  readonly gitAuth: readonly PlannedGitAuth[];
  /** Authorization headers that http sources ask for, by id: a Secret with user and password, or one with a token or the header. */
  readonly httpAuth: readonly PlannedSecret[];
  /** Private keys that the session must serve as ssh agents, by id. */
  readonly ssh: readonly PlannedSecret[];
  /** What outputs are signed with: a key, served as {@link SIGNING_KEY_SECRET}, or an OIDC token, as {@link SIGNING_TOKEN_SECRET}. */
  readonly signing: (Omit<PlannedSecret, 'id'> & { readonly by: 'key' | 'token' }) | undefined;
  readonly timeoutMs: number | undefined;
}

/** Each may be empty. */
export interface PlannedTrust {
  readonly caBundle: string;
  readonly proxy: string;
  readonly noProxy: string;
}

export interface PlannedExporter {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

export interface PlannedCache {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

export interface PlannedSecret {
  readonly id: string;
  readonly secretRef: SecretRef;
  /** Field of the Build that asks for it. */
  readonly field: string;
  /** It is served as an empty one where it is not there. */
  readonly optional?: boolean;
  /** The command's flag that names a file with it. */
  readonly flag?: 'cache-sign-key' | 'cache-verify-key';
  /** The command's environment variable that has it, where that is not called as the key is. */
  readonly env?: string;
}

interface SecretRef {
  readonly name: string;
  readonly key?: string | undefined;
}

export interface PlannedGitAuth {
  /** Of the secrets `<id>.token` and `<id>.header`; undefined for those that all repositories of the host are asked with. */
  readonly id: string | undefined;
  /** With port, as git sources ask. */
  readonly host: string;
  readonly secretRef: SecretRef;
  readonly field: string;
}

/** What the objects that a spec names hold, got by the operator: see {@link references}. */
export interface ClusterValues {
  /** Data of ConfigMaps, by name and key. */
  readonly configMaps: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  /** `known_hosts` of Secrets for git over ssh, by their name. */
  readonly knownHosts: ReadonlyMap<string, string>;
  /** What `spec.trust.caBundleFrom` names. */
  readonly caBundle: string | undefined;
  /** What sources of Flux have fetched, by {@link fluxKey}. */
  readonly fluxArtifacts: ReadonlyMap<string, FluxArtifact>;
}

/** A tar archive that Flux's source-controller serves. */
export interface FluxArtifact {
  readonly url: string;
  /** sha256. */
  readonly digest: string;
  readonly revision: string;
}

/** A source of Flux, in the namespace of the Build. */
export interface FluxObject {
  readonly kind: string;
  readonly name: string;
}

export const fluxKey = ({ kind, name }: FluxObject): string => `${kind}/${name}`;

/** A Build as the cache of a pool or cluster knows it. */
export interface CachedBuild {
  readonly namespace: string;
  readonly name: string;
  /** `spec.cache.scope`: keeps it apart from the rest of its namespace. */
  readonly scope: string | undefined;
}

/** What one run has of the cache of its pool or cluster. */
export interface SharedCache {
  readonly cache: PoolCache;
  readonly build: CachedBuild;
  /** Builds whose caches it reads beside its own, those of other scopes apart. */
  readonly others: readonly CachedBuild[];
}

/** Of a run that is solved in parts: one platform, or the index of the images that were pushed for each. */
export type PlannedPart =
  | { readonly kind: 'platform'; readonly platform: string }
  | { readonly kind: 'index'; readonly images: readonly { readonly platform: string; readonly digest: string }[] };

export interface PlanOptions {
  /** Undefined for all at once. */
  readonly part?: PlannedPart | undefined;
  /** Registry host for output names that have none, e.g. `slipway.localhost`; without it they are refused. */
  readonly defaultRegistry: string | undefined;
  /** Undefined where there is no cluster. */
  readonly values?: ClusterValues;
  /** That of the run's pool, or of the cluster. */
  readonly sharedCache?: SharedCache | undefined;
}
