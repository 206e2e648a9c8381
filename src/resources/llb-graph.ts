import { z } from 'zod';
import { exactlyOneOf, rule } from './rules.ts';
import { defaultsTo, list, stringMap, text } from './strings.ts';

/** Most steps of a graph that is written in a spec. */
const MAX_GRAPH_STEPS = 256;

const NAME = '[A-Za-z0-9][A-Za-z0-9_.-]{0,62}';
const stepName = z
  .string()
  .regex(
    new RegExp(`^${NAME}$`),
    'the name of a step has letters, digits, "_", "." and "-", at most 63, and begins with a letter or digit',
  )
  .refine((name) => name !== 'scratch', 'scratch is the name of the empty file system');

const input = (description: string) =>
  text(1100, description).regex(
    new RegExp(`^${NAME}(:/.*)?$`),
    'must be the name of a step, `step:/target` for what a mount of it holds, or scratch',
  );
const path = (description: string) => text(1024, description).min(1);
const argv = (description: string) => list(text(131_072, 'A word.'), 256, description);
const environment = (description: string) =>
  stringMap(description, { maxValue: 32_768, maxProperties: 128 }).refine(
    (map) => Object.keys(map).every((name) => /^[^=\0]+$/.test(name)),
    'the name of a variable is not empty and has no "="',
  );
const mode = text(64, 'Permissions: octal such as "0755", or for copies symbolic such as "u+x,go-w".').regex(
  /^(0?[0-7]{3,4}|([ugoa]*[-+=][rwxXst]*,?)+)$/,
  'must be octal such as "0755", or symbolic such as "u+x"',
);
const owner = text(128, 'user[:group], by name or number.').min(1);
const id = z.number().int().min(0).max(2_147_483_647);
const boolean = (description: string) => z.boolean().describe(description).optional();

const shared = {
  uid: id.describe('Owner.').optional(),
  gid: id.describe('Group.').optional(),
  mode: mode.optional(),
  optional: boolean('Go on without it where it is not there.'),
};

const mount = rule(
  z.strictObject({
    target: path(
      'Where it is mounted; relative to cwd. A secret and ssh have a place of their own without it.',
    ).optional(),
    from: input('Step whose files are mounted; what is written to them is an output, `step:/target`.').optional(),
    path: path('File or folder of `from` that is mounted.').optional(),
    readonly: boolean('Nothing can be written.'),
    discard: boolean('What is written is thrown away.'),
    cache: z
      .strictObject({
        id: text(512, 'Which one; by default the target.').min(1).optional(),
        sharing: defaultsTo(
          z.enum(['shared', 'private', 'locked']).describe('How runs at once use it.'),
          'shared',
        ).optional(),
      })
      .describe('A folder that stays on the builder from run to run; `from` is what it begins with.')
      .optional(),
    tmpfs: z
      .strictObject({ size: text(16, 'At most, such as 64Mi.').optional() })
      .describe('A folder in memory.')
      .optional(),
    secret: z
      .strictObject({
        id: text(128, 'Id in spec.secrets.').min(1),
        env: text(317, 'Variable that has it; without a target it is no file then.').min(1).optional(),
        ...shared,
      })
      .describe('A secret of the Build, as a file (by default /run/secrets/ID), a variable, or both.')
      .optional(),
    ssh: z
      .strictObject({ id: defaultsTo(text(128, 'Id in spec.ssh.').min(1), 'default').optional(), ...shared })
      .describe('The agent of an ssh key of the Build.')
      .optional(),
  }),
  {
    message: 'must be one of from, cache, tmpfs, secret, ssh (a cache may have from, too)',
    holds: ({ from, cache, tmpfs, secret, ssh }) =>
      [cache ?? from, tmpfs, secret, ssh].filter((kind) => kind !== undefined).length === 1,
    cel: '[has(self.from) || has(self.cache), has(self.tmpfs), has(self.secret), has(self.ssh)].filter(set, set).size() == 1',
  },
  {
    message: 'needs a target',
    holds: ({ target, secret, ssh }) => target !== undefined || secret !== undefined || ssh !== undefined,
    cel: 'has(self.target) || has(self.secret) || has(self.ssh)',
    path: ['target'],
  },
).describe('What a command finds beside its own files: exactly one kind.');

