import { posix } from 'node:path';
import { type Output, type StepOptions, source } from '../llb/index.ts';
import type { GitRef } from './git-ref.ts';
import { joinPath } from './paths.ts';

/** The last path segment of a URL, or a stand-in. */
export function httpFilename(url: string): string {
  try {
    const base = posix.basename(decodeURIComponent(new URL(url).pathname));
    return base === '' || base === '.' || base === '/' ? '__unnamed__' : base;
  } catch {
    return '__unnamed__';
  }
}

interface GitOptions {
  readonly keepGitDir: boolean;
  readonly checksum: string;
  readonly mtime: string;
}

/** A git checkout. The identifier leaves the protocol out, so that one repository has one cache entry however it is reached. */
export function gitSource(git: GitRef, options: GitOptions, step: StepOptions): Output {
  const attrs: Record<string, string> = {};
  const caps = ['source.git', 'source.git.fullurl'];
  const set = (attribute: string, value: string, cap: string) => {
    attrs[attribute] = value;
    caps.push(cap);
  };
  if (options.keepGitDir) set('git.keepgitdir', 'true', 'source.git.keepgitdir');
  attrs['git.fullurl'] = git.maybeLocal ? `https://${git.remote}` : git.remote;
  attrs['git.authtokensecret'] = 'GIT_AUTH_TOKEN';
  attrs['git.authheadersecret'] = 'GIT_AUTH_HEADER';
  if (git.scheme === 'ssh') {
    caps.push('source.git.knownsshhosts');
    set('git.mountsshsock', 'default', 'source.git.mountsshsock');
  }
  if (options.checksum !== '') set('git.checksum', options.checksum, 'source.git.checksum');
  if (git.submodules === false) set('git.skipsubmodules', 'true', 'source.git.skipsubmodules');
  if (options.mtime !== '') set('git.mtime', options.mtime, 'source.git.mtime');
  if (git.fetchByCommit) set('git.fetchbycommit', 'true', 'source.git.fetchbycommit');
  let identifier = `git://${git.host}${joinPath('/', git.path)}`;
  if (git.ref !== '' || git.subdir !== '') identifier += `#${git.ref}${git.subdir === '' ? '' : `:${git.subdir}`}`;
  return source({ identifier, attrs }, caps, step).output!;
}
