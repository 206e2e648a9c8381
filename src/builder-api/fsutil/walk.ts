import { type ParentMatches, PatternMatcher } from '../../base/index.ts';
import { type Dir, hasErrno, type Root, type Stat } from '../../sys/index.ts';
import { toGoMode } from './mode.ts';
import { comparePaths } from './order.ts';
import type { FileStat } from './packets.ts';

interface WalkOptions {
  readonly root: Root;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  /** Every entry is said to be owned by 0:0. */
  readonly resetOwners?: boolean;
}

interface Waiting {
  readonly stat: FileStat;
  sent: boolean;
}

/**
 * Lists a tree in transfer order. A directory that is not wanted itself comes when something below it is. Entries that vanish meanwhile are
 * left out. Synchronous.
 */
export function* walkTree(options: WalkOptions): Generator<FileStat> {
  const include = matcherOf(options.includePatterns);
  const exclude = matcherOf(options.excludePatterns);
  const firstNames = new Map<string, string>();

  function* walk(
    dir: Dir,
    prefix: string,
    parents: Waiting[],
    included: ParentMatches,
    excluded: ParentMatches,
  ): Generator<FileStat> {
    for (const name of dir.readdir().sort(comparePaths)) {
      const path = `${prefix}${name}`;
      const stat = dir.lstatIfAny(name);
      if (stat === undefined) continue;
      const isDirectory = stat.type === 'dir';
      const inc = include?.matchChild(path, included);
      const exc = exclude?.matchChild(path, excluded);
      if (!isDirectory) {
        if (inc?.matched === false || exc?.matched === true) continue;
        yield* release(parents);
        yield entry(dir, name, path, stat);
        continue;
      }
      if (exc?.matched === true && exclude!.canPrune(path)) continue;
      if (inc?.matched === false && !include!.mayMatchInside(path)) continue;
      let below: Dir;
      try {
        below = dir.openDir(name);
      } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) continue;
        throw error;
      }
      using opened = below;
      const waiting: Waiting = { stat: entry(dir, name, path, stat), sent: false };
      parents.push(waiting);
      if (inc?.matched !== false && exc?.matched !== true) yield* release(parents);
      yield* walk(opened, `${path}/`, parents, inc?.parents ?? [], exc?.parents ?? []);
      parents.pop();
    }
  }

  function* release(parents: readonly Waiting[]): Generator<FileStat> {
    for (const parent of parents) {
      if (parent.sent) continue;
      parent.sent = true;
      yield parent.stat;
    }
  }

  function entry(dir: Dir, name: string, path: string, stat: Stat): FileStat {
    const isFile = stat.type === 'file';
    let linkname = stat.type === 'symlink' ? dir.readlink(name) : '';
    if (isFile && stat.nlink > 1) {
      const inode = `${stat.dev}:${stat.ino}`;
      const first = firstNames.get(inode);
      if (first === undefined) firstNames.set(inode, path);
      else linkname = first;
    }
    const device = stat.type === 'char' || stat.type === 'block';
    return {
      path,
      mode: toGoMode(stat.mode),
      uid: options.resetOwners === true ? 0 : stat.uid,
      gid: options.resetOwners === true ? 0 : stat.gid,
      size: isFile && linkname === '' ? stat.size : 0,
      modTime: stat.mtimeNs,
      linkname,
      devmajor: device ? stat.rdevMajor : 0,
      devminor: device ? stat.rdevMinor : 0,
      xattrs: Object.fromEntries(dir.readXattrs(name)),
    };
  }

  using top = options.root.openDir('/');
  yield* walk(top, '', [], [], []);
}

function matcherOf(patterns: readonly string[] | undefined): PatternMatcher | undefined {
  if (patterns === undefined || patterns.length === 0) return undefined;
  const matcher = new PatternMatcher(patterns);
  return matcher.empty ? undefined : matcher;
}
