import { createHash } from 'node:crypto';
import { type BuilderPool, parseByteSize, parseDuration } from '../../resources/index.ts';
import { shortName } from '../build/decide.ts';
import { type KubeObject, type OwnerReference, uncheckedType } from '../runtime/index.ts';
import type { Managed } from './decide.ts';

/** Where the pods are, and what they have of the operator. */
export interface PodSettings {
  readonly namespace: string;
  readonly image: string;
  /** Secret of that namespace with ca.crt, tls.crt and tls.key of builders. */
  readonly serverSecret: string;
  /** What the operator shows builders, and the name that it wants to see. */
  readonly clientSecret: { readonly name: string; readonly namespace: string };
  readonly serverName: string;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: { readonly reason?: string; readonly exitCode?: number; readonly message?: string };
}

export interface Pod extends KubeObject {
  readonly spec?: { readonly nodeName?: string } & object;
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly started?: boolean;
      readonly restartCount?: number;
      readonly state?: ContainerState;
      readonly lastState?: ContainerState;
    }[];
  };
}

const core = { group: '', version: 'v1' } as const;
export const podType = uncheckedType<Pod>({ ...core, plural: 'pods', kind: 'Pod', namespaced: true });
export const claimType = uncheckedType({
  ...core,
  plural: 'persistentvolumeclaims',
  kind: 'PersistentVolumeClaim',
  namespaced: true,
});

/** On the pods: of which pool, which of it, and what they were made of. */
export const POOL_LABEL = 'slipway.build/pool';
export const ORDINAL_LABEL = 'slipway.build/ordinal';
export const TEMPLATE_LABEL = 'slipway.build/template';
/** Set aside for looking at: when, in seconds since the epoch. */
export const QUARANTINED_LABEL = 'slipway.build/quarantined';
/** Why a pod is given no more runs; a person may write it too. */
export const CORDON_ANNOTATION = 'slipway.build/cordon';
const CONFIG_ANNOTATION = 'slipway.build/buildkitd.toml';

/** What who empties nodes looks at: not under a pod that has runs. */
export const guardAnnotations = (on: boolean): Readonly<Record<string, string | null>> => ({
  'karpenter.sh/do-not-disrupt': on ? 'true' : null,
  'cluster-autoscaler.kubernetes.io/safe-to-evict': on ? 'false' : 'true',
});

export const isGuarded = ({ metadata }: Pod): boolean =>
  metadata.annotations?.['cluster-autoscaler.kubernetes.io/safe-to-evict'] === 'false';

const PORT = 8443;
const TLS = '/etc/slipway/tls';
/** What of a limited volume builders use: what they clear is not free at once, and a pod that is over its limit is evicted. */
const USED_SHARE = 0.8;
/** What a builder has, beside what it gives its runs, to end itself. */
const END_SECONDS = 30;

/** `podIP:port`, as clients take it. */
export function addressOf({ status }: Pod): string | undefined {
  const ip = status?.podIP;
  if (ip === undefined || ip === '') return undefined;
  return ip.includes(':') ? `[${ip}]:${PORT}` : `${ip}:${PORT}`;
}

export const podName = (pool: string, ordinal: number): string => `${shortName(pool, 240)}-${ordinal}`;

/** For label selectors, whose values are short. */
export const poolLabel = (pool: string): string => shortName(pool, 63);

const ownerOf = (pool: BuilderPool): OwnerReference => ({
  apiVersion: pool.apiVersion,
  kind: pool.kind,
  name: pool.metadata.name,
  uid: pool.metadata.uid as string,
  // Whoever drains a node leaves pods alone that are nobody's.
  controller: true,
  blockOwnerDeletion: false,
});

export function architectureOf({ architectures = [] }: Managed, ordinal: number): string | undefined {
  return architectures[ordinal % Math.max(1, architectures.length)];
}

