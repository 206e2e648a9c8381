import { posix } from 'node:path';
import { CodedError, type ParentMatches, PatternMatcher } from '../../../base/index.ts';
import {
  copyEntry,
  type Dir,
  type EntryMetadata,
  type Root,
  type Stat,
  setMetadata,
  type XattrRule,
} from '../../../sys/index.ts';
import type { Ids } from './owner.ts';
import { applyMode } from './symbolic-mode.ts';

export interface TreeCopyOptions {
  readonly owner: Ids | undefined;
  readonly time: bigint | undefined;
  /** Permission bits for all; symbolic ones are applied to each entry's own. */
  readonly mode: number | string | undefined;
  readonly includePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  /** An existing entry of another type gives way. */
  readonly replaceExisting: boolean;
  readonly throwIfAborted: () => void;
}

/** What the target's file system does not take is left out, as `cp -a` does. */
const XATTRS: XattrRule = {
  takes: () => true,
  refusals: ['ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EACCES', 'EINVAL'],
};

/** A directory on the way down; it is only made once something in it is copied. */
interface Level {
  /** Known unless the parent is itself not made yet. */
  readonly targetParent: Dir | undefined;
  readonly targetName: string;
  readonly targetPath: string;
  target: Dir | undefined;
  /** Its metadata has to be set once its entries are there. */
  fresh: boolean;
}

/**
 * Copies one file or directory as `cp -a`: owners, modes, times, xattrs, hardlinks within the copy, devices. Both sides are walked by directory
 * descriptors, so no symlink is followed on the way. Directories that exist are merged.
 */
export class TreeCopy {
  readonly #root: Root;
  readonly #options: TreeCopyOptions;
  readonly #include: PatternMatcher | undefined;
  readonly #exclude: PatternMatcher | undefined;
  /** Where the first name of a file with several names went, by device and inode. */
  readonly #links = new Map<string, string>();
  readonly #levels: Level[] = [];

  constructor(targetRoot: Root, options: TreeCopyOptions) {
    this.#root = targetRoot;
    this.#options = options;
    this.#include = options.includePatterns.length > 0 ? new PatternMatcher(options.includePatterns) : undefined;
    this.#exclude = options.excludePatterns.length > 0 ? new PatternMatcher(options.excludePatterns) : undefined;
  }

  /** `targetPath` has no symlinks before its last component, and its parent exists. */
  copy(sourceParent: Dir, name: string, targetPath: string): void {
    const stat = sourceParent.lstat(name);
    if (targetPath === '/') {
      using source = sourceParent.openDir(name);
      this.#into(source, stat, targetPath);
      return;
    }
    const { dir, name: targetName } = this.#root.openParent(targetPath);
    using targetParent = dir;
    this.#entry({ sourceParent, name, stat, path: '', targetParent, targetName, targetPath, top: true }, [], []);
  }

  /** Copies what is in the source root itself. */
  copyRoot(source: Root, targetPath: string): void {
    using from = source.openDir('/');
    const stat = source.lstat('/');
    const existed = targetPath === '/' || this.#root.lstatIfAny(targetPath) !== undefined;
    if (!existed) this.#root.mkdir(targetPath, 0o700);
    this.#into(from, stat, targetPath);
    if (existed) return;
    const { dir, name } = this.#root.openParent(targetPath);
    using parent = dir;
    this.#setMetadata(parent, name, stat);
  }

