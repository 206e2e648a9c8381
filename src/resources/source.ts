import { z } from 'zod';
import { exactlyOneOf, rule } from './rules.ts';
import { defaultsTo, relativePath, secretKeyRef, text } from './strings.ts';

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
    url: text(2048, 'http(s) URL of a tar archive (plain, gzip, xz, zstd).').min(1),
    checksum: text(135, 'Expected digest, sha256:<hex>.').optional(),
  })
  .describe('An archive fetched over http(s).');

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
  oci: z
    .strictObject({ image: text(512, 'Image reference.').min(1) })
    .describe('The file system of an image.')
    .optional(),
  configMap: z
    .strictObject({ name: text(253, 'Name of a ConfigMap of the same namespace.').min(1) })
    .describe('Keys of a ConfigMap as files.')
    .optional(),
  inline: inline.optional(),
  upload: z.strictObject({}).describe('A folder that the client uploads (`slipway build --context DIR`).').optional(),
};

const oneKind = exactlyOneOf(['git', 'http', 'oci', 'configMap', 'inline', 'upload']);

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
