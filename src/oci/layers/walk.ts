import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { CodedError } from '../../base/index.ts';
import { Dir, O_PATH, ROOT as ROOT_PRIVILEGES, readXattrsOf, type Stat } from '../../sys/index.ts';
import { type ByteString, byteString, type ChunkMemory, type TarEntry, TarWriter } from '../tar/index.ts';
import { saysTheSame, wholeSeconds } from './compare.ts';
import { isWhiteoutStat } from './directories.ts';
import { archiveName, fsName, isPrivateXattr, WHITEOUT_PREFIX } from './names.ts';

interface WalkOptions {
  /** Modification times are at most this, in nanoseconds (SOURCE_DATE_EPOCH). */
  readonly maxMtime?: bigint | undefined;
  /** Called at each directory; throws to stop. */
  readonly check?: () => void;
}

interface PackerOptions extends WalkOptions {
  /** Before the names of overlayfs's attributes in the tree. */
  readonly overlayXattrs?: string;
  /** Where chunks are given back. */
  readonly memory?: ChunkMemory | undefined;
  /** To the nearest second, as BuildKit's tar exporter; else cut, as layers. */
  readonly roundTimes?: boolean;
}

const REDIRECT = 'overlay.redirect';
const METACOPY = 'overlay.metacopy';

/**
 * The tar of what an overlay upper directory changes of `below`, a view of the layers under it (without one, of any tree), chunk by chunk: names sorted bytewise
 * within each directory, parents of what changed first, without the root itself; a whiteout for each entry that is gone, hard links after their first name,
 * sockets left out. An entry that is as below is no change, and neither is a directory's time: as containerd's differ for overlays has it. With `whole` the
 * directory is a view of all that there is to be: what of `below` is not there is gone.
 */
export function* packTree(
  directory: string,
  options: WalkOptions &
    Pick<PackerOptions, 'overlayXattrs' | 'memory'> & {
      readonly below?: string | undefined;
      readonly whole?: boolean | undefined;
    } = {},
): Generator<Buffer> {
  yield* pack([{ directory, whole: options.whole }], options.below, options);
}

export interface PackedTree {
  readonly directory: string;
  /** One path component that all of the tree is below. */
  readonly prefix?: string | undefined;
  /** The modification time of everything, in nanoseconds; undefined leaves each its own. */
  readonly mtimeNs?: bigint | undefined;
  /** Hides all below. */
  readonly whole?: boolean | undefined;
}

/** One archive of several trees, each below its prefix, which gets an entry of its own. */
export function* packTrees(trees: readonly PackedTree[], options: WalkOptions = {}): Generator<Buffer> {
  yield* pack(trees, undefined, { ...options, roundTimes: true });
}

function* pack(trees: readonly PackedTree[], below: string | undefined, options: PackerOptions): Generator<Buffer> {
  const packer = new TreePacker(options);
  using under = below === undefined ? undefined : openDirectory(below);
  for (const { directory, prefix, mtimeNs, whole = false } of trees) {
    using root = openDirectory(directory);
    packer.mtimeNs = mtimeNs;
    if (prefix !== undefined) packer.prefix(byteString(prefix));
    yield* packer.directory(
      root,
      under,
      prefix === undefined ? { ...ROOT, isOpaque: whole } : { ...ROOT, path: `${byteString(prefix)}/` },
    );
  }
  packer.writer.finish();
  yield* packer.drain();
}

export function openDirectory(path: string): Dir {
  return new Dir(openSync(path, O_PATH | constants.O_DIRECTORY));
}

/** A directory on the way to what is written; its own entry comes with the first of these, unless it changed itself. */
interface Level {
  /** With a slash at the end; '' is the root. */
  readonly path: ByteString;
  /** Hides all that lies below, and so does what is inside. */
  readonly isOpaque: boolean;
  readonly above: Level | undefined;
  /** Until it is written. */
  entry: TarEntry | undefined;
}

