import { closeSync, fchmodSync, fchownSync, constants as fs, readSync } from 'node:fs';
import { type AbortOptions, CodedError, invalidArgument, newId, toCodedError } from '../../base/index.ts';
import { type Dir, futimensNs, type Root, type Stat } from '../../sys/index.ts';
import { holdsAt, writeAll } from './file-content.ts';
import { entryBytes, ownBytes } from './kept-bytes.ts';
import { fromGoMode, typeOfGoMode } from './mode.ts';
import { assertCleanPath, comparePaths } from './order.ts';
import { type FileStat, isCarried, type PacketStream } from './packets.ts';

/** Files whose content is being written at once; a sane sender interleaves a handful. */
const MAX_OPEN_FILES = 512;
/** Bytes that a file may have grown by while it was sent. */
const MAX_GROWTH = 256 * 1024 * 1024;
/** First pieces held back so that a small file is written in one go. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
const DIR_CACHE = 32;

/** A hash over one file as it arrives. */
export interface FileHasher {
  update(data: Uint8Array): void;
  /** Called once when the file is whole. */
  end(): void;
}

/**
 * The directory to bring in line: `root` itself; or what `toWrite` gives, asked once, before the first change where there is a `root`, the same directory to
 * read.
 */
type Place =
  | { readonly root: Root; readonly toWrite?: () => Promise<Root> }
  | { readonly root?: undefined; readonly toWrite: () => Promise<Root> };

export type ReceiveOptions = Place & ReceiveBehaviour;

interface ReceiveBehaviour extends AbortOptions {
  /** `metadata`: an entry with equal type, size, time and links keeps its content; `none`: all content is asked for. */
  readonly differ: 'metadata' | 'none';
  /** Keep what the sender does not name. */
  readonly merge?: boolean;
  /** Owners are not applied (receiver without privileges). */
  readonly ignoreOwners?: boolean;
  /** Told of every entry in order, with whether its content stays. */
  readonly onEntry?: (stat: FileStat, unchanged: boolean) => void;
  /** Told of every path removed, with all below it. */
  readonly onRemoved?: (path: string) => void;
  /** Hashes a file's content while it arrives. */
  readonly hashFile?: (stat: FileStat) => FileHasher | undefined;
  readonly onProgress?: (progress: ReceiveProgress) => void;
  /** Counts what is kept of the listing and of content; what it throws ends the transfer. */
  readonly hold?: { add(bytes: number): void };
}

export interface ReceiveProgress {
  readonly entries: number;
  /** Files whose content was asked for. */
  readonly requested: number;
  /** Bytes of content so far. */
  readonly bytes: number;
  readonly removed: number;
  /** Whatever was made, replaced, removed, or given other metadata: 0 means the directory was the same already. */
  readonly changes: number;
  /** Files that came with another length than was listed: they changed while they were sent. */
  readonly misstated: number;
}

interface Level {
  readonly path: string;
  dir: Dir;
  /** Names there before that have not been named yet. */
  readonly left: Set<string>;
}

interface Arriving {
  readonly stat: FileStat;
  /** Its name until it is whole, where it takes another's place: on overlayfs, removing that first costs more than all the rest. */
  readonly temporary: string | undefined;
  received: number;
  hasher: FileHasher | undefined;
  /** The only piece so far, not written yet. */
  held: Uint8Array | undefined;
  /** So many bytes are those of the file whose place it takes, and all else is the same: nothing is written until one differs. */
  same: number | undefined;
  fd: number;
}

/**
 * The receiving side of an fsutil transfer: brings `root` in line with what the sender lists, asking only for content that differs. Synchronous
 * on the file system: for a worker. Half-written files never look finished: times are set last. @throws CodedError
 */
export async function receiveTree(stream: PacketStream, options: ReceiveOptions): Promise<ReceiveProgress> {
  try {
    using receiver =
      options.root === undefined
        ? new Receiver(stream, options, await options.toWrite(), undefined)
        : new Receiver(stream, options, options.root, options.toWrite);
    return await receiver.run();
  } catch (error) {
    const failure = options.signal.aborted ? options.signal.reason : error;
    void stream.send({ type: 'error', message: toCodedError(failure).message });
    throw failure;
  }
}