  /** Merges into a directory that exists and keeps its own metadata but for the times. */
  #into(source: Dir, stat: Stat, targetPath: string): void {
    {
      using target = this.#root.openDir(targetPath);
      this.#children(source, '', target, targetPath, [], []);
    }
    const { time } = this.#options;
    this.#root.utimens(targetPath, time ?? stat.atimeNs, time ?? stat.mtimeNs);
  }

  #children(
    source: Dir,
    path: string,
    target: Dir | undefined,
    targetPath: string,
    includes: ParentMatches,
    excludes: ParentMatches,
  ): void {
    for (const name of source.readdir().sort()) {
      this.#entry(
        {
          sourceParent: source,
          name,
          stat: undefined,
          path: path === '' ? name : `${path}/${name}`,
          targetParent: target,
          targetName: name,
          targetPath: posix.join(targetPath, name),
          top: false,
        },
        includes,
        excludes,
      );
    }
  }

  #entry(
    entry: {
      readonly sourceParent: Dir;
      readonly name: string;
      readonly stat: Stat | undefined;
      readonly path: string;
      readonly targetParent: Dir | undefined;
      readonly targetName: string;
      readonly targetPath: string;
      readonly top: boolean;
    },
    parentIncludes: ParentMatches,
    parentExcludes: ParentMatches,
  ): void {
    this.#options.throwIfAborted();
    const { sourceParent, name, path, targetName, targetPath, top } = entry;
    const include = top ? undefined : this.#include?.matchChild(path, parentIncludes);
    const exclude = top ? undefined : this.#exclude?.matchChild(path, parentExcludes);
    const excluded = exclude?.matched ?? false;
    const included = (include?.matched ?? true) && !excluded;
    const stat = entry.stat ?? sourceParent.lstat(name);
    if (stat.type !== 'dir') {
      if (!included) return;
      const targetParent = entry.targetParent ?? this.#makeLevels();
      this.#clear(targetParent, targetName, targetPath, stat);
      this.#leaf(sourceParent, name, stat, targetParent, targetName, targetPath);
      return;
    }
    if (excluded && !this.#exclude?.hasNegated) return;
    if (!included && !excluded && this.#include && !this.#include.mayMatchInside(path)) return;
    using source = sourceParent.openDir(name);
    const level: Level = {
      targetParent: entry.targetParent,
      targetName,
      targetPath,
      target: undefined,
      fresh: false,
    };
    this.#levels.push(level);
    try {
      // With patterns, a directory that is not named itself is only made for what is in it.
      if (included) this.#makeLevels();
      this.#children(source, path, level.target, targetPath, include?.parents ?? [], exclude?.parents ?? []);
      if (!level.target) return;
      const parent = level.targetParent ?? this.#levels.at(-2)!.target!;
      // The directory that was named keeps its own metadata when it was there before; those below take the source's.
      if (level.fresh || (included && !top)) this.#setMetadata(parent, targetName, stat, sourceParent.readXattrs(name));
      else if (top) this.#setTimes(parent, targetName, stat);
    } finally {
      level.target?.[Symbol.dispose]();
      this.#levels.pop();
    }
  }

  /** Makes the directories on the way down that are not there yet; the innermost one is given back. */
  #makeLevels(): Dir {
    let innermost: Dir | undefined;
    for (const level of this.#levels) {
      if (!level.target) {
        const parent = innermost ?? level.targetParent!;
        const before = parent.lstatIfAny(level.targetName);
        if (before && before.type !== 'dir') {
          if (!this.#options.replaceExisting)
            throw new CodedError('failed_precondition', `cannot copy to non-directory: ${level.targetPath}`);
          parent.unlink(level.targetName);
        }
        if (before?.type !== 'dir') {
          parent.mkdir(level.targetName, 0o700);
          level.fresh = true;
        }
        level.target = parent.openDir(level.targetName);
      }
      innermost = level.target;
    }
    return innermost!;
  }

  /** Makes place for something that is no directory. */
  #clear(parent: Dir, name: string, path: string, source: Stat): void {
    const before = parent.lstatIfAny(name);
    if (!before) return;
    if (before.type !== 'dir') parent.unlink(name);
    else if (this.#options.replaceExisting) parent.removeAll(name);
    else
      throw new CodedError(
        'failed_precondition',
        `cannot replace to directory ${path} with ${source.type === 'file' ? 'file' : source.type}`,
      );
  }

  #leaf(from: Dir, fromName: string, stat: Stat, to: Dir, toName: string, toPath: string): void {
    if (stat.type === 'file') {
      const key = stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : undefined;
      const first = key === undefined ? undefined : this.#links.get(key);
      if (first !== undefined) {
        const { dir, name } = this.#root.openParent(first);
        using existing = dir;
        to.link(existing, name, toName);
        return;
      }
      if (key !== undefined) this.#links.set(key, toPath);
    }
    copyEntry(from, fromName, stat, to, toName, this.#metadataOf(stat), XATTRS);
  }

  #modeOf(source: Stat): number {
    const { mode } = this.#options;
    const own = source.mode & 0o7777;
    return typeof mode === 'string' ? applyMode(mode, own, source.type === 'dir') : (mode ?? own) & 0o7777;
  }

  #metadataOf(source: Stat): EntryMetadata {
    const { owner, time } = this.#options;
    return {
      uid: owner?.uid ?? source.uid,
      gid: owner?.gid ?? source.gid,
      mode: this.#modeOf(source),
      atimeNs: time ?? source.atimeNs,
      mtimeNs: time ?? source.mtimeNs,
    };
  }

  #setMetadata(dir: Dir, name: string, source: Stat, xattrs: ReadonlyMap<string, Buffer> = new Map()): void {
    setMetadata(dir, name, source.type, this.#metadataOf(source), xattrs, XATTRS);
  }

  #setTimes(dir: Dir, name: string, source: Stat): void {
    const { time } = this.#options;
    dir.utimens(name, time ?? source.atimeNs, time ?? source.mtimeNs);
  }
}
