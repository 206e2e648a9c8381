import { inSlices, invalidArgument, isTurnSpent, nextTurn } from '../../base/index.ts';
import type { Dir, Stat } from '../../sys/index.ts';
import { ArrivingFiles, type FileHasher } from './arriving.ts';
import { fromGoMode, typeOfGoMode } from './mode.ts';
import { assertCleanPath } from './order.ts';
import type { FileStat, PacketStream } from './packets.ts';
import { type Place, Target } from './target.ts';
import {
  type ContentAsking,
  failing,
  type Intake,
  type IntakeProgress,
  parentOf,
  type ReceiveProgress,
  runTransfer,
  type TransferOptions,
} from './transfer.ts';

export type ReceiveOptions = Place & ReceiveBehaviour;

interface ReceiveBehaviour extends TransferOptions {
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
  /** Told of bytes that files are listed with, and of those that come beyond; what it throws ends the transfer. */
  readonly onSize?: (bytes: number) => void;
}

interface Level {
  readonly path: string;
  dir: Dir;
  /** Names there before that have not been named yet. */
  readonly left: Set<string>;
}

/**
 * The receiving side of an fsutil transfer: brings `root` in line with what the sender lists, asking only for content that differs. Synchronous
 * on the file system: for a worker, which others share: work that grows with what the sender lists gives them turns. @throws CodedError
 */
export function receiveTree(stream: PacketStream, options: ReceiveOptions): Promise<ReceiveProgress> {
  return failing(stream, options, async () => {
    using target = await Target.open(options, options);
    using receiver = new Receiver((id) => stream.send({ type: 'request', id }), options, target);
    return await runTransfer(stream, receiver, options);
  });
}

class Receiver implements Intake, Disposable {
  readonly #request: ContentAsking;
  readonly #options: ReceiveBehaviour;
  readonly #target: Target;
  readonly #arriving: ArrivingFiles;
  readonly #levels: Level[] = [];
  /** Applied at the end, innermost first: later writes inside would change the times. */
  readonly #directories: FileStat[] = [];
  readonly #hardlinks: FileStat[] = [];
  readonly #files = new Set<string>();
  #requested = 0;
  #removed = 0;
  about = '';

  constructor(request: ContentAsking, options: ReceiveBehaviour, target: Target) {
    this.#request = request;
    this.#options = options;
    this.#target = target;
    this.#arriving = new ArrivingFiles(target, options);
    target.onBegin = () => {
      for (const level of this.#levels) {
        level.dir[Symbol.dispose]();
        level.dir = target.root.openDir(`/${level.path}`);
      }
    };
    this.#enter('', target.root.openDir('/'), true);
  }

