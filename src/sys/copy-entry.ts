import { closeSync, fchmodSync, fchownSync, constants as fs } from 'node:fs';
import type { Dir } from './dir.ts';
import { copyFd, futimensNs } from './files.ts';
import { hasErrno } from './libc.ts';
import type { Stat } from './stat.ts';
import { readXattrsOf } from './xattr.ts';

/** What an entry is given beside its content. */
export interface EntryMetadata {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, those of setuid, setgid and sticky among them. */
  readonly mode: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
}

export interface XattrRule {
  readonly takes: (attribute: string) => boolean;
  /** Answers of a file system that does not have an attribute: it is left out. */
  readonly refusals: readonly string[];
}

/**
 * Makes `toName` what `name` is, which is no directory: its content, then owner, mode, attributes and times, in the order in which none undoes another (a new
 * owner clears setuid and capabilities). A regular file goes through its descriptors alone: most of what is copied is small files, and a way to each costs more than
 * what is done there.
 */
export function copyEntry(
  from: Dir,
  name: string,
  { type, mode, rdevMajor, rdevMinor }: Stat,
  to: Dir,
  toName: string,
  metadata: EntryMetadata,
  rule: XattrRule,
): void {
  if (type !== 'file') {
    if (type === 'symlink') to.symlink(from.readlink(name), toName);
    else to.mknod(toName, mode, rdevMajor, rdevMinor);
    setMetadata(to, toName, type, metadata, from.readXattrs(name), rule);
    return;
  }
  const source = from.open(name, fs.O_RDONLY);
  try {
    const target = to.open(toName, fs.O_CREAT | fs.O_EXCL | fs.O_WRONLY, 0o600);
    try {
      copyFd(source, target);
      fchownSync(target, metadata.uid, metadata.gid);
      fchmodSync(target, metadata.mode);
      setXattrs(to, toName, readXattrsOf(source), rule);
      futimensNs(target, metadata.atimeNs, metadata.mtimeNs);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

export function setMetadata(
  dir: Dir,
  name: string,
  type: Stat['type'],
  metadata: EntryMetadata,
  xattrs: ReadonlyMap<string, Buffer>,
  rule: XattrRule,
): void {
  dir.chown(name, metadata.uid, metadata.gid);
  if (type !== 'symlink') dir.chmod(name, metadata.mode);
  setXattrs(dir, name, xattrs, rule);
  dir.utimens(name, metadata.atimeNs, metadata.mtimeNs);
}

function setXattrs(dir: Dir, name: string, xattrs: ReadonlyMap<string, Buffer>, rule: XattrRule): void {
  for (const [attribute, value] of xattrs) {
    if (!rule.takes(attribute)) continue;
    try {
      dir.setXattr(name, attribute, value);
    } catch (error) {
      if (!hasErrno(error, ...rule.refusals)) throw error;
    }
  }
}
