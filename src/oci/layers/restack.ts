import { mkdirSync } from 'node:fs';
import {
  copyEntry,
  type Dir,
  type EntryMetadata,
  hasErrno,
  S_IFCHR,
  type Stat,
  setMetadata,
  type XattrRule,
} from '../../sys/index.ts';
import { saysTheSame } from './compare.ts';
import { isWhiteoutStat } from './directories.ts';
import { fsName, isPrivateXattr } from './names.ts';
import { entryNames, isOpaque, openDirectory } from './walk.ts';

export interface RestackArgs {
  /** Overlay upper directory of a layer; with `whole`, a view that is to be what `below` becomes. */
  readonly directory: string;
  readonly whole: boolean;
  /** A view of what the layer was made on; undefined for nothing. */
  readonly below?: string | undefined;
  /** Directories that it is to lie on now, top first. */
  readonly lowers: readonly string[];
  /** A directory, made if need be, for what says the same there. */
  readonly into: string;
  readonly overlayXattrs: string;
}

/**
 * Lays a layer on something else than it was made on. What it changed is what counts, as in its archive: an opaque directory takes away only what was below it,
 * and what is as it was below changes nothing. Also, overlayfs lists a whiteout as a file where no other layer has its directory. True when the layer's directory
 * says just that as it lies; else `into` does, of links to the same files where the kernel allows.
 */
export function restack(args: RestackArgs, check: () => void): boolean {
  using source = openDirectory(args.directory);
  using below = args.below === undefined ? undefined : openDirectory(args.below);
  using lowers = new Lowers(args.lowers.map(openDirectory), args.overlayXattrs);
  const look = new Look(check, args.overlayXattrs);
  if (!args.whole) {
    look.directory(source, below, lowers);
    if (look.fits) return true;
  }
  mkdirSync(args.into);
  using into = openDirectory(args.into);
  new Restacker(check, into, look.changed, args.overlayXattrs).directory(source, below, lowers, args.whole, {
    dir: into,
  });
  return false;
}

/** The directories that a merged one consists of, top first. */
class Lowers implements Disposable {
  readonly dirs: readonly Dir[];
  readonly #overlayXattrs: string;

  constructor(dirs: readonly Dir[], overlayXattrs: string) {
    this.dirs = dirs;
    this.#overlayXattrs = overlayXattrs;
  }

  /** What is seen of a name, and where. */
  find(name: string): { readonly dir: Dir; readonly stat: Stat } | undefined {
    for (const dir of this.dirs) {
      const stat = dir.lstatIfAny(name);
      if (stat !== undefined) return isWhiteoutStat(stat) ? undefined : { dir, stat };
    }
    return undefined;
  }

