import { z } from 'zod';
import { cache } from './cache-spec.ts';
import { cpus } from './cpus.ts';
import { parseSchedule } from './cron.ts';
import { MAX_SPEC_BYTES, MAX_SPEC_DEPTH, overLimit } from './limits.ts';
import { imageSettings, llbGraph } from './llb-graph.ts';
import { packing } from './packing.ts';
import { exactlyOneOf, exclude, rule } from './rules.ts';
import { namedContext, source } from './source.ts';
import {
  byteSize,
  configMapKeyRef,
  defaultsTo,
  dnsName,
  duration,
  imageName,
  list,
  listMap,
  secretKeyRef,
  serviceUrl,
  stringMap,
  text,
} from './strings.ts';

const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/;
const PLATFORM_FORM = 'must be os/arch or os/arch/variant';

const dockerfile = rule(
  z.strictObject({
    path: defaultsTo(text(1024, 'Path of the Dockerfile in the source.'), 'Dockerfile').optional(),
    inline: text(131_072, 'The Dockerfile itself; excludes path.').optional(),
    target: text(128, 'Stage to build (default: the last).').optional(),
    frontend: text(512, 'Frontend image, pinned by version or digest; default the built-in dockerfile.v0.').optional(),
  }),
  exclude('path', 'inline'),
).describe('Build from a Dockerfile.');

const llb = rule(
  z.strictObject({
    graph: llbGraph.optional(),
    definition: text(1_048_576, 'A serialized LLB Definition, base64.').optional(),
    ref: imageName(
      'An image or OCI artifact of tar archives that has a serialized Definition as `definition.llb`; of an index the one for each platform.',
    ).optional(),
    image: imageSettings.optional(),
  }),
  exactlyOneOf(['graph', 'definition', 'ref']),
).describe('Build from an LLB graph.');

const arg = rule(
  z.strictObject({
    name: text(128, 'Name of the ARG.').regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a variable name'),
    value: text(32_768, 'Its value.').optional(),
    valueFrom: z.strictObject({ configMapKeyRef }).describe('Value from elsewhere.').optional(),
  }),
  exclude('value', 'valueFrom'),
);

const idAndSecret = (description: string) =>
  z.strictObject({ id: text(128, 'Id that RUN --mount names.').min(1), secretRef: secretKeyRef }).describe(description);

/** CEL for the characters of a source's inline files. */
const inlineSize = (source: string, given: string) =>
  `${given} ? ${source}.inline.files.map(path, size(path) + size(${source}.inline.files[path])).sum() : 0`;

const sign = rule(
  z.strictObject({
    secretRef: secretKeyRef
      .describe(
        'A key, as cosign keeps it: the Secret has `cosign.key`, and `cosign.password` where the key is sealed (`cosign generate-key-pair k8s://NAMESPACE/NAME` makes one).',
      )
      .optional(),
    keyless: z
      .strictObject({
        tokenSecretRef: secretKeyRef.describe(
          'The OIDC token of who signs: the key named, or the only one. It must not have expired when the image has been pushed.',
        ),
        fulcioUrl: defaultsTo(
          serviceUrl('The Fulcio that certifies a key for a moment.'),
          'https://fulcio.sigstore.dev',
        ).optional(),
      })
      .describe('No key but an identity.')
      .optional(),
    rekorUrl: serviceUrl(
      'The transparency log; by default https://rekor.sigstore.dev for keyless, none for a key.',
    ).optional(),
    tlog: z
      .boolean()
      .describe('Whether signatures go to a transparency log (default: for keyless, and where rekorUrl is given).')
      .optional(),
  }),
  exactlyOneOf(['secretRef', 'keyless']),
).describe('Sign what is pushed and what is attested of it, as cosign does.');

