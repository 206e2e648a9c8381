import { z } from 'zod';
import { exactlyOneOf, rule } from './rules.ts';
import { defaultsTo, dnsName, imageName, relativePath, secretKeyRef, text } from './strings.ts';

const SUB_PATH = 'Folder of it that is the context.';

const git = z
  .strictObject({
    url: text(2048, 'Clone URL: https, http, ssh or scp form.').min(1),
    ref: text(255, 'Branch, tag or commit; the default branch when left out.').optional(),
    subPath: relativePath(1024, 'Folder of the repository that is the context.').optional(),
    submodules: defaultsTo(z.boolean().describe('Whether submodules are fetched too.'), true).optional(),
    secretRef: secretKeyRef
      .describe(
        'Credentials: a Secret of type kubernetes.io/basic-auth (username, password), kubernetes.io/ssh-auth (ssh-privatekey, and known_hosts), or one with a token under the key named.',
      )
      .optional(),
  })
  .describe('A git repository.');

const http = z
  .strictObject({
    url: text(2048, 'URL of a tar archive (plain, gzip, bzip2, xz, zstd); of another file, that file.').regex(
      /^https?:\/\/[^\s/?#]/,
      'must be an http or https URL',
    ),
    checksum: text(71, 'Digest that it must have.')
      .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hexadecimal digits')
      .optional(),
    subPath: relativePath(1024, SUB_PATH).optional(),
    secretRef: secretKeyRef
      .describe(
        'Credentials: a Secret of type kubernetes.io/basic-auth (username, password), or one with a bearer token, or a whole Authorization header such as `Basic …`, under the key named or the only one.',
      )
      .optional(),
  })
  .describe('An archive fetched over http(s).');

const oci = z
  .strictObject({
    image: imageName('Image reference; credentials come from registryAuth and serviceAccountName.'),
    artifact: defaultsTo(
      z
        .boolean()
        .describe(
          'It may be an artifact whose layers are tar archives, such as those of Flux: they are unpacked. The main context may always be one.',
        ),
      false,
    ).optional(),
    subPath: relativePath(1024, SUB_PATH).optional(),
  })
  .describe('The file system of an image, or the archives of an artifact.');

const flux = z
  .strictObject({
    kind: z
      .enum(['GitRepository', 'OCIRepository', 'Bucket'])
      .describe('Kind of the source, of source.toolkit.fluxcd.io.'),
    name: dnsName('Its name, in the namespace of the Build.'),
    subPath: relativePath(1024, SUB_PATH).optional(),
  })
  .describe('What a source of Flux has fetched (its `status.artifact`). A new revision starts a new run.');

const inline = z
  .strictObject({
    files: rule(
      z
        .record(z.string().min(1).max(1024), text(262_144, 'Content of the file.'))
        .refine((files) => Object.keys(files).length <= 64, { message: 'at most 64 files' })
        .meta({ description: 'Files by relative path.', maxProperties: 64 }),
      {
        message: 'must be relative paths without ".."',
        holds: (files) =>
          Object.keys(files).every(
            (path) => path !== '' && !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'),
          ),
        cel: "self.all(path, path.size() > 0 && path.size() <= 1024 && !path.startsWith('/') && !path.matches('(^|/)[.][.](/|$)'))",
      },
    ),
  })
  .describe('Files written in the resource itself.');

const sourceFields = {
  git: git.optional(),
  http: http.optional(),
  oci: oci.optional(),
  flux: flux.optional(),
  configMap: z
    .strictObject({ name: text(253, 'Name of a ConfigMap of the same namespace.').min(1) })
    .describe('Keys of a ConfigMap as files.')
    .optional(),
  inline: inline.optional(),
  upload: z.strictObject({}).describe('A folder that the client uploads (`slipway build --context DIR`).').optional(),
};

const oneKind = exactlyOneOf(['git', 'http', 'oci', 'flux', 'configMap', 'inline', 'upload']);

export const source = rule(z.strictObject(sourceFields), oneKind).describe(
  'Where the files come from: exactly one kind.',
);

export const namedContext = rule(
  z.strictObject({
    name: text(128, 'Name that FROM, COPY --from and RUN --mount=from use.')
      .min(1)
      .regex(/^[A-Za-z0-9][A-Za-z0-9_./:-]*$/),
    ...sourceFields,
  }),
  oneKind,
).describe('A further context by name.');

export type Source = z.infer<typeof source>;
export type NamedContext = z.infer<typeof namedContext>;