/** What a pod of this ordinal is made of, as a short word; the same for all that are made alike. */
export function templateHash(managed: Managed, ordinal: number, settings: PodSettings): string {
  const parts = podParts(managed, ordinal, { settings, claim: '' });
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** The pod of an ordinal. */
export function builderPod(pool: BuilderPool, managed: Managed, ordinal: number, settings: PodSettings): Pod {
  const name = podName(pool.metadata.name, ordinal);
  const { labels, annotations, spec } = podParts(managed, ordinal, { settings, claim: claimName(name) });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: settings.namespace,
      ownerReferences: [ownerOf(pool)],
      labels: {
        ...labels,
        [POOL_LABEL]: poolLabel(pool.metadata.name),
        [ORDINAL_LABEL]: String(ordinal),
        [TEMPLATE_LABEL]: templateHash(managed, ordinal, settings),
      },
      annotations: { ...annotations, 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' },
    },
    spec,
  };
}

const claimName = (pod: string): string => `state-${pod}`;

/** The volume of an ordinal; undefined where it has none of its own. It goes with the pool. */
export function builderClaim(
  pool: BuilderPool,
  { storage }: Managed,
  ordinal: number,
  { namespace }: PodSettings,
): (KubeObject & { readonly spec: object }) | undefined {
  const claim = storage?.persistentVolumeClaim;
  if (claim === undefined) return undefined;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(podName(pool.metadata.name, ordinal)),
      namespace,
      ownerReferences: [ownerOf(pool)],
      labels: { [POOL_LABEL]: poolLabel(pool.metadata.name), [ORDINAL_LABEL]: String(ordinal) },
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(claim.storageClassName === undefined ? {} : { storageClassName: claim.storageClassName }),
      resources: { requests: { storage: claim.size } },
    },
  };
}

/** The least that is known to work: builders in user namespaces of pods are not proven yet. */
export const profileOf = ({ profile = 'auto' }: Managed): 'privileged' | 'userNamespace' =>
  profile === 'userNamespace' ? 'userNamespace' : 'privileged';

interface PodParts {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: object;
}

/** All of a pod but what is of its ordinal alone. */
function podParts(
  managed: Managed,
  ordinal: number,
  { settings, claim }: { readonly settings: PodSettings; readonly claim: string },
): PodParts {
  const { config, storage } = managed;
  const architecture = architectureOf(managed, ordinal);
  const userNamespace = profileOf(managed) === 'userNamespace';
  const sizeLimit = storage?.emptyDir?.sizeLimit;
  const given = <T>(name: string, value: T | undefined) => (value === undefined ? {} : { [name]: value });
  const graceMs = parseDuration(managed.terminationGracePeriod ?? '10m');
  const spec = {
    restartPolicy: 'Always',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.ceil(graceMs / 1000) + END_SECONDS,
    ...(userNamespace ? { hostUsers: false } : {}),
    ...given('serviceAccountName', managed.serviceAccountName),
    ...given('priorityClassName', managed.priorityClassName),
    ...given('runtimeClassName', managed.runtimeClassName),
    ...given('topologySpreadConstraints', managed.topologySpreadConstraints),
    ...given('tolerations', managed.tolerations),
    ...given(
      'imagePullSecrets',
      managed.imagePullSecrets?.map((name) => ({ name })),
    ),
    nodeSelector: {
      'kubernetes.io/os': 'linux',
      ...(architecture === undefined ? {} : { 'kubernetes.io/arch': architecture }),
      ...managed.nodeSelector,
    },
    affinity: managed.affinity ?? KEEP_APART,
    containers: [
      {
        name: 'builder',
        image: managed.image ?? settings.image,
        ...given('imagePullPolicy', managed.imagePullPolicy),
        command: ['buildkitd'],
        args: builderArgs(managed, graceMs),
        ...given('env', managed.env),
        ports: [{ name: 'grpc', containerPort: PORT }],
        // A first start on a full volume sweeps what an earlier one left.
        startupProbe: { tcpSocket: { port: 'grpc' }, periodSeconds: 1, failureThreshold: 300 },
        readinessProbe: { tcpSocket: { port: 'grpc' }, periodSeconds: 10 },
        livenessProbe: {
          exec: { command: ['buildctl', 'debug', 'workers'] },
          periodSeconds: 60,
          timeoutSeconds: 30,
          failureThreshold: 5,
        },
        ...given('resources', managed.resources),
        securityContext: userNamespace ? IN_USER_NAMESPACE : { privileged: true, runAsUser: 0 },
        volumeMounts: [
          { name: 'state', mountPath: '/var/lib/buildkit' },
          { name: 'tls', mountPath: TLS, readOnly: true },
          ...(config === undefined ? [] : [{ name: 'config', mountPath: '/etc/buildkit', readOnly: true }]),
          ...(managed.volumeMounts ?? []),
        ],
      },
    ],
    volumes: [
      { name: 'tls', secret: { secretName: settings.serverSecret, defaultMode: 0o400 } },
      storage?.persistentVolumeClaim === undefined
        ? { name: 'state', emptyDir: given('sizeLimit', sizeLimit) }
        : { name: 'state', persistentVolumeClaim: { claimName: claim } },
      // From the pod itself: what it began with it keeps, and nothing else has to be there.
      ...(config === undefined
        ? []
        : [
            {
              name: 'config',
              downwardAPI: {
                items: [
                  { path: 'buildkitd.toml', fieldRef: { fieldPath: `metadata.annotations['${CONFIG_ANNOTATION}']` } },
                ],
              },
            },
          ]),
      ...(managed.volumes ?? []),
    ],
  };
  return {
    labels: { ...managed.labels, 'app.kubernetes.io/component': 'builder' },
    annotations: { ...managed.annotations, ...(config === undefined ? {} : { [CONFIG_ANNOTATION]: config }) },
    spec,
  };
}

