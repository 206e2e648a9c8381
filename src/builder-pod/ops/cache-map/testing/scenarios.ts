import { diff, FileActions, local, merge, type State, scratch } from '../../../../llb/index.ts';

/** The files of local source `ctx`: content, or `->target`, or a directory by a trailing slash. All of root's, 0644 and 0755 unless the name says `#mode`. */
export const CONTEXT: Readonly<Record<string, string>> = {
  'd/': '',
  'd/a': 'one',
  'd/b#0755': 'two',
  'd/sub/': '',
  'd/sub/c.go': 'three',
  'd/sub/x<y>': 'four',
  'd-e': 'between',
  'empty/': '',
  link: '->d/a',
  'bin/': '',
  'bin/tool#4755': 'five',
};

const files = new FileActions();
const ctx = local('ctx', { sharedKeyHint: 'ctx' });
const timestamp = 1_700_000_000_000_000_000n;

/** Root file system with a static busybox, from local source `rootfs`. */
const rootfs = scratch().file(files.copy(local('rootfs'), '/', '/', { dirCopyContents: true }));

const run = rootfs.env('PATH', '/bin').run({ args: ['sh', '-c', 'echo "<hi>" & wait'] });

/** Steps without any input are not exported, so that what they do is done on top of a copy. */
export const onContext = scratch().file(files.copy(ctx, '/d', '/out'));

/** Graphs without processes: each gives one record for its last step. */
export const FILE_SCENARIOS: Readonly<Record<string, State>> = {
  mkfile: onContext.file(files.mkfile('/f', 0o644, Buffer.from('data <&>'), { timestamp })),
  chain: onContext.file(
    files
      .mkdir('/a', 0o755, { makeParents: true, owner: { uid: 1, gid: 0 } })
      .mkfile('/a/f', 0o600, Buffer.from(''))
      .rm('/a/f', { allowNotFound: true })
      .symlink('x', '/a/l'),
  ),
  'copy-dir': scratch().file(files.copy(ctx, '/d', '/out')),
  'copy-file': scratch().file(files.copy(ctx, '/d/a', '/out', { mode: 0o600, owner: 'root:5' })),
  'copy-all': scratch().file(files.copy(ctx, '/', '/', { dirCopyContents: true })),
  'copy-empty': scratch().file(files.copy(ctx, '/empty', '/x')),
  'copy-link': scratch().file(files.copy(ctx, '/link', '/x')),
  'copy-link-followed': scratch().file(files.copy(ctx, '/link', '/x', { followSymlink: true })),
  'copy-wildcard': scratch().file(files.copy(ctx, '/d/*', '/x/', { allowWildcard: true, createDestPath: true })),
  'copy-wildcard-one': scratch().file(files.copy(ctx, '/d/[a]', '/x/', { allowWildcard: true, createDestPath: true })),
  'copy-include': scratch().file(
    files.copy(ctx, '/', '/x/', { dirCopyContents: true, createDestPath: true, includePatterns: ['**/*.go', 'bin'] }),
  ),
  'copy-exclude': scratch().file(
    files.copy(ctx, '/d', '/x/', {
      dirCopyContents: true,
      createDestPath: true,
      excludePatterns: ['sub', '!sub/c.go'],
    }),
  ),
  'copy-two': scratch()
    .file(files.mkdir('/base', 0o755))
    .file(files.copy(ctx, '/d/a', '/1').copy(ctx, '/bin/', '/2', { timestamp }).mkdir('/q', 0o700)),
  merge: merge([scratch().file(files.mkdir('/1', 0o755)), scratch().file(files.mkdir('/2', 0o755))]),
  diff: diff(
    scratch().file(files.mkdir('/1', 0o755)),
    scratch().file(files.mkdir('/1', 0o755)).file(files.mkdir('/2', 0o755)),
  ),
};

/** Copies from a snapshot, whose content is scanned. */
export const SCAN_SCENARIOS: Readonly<Record<string, State>> = {
  'scan-dir': scratch().file(files.copy(onContext, '/out', '/x')),
  'scan-root': scratch().file(files.copy(onContext, '/', '/', { dirCopyContents: true })),
  'scan-file': scratch().file(files.copy(onContext, '/out/b', '/x')),
  'scan-wildcard': scratch().file(files.copy(onContext, '/*/s*', '/x/', { allowWildcard: true, createDestPath: true })),
  'scan-exclude': scratch().file(
    files.copy(onContext, '/', '/', { dirCopyContents: true, excludePatterns: ['**/x*'] }),
  ),
};

export const EXEC_SCENARIOS: Readonly<Record<string, State>> = {
  run: run.root,
  'run-meta': rootfs
    .dir('/bin')
    .user('1:2')
    .hostname('h')
    .extraHost('db', '10.0.0.1')
    .network('none')
    .run({ args: ['sh', '-c', 'exit 3'], validExitCodes: [0, 3] }).root,
  'run-mounts': rootfs.run({
    args: ['/bin/sh', '-c', 'cat /src/a; touch /out/x'],
    mounts: [
      { target: '/src', source: ctx, selector: 'd', readonly: true },
      { target: '/all', source: ctx, readonly: true },
      { target: '/cache', cache: { id: '/cache' } },
      { target: '/cache2', cache: { id: 'other', sharing: 'locked' } },
      { target: '/t', tmpfs: { size: 1 << 20 } },
      { target: '/out' },
    ],
  }).root,
  'run-rw-part': rootfs.run({
    args: ['/bin/sh', '-c', 'touch /w/x'],
    mounts: [{ target: '/w', source: ctx, selector: '/d', noOutput: true }],
  }).root,
};
