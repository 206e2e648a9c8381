import { posix } from 'node:path';
import { CodedError, type ParentMatches, PatternMatcher } from '../../../base/index.ts';
import {
  copyEntry,
  type Dir,
  type EntryMetadata,
  hasErrno,
  type Root,
  type Stat,
  setMetadata,
  type XattrRule,
} from '../../../sys/index.ts';
import type { CopyClaims } from './copy-claims.ts';
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
  /** Which entries are for this copy to make; all, if it is alone. */
  readonly claims: CopyClaims;
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
  /** Made by this copy. */
  fresh: boolean;
  /** Directories in it that are to be closed. */
  readonly inside: Unclosed[];
}

/** A directory whose own metadata is set once all is in it. A tree and no paths: directories may be deeper than a path can say. */
interface Unclosed {
  readonly name: string;
  readonly inside: readonly Unclosed[];
  readonly close: (parent: Dir, name: string) => void;
}

/**
 * Copies one file or directory as `cp -a`: owners, modes, times, xattrs, hardlinks within the copy, devices. Both sides are walked by directory
 * descriptors, so no symlink is followed on the way. Directories that exist are merged. Two may work on one tree, by {@link CopyClaims}: only the first of them calls {@link finish}.
 */
export class TreeCopy {
  readonly #root: Root;
  readonly #options: TreeCopyOptions;
  readonly #include: PatternMatcher | undefined;
  readonly #exclude: PatternMatcher | undefined;
  /** Where the first name of a file with several names went, by device and inode. */
  readonly #links = new Map<string, string>();
  readonly #levels: Level[] = [];
  /** Directories outside all levels. */
  readonly #inside: Unclosed[] = [];
  /** What can be done once all else is there: further names of files, then metadata of directories. */
  readonly #linking: (() => void)[] = [];
  readonly #closing: (() => void)[] = [];

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
    this.#closing.push(() => this.#at(targetPath, (parent) => this.#close(parent, this.#inside)));
    this.#entry({ sourceParent, name, stat, path: '', targetParent, targetName, targetPath, top: true }, [], []);
  }

  /** Copies what is in the source root itself. */
  copyRoot(source: Root, targetPath: string): void {
    using from = source.openDir('/');
    const stat = source.lstat('/');
    const existed = targetPath === '/' || this.#root.lstatIfAny(targetPath) !== undefined;
    if (!existed) this.#root.mkdir(targetPath, 0o700);
    this.#into(from, stat, targetPath);
    if (!existed) this.#closing.push(() => this.#at(targetPath, (dir, name) => this.#setMetadata(dir, name, stat)));
  }

  /** Completes what {@link copy} and {@link copyRoot} have left. */
  finish(): void {
    for (const step of [...this.#linking, ...this.#closing]) {
      this.#options.throwIfAborted();
      step();
    }
  }

  /** Merges into a directory that exists and keeps its own metadata but for the times. */
  #into(source: Dir, stat: Stat, targetPath: string): void {
    {
      using target = this.#root.openDir(targetPath);
      this.#children(source, '', target, targetPath, [], []);
    }
    const { time } = this.#options;
    this.#closing.push(() => {
      {
        using target = this.#root.openDir(targetPath);
        this.#close(target, this.#inside);
      }
      this.#root.utimens(targetPath, time ?? stat.atimeNs, time ?? stat.mtimeNs);
    });
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
      const isMine = this.#options.claims.takesNext();
      if (this.#linksToEarlier(stat, targetPath) || !isMine) return;
      const targetParent = entry.targetParent ?? this.#makeLevels();
      if (this.#levels.at(-1)?.fresh !== true) this.#clear(targetParent, targetName, targetPath, stat);
      copyEntry(sourceParent, name, stat, targetParent, targetName, this.#metadataOf(stat), XATTRS);
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
      inside: [],
    };
    this.#levels.push(level);
    try {
      // With patterns, a directory that is not named itself is only made for what is in it.
      if (included) this.#makeLevels();
      this.#children(source, path, level.target, targetPath, include?.parents ?? [], exclude?.parents ?? []);
      if (!level.target) return;
      // The directory that was named keeps its own metadata when it was there before; those below take the source's.
      const takesAll = level.fresh || (included && !top);
      const xattrs = takesAll ? sourceParent.readXattrs(name) : undefined;
      const above = this.#levels.at(-2)?.inside ?? this.#inside;
      above.push({
        name: targetName,
        inside: level.inside,
        close: (dir, last) => {
          if (takesAll) this.#setMetadata(dir, last, stat, xattrs);
          else if (top) this.#setTimes(dir, last, stat);
        },
      });
    } finally {
      level.target?.[Symbol.dispose]();
      this.#levels.pop();
    }
  }

  #close(parent: Dir, all: readonly Unclosed[]): void {
    for (const { name, inside, close } of all) {
      this.#options.throwIfAborted();
      if (inside.length > 0) {
        using dir = parent.openDir(name);
        this.#close(dir, inside);
      }
      close(parent, name);
    }
  }

  /** Makes the directories on the way down that are not there yet; the innermost one is given back. */
  #makeLevels(): Dir {
    let innermost: Dir | undefined;
    for (const level of this.#levels) {
      level.target ??= this.#makeLevel(level, innermost ?? level.targetParent!);
      innermost = level.target;
    }
    return innermost!;
  }

  /** The other of two threads may do the same at the same time: what it was first with is looked at again. */
  #makeLevel(level: Level, parent: Dir): Dir {
    const { targetName, targetPath } = level;
    for (let tries = 1; ; tries++) {
      const before = parent.lstatIfAny(targetName);
      try {
        if (before !== undefined && before.type !== 'dir') {
          if (!this.#options.replaceExisting)
            throw new CodedError('failed_precondition', `cannot copy to non-directory: ${targetPath}`);
          parent.unlink(targetName);
        }
        if (before?.type !== 'dir') {
          parent.mkdir(targetName, 0o700);
          level.fresh = true;
        }
        return parent.openDir(targetName);
      } catch (error) {
        if (tries === 3 || !hasErrno(error, 'EEXIST', 'ENOENT', 'EISDIR')) throw error;
      }
    }
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

  /** Whether a file has a name before this one, which this one is then linked to. */
  #linksToEarlier(stat: Stat, path: string): boolean {
    if (stat.type !== 'file' || stat.nlink === 1) return false;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) {
      this.#links.set(key, path);
      return false;
    }
    this.#linking.push(() =>
      this.#at(first, (from, fromName) =>
        this.#at(path, (to, name) => {
          this.#clear(to, name, path, stat);
          to.link(from, fromName, name);
        }),
      ),
    );
    return true;
  }

  #at(path: string, act: (parent: Dir, name: string) => void): void {
    const { dir, name } = this.#root.openParent(path);
    using parent = dir;
    act(parent, name);
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