const KEEP_APART = {
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchExpressions: [{ key: POOL_LABEL, operator: 'Exists' }] },
        },
      },
    ],
  },
};

/** Root of a namespace of its own, with what mounts and containers take there. */
const IN_USER_NAMESPACE = {
  runAsUser: 0,
  allowPrivilegeEscalation: true,
  procMount: 'Unmasked',
  capabilities: { add: ['ALL'] },
  seccompProfile: { type: 'Unconfined' },
  appArmorProfile: { type: 'Unconfined' },
};

function builderArgs({ bindAddress, capacity, gc = {}, storage, args = [] }: Managed, graceMs: number): string[] {
  const limit = storage?.emptyDir?.sizeLimit;
  const most = limit === undefined ? undefined : `${Math.floor((parseByteSize(limit) * USED_SHARE) / 1e6)}MB`;
  const flag = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [`--${name}=${value}`];
  return [
    // For its own probe, and clients by `kubectl exec`: `buildctl dial-stdio`.
    '--addr=unix:///run/buildkit/buildkitd.sock',
    `--addr=tcp://${bindAddress ?? '0.0.0.0'}:${PORT}`,
    `--tlscacert=${TLS}/ca.crt`,
    `--tlscert=${TLS}/tls.crt`,
    `--tlskey=${TLS}/tls.key`,
    '--log-format=json',
    `--drain-timeout=${Math.ceil(graceMs / 1000)}s`,
    ...flag('max-runs', capacity),
    ...flag('oci-worker-gc-max-used-space', gc.maxUsedSpace ?? most),
    ...flag('oci-worker-gc-reserved-space', gc.reservedSpace),
    ...flag('oci-worker-gc-min-free-space', gc.minFreeSpace),
    ...args,
  ];
}

/** What keeps a pod from working, as Kubernetes tells it. */
export function troubleOf({ status }: Pod): { readonly reason: string; readonly message: string } | undefined {
  const unscheduled = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  if (unscheduled !== undefined)
    return { reason: unscheduled.reason ?? 'Unschedulable', message: unscheduled.message ?? 'no node takes it' };
  for (const { state, lastState } of status?.containerStatuses ?? []) {
    const { waiting } = state ?? {};
    if (waiting?.reason === undefined || waiting.reason === 'ContainerCreating' || waiting.reason === 'PodInitializing')
      continue;
    const ended = lastState?.terminated;
    const last =
      ended === undefined ? '' : `; it ended last with ${ended.reason ?? 'an error'} (${ended.exitCode ?? '?'})`;
    return { reason: waiting.reason, message: `${waiting.message ?? waiting.reason}${last}` };
  }
  if (status?.phase === 'Failed')
    return { reason: status.reason ?? 'PodFailed', message: status.message ?? 'the pod has failed' };
  return undefined;
}
