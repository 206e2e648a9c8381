import { closeSync, constants as fs, fstatSync, readSync } from 'node:fs';
import { CodedError, type ParentMatches, PatternMatcher } from '../../base/index.ts';
import { type Dir, hasErrno, openRoot, type Root, type Stat } from '../../sys/index.ts';

/** Largest piece of a file handed to a frontend: it must fit into one message. */
const MAX_READ_BYTES = 15 << 20;

export interface ReadArgs {
  readonly root: string;
  readonly path: string;
}

function inRoot<T>(verb: 'open' | 'lstat', args: ReadArgs, read: (root: Root) => T): T {
  using root = openRoot(args.root);
  try {
    return read(root);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw new CodedError('not_found', `${verb} ${args.path}: no such file or directory`, { cause: error });
    if (hasErrno(error, 'EISDIR', 'ELOOP'))
      throw new CodedError('invalid_argument', `${args.path}: ${(error as Error).message}`, { cause: error });
    throw error;
  }
}

/** Bytes of a regular file; `length` undefined reads to its end. */
export function readFile(
  args: ReadArgs & { readonly offset: number; readonly length: number | undefined },
): Uint8Array {
  return inRoot('open', args, (root) => {
    const fd = root.open(args.path, fs.O_RDONLY | fs.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new CodedError('invalid_argument', `${args.path} is no regular file`);
      const rest = Math.max(0, stat.size - args.offset);
      const wanted = Math.min(rest, args.length ?? rest);
      if (wanted > MAX_READ_BYTES) {
        throw new CodedError('resource_exhausted', `${args.path}: ${wanted} bytes are more than can be read at once`, {
          fault: 'user',
          hint: `read it in pieces of at most ${MAX_READ_BYTES} bytes`,
        });
      }
      const bytes = new Uint8Array(wanted);
      let filled = 0;
      while (filled < wanted) {
        const count = readSync(fd, bytes, filled, wanted - filled, args.offset + filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    } finally {
      closeSync(fd);
    }
  });
}

export interface FoundEntry {
  readonly path: string;
  readonly stat: Stat;
  readonly linkname: string;
}

/** The entry that `path` leads to, symlinks followed inside the root. */
export function statFile(args: ReadArgs): FoundEntry {
  return inRoot('lstat', args, (root) => ({
    path: args.path.split('/').at(-1) ?? '',
    stat: root.stat(args.path),
    linkname: '',
  }));
}

/**
 * The entries of a directory, in order of their names; with a pattern those that it matches, and directories that hold something it matches.
 */
export function readDirectory(args: ReadArgs & { readonly includePattern: string | undefined }): readonly FoundEntry[] {
  const { includePattern } = args;
  const matcher = includePattern === undefined ? undefined : new PatternMatcher([includePattern]);
  return inRoot('open', args, (root) => {
    using dir = root.openDir(args.path);
    return dir
      .readdir()
      .sort()
      .map((name) => ({ path: name, stat: dir.lstat(name) }))
      .filter(({ path, stat }) => matcher === undefined || holdsMatch(dir, path, path, stat, [], matcher))
      .map(({ path, stat }) => ({ path, stat, linkname: stat.type === 'symlink' ? dir.readlink(path) : '' }));
  });
}

function holdsMatch(
  dir: Dir,
  name: string,
  path: string,
  stat: Stat,
  parents: ParentMatches,
  matcher: PatternMatcher,
): boolean {
  const match = matcher.matchChild(path, parents);
  if (match.matched) return true;
  if (stat.type !== 'dir' || !matcher.mayMatchInside(path)) return false;
  using below = dir.openDir(name);
  return below
    .readdir()
    .some((child) => holdsMatch(below, child, `${path}/${child}`, below.lstat(child), match.parents, matcher));
}
