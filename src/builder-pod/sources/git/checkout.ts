import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { type AbortOptions, CodedError } from '../../../base/index.ts';
import { runOrThrow } from '../../../sys/index.ts';
import type { Git } from './git-command.ts';
import type { ResolvedRef } from './mirror.ts';

interface CheckoutOptions extends AbortOptions {
  /** The repository's address, for submodules and the kept repository's origin. */
  readonly url: string;
  readonly resolved: ResolvedRef;
  readonly subdir: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  /** Files get the time of the commit instead of that of the checkout. */
  readonly commitTimes: boolean;
}

const WORK = '.slipway-checkout';

/** Writes the files of a commit that the mirror has into the empty directory `target`. */
export async function checkout(git: Git, gitDir: string, target: string, options: CheckoutOptions): Promise<void> {
  const { resolved, subdir, signal } = options;
  const commit = resolved.tagged ?? resolved.object;
  const work = subdir === '' ? target : join(target, WORK);
  mkdirSync(work, { recursive: true, mode: 0o755 });
  const modules =
    options.submodules && (await git.try(['cat-file', '-e', `${commit}:.gitmodules`], { gitDir })).code === 0;
  if (options.keepGitDir || modules) await checkoutRepository(git, gitDir, work, options, modules);
  else
    await git.run('check out', ['read-tree', '--reset', '-u', `${commit}^{tree}`], {
      gitDir,
      workTree: work,
      indexFile: git.path('index'),
    });
  if (modules && !options.keepGitDir)
    await runOrThrow(
      'find',
      [work, '-mindepth', '1', '-name', '.git', '-prune', '-exec', 'rm', '-rf', '--', '{}', '+'],
      { signal },
    );
  if (subdir !== '') await raise(target, work, subdir, options);
  if (options.commitTimes) {
    const time = (await git.run('read the commit', ['show', '-s', '--format=%ct', commit, '--'], { gitDir })).trim();
    await runOrThrow('find', [target, '-exec', 'touch', '-h', '-d', `@${time}`, '--', '{}', '+'], { signal });
  }
}

/** A repository of its own in the work tree: submodules need one, and `keep-git-dir` asks for it. */
async function checkoutRepository(
  git: Git,
  gitDir: string,
  work: string,
  options: CheckoutOptions,
  modules: boolean,
): Promise<void> {
  const { url, resolved, keepGitDir } = options;
  const inside = { cwd: work };
  const sha256 = resolved.object.length === 64 ? ['--object-format=sha256'] : [];
  await git.run('check out', ['init', '--quiet', ...sha256], inside);
  await git.run('check out', ['config', 'remote.origin.url', url], inside);
  if (keepGitDir)
    await git.run('check out', ['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], inside);
  const branch = resolved.ref.startsWith('refs/heads/') ? resolved.ref : undefined;
  const name = branch ?? (resolved.ref.startsWith('refs/tags/') ? resolved.ref : 'refs/slipway/checkout');
  await git.run(
    'check out',
    [
      'fetch',
      '--quiet',
      '--no-tags',
      '--depth=1',
      '--update-head-ok',
      '--no-write-fetch-head',
      `file://${gitDir}`,
      `${resolved.object}:${name}`,
    ],
    { ...inside, protocols: ['file'], config: { 'uploadpack.allowAnySHA1InWant': 'true' } },
  );
  const commit = resolved.tagged ?? resolved.object;
  if (branch === undefined) await git.run('check out', ['checkout', '--quiet', '--detach', commit, '--'], inside);
  else {
    await git.run('check out', ['symbolic-ref', 'HEAD', branch], inside);
    await git.run('check out', ['reset', '--quiet', '--hard', commit, '--'], inside);
  }
  if (name.startsWith('refs/slipway/')) await git.run('check out', ['update-ref', '-d', name], inside);
  if (modules)
    await git.run('fetch submodules', ['submodule', 'update', '--init', '--recursive', '--depth=1', '--quiet'], inside);
  if (keepGitDir) await git.run('check out', ['reflog', 'expire', '--expire=all', '--all'], inside);
}

/** Makes the subdirectory all there is. It must be a real directory of the repository: a symlink could lead anywhere. */
async function raise(target: string, work: string, subdir: string, { signal }: AbortOptions): Promise<void> {
  let path = work;
  for (const part of subdir.split('/')) {
    path = join(path, part);
    let info: Stats | undefined;
    try {
      info = lstatSync(path);
    } catch {
      info = undefined;
    }
    if (info === undefined || !info.isDirectory())
      throw CodedError.of('GIT_SUBDIR', `git subdirectory ${JSON.stringify(subdir)} is no directory of the repository`);
  }
  const raised = join(target, `${WORK}-subdir`);
  renameSync(path, raised);
  await runOrThrow('rm', ['-rf', '--', work], { signal });
  for (const name of readdirSync(raised)) renameSync(join(raised, name), join(target, name));
  rmdirSync(raised);
}
