import { z } from 'zod';
import { cpus } from './cpus.ts';
import { MAX_BUILDERS, managedBuilders } from './managed-builders.ts';
import { poolCache } from './pool-cache.ts';
import { resource } from './resource.ts';
import { rule } from './rules.ts';
import { conditions, count } from './status.ts';
import { byteSize, defaultsTo, dnsName, duration, list, listMap, text, time } from './strings.ts';

/** The pool of Builds that name none. */
export const DEFAULT_POOL = 'default';

const endpoint = z
  .strictObject({
    address: text(512, 'host:port of the builder.').regex(/^(tcp:\/\/)?[^/\s]+:[0-9]{1,5}$/, 'must be host:port'),
    tlsSecretRef: z
      .strictObject({ name: dnsName('Name of the Secret.'), namespace: dnsName('Its namespace.') })
      .describe('Mutual TLS: a Secret with ca.crt, tls.crt and tls.key.')
      .optional(),
    serverName: text(253, 'Name that the builder’s certificate must have (default: the host).').optional(),
    capacity: z.number().int().min(1).max(1000).describe('Runs at once (default: what the builder says).').optional(),
  })
  .describe('A builder that runs elsewhere.');
export type Endpoint = z.infer<typeof endpoint>;

const bound = (most: number, description: string) => z.number().int().min(1).max(most).describe(description);

const limits = z
  .strictObject({
    stepProcesses: bound(4_194_304, 'Processes and threads of one step at once.').optional(),
    stepMemory: byteSize('Memory of one step, such as 512Mi or 2Gi.').optional(),
    stepCpu: cpus('Cores of one step, such as 500m or 2.').optional(),
    unpackedLayerBytes: byteSize('What one layer, or one archive that ADD unpacks, may grow to.').optional(),
    unpackedLayerEntries: bound(1_000_000_000, 'How many files and folders one may have.').optional(),
    contextBytes: byteSize('What the files of one directory that a client sends may come to.').optional(),
  })
  .describe('Bounds of what a Build does, where they are stricter than the builder’s own; one that is hit is named.');

export const builderPoolSpec = rule(
  z.strictObject({
    managed: managedBuilders.optional(),
    endpoints: listMap(
      endpoint,
      ['address'],
      64,
      'Builders that are run elsewhere, e.g. `slipway builderd` on machines.',
    ).optional(),
    allowedNamespaces: list(
      dnsName('Name of a namespace.'),
      256,
      'Namespaces whose Builds may use the pool (default: all).',
    ).optional(),
    runsPerNamespace: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .describe('Runs of one namespace at once (default: as many as there is room for).')
      .optional(),
    namespaceWeights: listMap(
      z
        .strictObject({
          namespace: dnsName('Name of a namespace.'),
          weight: z.number().int().min(1).max(1000).describe('Its share, beside the 1 of the others.'),
        })
        .describe('The share of a namespace.'),
      ['namespace'],
      256,
      'Shares of namespaces that wait for places at the same time (default: 1 each).',
    ).optional(),
    defaultTimeout: defaultsTo(duration('Timeout of Builds that name none.'), '1h').optional(),
    maxTimeout: defaultsTo(duration('Longest timeout of a Build; a longer one is cut to it.'), '24h').optional(),
    entitlements: list(
      z.enum(['network.host', 'security.insecure', 'device']),
      3,
      'Entitlements that Builds may ask for (default: those that its builders grant). What is not among them is refused before a builder is asked; its builders must grant what is.',
    ).optional(),
    limits: limits.optional(),
    cache: poolCache.optional(),
  }),
  {
    message: 'managed or endpoints must be set',
    holds: ({ managed, endpoints }) => managed !== undefined || endpoints !== undefined,
    cel: 'has(self.managed) || has(self.endpoints)',
  },
).describe('Which builders belong to it.');

const size = (description: string) => z.number().int().min(0).describe(description);

const managedBuilder = z
  .strictObject({
    pod: text(253, 'Name of the pod.'),
    phase: z
      .enum(['Starting', 'Ready', 'NotReady', 'Cordoned', 'Ending', 'Quarantined'])
      .describe('Cordoned ones end their runs and take no more; quarantined ones are kept to be looked at.'),
    node: text(253, 'Its node.').optional(),
    address: text(512, 'host:port of the builder.').optional(),
    architecture: text(64, 'Of its node, where the pool asks for one.').optional(),
    running: count('Runs that are on it.').optional(),
    capacity: count('Runs at once.').optional(),
    version: text(128, 'Version of the builder.').optional(),
    platforms: list(text(64, 'os/arch[/variant].'), 16, 'Platforms that it builds for.').optional(),
    diskTotalBytes: size('Size of the file system of its state.').optional(),
    diskFreeBytes: size('What is free of it.').optional(),
    inodesTotal: size('Inodes of it.').optional(),
    inodesFree: size('Those that are free.').optional(),
    since: time('When it came to its phase.').optional(),
    reason: text(128, 'Why it is in its phase: stable CamelCase word for machines.').optional(),
    message: text(1024, 'What a person should know.').optional(),
  })
  .describe('A pod.');

const builderPoolStatus = z
  .strictObject({
    observedGeneration: z.number().int().min(0).describe('Generation that the status speaks of.').optional(),
    conditions: conditions.describe('Ready, Progressing and Degraded.').optional(),
    ready: count('Builders that answer.').optional(),
    replicas: count('Pods that the operator runs for it.').optional(),
    wanted: count('Pods that it has use for now.').optional(),
    running: count('Runs that are on its builders.').optional(),
    queued: count('Runs that wait for a place.').optional(),
    profile: z.enum(['privileged', 'userNamespace']).describe('What its pods may do on their nodes.').optional(),
    builders: listMap(managedBuilder, ['pod'], 2 * MAX_BUILDERS, 'The pods one by one.').optional(),
    endpoints: listMap(
      z
        .strictObject({
          address: text(512, 'host:port of the builder.'),
          ready: z.boolean().describe('Whether it answers.'),
          capacity: count('Runs at once.').optional(),
          version: text(128, 'Version of the builder.').optional(),
          platforms: list(text(64, 'os/arch[/variant].'), 16, 'Platforms that it builds for.').optional(),
          message: text(1024, 'Why it does not answer.').optional(),
        })
        .describe('A builder.'),
      ['address'],
      64,
      'The builders one by one.',
    ).optional(),
  })
  .describe('How its builders are.');

/** Builders that runs are placed on. */
export const builderPool = resource('BuilderPool', builderPoolSpec, builderPoolStatus).describe(
  'Builders that runs are placed on. The pool named default serves Builds that name none.',
);

/** The builders of a pool that are run elsewhere. */
export const endpointsOf = ({ spec }: BuilderPool): readonly Endpoint[] => spec.endpoints ?? [];

export type BuilderPoolStatus = z.infer<typeof builderPoolStatus>;

export type BuilderPool = z.infer<typeof builderPool>;
