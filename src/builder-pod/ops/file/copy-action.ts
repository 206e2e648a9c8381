import { posix } from 'node:path';
import { CodedError } from '../../../base/index.ts';
import type { FileCopy } from '../../../llb/index.ts';
import type { Root } from '../../../sys/index.ts';
import { CopyClaims } from './copy-claims.ts';
import { cleanPath, cleanTarget, expandWildcards, makeDirectories, named, resolvePath, type Written } from './paths.ts';
import { TreeCopy, type TreeCopyOptions } from './tree-copy.ts';

const DEFAULT_DIRECTORY_MODE = 0o755;

/** The paths that a copy takes. @throws CodedError not_found when a pattern matches nothing and must. */
export function copySources(source: Root, copy: FileCopy): readonly string[] {
  if (!copy.allowWildcard) return [cleanPath(copy.src)];
  const found = expandWildcards(source, copy.src, copy.followSymlink);
  if (found.length === 0 && !copy.allowEmptyWildcard)
    throw new CodedError('not_found', `${cleanPath(copy.src)} not found`);
  return found;
}

/** The directory that an archive is unpacked into, made where missing; without symlinks. */
export function unpackTarget(target: Root, copy: FileCopy, written: Written): string {
  const path = resolvePath(target, copy.dest, true);
  makeDirectories(target, path, DEFAULT_DIRECTORY_MODE, written);
  return path;
}

/** Where a regular file of the source really is; undefined when it is something else. */
export function archiveSource(source: Root, path: string): string | undefined {
  const resolved = resolvePath(source, path, true);
  return source.lstatIfAny(resolved)?.type === 'file' ? resolved : undefined;
}

export function checkDestParent(target: Root, copy: FileCopy): void {
  if (copy.createDestPath) return;
  const parent = posix.dirname(resolvePath(target, copy.dest, true));
  if (target.lstatIfAny(parent) === undefined)
    throw new CodedError('not_found', `failed to stat ${copy.dest}: lstat ${parent}: no such file or directory`);
}

/** From where to where, and what the copies are given. */
type CopySettings = Pick<TreeCopyOptions, 'owner' | 'time' | 'mode' | 'replaceExisting'> & {
  readonly from: string;
  readonly to: string;
};

/** What a second thread must know of a copy. */
export interface LargeCopy {
  readonly settings: CopySettings;
  readonly claimed: SharedArrayBuffer;
}

export interface CopyWork {
  readonly throwIfAborted: () => void;
  /** There is enough for two threads: {@link copyAlong} is what the second is to do. */
  readonly onLarge: (copy: LargeCopy) => void;
}

/** Copies one path as BuildKit's copy does: into a directory that exists, else under the destination's own name. */
export function copyPath(
  source: Root,
  path: string,
  target: Root,
  copy: FileCopy,
  written: Written,
  { throwIfAborted, onLarge }: CopyWork,
): void {
  const destination = cleanTarget(copy.dest);
  const mode = copy.modeStr !== '' ? copy.modeStr : copy.mode === -1 ? undefined : copy.mode;
  const directoryMode = typeof mode === 'number' ? mode & 0o777 : DEFAULT_DIRECTORY_MODE;
  const made: string[] = [];
  const make = (directory: string) => made.push(...makeDirectories(target, directory, directoryMode, written));

  const last = posix.basename(destination);
  const directory = destination.endsWith('/') || last === '.';
  make(resolvePath(target, directory ? destination : posix.dirname(destination), true));
  let to = resolvePath(target, destination, true);

  const from = resolvePath(source, path, copy.followSymlink);
  const stat = named('lstat', path, () => source.lstat(from));
  const there = target.lstatIfAny(to);
  const contents = copy.dirCopyContents && stat.type === 'dir';
  if (there && (stat.type === 'dir' ? !copy.dirCopyContents : there.type === 'dir'))
    to = posix.join(to, posix.basename(path));
  make(contents && !there ? to : posix.dirname(to));

  const settings: CopySettings = {
    from,
    to,
    owner: written.owner,
    time: written.time,
    mode,
    replaceExisting: copy.alwaysReplaceExistingDestPaths,
  };
  const { includePatterns, excludePatterns } = copy;
  // Which directories patterns leave is known only once all in them was looked at.
  const isWhole = includePatterns.length === 0 && excludePatterns.length === 0;
  const claims = CopyClaims.first(isWhole ? (claimed) => onLarge({ settings, claimed }) : undefined);
  const tree = new TreeCopy(target, { ...settings, includePatterns, excludePatterns, claims, throwIfAborted });
  copyTree(tree, source, settings);
  claims.settle(throwIfAborted);
  tree.finish();
  // What was put into them has changed their times.
  if (written.time !== undefined)
    for (const each of made.toReversed()) target.utimens(each, written.time, written.time);
}

/** Does a part of a large copy that another thread has begun. */
export function copyAlong(
  source: Root,
  target: Root,
  { settings, claimed }: LargeCopy,
  throwIfAborted: () => void,
): void {
  const claims = CopyClaims.second(claimed);
  if (claims === undefined) return;
  const tree = new TreeCopy(target, { ...settings, includePatterns: [], excludePatterns: [], claims, throwIfAborted });
  copyTree(tree, source, settings);
}

function copyTree(tree: TreeCopy, source: Root, { from, to }: CopySettings): void {
  if (from === '/') {
    tree.copyRoot(source, to);
    return;
  }
  const { dir, name } = source.openParent(from);
  using parent = dir;
  tree.copy(parent, name, to);
}
