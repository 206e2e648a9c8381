import {
  type Build,
  type BuilderPool,
  type BuildRun,
  build,
  builderPool,
  buildRun,
  GROUP,
  parseStored,
  VERSION,
} from '../resources/index.ts';
import { type KubeObject, type ResourceType, uncheckedType } from './runtime/index.ts';

const own = { group: GROUP, version: VERSION } as const;

export const buildType: ResourceType<Build> = {
  ...own,
  plural: 'builds',
  kind: 'Build',
  namespaced: true,
  parse: (value) => parseStored(build, value),
};
export const buildRunType: ResourceType<BuildRun> = {
  ...own,
  plural: 'buildruns',
  kind: 'BuildRun',
  namespaced: true,
  parse: (value) => parseStored(buildRun, value),
};
export const builderPoolType: ResourceType<BuilderPool> = {
  ...own,
  plural: 'builderpools',
  kind: 'BuilderPool',
  namespaced: false,
  parse: (value) => parseStored(builderPool, value),
};

export interface Secret extends KubeObject {
  /** Base64 by key. */
  readonly data?: Readonly<Record<string, string>>;
}
export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}
interface ServiceAccount extends KubeObject {
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
}

const core = { group: '', version: 'v1', namespaced: true } as const;
export const secretType = uncheckedType<Secret>({ ...core, plural: 'secrets', kind: 'Secret' });
export const configMapType = uncheckedType<ConfigMap>({ ...core, plural: 'configmaps', kind: 'ConfigMap' });
export const serviceAccountType = uncheckedType<ServiceAccount>({
  ...core,
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
});

/** What Flux's source-controller says of its sources: unchecked, another's. */
export interface FluxSource extends KubeObject {
  readonly spec?: { readonly suspend?: boolean };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type?: string; readonly status?: string; readonly message?: string }[];
    readonly artifact?: {
      readonly url?: unknown;
      readonly digest?: unknown;
      readonly revision?: unknown;
      readonly lastUpdateTime?: unknown;
    };
  };
}

const FLUX_PLURALS: Readonly<Record<string, string>> = {
  GitRepository: 'gitrepositories',
  OCIRepository: 'ocirepositories',
  Bucket: 'buckets',
};

/** In the versions that Flux 2 has had, the newest first. */
export const fluxSourceTypes = (kind: string): readonly ResourceType<FluxSource>[] =>
  ['v1', 'v1beta2'].map((version) =>
    uncheckedType<FluxSource>({
      ...{ group: 'source.toolkit.fluxcd.io', version, namespaced: true, kind },
      plural: FLUX_PLURALS[kind] ?? '',
    }),
  );

/** Who writes, in managedFields. */
export const FIELD_MANAGER = 'slipway-operator';