const trust = rule(
  z.strictObject({
    caBundle: text(262_144, 'PEM certificates.').optional(),
    caBundleFrom: rule(
      z.strictObject({ configMapKeyRef: configMapKeyRef.optional(), secretRef: secretKeyRef.optional() }),
      exactlyOneOf(['configMapKeyRef', 'secretRef']),
    )
      .describe('PEM certificates from elsewhere: a key of a ConfigMap; of a Secret the key named, or the only one.')
      .optional(),
    proxy: text(2048, 'http://, socks5:// or socks5h://, then [user:password@]host:port.')
      .regex(/^(http|socks5h?):\/\/[^\s/?#]+\/?$/, 'must be http:// or socks5://, then [user:password@]host:port')
      .optional(),
    noProxy: text(4096, 'What is reached without it: hosts, .domains, addresses and networks, comma-separated.')
      .regex(/^[^\s]*$/, 'must not have spaces')
      .optional(),
  }),
  exclude('caBundle', 'caBundleFrom'),
  {
    message: 'noProxy needs a proxy',
    holds: ({ proxy, noProxy }) => proxy !== undefined || noProxy === undefined,
    cel: '!has(self.noProxy) || has(self.proxy)',
  },
).describe(
  'How the Build reaches registries, git servers and URLs, beside how its builder does. RUN steps are told of the proxy, as build arguments tell them, and of no certificates.',
);

const attestations = z
  .strictObject({
    provenance: z
      .strictObject({
        mode: defaultsTo(
          z.enum(['min', 'max']).describe('max tells the graph, its sources and build arguments, too.'),
          'min',
        ).optional(),
        version: defaultsTo(z.enum(['v1', 'v0.2']).describe('Version of the SLSA predicate.'), 'v1').optional(),
        builderId: text(1024, 'A URL that names the builder.').optional(),
        reproducible: z.boolean().describe('Says that the result can be built again to the same bytes.').optional(),
        completeMaterials: z
          .boolean()
          .describe('Fail where the result was made of something that has no digest.')
          .optional(),
      })
      .describe('Attach SLSA provenance: where the image comes from.')
      .optional(),
    sbom: z
      .strictObject({
        generator: text(512, 'Image of a scanner; without one the builder looks itself.').min(1).optional(),
        parameters: stringMap('Parameters of the scanner, as BUILDKIT_SCAN_<NAME>.', {
          maxValue: 1024,
          maxProperties: 32,
        }).optional(),
      })
      .describe('Attach an SBOM: the packages in the image, as SPDX.')
      .optional(),
  })
  .describe('What is said of the images, beside them in their registries.');

const annotations = (description: string) =>
  rule(stringMap(description), {
    message: 'keys must not be empty or have spaces',
    holds: (map) => Object.keys(map).every((key) => /^\S+$/.test(key)),
    cel: "self.all(key, key.matches('^[^ ]+$'))",
  }).optional();

const OCI_ONLY = [
  ...['indexAnnotations', 'manifestDescriptorAnnotations', 'indexDescriptorAnnotations', 'platformAnnotations'],
  'ociArtifact',
] as const;

const output = rule(
  z.strictObject({
    image: rule(imageName('Repository to push to; a name without a registry host goes to the default registry.'), {
      message: 'must not name a digest: an output has tags',
      holds: (name) => !name.includes('@'),
      cel: "!self.contains('@')",
    }),
    tags: list(
      text(128, 'A tag.').regex(/^\w[\w.-]{0,127}$/),
      32,
      'Tags to write (default: the tag in image, else latest).',
    ).optional(),
    ...packing,
    forceCompression: z
      .boolean()
      .describe('Pack layers of base images, and those that were packed before, in this way, too.')
      .optional(),
    rewriteTimestamp: z
      .boolean()
      .describe('Bring times in layers down to sourceDateEpoch, but for those of base images.')
      .optional(),
    ociMediaTypes: defaultsTo(z.boolean().describe('OCI media types, or Docker’s.'), true).optional(),
    annotations: annotations('Annotations of the image manifest, or of each.'),
    indexAnnotations: annotations('Annotations of the index of an image for several platforms.'),
    manifestDescriptorAnnotations: annotations('Annotations of what an index says of the manifest, or of each.'),
    indexDescriptorAnnotations: annotations('Annotations of what is said of the index.'),
    platformAnnotations: listMap(
      z
        .strictObject({
          platform: text(64, 'os/arch[/variant].').regex(PLATFORM, PLATFORM_FORM),
          annotations: annotations('Of the manifest.'),
          descriptorAnnotations: annotations('Of what the index says of it.'),
        })
        .describe('Annotations of one platform.'),
      ['platform'],
      16,
      'Annotations of single platforms, which count before those of all.',
    ).optional(),
    preferNondistLayers: z
      .boolean()
      .describe('Layers of a base image whose manifest gives addresses for them keep these, and are not pushed.')
      .optional(),
    ociArtifact: defaultsTo(
      z.boolean().describe('Attestations are artifacts that name their image, or images without a platform.'),
      true,
    ).optional(),
    insecure: z.boolean().describe('Push without verified TLS.').optional(),
  }),
  {
    message: 'compressionLevel must be at most 9 but for zstd',
    holds: ({ compression, compressionLevel = 0 }) => compression === 'zstd' || compressionLevel <= 9,
    cel: "!has(self.compressionLevel) || self.compressionLevel <= 9 || (has(self.compression) && self.compression == 'zstd')",
  },
  {
    message: `estargz and ${OCI_ONLY.join(', ')} need OCI media types`,
    holds: (given) =>
      given.ociMediaTypes !== false ||
      (given.compression !== 'estargz' && OCI_ONLY.every((field) => given[field] === undefined)),
    cel: `!has(self.ociMediaTypes) || self.ociMediaTypes || !((has(self.compression) && self.compression == 'estargz') || ${OCI_ONLY.map((field) => `has(self.${field})`).join(' || ')})`,
  },
).describe('An image to push.');

/** What is to be built, and how. */
export const buildSpec = rule(
  z.strictObject({
    source: source.optional(),
    contexts: listMap(namedContext, ['name'], 16, 'Further contexts by name.').optional(),
    dockerfile: dockerfile.optional(),
    llb: llb.optional(),
    args: listMap(arg.describe('A build argument.'), ['name'], 128, 'Build arguments.').optional(),
    platforms: list(
      text(64, 'os/arch[/variant].').regex(PLATFORM, PLATFORM_FORM),
      16,
      'Platforms to build for (default: the builder’s own).',
    ).optional(),
    secrets: listMap(idAndSecret('A build secret.'), ['id'], 64, 'Secrets for RUN --mount=type=secret.').optional(),
    ssh: listMap(
      idAndSecret('An SSH key: a Secret of type kubernetes.io/ssh-auth, or the key named.'),
      ['id'],
      16,
      'Keys for RUN --mount=type=ssh.',
    ).optional(),
    outputs: list(output, 16, 'Images to push.').optional(),
    attestations: attestations.optional(),
    sign: sign.optional(),
    sourceDateEpoch: z
      .number()
      .int()
      .min(0)
      .max(253_402_300_799)
      .describe(
        'Seconds since the epoch that all times are set to; its other forms are for the argument SOURCE_DATE_EPOCH in args.',
      )
      .optional(),
    cache: cache.optional(),
    registryAuth: list(
      z.strictObject({ secretRef: secretKeyRef }).describe('A docker config JSON Secret.'),
      16,
      'Registry credentials (Secrets of type kubernetes.io/dockerconfigjson), first come first served.',
    ).optional(),
    serviceAccountName: dnsName('ServiceAccount whose image pull secrets are used.').optional(),
    trust: trust.optional(),
    network: defaultsTo(z.enum(['default', 'none', 'host']).describe('Network of RUN steps.'), 'default').optional(),
    entitlements: list(
      z.enum(['network.host', 'security.insecure', 'device']),
      3,
      'Entitlements asked for; the builder must allow them.',
    ).optional(),
    poolRef: z
      .strictObject({ name: dnsName('Name of the BuilderPool.') })
      .describe('Where to build (default: the pool named default).')
      .optional(),
    resources: z
      .strictObject({
        requests: z
          .strictObject({ cpu: cpus('Cores.').optional(), memory: byteSize('Memory.').optional() })
          .describe('What the build is known to need at once: what it is placed by.')
          .optional(),
        limits: z
          .strictObject({
            cpu: cpus('Cores of one step, such as 500m or 2.').optional(),
            memory: byteSize('Memory of one step, such as 512Mi or 2Gi.').optional(),
            pids: z.number().int().min(1).max(4_194_304).describe('Processes and threads of one step.').optional(),
          })
          .describe('Bounds of each step, where they are stricter than those of the pool and its builders.')
          .optional(),
      })
      .describe('Resources of the build and of its steps.')
      .optional(),
    priority: defaultsTo(
      z.number().int().min(-1000).max(1000).describe('Higher goes first among the runs of its namespace.'),
      0,
    ).optional(),
    timeout: defaultsTo(duration('Longest time from the start to the end of an attempt.'), '1h').optional(),
    queueTimeout: defaultsTo(duration('Longest wait for what is missing and for a place.'), '30m').optional(),
    retry: z
      .strictObject({ limit: defaultsTo(z.number().int().min(0).max(9).describe('Attempts after the first.'), 2) })
      .describe('Retries after platform errors; a user’s error is never tried again.')
      .optional(),
    suspend: z.boolean().describe('Start no new run.').optional(),
    triggers: z
      .strictObject({
        schedule: text(
          128,
          'A cron schedule in UTC: five fields, or `@daily` and its kin. Times that were missed are made up for by one run.',
        )
          .refine((schedule) => parseSchedule(schedule) !== undefined, {
            message: 'must be a cron schedule such as 30 2 * * 1-5',
          })
          .optional(),
        git: z
          .boolean()
          .describe('On new commits: not built yet; name a GitRepository of Flux as the source.')
          .optional(),
        baseImage: z.boolean().describe('On new base images: not built yet; give a schedule.').optional(),
      })
      .describe('What starts a run besides a change.')
      .optional(),
    historyLimit: defaultsTo(
      z.number().int().min(0).max(100).describe('BuildRuns kept beside the newest.'),
      10,
    ).optional(),
  }),
  exclude('dockerfile', 'llb', ['llb']),
  {
    message: 'sign is for what is pushed: give outputs',
    holds: ({ sign, outputs = [] }) => sign === undefined || outputs.length > 0,
    cel: '!has(self.sign) || (has(self.outputs) && self.outputs.size() > 0)',
    path: ['sign'],
  },
  {
    message: 'an image with attestations is an OCI index: leave ociMediaTypes: false out',
    holds: ({ attestations: { provenance, sbom } = {}, outputs = [] }) =>
      (provenance ?? sbom) === undefined || outputs.every(({ ociMediaTypes }) => ociMediaTypes !== false),
    cel: '!has(self.attestations) || !(has(self.attestations.provenance) || has(self.attestations.sbom)) || !has(self.outputs) || self.outputs.all(one, !has(one.ociMediaTypes) || one.ociMediaTypes)',
    path: ['outputs'],
  },
  {
    message: 'sourceDateEpoch and the argument SOURCE_DATE_EPOCH exclude each other',
    holds: ({ sourceDateEpoch, args = [] }) =>
      sourceDateEpoch === undefined || args.every(({ name }) => name !== 'SOURCE_DATE_EPOCH'),
    cel: "!has(self.sourceDateEpoch) || !has(self.args) || self.args.all(one, one.name != 'SOURCE_DATE_EPOCH')",
    path: ['sourceDateEpoch'],
  },
  {
    message: 'a source is needed, unless the Dockerfile is inline or llb is given',
    holds: (spec) => spec.source !== undefined || spec.llb !== undefined || spec.dockerfile?.inline !== undefined,
    cel: 'has(self.source) || has(self.llb) || (has(self.dockerfile) && has(self.dockerfile.inline))',
    path: ['source'],
  },
  {
    message: `at most ${MAX_SPEC_BYTES} bytes, nested at most ${MAX_SPEC_DEPTH} deep`,
    holds: (spec) => overLimit(spec) === undefined,
    // The texts that may be long. What else a spec holds is small; the operator counts all of it, in bytes.
    cel: `[${[
      inlineSize('self.source', 'has(self.source) && has(self.source.inline)'),
      `has(self.contexts) ? self.contexts.map(one, ${inlineSize('one', 'has(one.inline)')}).sum() : 0`,
      'has(self.dockerfile) && has(self.dockerfile.inline) ? size(self.dockerfile.inline) : 0',
      'has(self.llb) && has(self.llb.definition) ? size(self.llb.definition) : 0',
      'has(self.args) ? self.args.map(one, has(one.value) ? size(one.value) : 0).sum() : 0',
      'has(self.trust) && has(self.trust.caBundle) ? size(self.trust.caBundle) : 0',
    ]
      .map((term) => `(${term})`)
      .join(', ')}].sum() <= ${MAX_SPEC_BYTES}`,
  },
);

export type BuildSpec = z.infer<typeof buildSpec>;