const copy = z
  .strictObject({
    from: input('Step whose files are copied.'),
    path: defaultsTo(path('What is copied; `*`, `?` and `[…]` match. Of a folder its content.'), '/').optional(),
    to: path('Where to: a folder where it ends in "/".'),
    include: list(text(1024, 'A pattern.'), 64, 'Of a folder only what matches.').optional(),
    exclude: list(text(1024, 'A pattern.'), 64, 'Of a folder not what matches.').optional(),
    owner: owner.optional(),
    mode: mode.optional(),
    unpack: boolean('An archive is unpacked.'),
    keepLinks: boolean('A link is copied as such, not what it leads to.'),
    optional: boolean('Go on where nothing matches.'),
  })
  .describe('Copies files of another step.');

const action = rule(
  z.strictObject({
    copy: copy.optional(),
    mkdir: z
      .strictObject({
        path: path('The folder; those above it are made too.'),
        mode: mode.optional(),
        owner: owner.optional(),
      })
      .describe('Makes a folder.')
      .optional(),
    mkfile: z
      .strictObject({
        path: path('The file, in a folder that is there.'),
        content: text(262_144, 'What is in it.').optional(),
        mode: mode.optional(),
        owner: owner.optional(),
      })
      .describe('Writes a file.')
      .optional(),
    rm: z
      .strictObject({
        path: path('What goes; `*`, `?` and `[…]` match.'),
        optional: boolean('Go on where it is not there.'),
      })
      .describe('Removes files.')
      .optional(),
    symlink: z
      .strictObject({ path: path('The link.'), target: path('What it leads to.'), owner: owner.optional() })
      .describe('Makes a symbolic link.')
      .optional(),
  }),
  exactlyOneOf(['copy', 'mkdir', 'mkfile', 'rm', 'symlink']),
).describe('One change of files: exactly one kind.');

/** What a step makes, in the order in which it is told. */
export const STEP_KINDS = [
  'image',
  'git',
  'http',
  'context',
  'files',
  'run',
  'exec',
  'actions',
  'merge',
  'diff',
] as const;

const step = rule(
  z.strictObject({
    image: text(512, 'The file system of an image. Its settings (PATH, user) are not taken over.').min(1).optional(),
    git: z
      .strictObject({
        url: text(2048, 'Clone URL without credentials; a private repository is a context of the Build.').min(1),
        ref: text(255, 'Branch, tag or commit; the default branch when left out.').optional(),
        subPath: path('Folder of the repository.').optional(),
        checksum: text(64, 'Commit that ref must be.').optional(),
        keepGitDir: boolean('Keeps .git.'),
        submodules: defaultsTo(z.boolean().describe('Whether submodules are fetched too.'), true).optional(),
      })
      .describe('A git repository.')
      .optional(),
    http: z
      .strictObject({
        url: text(2048, 'http(s) URL.').min(1),
        checksum: text(135, 'Expected digest, sha256:<hex>.').optional(),
        filename: text(255, 'Name of the file; by default as in the URL.').min(1).optional(),
        mode: mode.optional(),
        uid: id.describe('Owner.').optional(),
        gid: id.describe('Group.').optional(),
      })
      .describe('One file, fetched over http(s).')
      .optional(),
    context: z
      .strictObject({
        name: text(128, 'Name in spec.contexts; when left out, spec.source.').min(1).optional(),
        include: list(text(1024, 'A pattern.'), 64, 'Of an upload only what matches.').optional(),
        exclude: list(text(1024, 'A pattern.'), 64, 'Of an upload not what matches.').optional(),
      })
      .describe('The source of the Build, or a context by name.')
      .optional(),
    files: z
      .record(z.string().min(1).max(1024), text(262_144, 'Content of the file.'))
      .refine((files) => Object.keys(files).length <= 64, { message: 'at most 64 files' })
      .meta({ description: 'Files by path, written over `from`.', maxProperties: 64 })
      .optional(),
    run: text(131_072, 'A script for /bin/sh -c, run on `from`.').min(1).optional(),
    exec: argv('A command with its arguments, run on `from`.').min(1).optional(),
    actions: list(action, 64, 'Changes of files, one after the other, on `from`.').min(1).optional(),
    merge: list(input('A step.'), 64, 'File systems, one over the other, the lowest first.').min(1).optional(),
    diff: z
      .strictObject({ lower: input('Before.'), upper: input('After.') })
      .describe('What `upper` has changed over `lower`.')
      .optional(),

    from: input('What the step starts from: a step, or scratch (the default).').optional(),
    mounts: list(mount, 64, 'Of run and exec.').optional(),
    env: environment('Variables of this step and of those from it.').optional(),
    cwd: path('Working directory of this step and of those from it.').optional(),
    user: text(128, 'User[:group] of commands of this step and of those from it.').optional(),
    hosts: stringMap('Further names of hosts and their addresses.', { maxValue: 64, maxProperties: 32 }).optional(),
    network: z.enum(['default', 'none', 'host']).describe('Of run and exec (default: spec.network).').optional(),
    insecure: boolean('Run and exec have all privileges: the entitlement security.insecure is needed.'),
    exitCodes: list(z.number().int().min(0).max(255), 32, 'Exit codes that count as success (default 0).').optional(),
    platform: text(64, 'os/arch[/variant] that this step is for (default: what is built for).').min(1).optional(),
    noCache: boolean('Run again each time.'),
    description: text(256, 'What progress tells of it.').min(1).optional(),
  }),
  exactlyOneOf(STEP_KINDS),
).describe('A vertex of the graph: exactly one kind, and what belongs to it.');
export type GraphStep = z.infer<typeof step>;
export type GraphAction = z.infer<typeof action>;
export type GraphMount = z.infer<typeof mount>;