  [Symbol.dispose](): void {
    this.#arriving[Symbol.dispose]();
    for (const level of this.#levels) level.dir[Symbol.dispose]();
  }

  get pending(): number {
    return this.#arriving.size;
  }

  progress(): IntakeProgress {
    return {
      requested: this.#requested,
      bytes: this.#arriving.bytes,
      removed: this.#removed,
      changes: this.#target.changes,
      misstated: this.#arriving.misstated,
    };
  }

  entry(stat: FileStat, id: number, asLast: boolean): Promise<void> | undefined {
    const { parent, name } = parentOf(stat.path);
    const go = () => this.#onEntry(this.#leaveTo(parent), name, stat, id, asLast);
    return this.#leavesBehind(parent) ? this.#removeLeft(parent).then(go) : go();
  }

  listed(): Promise<void> {
    return this.#removeLeft(undefined);
  }

  data(id: number, data: Uint8Array): Promise<void> | undefined {
    this.about = this.#arriving.pathOf(id);
    return this.#arriving.take(id, data);
  }

  #onEntry(level: Level, name: string, stat: FileStat, id: number, asLast: boolean): Promise<void> | undefined {
    const type = typeOfGoMode(stat.mode);
    const isHardlink = type === 'file' && stat.linkname !== '';
    if (type === 'file' && !isHardlink) this.#options.onSize?.(Math.max(0, stat.size));
    if (asLast && type !== 'dir' && this.#options.differ === 'metadata' && !isHardlink) {
      level.left.delete(name);
      if (type === 'file') this.#files.add(stat.path);
      this.#options.onEntry?.(stat, true);
      return undefined;
    }
    const existing = level.left.delete(name) || this.#options.merge === true ? level.dir.lstatIfAny(name) : undefined;
    if (type === 'dir') return this.#onDirectory(level, name, stat, existing);
    const go = (existing: Stat | undefined) =>
      type === 'file'
        ? this.#onFile(level, name, stat, existing, id)
        : this.#onSpecial(level, name, stat, existing, type);
    if (existing?.type !== 'dir') return go(existing);
    return this.#target.writing(() => this.#remove(level, name).then(() => go(undefined)));
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
    return this.#target.writing(() => {
      if (existing !== undefined) level.dir.removeAll(name);
      level.dir.mkdir(name, 0o700);
      this.#target.changes++;
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
    const same = sameContent && this.#target.sameMetadata(level.dir, name, stat, existing);
    if (this.#options.differ === 'metadata' && same) {
      this.#options.onEntry?.(stat, true);
      return undefined;
    }
    // What is most likely there is compared while it comes.
    if (same) return this.#ask(stat, id, { replaces: true, same });
    return this.#target.writing(() => {
      // Metadata of an inode with several names cannot be changed for one of them alone.
      if (this.#options.differ === 'metadata' && sameContent && existing.nlink === 1) {
        this.#target.applyMetadata(level.dir, name, stat);
        this.#options.onEntry?.(stat, false);
        return undefined;
      }
      this.#target.changes++;
      return this.#ask(stat, id, { replaces: existing !== undefined, same });
    });
  }

  /** Asks for a file's content. */
  #ask(
    stat: FileStat,
    id: number,
    there: { readonly replaces: boolean; readonly same: boolean },
  ): Promise<void> | undefined {
    this.#options.onEntry?.(stat, false);
    this.#requested++;
    this.#arriving.expect(id, stat, there);
    return stat.size === 0 ? undefined : this.#request(id);
  }

  #onSpecial(
    level: Level,
    name: string,
    stat: FileStat,
    existing: Stat | undefined,
    type: Stat['type'],
  ): Promise<void> | undefined {
    const keeps =
      existing?.type === type &&
      (type === 'symlink'
        ? level.dir.readlink(name) === stat.linkname
        : existing.rdevMajor === stat.devmajor && existing.rdevMinor === stat.devminor);
    if (keeps && existing.mtimeNs === stat.modTime && this.#target.sameMetadata(level.dir, name, stat, existing)) {
      this.#options.onEntry?.(stat, true);
      return undefined;
    }
    return this.#target.writing(() => {
      if (!keeps) {
        if (existing !== undefined) level.dir.removeAll(name);
        if (type === 'symlink') level.dir.symlink(stat.linkname, name);
        else level.dir.mknod(name, fromGoMode(stat.mode), stat.devmajor, stat.devminor);
      }
      this.#target.applyMetadata(level.dir, name, stat);
      level.dir.utimens(name, stat.modTime, stat.modTime);
      this.#options.onEntry?.(stat, false);
      return undefined;
    });
  }

  /** Makes hard links, then sets metadata of directories from the inside out. */
  async finish(): Promise<void> {
    for (const link of this.#hardlinks) {
      if (isTurnSpent()) await nextTurn(this.#options);
      this.about = link.path;
      const target = this.#target.root.lstat(link.linkname);
      const existing = this.#target.root.lstatIfAny(link.path);
      const keeps = existing !== undefined && existing.ino === target.ino && existing.dev === target.dev;
      if (!keeps) {
        await this.#target.begin();
        if (existing !== undefined) this.#target.root.removeAll(link.path);
        this.#target.root.link(link.linkname, link.path);
        this.#target.changes++;
      }
      this.#options.onEntry?.(link, keeps);
    }
    for (const stat of this.#directories.reverse()) {
      if (isTurnSpent()) await nextTurn(this.#options);
      this.about = stat.path;
      const { dir, name } = this.#target.parentOf(stat.path);
      const existing = dir.lstat(name);
      const sameMetadata = this.#target.sameMetadata(dir, name, stat, existing);
      if (sameMetadata && existing.mtimeNs === stat.modTime) continue;
      await this.#target.begin();
      const there = this.#target.parentOf(stat.path).dir;
      if (!sameMetadata) this.#target.applyMetadata(there, name, stat);
      there.utimens(name, stat.modTime, stat.modTime);
      this.#target.changes++;
    }
  }

  #enter(path: string, dir: Dir, existed: boolean): void {
    this.#levels.push({ path, dir, left: new Set(existed && this.#options.merge !== true ? dir.readdir() : []) });
  }

  /** Leaves directories until `parent` is the innermost. */
  #leaveTo(parent: string): Level {
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      if (level.path === parent) return level;
      this.#levels.pop();
      level.dir[Symbol.dispose]();
    }
    throw invalidArgument(`file transfer: an entry of ${JSON.stringify(parent)} came before it`);
  }

  /** The directories that are left for an entry of `parent`, or at the end, innermost first. */
  *#levelsBelow(parent: string | undefined): Generator<Level> {
    for (let at = this.#levels.length - 1; at >= 0; at--) {
      const level = this.#levels[at] as Level;
      if (level.path === parent) return;
      yield level;
    }
  }

  /** Whether something that nobody named is in directories that are left. */
  #leavesBehind(parent: string | undefined): boolean {
    for (const { left } of this.#levelsBelow(parent)) if (left.size > 0) return true;
    return false;
  }

  /** Removes what was in directories that are left and nobody named. */
  async #removeLeft(parent: string | undefined): Promise<void> {
    for (const level of this.#levelsBelow(parent))
      for (const name of level.left) {
        await this.#target.begin();
        await this.#remove(level, name);
        level.left.delete(name);
        this.#removed++;
        this.#options.onRemoved?.(level.path === '' ? name : `${level.path}/${name}`);
      }
  }

  /** Removes a directory, or anything, with all in it. */
  async #remove(level: Level, name: string): Promise<void> {
    this.#target.changes++;
    await inSlices(level.dir.removing(name), this.#options);
    this.#target.forget(level.path === '' ? name : `${level.path}/${name}`);
  }
}
