import { z } from 'zod';
import { packing } from './packing.ts';
import { exactlyOneOf, type Rule, rule } from './rules.ts';
import {
  byteSize,
  configMapKeyRef,
  defaultsTo,
  dnsName,
  duration,
  imageName,
  list,
  secretKeyRef,
  serviceUrl,
  text,
} from './strings.ts';

const secretRef = (keys: string) =>
  z.strictObject({ name: dnsName('Name of the Secret.') }).describe(`A Secret of the same namespace with ${keys}.`);

const url = (description: string) =>
  rule(text(2048, description), {
    message: 'must be an http or https URL',
    holds: (given) => /^https?:\/\/[^\s/]+/.test(given),
    cel: "self.matches('^https?://[^ /]+')",
  });

const names = defaultsTo(
  text(1024, 'Name of the cache; several, separated by semicolons, for one that is written under each.').min(1),
  'buildkit',
).optional();

/**
 * Stores of objects that caches lie in, in the words of the builder: a field is the attribute of its name in camel case. Keys of `secretRef` stand in {@link CACHE_SECRETS}.
 */
const stores = {
  s3: z
    .strictObject({
      bucket: text(255, 'Name of the bucket.').min(1),
      region: text(128, 'Its region; any word where the store has none.').min(1),
      name: names,
      prefix: text(512, 'What all keys of objects begin with.').optional(),
      blobsPrefix: defaultsTo(text(512, 'What keys of layers go on with.'), 'blobs/').optional(),
      manifestsPrefix: defaultsTo(text(512, 'What keys of caches go on with.'), 'manifests/').optional(),
      endpointUrl: url('Address of a store that is not Amazon’s.').optional(),
      usePathStyle: z.boolean().describe('The bucket is in the path, not in the name of the host.').optional(),
      uploadParallelism: defaultsTo(
        z.number().int().min(1).max(64).describe('Layers that are written at once.'),
        4,
      ).optional(),
      touchRefresh: defaultsTo(duration('Age of a layer at which it is marked as wanted.', '8760h'), '24h').optional(),
      retryMode: defaultsTo(
        z.enum(['standard', 'adaptive']).describe('How requests are repeated.'),
        'standard',
      ).optional(),
      retryMaxAttempts: z.number().int().min(1).max(100).describe('How often a request is made at most.').optional(),
      secretRef: secretRef(
        'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN where there is one; without it the builder’s own identity is used, where its configuration names the store',
      ).optional(),
    })
    .describe('A bucket of Amazon S3, or of a store that speaks as it does.'),
  gha: z
    .strictObject({
      scope: defaultsTo(text(512, 'Which of the repository’s caches.').min(1), 'buildkit').optional(),
      url: url('Address of the service’s first API; else ACTIONS_CACHE_URL of the Secret.').optional(),
      urlV2: url('Address of its second; else ACTIONS_RESULTS_URL of the Secret.').optional(),
      version: z.number().int().min(1).max(2).describe('Which of them is to be used (default: the newest).').optional(),
      timeout: defaultsTo(duration('Longest time that one cache may take.'), '10m').optional(),
      secretRef: secretRef('ACTIONS_RUNTIME_TOKEN, and the addresses as a job has them'),
    })
    .describe('The cache service of GitHub’s actions.'),
  azblob: z
    .strictObject({
      accountUrl: url('Address of the storage account, such as https://ACCOUNT.blob.core.windows.net.'),
      accountName: text(64, 'Its name (default: the first part of the address).').min(1).optional(),
      container: defaultsTo(text(63, 'Name of the container.').min(3), 'buildkit-cache').optional(),
      name: names,
      prefix: text(512, 'What all names of blobs begin with.').optional(),
      blobsPrefix: defaultsTo(text(512, 'What names of layers go on with.'), 'blobs').optional(),
      manifestsPrefix: defaultsTo(text(512, 'What names of caches go on with.'), 'manifests').optional(),
      secretRef: secretRef(
        'AZURE_STORAGE_KEY, the key of the account; without it the builder’s own identity is used, where its configuration names the store',
      ).optional(),
    })
    .describe('A container of Azure Blob Storage.'),
};