  below(name: string): Lowers {
    const dirs: Dir[] = [];
    for (const dir of this.dirs) {
      const stat = dir.lstatIfAny(name);
      if (stat === undefined) continue;
      if (stat.type !== 'dir') break;
      dirs.push(dir.openDir(name));
      if (isOpaque(dir.readXattrs(name), this.#overlayXattrs)) break;
    }
    return new Lowers(dirs, this.#overlayXattrs);
  }

  [Symbol.dispose](): void {
    for (const dir of this.dirs) dir[Symbol.dispose]();
  }
}

/** Whether a layer can lie there as it is. */
class Look {
  /** Files with several names of which one changed: then all are of the layer, as links of one. */
  readonly changed = new Set<string>();
  readonly #check: () => void;
  readonly #overlayXattrs: string;
  readonly #unchanged = new Set<string>();
  #fits = true;

  constructor(check: () => void, overlayXattrs: string) {
    this.#check = check;
    this.#overlayXattrs = overlayXattrs;
  }

  get fits(): boolean {
    return this.#fits && this.#unchanged.isSubsetOf(this.changed);
  }

  directory(dir: Dir, below: Dir | undefined, lowers: Lowers): void {
    this.#check();
    for (const bytes of entryNames(dir)) {
      const name = fsName(bytes);
      const stat = dir.lstat(name);
      const old = below?.lstatIfAny(name);
      if (isWhiteoutStat(stat)) {
        if (old === undefined || lowers.dirs.length === 0) this.#fits = false;
        continue;
      }
      const isSame = below !== undefined && old !== undefined && saysTheSame(name, dir, stat, below, old, this.#check);
      const inode = linkedInode(stat);
      if (inode !== undefined) (isSame ? this.#unchanged : this.changed).add(inode);
      // It may be here only because it was touched, or once had something in it.
      else if (isSame && !this.#isThere(name, dir, stat, lowers)) this.#fits = false;
      if (stat.type !== 'dir') continue;
      using inside = dir.openDir(name);
      using under = old?.type === 'dir' ? below?.openDir(name) : undefined;
      using on = lowers.below(name);
      if (on.dirs.length > 0 && isOpaque(dir.readXattrs(name), this.#overlayXattrs)) this.#fits = false;
      this.directory(inside, under, on);
    }
  }

  #isThere(name: string, dir: Dir, stat: Stat, lowers: Lowers): boolean {
    const seen = lowers.find(name);
    return seen?.stat.type === stat.type && saysTheSame(name, dir, stat, seen.dir, seen.stat, this.#check);
  }
}

/** A directory to write to, made with the first that goes into it. */
interface Target {
  dir?: Dir;
  readonly above?: Target;
  readonly name?: string;
  readonly from?: Dir;
  readonly stat?: Stat;
}

class Restacker {
  readonly #check: () => void;
  readonly #overlayXattrs: string;
  readonly #into: Dir;
  readonly #changed: ReadonlySet<string>;
  /** Where a file with several names was written first. */
  readonly #linked = new Map<string, readonly string[]>();
  readonly #path: string[] = [];

  constructor(check: () => void, into: Dir, changed: ReadonlySet<string>, overlayXattrs: string) {
    this.#check = check;
    this.#overlayXattrs = overlayXattrs;
    this.#into = into;
    this.#changed = changed;
  }

  directory(dir: Dir, below: Dir | undefined, lowers: Lowers, hidesBelow: boolean, target: Target): void {
    this.#check();
    const names = new Set(entryNames(dir));
    if (hidesBelow && below !== undefined) for (const name of entryNames(below)) names.add(name);
    for (const bytes of names) {
      const name = fsName(bytes);
      const stat = dir.lstatIfAny(name);
      const old = below?.lstatIfAny(name);
      if (stat === undefined || isWhiteoutStat(stat)) {
        if (old === undefined) continue;
        const to = make(target);
        if (lowers.find(name) !== undefined) to.mknod(name, S_IFCHR, 0, 0);
        continue;
      }
      const isSame = below !== undefined && old !== undefined && saysTheSame(name, dir, stat, below, old, this.#check);
      this.#path.push(name);
      if (stat.type === 'dir') {
        const made: Target = { above: target, name, from: dir, stat };
        if (!isSame) make(made);
        using inside = dir.openDir(name);
        using under = old?.type === 'dir' ? below?.openDir(name) : undefined;
        using on = lowers.below(name);
        this.directory(inside, under, on, hidesBelow || isOpaque(dir.readXattrs(name), this.#overlayXattrs), made);
        if (made.dir !== undefined) make(target).utimens(name, stat.mtimeNs, stat.mtimeNs);
        made.dir?.[Symbol.dispose]();
      } else if (!isSame || this.#changed.has(linkedInode(stat) ?? '')) this.#put(dir, name, stat, make(target));
      this.#path.pop();
    }
  }

  #put(dir: Dir, name: string, stat: Stat, to: Dir): void {
    const inode = linkedInode(stat);
    const first = inode === undefined ? undefined : this.#linked.get(inode);
    if (first !== undefined) {
      const parts = [...first];
      const last = parts.pop() as string;
      using from = this.#open(parts);
      to.link(from, last, name);
      return;
    }
    try {
      to.link(dir, name, name);
    } catch (error) {
      // A view is another file system; and a file has so many names at most.
      if (!hasErrno(error, 'EXDEV', 'EMLINK', 'EPERM')) throw error;
      copyEntry(dir, name, stat, to, name, metadataOf(stat), XATTRS);
    }
    if (inode !== undefined) this.#linked.set(inode, [...this.#path]);
  }

  #open(parts: readonly string[]): Dir {
    let dir = openDirectory(this.#into.procPath);
    for (const part of parts) {
      using parent = dir;
      dir = parent.openDir(part);
    }
    return dir;
  }
}

function linkedInode({ type, nlink, dev, ino }: Stat): string | undefined {
  return type !== 'dir' && nlink > 1 ? `${dev}:${ino}` : undefined;
}

function make(target: Target): Dir {
  if (target.dir !== undefined) return target.dir;
  const { name, from, stat } = target as Required<Target>;
  const parent = make(target.above as Target);
  parent.mkdir(name, 0o700);
  setMetadata(parent, name, 'dir', metadataOf(stat), from.readXattrs(name), XATTRS);
  target.dir = parent.openDir(name);
  return target.dir;
}

/** What says something else on another file system stays there; all else is content of the layer, and what cannot be kept fails. */
const XATTRS: XattrRule = { takes: (attribute) => !isPrivateXattr(attribute), refusals: ['EOPNOTSUPP'] };

function metadataOf({ uid, gid, mode, mtimeNs }: Stat): EntryMetadata {
  return { uid, gid, mode: mode & 0o7777, atimeNs: mtimeNs, mtimeNs };
}
