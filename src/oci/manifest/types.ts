import type { Descriptor, Digest } from '../../base/index.ts';

/** An image manifest (OCI image spec, manifest.md; Docker's schema 2 has the same shape). */
export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An image index (image-index.md) or Docker manifest list. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** One entry of an image's history (config.md); `created` is RFC 3339. */
export interface HistoryEntry {
  readonly created?: string | undefined;
  readonly created_by?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly empty_layer?: boolean | undefined;
}

/** What a container runs with; keys as in the JSON (config.md, with Docker's additions). */
interface RuntimeConfig {
  readonly User?: string | undefined;
  readonly ExposedPorts?: Readonly<Record<string, object>> | null | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly Volumes?: Readonly<Record<string, object>> | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly StopSignal?: string | undefined;
  readonly Shell?: readonly string[] | null | undefined;
  readonly OnBuild?: readonly string[] | null | undefined;
  readonly Healthcheck?: object | null | undefined;
  readonly ArgsEscaped?: boolean | null | undefined;
}

/** An image configuration (config.md). Keys that are not known here stay in the value. */
export interface ImageConfig {
  readonly created?: string | undefined;
  readonly author?: string | undefined;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string | undefined;
  readonly 'os.version'?: string | undefined;
  readonly 'os.features'?: readonly string[] | undefined;
  readonly config?: RuntimeConfig | undefined;
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly HistoryEntry[] | undefined;
}