type CacheStoreType = keyof typeof stores;

/** A value of a store's that a Secret has. */
interface CacheSecret {
  /** Key of the Secret; for the command an environment variable. */
  readonly key: string;
  /** Attribute of the builder's that is given it. */
  readonly attribute: string;
  readonly optional?: boolean;
}

export const CACHE_SECRETS: Readonly<Record<CacheStoreType, readonly CacheSecret[]>> = {
  s3: [
    { key: 'AWS_ACCESS_KEY_ID', attribute: 'access_key_id' },
    { key: 'AWS_SECRET_ACCESS_KEY', attribute: 'secret_access_key' },
    { key: 'AWS_SESSION_TOKEN', attribute: 'session_token', optional: true },
  ],
  gha: [
    { key: 'ACTIONS_RUNTIME_TOKEN', attribute: 'token' },
    { key: 'ACTIONS_CACHE_URL', attribute: 'url', optional: true },
    { key: 'ACTIONS_RESULTS_URL', attribute: 'url_v2', optional: true },
  ],
  azblob: [{ key: 'AZURE_STORAGE_KEY', attribute: 'secret_access_key' }],
};

export const CACHE_STORES = Object.keys(stores) as readonly CacheStoreType[];

const NO_LOCAL = 'local: a directory is on the disk of one machine, and a builder may be any: use ref, or a store';

const local = z
  .unknown()
  .describe('Refused: a directory is on the disk of one machine, and a builder may be any.')
  .optional();

/** Exactly one of these, of which the last are refused with a reason of their own. */
function oneKind(kinds: readonly string[], refused: Readonly<Record<string, string>>): Rule<object>[] {
  const given = (value: object) => (field: string) => (value as Record<string, unknown>)[field] !== undefined;
  const all = [...kinds, ...Object.keys(refused)];
  return [
    {
      message: `exactly one of ${kinds.join(', ')} must be set`,
      holds: (value) => all.filter(given(value)).length === 1,
      cel: `[${all.map((field) => `has(self.${field})`).join(', ')}].filter(set, set).size() == 1`,
    },
    ...Object.entries(refused).map(([field, message]) => ({
      message,
      holds: (value: object) => !given(value)(field),
      cel: `!has(self.${field})`,
    })),
  ];
}

/** These fields are for these kinds alone. */
function onlyWith(kinds: readonly string[], fields: readonly string[], message: string): Rule<object> {
  return {
    message,
    holds: (value) => {
      const has = (field: string) => (value as Record<string, unknown>)[field] !== undefined;
      return kinds.some(has) || !fields.some(has);
    },
    cel: `${kinds.map((kind) => `has(self.${kind})`).join(' || ')} || !(${fields.map((field) => `has(self.${field})`).join(' || ')})`,
  };
}

const ref = imageName('Name in a registry.');

const PUBLIC_KEY = /^\s*-----BEGIN (RSA )?PUBLIC KEY-----/;
const verify = rule(
  z.strictObject({
    publicKey: text(16_384, 'Public keys in PEM form, of which one is enough.')
      .regex(PUBLIC_KEY, 'must be a public key in PEM form')
      .optional(),
    secretRef: secretKeyRef
      .describe('A Secret of the same namespace with them, under `cosign.pub` unless `key` names another.')
      .optional(),
    configMapKeyRef: configMapKeyRef.optional(),
    identity: z
      .strictObject({
        identity: text(2048, 'An address or a URI, exactly as certificates name it.').min(1),
        issuer: text(2048, 'Of the OIDC token that proved it.').min(1),
        trustedRootSecretRef: secretKeyRef.describe(
          'A Secret of the same namespace with the trusted root of sigstore, under `trusted_root.json` unless `key` names another.',
        ),
      })
      .describe('Who has signed it without a key.')
      .optional(),
  }),
  exactlyOneOf(['publicKey', 'secretRef', 'configMapKeyRef', 'identity']),
);
const verifyRead = verify
  .describe(
    'Whose signature it must have, as cosign makes them, to be read: without one the run goes on as if there were no cache.',
  )
  .optional();