class Receiver implements Disposable {
  readonly #stream: PacketStream;
  readonly #options: ReceiveBehaviour;
  /** As far as nothing has changed, the one that is only read. */
  #root: Root;
  #toWrite: Place['toWrite'];
  readonly #levels: Level[] = [];
  readonly #arriving = new Map<number, Arriving>();
  readonly #dirs = new Map<string, Dir>();
  /** Applied at the end, innermost first: later writes inside would change the times. */
  readonly #directories: FileStat[] = [];
  readonly #hardlinks: FileStat[] = [];
  readonly #files = new Set<string>();
  /** Start of names that nobody else has. */
  readonly #temporary = `.slipway-${newId()}-`;
  #last: string | undefined;
  #nextId = 0;
  #listed = false;
  #finished = false;
  #open = 0;
  #heldBytes = 0;
  #requested = 0;
  #bytes = 0;
  #removed = 0;
  #changes = 0;
  #misstated = 0;

  constructor(stream: PacketStream, options: ReceiveBehaviour, root: Root, toWrite: Place['toWrite']) {
    this.#stream = stream;
    this.#options = options;
    this.#root = root;
    this.#toWrite = toWrite;
  }

  async run(): Promise<ReceiveProgress> {
    const { signal } = this.#options;
    this.#enter('', this.#root.openDir('/'), true);
    for await (const packet of this.#stream.packets) {
      signal.throwIfAborted();
      switch (packet.type) {
        case 'stat': {
          const wait = this.#onStat(packet.stat, packet.asLast === true);
          if (wait !== undefined) await wait;
          break;
        }
        case 'statEnd':
          if (this.#listed) throw invalidArgument('file transfer: the listing ended twice');
          this.#listed = true;
          if (this.#leavesBehind('', true)) await this.#begin();
          this.#leaveTo('', true);
          break;
        case 'data': {
          const wait = this.#onData(packet.id, packet.data);
          if (wait !== undefined) await wait;
          break;
        }
        case 'error':
          throw new CodedError('unknown', `file transfer: the sender failed: ${packet.message}`, { fault: 'user' });
        case 'fin':
          if (!this.#finished) throw invalidArgument('file transfer: the sender finished too early');
          return this.#progress();
        case 'request':
          throw invalidArgument('file transfer: unexpected request from the sender');
      }
      if (this.#listed && this.#arriving.size === 0 && !this.#finished) {
        await this.#finish();
        this.#finished = true;
        void this.#stream.send({ type: 'fin' });
      }
      this.#options.onProgress?.(this.#progress());
    }
    signal.throwIfAborted();
    throw new CodedError('unavailable', 'file transfer: the stream ended before the files were there');
  }

  [Symbol.dispose](): void {
    for (const file of this.#arriving.values()) {
      if (file.fd < 0) continue;
      closeSync(file.fd);
      if (file.temporary === undefined) continue;
      const { dir } = this.#parentOf(file.stat.path);
      dir.removeAll(file.temporary);
    }
    for (const level of this.#levels) level.dir[Symbol.dispose]();
    for (const dir of this.#dirs.values()) dir[Symbol.dispose]();
  }

  #progress(): ReceiveProgress {
    return {
      entries: this.#nextId,
      requested: this.#requested,
      bytes: this.#bytes,
      removed: this.#removed,
      changes: this.#changes,
      misstated: this.#misstated,
    };
  }

  /** Goes over to where it may write: nothing has changed so far, so all that was open is there, too. */
  async #begin(): Promise<void> {
    const toWrite = this.#toWrite;
    if (toWrite === undefined) return;
    this.#toWrite = undefined;
    this.#root = await toWrite();
    for (const level of this.#levels) {
      level.dir[Symbol.dispose]();
      level.dir = this.#root.openDir(`/${level.path}`);
    }
    for (const dir of this.#dirs.values()) dir[Symbol.dispose]();
    this.#dirs.clear();
  }

  #writing(change: () => Promise<void> | undefined): Promise<void> | undefined {
    return this.#toWrite === undefined ? change() : this.#begin().then(change);
  }

  #onStat(stat: FileStat, asLast: boolean): Promise<void> | undefined {
    const { path } = stat;
    if (this.#listed) throw invalidArgument('file transfer: an entry after the end of the listing');
    assertCleanPath(path);
    if (this.#last !== undefined && comparePaths(this.#last, path) >= 0)
      throw invalidArgument(`file transfer: ${JSON.stringify(path)} is out of order`);
    this.#last = path;
    this.#options.hold?.add(entryBytes(stat));
    const id = this.#nextId++;
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? '' : path.slice(0, slash);
    const name = path.slice(slash + 1);
    const go = () => this.#onEntry(stat, parent, name, id, asLast);
    return this.#leavesBehind(parent, false) ? this.#writing(go) : go();
  }

  #onEntry(stat: FileStat, parent: string, name: string, id: number, asLast: boolean): Promise<void> | undefined {
    const level = this.#leaveTo(parent, false);
    const type = typeOfGoMode(stat.mode);
    if (asLast && type !== 'dir' && this.#options.differ === 'metadata' && (type !== 'file' || stat.linkname === '')) {
      level.left.delete(name);
      if (type === 'file') this.#files.add(stat.path);
      this.#options.onEntry?.(stat, true);
      return undefined;
    }
    const existing = level.left.delete(name) || this.#options.merge === true ? level.dir.lstatIfAny(name) : undefined;
    switch (type) {
      case 'dir':
        return this.#onDirectory(level, name, stat, existing);
      case 'file':
        return this.#onFile(level, name, stat, existing, id);
      default:
        return this.#onSpecial(level, name, stat, existing);
    }
  }

  #onDirectory(level: Level, name: string, stat: FileStat, existing: Stat | undefined): Promise<void> | undefined {
    const keeps = existing?.type === 'dir';
    const enter = () => {
      this.#options.onEntry?.(stat, keeps);
      this.#directories.push(stat);
      this.#enter(stat.path, level.dir.openDir(name), keeps);
      return undefined;
    };
    if (keeps) return enter();
    return this.#writing(() => {
      if (existing !== undefined) this.#remove(level, name);
      level.dir.mkdir(name, 0o700);
      this.#changes++;
      return enter();
    });
  }

