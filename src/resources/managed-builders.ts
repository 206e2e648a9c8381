import { z } from 'zod';
import { exclude, type Rule, rule } from './rules.ts';
import { byteSize, defaultsTo, dnsName, duration, list, listMap, stringMap, text } from './strings.ts';

/** Most builders of a pool. */
export const MAX_BUILDERS = 128;

const count = (least: number, most: number, description: string) =>
  z.number().int().min(least).max(most).describe(description);

/** A part of a pod that the API server checks, not we: it is handed on as it is. */
const podPart = (description: string) =>
  z
    .unknown()
    .refine((value) => typeof value === 'object' && value !== null && !Array.isArray(value), {
      message: 'must be an object',
    })
    .transform((value) => value as Readonly<Record<string, unknown>>)
    .describe(description);

const ordered: Rule<{ readonly min?: number | undefined; readonly max?: number | undefined }> = {
  message: 'min must not be more than max',
  holds: ({ min, max }) => min === undefined || max === undefined || min <= max,
  cel: '!has(self.min) || !has(self.max) || self.min <= self.max',
};

const quantities = (description: string) => stringMap(description, { maxValue: 64, maxProperties: 16 });

const toleration = z
  .strictObject({
    key: text(317, 'Key of the taint.').optional(),
    operator: z.enum(['Exists', 'Equal']).describe('How its value is compared.').optional(),
    value: text(63, 'Its value.').optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).describe('Its effect.').optional(),
    tolerationSeconds: count(0, 2_147_483_647, 'For how long it is tolerated.').optional(),
  })
  .describe('A taint that the pods tolerate.');

const storage = rule(
  z.strictObject({
    emptyDir: z
      .strictObject({ sizeLimit: byteSize('Most that it may take of its node’s disk.').optional() })
      .describe('On the node, gone with the pod (the default).')
      .optional(),
    persistentVolumeClaim: z
      .strictObject({
        size: byteSize('Size of the volume.'),
        storageClassName: dnsName('Its class (default: the cluster’s).').optional(),
      })
      .describe('A volume for each ordinal, which the next pod of that ordinal finds again; they go with the pool.')
      .optional(),
  }),
  exclude('emptyDir', 'persistentVolumeClaim'),
).describe('Where a builder keeps its state, its cache among it.');

const space = (description: string) =>
  z
    .string()
    .max(32)
    .regex(/^[0-9]+(\.[0-9]+)?([KMGT]i?B?|%)?$/, 'must be a size such as 100GB, or a share such as 80%')
    .describe(description);

/** What the operator makes its own builder pods of. */
export const managedBuilders = z
  .strictObject({
    replicas: rule(
      z.strictObject({
        min: defaultsTo(count(0, MAX_BUILDERS, 'Builders that are there also without work.'), 1).optional(),
        max: count(1, MAX_BUILDERS, 'Most builders (default: as many as min, and at least 1).').optional(),
      }),
      ordered,
    )
      .describe('How many builders there are.')
      .optional(),
    warmSpares: defaultsTo(count(0, MAX_BUILDERS, 'Builders that are kept idle beside the busy ones.'), 0).optional(),
    scaleDownAfter: defaultsTo(duration('How long a builder that is not needed stays idle.'), '10m').optional(),
    maxUnavailable: defaultsTo(
      count(1, MAX_BUILDERS, 'Builders that are replaced at once when the pool’s spec changes.'),
      1,
    ).optional(),
    quarantineAfter: defaultsTo(
      duration('How long a builder does not answer, while others do, until another takes its place.'),
      '5m',
    ).optional(),
    image: text(512, 'Image of the builders (default: the operator’s `--builder-image`).').min(1).optional(),
    imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).describe('When it is pulled.').optional(),
    imagePullSecrets: list(dnsName('Name of a Secret of the builders’ namespace.'), 16, 'To pull it.').optional(),
    profile: defaultsTo(
      z
        .enum(['auto', 'privileged', 'userNamespace'])
        .describe(
          'What the builders may do on their nodes: `privileged`; `userNamespace`, where their root is none of the node’s (`hostUsers: false`, `procMount: Unmasked`); `auto`, the least that is known to work, which the status tells.',
        ),
      'auto',
    ).optional(),
    storage: storage.optional(),
    gc: z
      .strictObject({
        maxUsedSpace: space('What the state may grow to (default: what the volume’s size gives).').optional(),
        reservedSpace: space('What is kept whatever its age.').optional(),
        minFreeSpace: space('What is left free of the disk.').optional(),
      })
      .describe('When the builder collects garbage.')
      .optional(),
    config: text(65_536, 'Text of a `buildkitd.toml`.').optional(),
    bindAddress: defaultsTo(
      text(64, 'What builders listen on in their pods; `[::]` where there is IPv6 alone.').regex(
        /^([0-9.]+|\[[0-9a-fA-F:]+\])$/,
        'must be an IP address',
      ),
      '0.0.0.0',
    ).optional(),
    args: list(text(1024, 'A flag.'), 64, 'Further flags of `buildkitd`.').optional(),
    env: listMap(
      z
        .strictObject({
          name: text(253, 'Its name.').min(1),
          value: text(32_768, 'Its value.').optional(),
          valueFrom: podPart('Where its value comes from, as in a pod.').optional(),
        })
        .describe('A variable.'),
      ['name'],
      64,
      'Variables of the builders’ environment.',
    ).optional(),
    volumes: list(podPart('A volume as in a pod.'), 32, 'Further volumes.').optional(),
    volumeMounts: list(podPart('A mount as in a container.'), 32, 'Where they are mounted.').optional(),
    resources: z
      .strictObject({
        requests: quantities('What is set aside for a builder.').optional(),
        limits: quantities('What it may take.').optional(),
      })
      .describe('Requests and limits of a builder; the steps of builds run in them.')
      .optional(),
    capacity: count(1, 1000, 'Runs of one builder at once (default: what the builder says).').optional(),
    architectures: list(
      z.enum(['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64', 'loong64']).describe('As nodes name it.'),
      8,
      'Architectures of the builders’ nodes, over which they are spread in turn (default: whatever node there is).',
    ).optional(),
    nodeSelector: stringMap('Labels of nodes that they may run on.', { maxValue: 63 }).optional(),
    tolerations: list(toleration, 32, 'Taints that they tolerate.').optional(),
    affinity: podPart(
      'Affinity as in a pod (default: builders keep off one another’s nodes where they can).',
    ).optional(),
    topologySpreadConstraints: list(podPart('A constraint as in a pod.'), 16, 'How they are spread.').optional(),
    priorityClassName: dnsName('Priority class of the pods.').optional(),
    runtimeClassName: dnsName('Runtime class of the pods.').optional(),
    serviceAccountName: dnsName('Account of the pods; it is given no token (default: the namespace’s).').optional(),
    labels: stringMap('Labels of the pods.', { maxValue: 63 }).optional(),
    annotations: stringMap('Annotations of the pods.').optional(),
    terminationGracePeriod: defaultsTo(
      duration('What a builder that has to go gives its runs to end; then they are tried elsewhere.'),
      '10m',
    ).optional(),
  })
  .describe('Builders that the operator runs itself, as pods of its `--builders-namespace`.');