const signWritten = rule(
  z.strictObject({
    secretRef: secretKeyRef
      .describe('A key: the Secret has `cosign.key`, and `cosign.password` where the key is sealed.')
      .optional(),
    keyless: z
      .strictObject({
        tokenSecretRef: secretKeyRef.describe(
          'The OIDC token of who signs, under `token` unless `key` names another. It must not have expired when the cache is written.',
        ),
        fulcioUrl: defaultsTo(
          serviceUrl('The Fulcio that certifies a key for a moment.'),
          'https://fulcio.sigstore.dev',
        ).optional(),
        rekorUrl: defaultsTo(serviceUrl('The transparency log.'), 'https://rekor.sigstore.dev').optional(),
      })
      .describe('No key but an identity.')
      .optional(),
  }),
  exactlyOneOf(['secretRef', 'keyless']),
)
  .describe(
    'Sign it, as cosign does. Of what is there only what is signed with this key, or as `verify` demands, is taken up.',
  )
  .optional();
const SIGNED_ALONE = 'for a ref alone: signatures lie beside what they are of in a registry';
const insecure = z.boolean().describe('Speak to its registry without verified TLS.').optional();
const inStores = { s3: stores.s3.optional(), gha: stores.gha.optional(), azblob: stores.azblob.optional() };

const from = rule(
  z.strictObject({
    ref: ref.optional(),
    insecure,
    verify: verifyRead,
    ...inStores,
    inline: z.unknown().describe('Refused: the cache that an image has is read by the name of the image.').optional(),
    local,
  }),
  ...oneKind(['ref', ...CACHE_STORES], {
    inline: 'inline: the cache that an image has is read by the name of the image: use ref',
    local: NO_LOCAL,
  }),
  onlyWith(['ref'], ['insecure'], 'insecure is for a ref; the address of a store says whether it has TLS'),
  onlyWith(['ref'], ['verify'], `verify is ${SIGNED_ALONE}`),
).describe('A cache to read.');

const WRITTEN = [
  ...['mode', 'keepLast', 'maxAge', 'maxSize', 'continuousInterval', 'continuousBandwidth'],
  ...['compression', 'compressionLevel', 'forceCompression', 'ociMediaTypes'],
];

const to = rule(
  z.strictObject({
    ref: ref.optional(),
    insecure,
    sign: signWritten,
    verify: verify.describe('Whose signature what is there must have to be taken up.').optional(),
    ...inStores,
    inline: z
      .strictObject({})
      .describe(
        'In the configuration of the image itself, as far as it is of its layers; the image is what is named to read it.',
      )
      .optional(),
    local,
    mode: defaultsTo(
      z
        .enum(['min', 'max', 'continuous'])
        .describe(
          '`min`: results that the image has; `max`: those of all steps; `continuous`: the same, each written when it is finished, so that a run that comes to no end leaves them.',
        ),
      'min',
    ).optional(),
    keepLast: defaultsTo(
      z.number().int().min(1).max(1000).describe('Results of one step that are kept, those of other runs among them.'),
      5,
    ).optional(),
    maxAge: defaultsTo(duration('Results of other runs that are older go.', '8760h'), '720h').optional(),
    maxSize: byteSize('What all layers of it may come to, such as 20Gi.').optional(),
    continuousInterval: defaultsTo(
      duration('Between the end of one write and the next while the run goes on, at the least.'),
      '10s',
    ).optional(),
    continuousBandwidth: defaultsTo(byteSize('Bytes a second that go out while the run goes on.'), '32Mi').optional(),
    ...packing,
    forceCompression: z
      .boolean()
      .describe('Pack layers that were packed otherwise before in this way, too.')
      .optional(),
    imageManifest: defaultsTo(z.boolean().describe('As the manifest of an image, or as an index.'), true).optional(),
    ociMediaTypes: defaultsTo(z.boolean().describe('OCI media types, or Docker’s.'), true).optional(),
  }),
  ...oneKind(['ref', ...CACHE_STORES, 'inline'], { local: NO_LOCAL }),
  onlyWith(['ref'], ['insecure', 'imageManifest'], 'insecure and imageManifest are for a ref alone'),
  onlyWith(
    ['ref'],
    ['sign', 'verify'],
    `sign and verify are ${SIGNED_ALONE}; an inline cache is signed with its image: spec.sign`,
  ),
  onlyWith(
    ['ref', ...CACHE_STORES],
    WRITTEN,
    `an inline cache is of the image’s own layers as these are packed: ${WRITTEN.join(', ')} are for caches of their own`,
  ),
  {
    message: 'continuousInterval and continuousBandwidth are for mode continuous',
    holds: ({ mode, continuousInterval, continuousBandwidth }) =>
      mode === 'continuous' || (continuousInterval === undefined && continuousBandwidth === undefined),
    cel: "(has(self.mode) && self.mode == 'continuous') || !(has(self.continuousInterval) || has(self.continuousBandwidth))",
  },
  {
    message: 'compressionLevel must be at most 9 but for zstd',
    holds: ({ compression, compressionLevel = 0 }) => compression === 'zstd' || compressionLevel <= 9,
    cel: "!has(self.compressionLevel) || self.compressionLevel <= 9 || (has(self.compression) && self.compression == 'zstd')",
  },
  {
    message: 'imageManifest and estargz need OCI media types',
    holds: ({ ociMediaTypes, imageManifest, compression }) =>
      ociMediaTypes !== false || (imageManifest !== true && compression !== 'estargz'),
    cel: "!has(self.ociMediaTypes) || self.ociMediaTypes || !((has(self.imageManifest) && self.imageManifest) || (has(self.compression) && self.compression == 'estargz'))",
  },
).describe('A cache to write.');