  #onFile(
    level: Level,
    name: string,
    stat: FileStat,
    existing: Stat | undefined,
    id: number,
  ): Promise<void> | undefined {
    if (stat.linkname !== '') {
      assertCleanPath(stat.linkname);
      if (!this.#files.has(stat.linkname))
        throw invalidArgument(
          `file transfer: ${JSON.stringify(stat.path)} is a hard link to ${JSON.stringify(stat.linkname)}, which was not sent before`,
        );
      this.#hardlinks.push(stat);
      return undefined;
    }
    this.#files.add(stat.path);
    const sameContent = existing?.type === 'file' && existing.size === stat.size && existing.mtimeNs === stat.modTime;
    const same = sameContent && this.#sameMetadata(level.dir, name, stat, existing);
    if (this.#options.differ === 'metadata' && same) {
      this.#options.onEntry?.(stat, true);
      return undefined;
    }
    // What is most likely there is compared while it comes.
    if (same) return this.#ask(level, name, stat, existing, id, true);
    return this.#writing(() => {
      // Metadata of an inode with several names cannot be changed for one of them alone.
      if (this.#options.differ === 'metadata' && sameContent && existing.nlink === 1) {
        this.#applyMetadata(level.dir, name, stat);
        this.#options.onEntry?.(stat, false);
        return undefined;
      }
      return this.#ask(level, name, stat, existing, id, false);
    });
  }

  /** Asks for a file's content. */
  #ask(
    level: Level,
    name: string,
    stat: FileStat,
    existing: Stat | undefined,
    id: number,
    mayBeSame: boolean,
  ): Promise<void> | undefined {
    const replaces = existing !== undefined && existing.type !== 'dir';
    if (existing !== undefined && !replaces) this.#remove(level, name);
    this.#options.onEntry?.(stat, false);
    this.#requested++;
    if (!mayBeSame) this.#changes++;
    const temporary = replaces ? `${this.#temporary}${id}` : undefined;
    const same = mayBeSame ? 0 : undefined;
    const arriving: Arriving = { stat, temporary, received: 0, hasher: undefined, held: undefined, same, fd: -1 };
    if (stat.size === 0) {
      this.#write(arriving, level.dir, name);
      return undefined;
    }
    this.#arriving.set(id, arriving);
    return this.#stream.send({ type: 'request', id });
  }

  #onSpecial(level: Level, name: string, stat: FileStat, existing: Stat | undefined): Promise<void> | undefined {
    const type = typeOfGoMode(stat.mode);
    const keeps =
      existing?.type === type &&
      (type === 'symlink'
        ? level.dir.readlink(name) === stat.linkname
        : existing.rdevMajor === stat.devmajor && existing.rdevMinor === stat.devminor);
    if (keeps && existing.mtimeNs === stat.modTime && this.#sameMetadata(level.dir, name, stat, existing)) {
      this.#options.onEntry?.(stat, true);
      return undefined;
    }
    return this.#writing(() => {
      if (!keeps) {
        if (existing !== undefined) this.#remove(level, name);
        if (type === 'symlink') level.dir.symlink(stat.linkname, name);
        else level.dir.mknod(name, fromGoMode(stat.mode), stat.devmajor, stat.devminor);
      }
      this.#applyMetadata(level.dir, name, stat);
      level.dir.utimens(name, stat.modTime, stat.modTime);
      this.#options.onEntry?.(stat, false);
      return undefined;
    });
  }

  #onData(id: number, data: Uint8Array): Promise<void> | undefined {
    const file = this.#arriving.get(id);
    if (file === undefined) throw invalidArgument('file transfer: content that was not asked for');
    if (data.length === 0) {
      this.#arriving.delete(id);
      const end = () => {
        const { dir, name } = this.#parentOf(file.stat.path);
        this.#write(file, dir, name);
        return undefined;
      };
      return file.same === undefined || file.same === file.stat.size ? end() : this.#writing(end);
    }
    this.#bytes += data.length;
    file.received += data.length;
    if (file.received > file.stat.size + MAX_GROWTH)
      throw invalidArgument(`file transfer: ${JSON.stringify(file.stat.path)} is far longer than it was said to be`);
    file.hasher ??= this.#options.hashFile?.(file.stat);
    file.hasher?.update(data);
    const { same } = file;
    if (same === undefined) {
      this.#take(file, data);
      return undefined;
    }
    if (this.#continuesSame(file, same, data)) return undefined;
    return this.#writing(() => {
      this.#endSame(file, same);
      this.#take(file, data);
      return undefined;
    });
  }

  #take(file: Arriving, data: Uint8Array): void {
    if (file.fd < 0 && file.held === undefined && this.#heldBytes + data.length <= MAX_HELD_BYTES) {
      // Most files are whole with this piece, and written in the same turn.
      file.held = ownBytes(data);
      this.#heldBytes += data.length;
      this.#options.hold?.add(data.length);
      return;
    }
    if (file.fd < 0) {
      this.#openNew(file);
      this.#writeHeld(file);
    }
    writeAll(file.fd, data);
  }

  #openNew(file: Arriving): void {
    if (++this.#open > MAX_OPEN_FILES)
      throw new CodedError('resource_exhausted', 'file transfer: too many files are sent at the same time', {
        fault: 'user',
      });
    const { dir, name } = this.#parentOf(file.stat.path);
    file.fd = dir.open(file.temporary ?? name, fs.O_CREAT | fs.O_EXCL | fs.O_WRONLY, 0o600);
  }

  /** Whether the file that is there goes on with `data`. */
  #continuesSame(file: Arriving, same: number, data: Uint8Array): boolean {
    using there = this.#openThere(file);
    if (!holdsAt(there.fd, same, data)) return false;
    file.same = same + data.length;
    return true;
  }

  /** What was the same is written; the rest is to follow. */
  #endSame(file: Arriving, same: number): void {
    file.same = undefined;
    this.#changes++;
    if (same === 0) return;
    using there = this.#openThere(file);
    this.#openNew(file);
    const piece = Buffer.allocUnsafe(1 << 16);
    for (let at = 0; at < same; ) {
      const size = readSync(there.fd, piece, 0, Math.min(piece.length, same - at), at);
      if (size === 0) throw new CodedError('aborted', 'file transfer: a file that was there became shorter');
      writeAll(file.fd, piece.subarray(0, size));
      at += size;
    }
  }

  #openThere(file: Arriving): { readonly fd: number } & Disposable {
    const { dir, name } = this.#parentOf(file.stat.path);
    const fd = dir.open(name, fs.O_RDONLY | fs.O_NOFOLLOW);
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  }

  /** Ends a file: content that is held, owner, mode, attributes, and the time last. */
  #write(file: Arriving, dir: Dir, name: string): void {
    const { stat } = file;
    if (file.received !== stat.size) this.#misstated++;
    if (file.same === stat.size) {
      file.hasher ??= this.#options.hashFile?.(stat);
      file.hasher?.end();
      return;
    }
    // One that ends early is not the same.
    if (file.same !== undefined) this.#endSame(file, file.same);
    if (file.fd < 0) {
      this.#open++;
      file.fd = dir.open(file.temporary ?? name, fs.O_CREAT | fs.O_EXCL | fs.O_WRONLY, 0o600);
    }
    const { fd, temporary } = file;
    try {
      this.#writeHeld(file);
      if (this.#options.ignoreOwners !== true) fchownSync(fd, stat.uid, stat.gid);
      fchmodSync(fd, fromGoMode(stat.mode) & 0o7777);
      for (const [key, value] of Object.entries(stat.xattrs)) this.#setXattr(dir, temporary ?? name, key, value);
      futimensNs(fd, stat.modTime, stat.modTime);
      if (temporary !== undefined) dir.rename(temporary, dir, name);
    } catch (error) {
      if (temporary !== undefined) dir.removeAll(temporary);
      throw error;
    } finally {
      closeSync(fd);
      file.fd = -1;
      this.#open--;
    }
    file.hasher ??= this.#options.hashFile?.(stat);
    file.hasher?.end();
  }

  #writeHeld(file: Arriving): void {
    if (file.held === undefined) return;
    writeAll(file.fd, file.held);
    this.#heldBytes -= file.held.length;
    this.#options.hold?.add(-file.held.length);
    file.held = undefined;
  }

  /** Makes hard links, then sets metadata of directories from the inside out. */
  async #finish(): Promise<void> {
    for (const link of this.#hardlinks) {
      const target = this.#root.lstat(link.linkname);
      const existing = this.#root.lstatIfAny(link.path);
      const keeps = existing !== undefined && existing.ino === target.ino && existing.dev === target.dev;
      if (!keeps) {
        await this.#begin();
        if (existing !== undefined) this.#root.removeAll(link.path);
        this.#root.link(link.linkname, link.path);
        this.#changes++;
      }
      this.#options.onEntry?.(link, keeps);
    }
    for (const stat of this.#directories.reverse()) {
      const { dir, name } = this.#parentOf(stat.path);
      const existing = dir.lstat(name);
      const sameMetadata = this.#sameMetadata(dir, name, stat, existing);
      if (sameMetadata && existing.mtimeNs === stat.modTime) continue;
      await this.#begin();
      const there = this.#parentOf(stat.path).dir;
      if (!sameMetadata) this.#applyMetadata(there, name, stat);
      there.utimens(name, stat.modTime, stat.modTime);
      this.#changes++;
    }
  }

  /** Whether entries that nobody named would be removed before anything was. */
  #leavesBehind(parent: string, rootToo: boolean): boolean {
    if (this.#toWrite === undefined) return false;
    for (const level of this.#levels.toReversed()) {
      if (level.path === parent && !(rootToo && level.path === '')) return false;
      if (level.left.size > 0) return true;
    }
    return false;
  }

  #enter(path: string, dir: Dir, existed: boolean): void {
    this.#levels.push({ path, dir, left: new Set(existed && this.#options.merge !== true ? dir.readdir() : []) });
  }

  /** Leaves directories until `parent` is the innermost; what they had and nobody named is removed. */
  #leaveTo(parent: string, rootToo: boolean): Level {
    while (true) {
      const level = this.#levels.at(-1);
      if (level === undefined)
        throw invalidArgument(`file transfer: an entry of ${JSON.stringify(parent)} came before it`);
      if (level.path === parent && !(rootToo && level.path === '')) return level;
      for (const name of level.left) {
        this.#remove(level, name);
        this.#removed++;
        this.#options.onRemoved?.(level.path === '' ? name : `${level.path}/${name}`);
      }
      level.left.clear();
      if (level.path === '') {
        if (rootToo) return level;
        throw invalidArgument(`file transfer: an entry of ${JSON.stringify(parent)} came before it`);
      }
      this.#levels.pop();
      level.dir[Symbol.dispose]();
    }
  }

  #remove(level: Level, name: string): void {
    this.#changes++;
    level.dir.removeAll(name);
    const path = level.path === '' ? name : `${level.path}/${name}`;
    for (const [key, dir] of this.#dirs)
      if (key === path || key.startsWith(`${path}/`)) {
        dir[Symbol.dispose]();
        this.#dirs.delete(key);
      }
  }

  /** The open directory of a path: content mostly arrives directory by directory. */
  #parentOf(path: string): { dir: Dir; name: string } {
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? '' : path.slice(0, slash);
    let dir = this.#dirs.get(parent);
    if (dir === undefined) {
      dir = this.#root.openDir(`/${parent}`);
      this.#dirs.set(parent, dir);
      if (this.#dirs.size > DIR_CACHE) {
        const [oldest, stale] = this.#dirs.entries().next().value!;
        this.#dirs.delete(oldest);
        stale[Symbol.dispose]();
      }
    }
    return { dir, name: path.slice(slash + 1) };
  }

  #sameMetadata(dir: Dir, name: string, stat: FileStat, existing: Stat): boolean {
    if (existing.type !== 'symlink' && (existing.mode & 0o7777) !== (fromGoMode(stat.mode) & 0o7777)) return false;
    if (this.#options.ignoreOwners !== true && (existing.uid !== stat.uid || existing.gid !== stat.gid)) return false;
    const wanted = Object.entries(stat.xattrs).filter(([key]) => isCarried(key));
    const there = new Map([...dir.readXattrs(name)].filter(([key]) => isCarried(key)));
    return there.size === wanted.length && wanted.every(([key, value]) => there.get(key)?.equals(value) === true);
  }

  #applyMetadata(dir: Dir, name: string, stat: FileStat): void {
    this.#changes++;
    if (this.#options.ignoreOwners !== true) dir.chown(name, stat.uid, stat.gid);
    if (typeOfGoMode(stat.mode) !== 'symlink') dir.chmod(name, fromGoMode(stat.mode) & 0o7777);
    for (const key of dir.listXattrs(name))
      if (isCarried(key) && !Object.hasOwn(stat.xattrs, key)) dir.removeXattr(name, key);
    for (const [key, value] of Object.entries(stat.xattrs)) this.#setXattr(dir, name, key, value);
  }

  #setXattr(dir: Dir, name: string, key: string, value: Uint8Array): void {
    if (isCarried(key)) dir.setXattr(name, key, value);
  }
}
