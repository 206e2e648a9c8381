import { closeSync, constants, fchmodSync, fchownSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { CodedError, invalidArgument } from '../../base/index.ts';
import {
  copyFd,
  Dir,
  encodeName,
  futimensNs,
  hasErrno,
  O_PATH,
  openRoot,
  type Root,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from '../../sys/index.ts';
import { type TarEntry, type TarHandler, textOf } from '../tar/index.ts';
import { Directories, isWhiteoutStat } from './directories.ts';
import { AUFS_PREFIX, fsName, isPrivateXattr, OPAQUE_MARKER, pathComponents, WHITEOUT_PREFIX } from './names.ts';
import { Room } from './room.ts';
import { withinTime } from './times.ts';

/** Whiteout entries become char 0/0 nodes and this attribute of opaque directories. `plain`: they are files like others. */
export type Whiteouts = 'plain' | { readonly opaque: string };

interface TreeWriterOptions {
  readonly whiteouts: Whiteouts;
  /** Upper directories of the layers below, top first: for metadata of missing parents, links through them, hard link targets. */
  readonly lowers?: readonly string[] | undefined;
  /** Replaces all owners. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** For what an archive of a few bytes can be much of: zeros become holes, whatever the archive says, and so many bytes of the disk stay free. */
  readonly thrift?: Thrift | undefined;
}

export interface Thrift {
  readonly keepFree: number;
}

/** What files are allocated by: smaller holes save nothing. */
const HOLE_BYTES = 4096;
const ZEROS = Buffer.alloc(HOLE_BYTES);
const YES = Buffer.from('y');
/**
 * Writes archive entries below a directory, owners, modes, times (1970 to 2262) and attributes exactly. Nothing an archive says leads outside: paths are resolved
 * component by component against descriptors. Directory times are set by {@link finish}.
 */
export class TreeWriter implements TarHandler, Disposable {
  readonly #options: TreeWriterOptions;
  readonly #root: Dir;
  readonly #lowers: Root[] = [];
  readonly #directories: Directories;
  /** Times of directories, by path without symlinks. */
  readonly #times = new Map<string, bigint>();
  #file: { readonly fd: number; readonly dir: Dir; readonly name: string; readonly entry: TarEntry } | undefined;
  /** Where the open file's content goes on. */
  #at = 0;
  /** Where the open file ends so far. */
  #end = 0;
  readonly #room: Room | undefined;
  /** Something on the way of a kept directory descriptor was removed. */
  #stale = false;

  constructor(directory: string, options: TreeWriterOptions) {
    this.#options = options;
    this.#room = options.thrift && new Room(directory, options.thrift.keepFree);
    this.#root = new Dir(openSync(encodeName(directory), O_PATH | constants.O_DIRECTORY));
    try {
      for (const lower of options.lowers ?? []) this.#lowers.push(openRoot(lower));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.#directories = new Directories(this.#root, this.#lowers, (parent, name, replacedWhiteout) => {
      if (replacedWhiteout) this.#makeOpaque(parent, name);
    });
  }

  entry(given: TarEntry): void {
    const entry = withinTime(given);
    if (this.#stale) this.#directories.forget();
    else this.#directories.trim();
    this.#stale = false;
    const parts = pathComponents(entry.name);
    const name = parts.pop();
    // Of the root itself an archive says nothing: it is what it was before.
    if (name === undefined) return;
    this.#room?.entry();
    if (this.#options.whiteouts !== 'plain' && name.startsWith(WHITEOUT_PREFIX)) {
      this.#whiteout(parts, name);
      return;
    }
    const { dir, path } = this.#directories.open(parts);
    if (entry.type === 'directory') this.#directory(dir, name, path === '' ? name : `${path}/${name}`, entry);
    else this.#leaf(dir, name, entry);
  }

  data(chunk: Uint8Array): void {
    if (this.#file === undefined) return;
    if (this.#room === undefined) this.#write(this.#file.fd, chunk);
    else this.#writeThriftily(this.#file.fd, this.#room, chunk);
  }

  #write(fd: number, chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const count = writeSync(fd, chunk, at, chunk.length - at, this.#at);
      at += count;
      this.#at += count;
    }
    this.#end = this.#at;
  }

  /** What was never written of a new file is zeros. */
  #writeThriftily(fd: number, room: Room, chunk: Uint8Array): void {
    let begin = 0;
    const flush = (end: number) => {
      if (end === begin) return;
      room.bytes(end - begin);
      this.#write(fd, chunk.subarray(begin, end));
    };
    const first = this.#at;
    for (let at = 0; at < chunk.length; ) {
      const end = Math.min(at + HOLE_BYTES - ((first + at) % HOLE_BYTES), chunk.length);
      if (chunk[at] === 0 && ZEROS.compare(chunk, at, end, 0, end - at) === 0) {
        flush(at);
        this.#at = first + end;
        begin = end;
      }
      at = end;
    }
    flush(chunk.length);
  }

  hole(size: number): void {
    if (this.#file === undefined) return;
    this.#at += size;
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      if (this.#at > this.#end) ftruncateSync(file.fd, this.#at);
      const { uid, gid } = this.#owner(file.entry);
      // Changing the owner clears setuid and capabilities: they follow.
      fchownSync(file.fd, uid, gid);
      fchmodSync(file.fd, file.entry.mode);
      this.#xattrs(file.dir, file.name, file.entry);
      futimensNs(file.fd, file.entry.mtime, file.entry.mtime);
    } finally {
      closeSync(file.fd);
    }
  }

  /** Sets the times of directories, now that nothing changes them any more. */
  finish(): void {
    this.#directories.forget();
    for (const [path, mtime] of this.#times) {
      this.#directories.trim();
      const parts = path.split('/');
      const name = parts.pop() as string;
      const { dir } = this.#directories.open(parts);
      // A later entry may have put something else there.
      if (dir.lstatIfAny(name)?.type === 'dir') dir.utimens(name, mtime, mtime);
    }
    this.#times.clear();
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
    this.#directories?.[Symbol.dispose]();
    for (const lower of this.#lowers) lower[Symbol.dispose]();
    this.#root[Symbol.dispose]();
  }

  #owner(entry: TarEntry): { uid: number; gid: number } {
    return this.#options.owner ?? entry;
  }

  #makeOpaque(dir: Dir, name: string): void {
    const { whiteouts } = this.#options;
    if (whiteouts !== 'plain') dir.setXattr(name, whiteouts.opaque, YES);
  }

  #whiteout(parts: readonly string[], marker: string): void {
    if (marker === OPAQUE_MARKER) {
      if (parts.length === 0) {
        // Lower layers of an image root cannot be hidden by an attribute of the upper directory itself.
        throw CodedError.of('LAYER_OPAQUE_ROOT', 'the layer makes the root directory opaque');
      }
      const name = parts.at(-1) as string;
      this.#directories.open(parts);
      const { dir } = this.#directories.open(parts.slice(0, -1));
      this.#makeOpaque(dir, name);
      return;
    }
    if (marker.startsWith(AUFS_PREFIX)) return;
    const name = marker.slice(WHITEOUT_PREFIX.length);
    if (name === '' || name === '.' || name === '..')
      throw invalidArgument(`malformed whiteout ${JSON.stringify(marker)}`);
    const { dir } = this.#directories.open(parts);
    const there = dir.lstatIfAny(name);
    // What this layer itself holds stays: a whiteout is about the layers below (OCI image spec, layer.md).
    if (there === undefined) dir.mknod(name, S_IFCHR, 0, 0);
    else if (there.type === 'dir') this.#makeOpaque(dir, name);
  }

  #directory(dir: Dir, name: string, path: string, entry: TarEntry): void {
    const there = dir.lstatIfAny(name);
    let hidesLower = false;
    if (there !== undefined && there.type !== 'dir') {
      hidesLower = this.#options.whiteouts !== 'plain' && isWhiteoutStat(there);
      this.#clear(dir, name);
    }
    if (there?.type !== 'dir') dir.mkdir(name, 0o700);
    if (hidesLower) this.#makeOpaque(dir, name);
    const { uid, gid } = this.#owner(entry);
    dir.chown(name, uid, gid);
    dir.chmod(name, entry.mode);
    this.#xattrs(dir, name, entry);
    this.#times.set(path, entry.mtime);
  }

  #leaf(dir: Dir, name: string, entry: TarEntry): void {
    switch (entry.type) {
      case 'file':
        this.#create(dir, name, () => {
          const fd = dir.open(name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
          this.#file = { fd, dir, name, entry };
          this.#at = 0;
          this.#end = 0;
        });
        return;
      case 'hardlink':
        this.#hardlink(dir, name, entry);
        return;
      case 'symlink':
        this.#create(dir, name, () => dir.symlink(fsName(entry.linkname ?? ''), name));
        break;
      case 'fifo':
        this.#create(dir, name, () => dir.mknod(name, S_IFIFO | entry.mode));
        break;
      default: {
        const type = entry.type === 'char' ? S_IFCHR : S_IFBLK;
        this.#create(dir, name, () => dir.mknod(name, type | entry.mode, entry.devmajor ?? 0, entry.devminor ?? 0));
      }
    }
    const { uid, gid } = this.#owner(entry);
    dir.chown(name, uid, gid);
    if (entry.type !== 'symlink') dir.chmod(name, entry.mode);
    this.#xattrs(dir, name, entry);
    dir.utimens(name, entry.mtime, entry.mtime);
  }

  #hardlink(dir: Dir, name: string, entry: TarEntry): void {
    const parts = pathComponents(entry.linkname ?? '');
    const targetName = parts.pop();
    if (targetName === undefined) throw this.#badLink(entry);
    const { dir: from } = this.#directories.open(parts);
    const there = from.lstatIfAny(targetName);
    const isGone = there === undefined || (this.#options.whiteouts !== 'plain' && isWhiteoutStat(there));
    if (there?.type === 'dir' || (isGone && !this.#copyUp(from, targetName, [...parts, targetName].join('/'))))
      throw this.#badLink(entry);
    // A link to itself would otherwise remove what it links to.
    const own = dir.lstatIfAny(name);
    const target = from.lstat(targetName);
    if (own !== undefined && own.ino === target.ino && own.dev === target.dev) return;
    this.#create(dir, name, () => dir.link(from, targetName, name));
  }

  /** Brings a file of a lower layer here, so that it can be linked; false when no lower layer has it. */
  #copyUp(dir: Dir, name: string, path: string): boolean {
    for (const lower of this.#lowers) {
      const stat = lower.lstatIfAny(path);
      if (stat === undefined) continue;
      if (stat.type !== 'file') return false;
      this.#room?.bytes(stat.size);
      const from = lower.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const to = dir.open(name, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
        try {
          copyFd(from, to);
          fchownSync(to, stat.uid, stat.gid);
          fchmodSync(to, stat.mode & 0o7777);
          for (const key of lower.listXattrs(path))
            if (!isPrivateXattr(key)) dir.setXattr(name, key, lower.getXattr(path, key) ?? YES);
          futimensNs(to, stat.mtimeNs, stat.mtimeNs);
        } finally {
          closeSync(to);
        }
      } finally {
        closeSync(from);
      }
      return true;
    }
    return false;
  }

  #badLink(entry: TarEntry): CodedError {
    const [name, target] = [textOf(entry.name), textOf(entry.linkname ?? '')].map((text) => JSON.stringify(text));
    return CodedError.of('LAYER_HARDLINK', `hard link ${name} leads to ${target}, which is no file of this archive`);
  }

  /** Makes an entry; what stands there goes first. The usual case, nothing there, costs no look. */
  #create(dir: Dir, name: string, make: () => void): void {
    try {
      make();
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      this.#clear(dir, name);
      make();
    }
  }

  #clear(dir: Dir, name: string): void {
    const type = dir.lstatIfAny(name)?.type;
    dir.removeAll(name);
    // Kept descriptors may have led through it.
    if (type === 'dir' || type === 'symlink') this.#stale = true;
  }

  #xattrs(dir: Dir, name: string, entry: TarEntry): void {
    if (entry.xattrs === undefined) return;
    for (const [bytes, value] of entry.xattrs) {
      const key = fsName(bytes);
      if (isPrivateXattr(key)) continue;
      try {
        dir.setXattr(name, key, value);
      } catch (error) {
        // The file system has no such attributes, or not on this kind of file: as other unpackers, go on without.
        if (hasErrno(error, 'EOPNOTSUPP') || (key.startsWith('user.') && hasErrno(error, 'EPERM'))) continue;
        throw error;
      }
    }
  }
}
