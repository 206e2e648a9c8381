import { z } from 'zod';
import { namedContext, source } from './source.ts';
import { API_VERSION, dnsName, duration, secretKeyRef, text } from './strings.ts';

const list = <T extends z.ZodType>(item: T, max: number, description: string) =>
  z.array(item).max(max).describe(description);
const stringMap = (description: string) => z.record(z.string().max(317), z.string().max(4096)).describe(description);

const dockerfile = z
  .strictObject({
    path: text(1024, 'Path of the Dockerfile in the source (default Dockerfile).').optional(),
    inline: text(131_072, 'The Dockerfile itself; excludes path.').optional(),
    target: text(128, 'Stage to build (default: the last).').optional(),
    frontend: text(512, 'Frontend image, pinned by version or digest; default the built-in dockerfile.v0.').optional(),
  })
  .refine((value) => value.path === undefined || value.inline === undefined, {
    message: 'path and inline exclude each other',
  })
  .describe('Build from a Dockerfile.');

const llb = z
  .strictObject({
    graph: z.unknown().describe('The graph in readable form.').optional(),
    definition: text(1_048_576, 'A serialized LLB Definition, base64.').optional(),
    ref: text(512, 'An OCI artifact that holds a Definition.').optional(),
  })
  .refine((value) => [value.graph, value.definition, value.ref].filter((one) => one !== undefined).length === 1, {
    message: 'exactly one of graph, definition, ref must be set',
  })
  .describe('Build from an LLB graph.');

const arg = z
  .strictObject({
    name: text(128, 'Name of the ARG.').regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a variable name'),
    value: text(32_768, 'Its value.').optional(),
    valueFrom: z
      .strictObject({
        configMapKeyRef: z.strictObject({ name: dnsName('Name of the ConfigMap.'), key: text(253, 'Key.') }),
      })
      .describe('Value from elsewhere.')
      .optional(),
  })
  .refine((value) => value.value === undefined || value.valueFrom === undefined, {
    message: 'value and valueFrom exclude each other',
  });

const idAndSecret = (description: string) =>
  z.strictObject({ id: text(128, 'Id that RUN --mount names.').min(1), secretRef: secretKeyRef }).describe(description);

const output = z
  .strictObject({
    image: text(512, 'Repository to push to; a name without a registry host goes to the default registry.').min(1),
    tags: list(
      text(128, 'A tag.').regex(/^\w[\w.-]{0,127}$/),
      32,
      'Tags to write (default: the tag in image, else latest).',
    ).optional(),
    compression: z.enum(['gzip', 'zstd', 'uncompressed']).describe('Layer compression (default gzip).').optional(),
    annotations: stringMap('Annotations of the image manifest.').optional(),
    insecure: z.boolean().describe('Push without verified TLS.').optional(),
  })
  .describe('An image to push.');

const cache = z
  .strictObject({
    from: list(z.strictObject({ ref: text(512, 'Registry reference.').min(1) }), 16, 'Caches to read.').optional(),
    to: list(
      z.strictObject({
        ref: text(512, 'Registry reference.').min(1),
        mode: z.enum(['min', 'max']).describe('What is exported (default min).').optional(),
      }),
      8,
      'Caches to write.',
    ).optional(),
    scope: text(128, 'Tenant scope of the cache.').optional(),
    noCache: z.boolean().describe('Run every step again.').optional(),
  })
  .describe('Cache use.');

export const buildSpec = z
  .strictObject({
    source: source.optional(),
    contexts: list(namedContext, 32, 'Further contexts by name.').optional(),
    dockerfile: dockerfile.optional(),
    llb: llb.optional(),
    args: list(arg, 128, 'Build arguments.').optional(),
    platforms: list(
      text(64, 'os/arch[/variant].'),
      16,
      'Platforms to build for (default: the builder’s own).',
    ).optional(),
    secrets: list(idAndSecret('A build secret.'), 64, 'Secrets for RUN --mount=type=secret.').optional(),
    ssh: list(idAndSecret('An SSH key.'), 16, 'Keys for RUN --mount=type=ssh.').optional(),
    outputs: list(output, 16, 'Images to push.').optional(),
    attestations: z
      .strictObject({ provenance: z.string().max(128).optional(), sbom: z.boolean().optional() })
      .describe('Attestations to attach.')
      .optional(),
    sign: z.strictObject({ secretRef: secretKeyRef }).describe('Sign the image.').optional(),
    sourceDateEpoch: z
      .number()
      .int()
      .min(0)
      .max(253_402_300_799)
      .describe('Seconds since the epoch that all times are set to.')
      .optional(),
    cache: cache.optional(),
    registryAuth: list(
      z.strictObject({ secretRef: secretKeyRef }),
      16,
      'Registry credentials (docker config JSON Secrets).',
    ).optional(),
    serviceAccountName: dnsName('ServiceAccount whose image pull secrets are used.').optional(),
    trust: z
      .strictObject({ caBundle: z.string().max(262_144).optional(), proxy: z.string().max(2048).optional() })
      .describe('Extra trust for fetching.')
      .optional(),
    network: z.enum(['default', 'none', 'host']).describe('Network of RUN steps.').optional(),
    entitlements: list(
      z.enum(['network.host', 'security.insecure', 'device']),
      3,
      'Entitlements asked for.',
    ).optional(),
    poolRef: z
      .strictObject({ name: dnsName('Name of the BuilderPool.') })
      .describe('Where to build.')
      .optional(),
    resources: z
      .strictObject({ requests: stringMap('Requests.').optional(), limits: stringMap('Limits.').optional() })
      .describe('Resources of the build.')
      .optional(),
    priority: z.number().int().min(-1000).max(1000).describe('Higher goes first in the queue.').optional(),
    timeout: duration('Longest run.').optional(),
    queueTimeout: duration('Longest wait in the queue.').optional(),
    retry: z
      .strictObject({ limit: z.number().int().min(0).max(10) })
      .describe('Retries after platform errors.')
      .optional(),
    suspend: z.boolean().describe('Start no new run.').optional(),
    triggers: z
      .strictObject({
        schedule: z.string().max(128).optional(),
        git: z.boolean().optional(),
        baseImage: z.boolean().optional(),
      })
      .describe('What starts a run besides a change.')
      .optional(),
    historyLimit: z.number().int().min(0).max(100).describe('BuildRuns kept.').optional(),
  })
  .refine((spec) => spec.dockerfile === undefined || spec.llb === undefined, {
    message: 'dockerfile and llb exclude each other',
    path: ['llb'],
  })
  .refine((spec) => spec.source !== undefined || spec.llb !== undefined || spec.dockerfile?.inline !== undefined, {
    message: 'a source is needed, unless the Dockerfile is inline or llb is given',
    path: ['source'],
  });

/** The declaration: "this image is to exist, built from this" (design 4). Status is the operator's and ignored here. */
export const build = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Build'),
  metadata: z.looseObject({
    name: dnsName('Name.'),
    namespace: dnsName('Namespace.').optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: buildSpec,
  status: z.unknown().optional(),
});

export type BuildSpec = z.infer<typeof buildSpec>;
export type Build = z.infer<typeof build>;