const healthcheck = z
  .strictObject({
    test: list(text(32_768, 'A word.'), 64, 'NONE, CMD and a command, or CMD-SHELL and a script.').min(1),
    interval: text(32, 'Between two, such as 30s.').optional(),
    timeout: text(32, 'Of one.').optional(),
    startPeriod: text(32, 'In which failures do not count.').optional(),
    startInterval: text(32, 'Between two in that time.').optional(),
    retries: z.number().int().min(1).max(1000).describe('Failures in a row.').optional(),
  })
  .describe('How to see that a container works.');

export const imageSettings = z
  .strictObject({
    entrypoint: argv('The command that containers start.').optional(),
    cmd: argv('Its arguments, or the command where there is no entrypoint.').optional(),
    env: environment('Variables.').optional(),
    user: text(128, 'User[:group].').optional(),
    workdir: text(1024, 'Working directory.').regex(/^[/$]/, 'must be absolute').optional(),
    labels: stringMap('Labels.', { maxValue: 4096, maxProperties: 128 }).optional(),
    ports: list(
      text(32, 'port[/protocol], such as 80 or 53/udp.').regex(
        /^(\d{1,5}(\/(tcp|udp|sctp))?|\$.+)$/,
        'must be port[/protocol]',
      ),
      64,
      'Ports that containers listen on.',
    ).optional(),
    volumes: list(path('A folder.'), 64, 'Folders for data.').optional(),
    stopSignal: text(32, 'Signal that ends containers.').min(1).optional(),
    healthcheck: healthcheck.optional(),
  })
  .describe('How containers of the image start.');
export type GraphImage = z.infer<typeof imageSettings>;

export const llbGraph = z
  .strictObject({
    steps: z
      .record(stepName, step)
      .refine((steps) => Object.keys(steps).length <= MAX_GRAPH_STEPS, { message: `at most ${MAX_GRAPH_STEPS} steps` })
      .meta({ description: 'The vertices by name, in any order.', maxProperties: MAX_GRAPH_STEPS }),
    result: input('Step whose file system is the result.'),
  })
  .describe(
    `A graph by the names of its steps. \`\${NAME}\` in texts, but for scripts and contents of files, is an argument of the Build; docs/llb.md tells more.`,
  );
export type LlbGraph = z.infer<typeof llbGraph>;
