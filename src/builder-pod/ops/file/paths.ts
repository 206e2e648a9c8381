import { posix } from 'node:path';
import { CodedError, hasGlob, matchGlob } from '../../../base/index.ts';
import { hasErrno, type Root } from '../../../sys/index.ts';
import type { Ids } from './owner.ts';

/** Owner and time for what an action makes. */
export interface Written {
  readonly owner: Ids | undefined;
  /** Nanoseconds since the epoch; undefined leaves the present time. */
  readonly time: bigint | undefined;
}

const TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EEXIST: 'file exists',
  ENOTEMPTY: 'directory not empty',
  EINVAL: 'invalid argument',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
};

/** Runs a call on the path that the user named: its errno becomes an error in the words of BuildKit, `mkdir /a/b: no such file or directory`. */
export function named<T>(verb: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? '';
    const text = TEXTS[errno];
    if (error instanceof CodedError || text === undefined) throw error;
    throw new CodedError(errno === 'ENOENT' ? 'not_found' : 'failed_precondition', `${verb} ${path}: ${text}`, {
      cause: error,
    });
  }
}

/** Cleaned and absolute; a trailing `/` or `/.` stays, since copying tells them apart. */
export function cleanTarget(path: string): string {
  const clean = cleanPath(path);
  if (path.endsWith('/.')) return clean === '/' ? '/.' : `${clean}/.`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

export function cleanPath(path: string): string {
  return posix.join('/', path).replace(/(?<=.)\/$/, '');
}

/** Resolves all but, unless told, the last component inside the root; nothing needs to exist. */
export function resolvePath(root: Root, path: string, followLast: boolean): string {
  const clean = cleanPath(path);
  const followed = followLast || clean === '/' ? clean : posix.dirname(clean);
  try {
    return posix.join(root.resolveMissing(followed), followed === clean ? '' : posix.basename(clean));
  } catch (error) {
    if (!hasErrno(error, 'ELOOP')) throw error;
    throw new CodedError('failed_precondition', 'too many links', {
      hint: `Symbolic links on the way to ${clean} lead in a circle.`,
      cause: error,
    });
  }
}

/** Makes a directory and what is missing above it, with this mode, owner and time. Returns what was made, outermost first. */
export function makeDirectories(root: Root, path: string, mode: number, { owner, time }: Written): readonly string[] {
  const made = named('mkdir', path, () => root.mkdirAll(path, 0o700));
  for (const each of made) {
    if (owner) root.chown(each, owner.uid, owner.gid);
    root.chmod(each, mode);
  }
  if (time !== undefined) for (const each of made.toReversed()) root.utimens(each, time, time);
  return made;
}

/**
 * Paths that a pattern names, in order; what is below a match is not matched again. Symlinks before the first wildcard are followed, those after it not. Without
 * wildcards it is the path itself.
 */
export function expandWildcards(root: Root, pattern: string, followLinks: boolean): string[] {
  const parts = cleanPath(pattern).split('/').filter(Boolean);
  const first = parts.findIndex(hasGlob);
  if (first < 0) return [cleanPath(pattern)];
  const base = resolvePath(root, parts.slice(0, first).join('/'), followLinks);
  const found: string[] = [];
  const descend = (path: string, rest: readonly string[]): void => {
    const [component, ...deeper] = rest;
    if (component === undefined) {
      found.push(path);
      return;
    }
    const stat = root.lstatIfAny(path);
    if (stat?.type !== 'dir') return;
    for (const name of root.readdir(path).sort())
      if (matchGlob(component, name)) descend(posix.join(path, name), deeper);
  };
  descend(base, parts.slice(first));
  return found;
}
