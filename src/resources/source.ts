import { z } from 'zod';
import { secretKeyRef, text } from './strings.ts';

const relativePath = (max: number, description: string) =>
  text(max, description).refine(
    (path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'),
    {
      message: 'must be a relative path without ".."',
    },
  );

const git = z
  .strictObject({
    url: text(2048, 'Clone URL: https, http, ssh or scp form.').min(1),
    ref: text(255, 'Branch, tag or commit; the default branch when left out.').optional(),
    subPath: relativePath(1024, 'Folder of the repository that is the context.').optional(),
    submodules: z.boolean().describe('Whether submodules are fetched too (default true).').optional(),
    secretRef: secretKeyRef.optional(),
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
    files: z
      .record(relativePath(1024, 'Path within the context.').min(1), text(262_144, 'Content of the file.'))
      .refine((files) => Object.keys(files).length <= 64, { message: 'at most 64 files' })
      .describe('Files by relative path.'),
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

const KINDS = ['git', 'http', 'oci', 'configMap', 'inline', 'upload'] as const;
const exactlyOne = (value: Readonly<Record<string, unknown>>) =>
  KINDS.filter((kind) => value[kind] !== undefined).length === 1;
const exactlyOneMessage = { message: `exactly one of ${KINDS.join(', ')} must be set` };

export const source = z
  .strictObject(sourceFields)
  .refine(exactlyOne, exactlyOneMessage)
  .describe('Where the files come from: exactly one kind.');

export const namedContext = z
  .strictObject({
    name: text(128, 'Name that FROM, COPY --from and RUN --mount=from use.')
      .min(1)
      .regex(/^[A-Za-z0-9][A-Za-z0-9_./:-]*$/),
    ...sourceFields,
  })
  .refine(exactlyOne, exactlyOneMessage)
  .describe('A further context by name.');

export type Source = z.infer<typeof source>;
export type NamedContext = z.infer<typeof namedContext>;
