export interface S3Config {
  readonly type: 's3';
  readonly bucket: string;
  readonly region: string;
  /** What keys of indexes begin with. */
  readonly manifests: string;
  /** What keys of blobs begin with. */
  readonly blobs: string;
  readonly names: readonly string[];
  /** Objects that are older are renewed when a cache needs them, in ms. */
  readonly touchRefreshMs: number;
  readonly endpoint?: string | undefined;
  readonly pathStyle: boolean;
  /** Those of the builder where absent, where they may be used: see {@link AsBuilder}. */
  readonly credentials?:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined }
    | undefined;
  readonly retryMode?: 'standard' | 'adaptive' | undefined;
  readonly retryAttempts?: number | undefined;
}

export interface GhaConfig {
  readonly type: 'gha';
  readonly api: 1 | 2;
  readonly url: string;
  readonly token: string;
  /** Of the cache, as the user names it. */
  readonly scope: string;
  /** Branches and the like that the token may read, in its order. */
  readonly readable: readonly string[];
  /** The one that it may write; empty for none. */
  readonly writable: string;
  /** For one request with what is tried again of it, in ms. */
  readonly timeoutMs: number;
}

export interface AzureConfig {
  readonly type: 'azblob';
  /** With a shared access signature in its query where it has one: that is a secret. */
  readonly accountUrl: string;
  readonly accountName: string;
  readonly container: string;
  /** Keys of indexes, by the cache's names. */
  readonly indexes: readonly string[];
  /** What keys of blobs lie below. */
  readonly blobs: string;
  /** Base64. Without one, and without a signature, the builder's own identity counts, where it may: see {@link AsBuilder}. */
  readonly accountKey?: string | undefined;
}

/** What a store is and how it is reached, with its credentials. */
export type ObjectConfig = S3Config | GhaConfig | AzureConfig;

/** What the builder would be known to as itself, since no credentials are given. */
export interface AsBuilder {
  /** `s3://BUCKET` of Amazon, `https://HOST/BUCKET` of another store of its kind, or `https://HOST` of Azure. */
  readonly to: string;
  /** Clients that the builder serves by itself may have it so. */
  readonly direct: boolean;
}

/** What attributes say of a store. */
export interface ObjectStoreOptions {
  readonly config: ObjectConfig;
  /** For people; no secrets. */
  readonly name: string;
  /** Whose connections are bounded, those of all builds together. */
  readonly host: string;
  /** Blobs that one build writes at once. */
  readonly parallel: number;
  readonly asBuilder?: AsBuilder | undefined;
}