const ROOT: Level = { path: '', isOpaque: false, above: undefined, entry: undefined };

/** A name of a file that has several. */
interface LinkName {
  readonly level: Level;
  readonly path: ByteString;
  readonly stat: Stat;
}

class TreePacker {
  readonly writer: TarWriter;
  /** Instead of each entry's own time. */
  mtimeNs: bigint | undefined;
  readonly #options: PackerOptions;
  readonly #check: () => void;
  /** First archive name by device and inode. */
  readonly #linked = new Map<string, ByteString>();
  /** Names that are as below: links all the same, should another name of theirs be written. */
  readonly #unchanged = new Map<string, LinkName[]>();

  constructor(options: PackerOptions) {
    this.#options = options;
    this.writer = new TarWriter(options.memory);
    this.#check = options.check ?? (() => {});
  }

  /** A step may set the attributes that do not count here. */
  #isOpaque(xattrs: ReadonlyMap<string, Buffer>): boolean {
    const { overlayXattrs = ROOT_PRIVILEGES.overlayXattrs } = this.#options;
    return isOpaque(xattrs, overlayXattrs);
  }

  *drain(): Generator<Buffer> {
    for (let chunk = this.writer.take(); chunk !== undefined; chunk = this.writer.take()) yield chunk;
  }

  prefix(name: ByteString): void {
    this.writer.header({ type: 'directory', name, mode: 0o755, uid: 0, gid: 0, size: 0, mtime: this.mtimeNs ?? 0n });
  }

  *directory(dir: Dir, below: Dir | undefined, level: Level): Generator<Buffer> {
    this.#check();
    const names = new Set(entryNames(dir));
    if (level.isOpaque && below !== undefined) for (const name of entryNames(below)) names.add(name);
    for (const bytes of [...names].sort()) {
      const name = fsName(bytes);
      const stat = dir.lstatIfAny(name);
      const old = below?.lstatIfAny(name);
      if (stat === undefined || isWhiteoutStat(stat)) {
        if (old !== undefined) this.#whiteout(level, bytes);
      } else if (stat.type === 'dir') yield* this.#directory(dir, name, stat, below, old, level, level.path + bytes);
      else if (stat.type !== 'socket') yield* this.#leaf(dir, name, stat, below, old, level, level.path + bytes);
      if (this.writer.ready) yield* this.drain();
    }
  }

  *#directory(
    dir: Dir,
    name: string,
    stat: Stat,
    below: Dir | undefined,
    old: Stat | undefined,
    above: Level,
    path: ByteString,
  ): Generator<Buffer> {
    const xattrs = dir.readXattrs(name);
    const entry = this.#entry(path, stat, { type: 'directory', ...withXattrs(xattrs, path) });
    const level: Level = { path: `${path}/`, isOpaque: above.isOpaque || this.#isOpaque(xattrs), above, entry };
    const isMerged = below !== undefined && old?.type === 'dir';
    if (!isMerged || !saysTheSame(name, dir, stat, below, old, this.#check)) this.#enter(level);
    using inside = dir.openDir(name);
    using under = isMerged ? below.openDir(name) : undefined;
    yield* this.directory(inside, under, level);
  }

  *#leaf(
    dir: Dir,
    name: string,
    stat: Stat,
    below: Dir | undefined,
    old: Stat | undefined,
    level: Level,
    path: ByteString,
  ): Generator<Buffer> {
    const inode = stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : undefined;
    const link = { level, path, stat };
    const first = inode === undefined ? undefined : this.#linked.get(inode);
    if (first !== undefined) {
      this.#link(link, first);
      return;
    }
    if (below !== undefined && old !== undefined && saysTheSame(name, dir, stat, below, old, this.#check)) {
      if (inode !== undefined) this.#unchanged.set(inode, [...(this.#unchanged.get(inode) ?? []), link]);
      return;
    }
    this.#enter(level);
    yield* this.#content(dir, name, path, stat);
    if (inode === undefined) return;
    this.#linked.set(inode, path);
    for (const other of this.#unchanged.get(inode) ?? []) this.#link(other, path);
  }

  *#content(dir: Dir, name: string, path: ByteString, stat: Stat): Generator<Buffer> {
    if (stat.type === 'file') {
      yield* this.#file(dir, name, path, stat);
      return;
    }
    const xattrs = withXattrs(dir.readXattrs(name), path);
    switch (stat.type) {
      case 'symlink':
        this.#header(path, stat, { type: 'symlink', linkname: archiveName(dir.readlink(name)), ...xattrs });
        break;
      case 'char':
      case 'block':
        this.#header(path, stat, {
          type: stat.type,
          devmajor: stat.rdevMajor,
          devminor: stat.rdevMinor,
          ...xattrs,
        });
        break;
      default:
        this.#header(path, stat, { type: 'fifo', ...xattrs });
    }
  }

  *#file(dir: Dir, name: string, path: ByteString, stat: Stat): Generator<Buffer> {
    const fd = dir.open(name, constants.O_RDONLY);
    try {
      this.#header(path, stat, { type: 'file', size: stat.size, ...withXattrs(readXattrsOf(fd), path) });
      while (!this.writer.readFrom(fd)) yield* this.drain();
    } finally {
      closeSync(fd);
    }
  }

  #link({ level, path, stat }: LinkName, first: ByteString): void {
    this.#enter(level);
    this.#header(path, stat, { type: 'hardlink', linkname: first });
  }

  /** Writes the entries of a directory and of those above it that are not written yet. */
  #enter(level: Level): void {
    const { entry } = level;
    if (entry === undefined) return;
    level.entry = undefined;
    if (level.above !== undefined) this.#enter(level.above);
    this.writer.header(entry);
  }

  #header(name: ByteString, stat: Stat, entry: Partial<TarEntry> & Pick<TarEntry, 'type'>): void {
    this.writer.header(this.#entry(name, stat, entry));
  }

  #entry(name: ByteString, stat: Stat, entry: Partial<TarEntry> & Pick<TarEntry, 'type'>): TarEntry {
    const { maxMtime, roundTimes = false } = this.#options;
    const mtime = this.mtimeNs ?? (maxMtime !== undefined && stat.mtimeNs > maxMtime ? maxMtime : stat.mtimeNs);
    return {
      name,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: 0,
      // More would cost each file an extended header.
      mtime: wholeSeconds(roundTimes ? mtime + 500_000_000n : mtime),
      ...entry,
    };
  }

  /** An empty file that means something by its name; without a time, so that it is the same each time. */
  #whiteout(level: Level, name: ByteString): void {
    this.#enter(level);
    const path = `${level.path}${WHITEOUT_PREFIX}${name}`;
    this.writer.header({ type: 'file', name: path, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n });
  }
}

export function entryNames(dir: Dir): ByteString[] {
  return readdirSync(dir.procPath, { encoding: 'latin1' });
}

function withXattrs(all: ReadonlyMap<string, Buffer>, path: ByteString): Pick<TarEntry, 'xattrs'> {
  if (all.size === 0) return {};
  const kept = new Map<ByteString, Uint8Array>();
  for (const [key, value] of all) {
    if (!isPrivateXattr(key)) kept.set(byteString(key), value);
    else if (key.endsWith(REDIRECT) || key.endsWith(METACOPY))
      // Then the content lies in a lower layer, and this directory alone does not tell what changed.
      throw CodedError.of(
        'LAYER_OVERLAY_FEATURE',
        `${path} carries ${key}: its snapshot was mounted with that feature on`,
      );
  }
  return kept.size === 0 ? {} : { xattrs: kept };
}

/** Whether a directory with these attributes hides what lies below. */
export function isOpaque(xattrs: ReadonlyMap<string, Buffer>, overlayXattrs: string): boolean {
  return xattrs.get(`${overlayXattrs}opaque`)?.toString('latin1') === 'y';
}