/** `spec.cache` of a Build. */
export const cache = z
  .strictObject({
    from: list(
      from,
      16,
      'Caches to read, BuildKit’s or ours: in registries (the image itself where its cache is inline), or in stores. One that is away costs time.',
    ).optional(),
    to: list(
      to,
      8,
      'Caches to write, beside what is there; one that cannot be written does not fail the run: its condition CacheExported says why.',
    ).optional(),
    mounts: rule(
      z.strictObject({
        from: ref
          .describe(
            'Repository in a registry that new cache mounts are restored from; of a tag, their tags begin with it.',
          )
          .optional(),
        to: ref
          .describe('Repository that cache mounts are saved to which steps have used; the run waits for it.')
          .optional(),
        insecure,
        ids: list(
          text(512, 'What `id` of the mount says, or its path where it says nothing.').min(1),
          64,
          'Those that are meant (default: all).',
        ).optional(),
        maxSize: defaultsTo(byteSize('What is larger is neither saved nor restored.'), '10Gi').optional(),
        maxAge: defaultsTo(duration('What was saved longer ago is not restored.', '8760h'), '720h').optional(),
        timeout: duration(
          'Longest time that a mount may take to be restored (default 5m), and all to be saved (default 10m).',
        ).optional(),
        sign: signWritten,
        verify: verifyRead,
      }),
      {
        message: 'one of from and to must be set',
        holds: ({ from, to }) => from !== undefined || to !== undefined,
        cel: 'has(self.from) || has(self.to)',
      },
      {
        message: 'sign is for what is saved: give to',
        holds: ({ to, sign }) => sign === undefined || to !== undefined,
        cel: '!has(self.sign) || has(self.to)',
      },
      {
        message: 'ids must not have semicolons',
        holds: ({ ids = [] }) => ids.every((id) => !id.includes(';')),
        cel: "!has(self.ids) || self.ids.all(id, !id.contains(';'))",
      },
    )
      .describe(
        'What `RUN --mount=type=cache` has, kept in a registry; what cannot be restored or saved does not fail the run.',
      )
      .optional(),
    scope: text(128, 'Tenant scope of the cache (default: the namespace).').optional(),
    noCache: z.boolean().describe('Run every step again.').optional(),
  })
  .describe('Cache use.');

/** `spec.cache.mounts`. */
export type CacheMounts = NonNullable<z.infer<typeof cache>['mounts']>;
export type CacheSource = z.infer<typeof from>;
export type CacheTarget = z.infer<typeof to>;
