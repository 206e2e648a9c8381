import { closeSync, fchmodSync, fchownSync, writeFileSync } from 'node:fs';
import { CodedError, newId } from '../../../base/index.ts';
import type { FileMkdir, FileMkfile, FileSymlink } from '../../../llb/index.ts';
import { futimensNs, hasErrno, type Root } from '../../../sys/index.ts';
import { cleanPath, expandWildcards, makeDirectories, named, resolvePath, type Written } from './paths.ts';

export function mkdir(root: Root, action: FileMkdir, written: Written): void {
  const path = resolvePath(root, action.path, true);
  const mode = action.mode & 0o777;
  if (action.makeParents) {
    makeDirectories(root, path, mode, written);
    return;
  }
  try {
    root.mkdir(path, mode);
  } catch (error) {
    // As BuildKit: an existing entry stays as it is.
    if (path === '/' || hasErrno(error, 'EEXIST')) return;
    named('mkdir', action.path, () => {
      throw error;
    });
  }
  finish(root, path, mode, written);
}

/** Writes a new file beside the old one and puts it in its place, so that what was there (a device, say) is never written through. */
export function mkfile(root: Root, action: FileMkfile, { owner, time }: Written): void {
  const path = resolvePath(root, action.path, true);
  const target = cleanPath(action.path);
  if (path === '/' || root.lstatIfAny(path)?.type === 'dir')
    throw new CodedError('failed_precondition', `mkfile ${target}: is a directory`);
  named('open', target, () => {
    const { dir, name } = root.openParent(path);
    using parent = dir;
    const temporary = `.slipway-${newId()}`;
    const fd = parent.createFile(temporary, 0o600);
    try {
      try {
        writeFileSync(fd, action.data);
        if (owner) fchownSync(fd, owner.uid, owner.gid);
        fchmodSync(fd, action.mode & 0o777);
        if (time !== undefined) futimensNs(fd, time, time);
      } finally {
        closeSync(fd);
      }
      parent.rename(temporary, parent, name);
    } catch (error) {
      parent.removeAll(temporary);
      throw error;
    }
  });
}

export function symlink(root: Root, action: FileSymlink, { owner, time }: Written): void {
  const path = resolvePath(root, action.newPath, true);
  named('symlink', `${action.oldPath} ${cleanPath(action.newPath)}`, () => root.symlink(action.oldPath, path));
  if (owner) root.chown(path, owner.uid, owner.gid);
  if (time !== undefined) root.utimens(path, time, time);
}

export function rm(
  root: Root,
  action: { readonly path: string; readonly allowNotFound: boolean; readonly allowWildcard: boolean },
): void {
  const paths = action.allowWildcard ? expandWildcards(root, action.path, false) : [cleanPath(action.path)];
  for (const path of paths) {
    if (path === '/') throw new CodedError('invalid_argument', `rm ${action.path}: the root cannot be removed`);
    // The entry goes, not what a symlink names.
    const removed = root.removeAll(resolvePath(root, path, false));
    if (!removed && !action.allowNotFound) throw new CodedError('not_found', `stat ${path}: no such file or directory`);
  }
}

function finish(root: Root, path: string, mode: number, { owner, time }: Written): void {
  if (owner) root.chown(path, owner.uid, owner.gid);
  root.chmod(path, mode);
  if (time !== undefined) root.utimens(path, time, time);
}
