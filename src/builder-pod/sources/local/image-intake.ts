import { inSlices, invalidArgument } from '../../../base/index.ts';
// By their rooms, as in ./receive-task.ts.
import {
  assertCleanPath,
  type ContentAsking,
  type FileHasher,
  type FileStat,
  fromGoMode,
  type Intake,
  type IntakeProgress,
  isCarried,
  MAX_GROWTH,
  parentOf,
  type ReceiveOptions,
  typeOfGoMode,
} from '../../../builder-api/fsutil/index.ts';
import { ErofsIndex, NotIndexable } from '../../../oci/layers/index.ts';
import type { TarEntry } from '../../../oci/tar/index.ts';
import { encodeName, type Stat } from '../../../sys/index.ts';
import { type ContentRoom, ImageContents } from './image-contents.ts';

/** What an entry of the index takes in memory until the end, beside its name. */
const NODE_BYTES = 512;
/** Bytes of a name and of a path. */
const MAX_NAME = 255;
const MAX_PATH = 4095;

type ImageIntakeOptions = Pick<ReceiveOptions, 'signal' | 'onEntry' | 'hashFile' | 'onSize' | 'hold'>;

interface Arriving {
  readonly stat: FileStat;
  /** To be told where it is and how long it became. */
  readonly whole: (position: number, size: number) => void;
  received: number;
  room: ContentRoom | undefined;
  hasher: FileHasher | undefined;
}

/**
 * Receives a directory into an image (EROFS): contents are appended to one file as they come, and inodes and directories that lead to them are written behind them at
 * the end, so that nothing is made for a single file of it. @throws NotIndexable for what only a directory shows; then no file is left
 */
export class ImageIntake implements Intake, Disposable {
  readonly #request: ContentAsking;
  readonly #options: ImageIntakeOptions;
  readonly #contents: ImageContents;
  readonly #index: ErofsIndex;
  readonly #arriving = new Map<number, Arriving>();
  readonly #files = new Set<string>();
  readonly #hardlinks: FileStat[] = [];
  /** Directories that entries may be in now, the root first. */
  readonly #levels = [''];
  #requested = 0;
  #bytes = 0;
  #misstated = 0;
  #changes = 0;
  about = '';

  /** @param root of whose attributes the listing says nothing */
  constructor(image: string, root: Stat, request: ContentAsking, options: ImageIntakeOptions) {
    this.#contents = new ImageContents(image);
    this.#index = new ErofsIndex(() => 0, root);
    this.#request = request;
    this.#options = options;
  }

  get pending(): number {
    return this.#arriving.size;
  }

  progress(): IntakeProgress {
    return {
      requested: this.#requested,
      bytes: this.#bytes,
      removed: 0,
      changes: this.#changes,
      misstated: this.#misstated,
    };
  }

  entry(stat: FileStat, id: number): Promise<void> | undefined {
    this.#changes++;
    const { path, linkname } = stat;
    const { parent, name } = parentOf(path);
    while (this.#levels.at(-1) !== parent)
      if (this.#levels.pop() === undefined)
        throw invalidArgument(`file transfer: an entry of ${JSON.stringify(parent)} came before it`);
    if (isLonger(name, MAX_NAME) || isLonger(path, MAX_PATH)) throw new NotIndexable(path);
    this.#options.hold?.add(NODE_BYTES + name.length);
    const type = typeOfGoMode(stat.mode);
    if (type !== 'file') {
      this.#index.entry(entryOf(stat));
      this.#options.onEntry?.(stat, false);
      if (type === 'dir') this.#levels.push(path);
      return undefined;
    }
    if (linkname !== '') {
      assertCleanPath(linkname);
      if (!this.#files.has(linkname))
        throw invalidArgument(
          `file transfer: ${JSON.stringify(path)} is a hard link to ${JSON.stringify(linkname)}, which was not sent before`,
        );
      this.#hardlinks.push(stat);
      return undefined;
    }
    this.#options.onSize?.(Math.max(0, stat.size));
    this.#files.add(path);
    this.#options.onEntry?.(stat, false);
    this.#requested++;
    const whole = this.#index.expect({ ...entryOf(stat), type: 'file' });
    const file: Arriving = { stat, whole, received: 0, room: undefined, hasher: undefined };
    if (stat.size === 0) {
      this.#end(file);
      return undefined;
    }
    this.#arriving.set(id, file);
    return this.#request(id);
  }

  async listed(): Promise<void> {}

  data(id: number, data: Uint8Array): Promise<void> | undefined {
    const file = this.#arriving.get(id);
    if (file === undefined) throw invalidArgument('file transfer: content that was not asked for');
    const { stat } = file;
    this.about = stat.path;
    if (data.length === 0) {
      this.#arriving.delete(id);
      this.#end(file);
      return undefined;
    }
    const at = file.received;
    this.#bytes += data.length;
    file.received += data.length;
    if (file.received > stat.size + MAX_GROWTH)
      throw invalidArgument(`file transfer: ${JSON.stringify(stat.path)} is far longer than it was said to be`);
    if (file.received > stat.size) this.#options.onSize?.(Math.min(data.length, file.received - stat.size));
    file.hasher ??= this.#options.hashFile?.(stat);
    file.hasher?.update(data);
    const room = file.room ?? this.#contents.room(Math.max(stat.size, data.length));
    file.room = room;
    const write = () => this.#contents.write(room.at + at, data);
    if (file.received > room.size) return this.#contents.grow(room, at, file.received, this.#options).then(write);
    write();
    return undefined;
  }

  /** Hard links, whose files are all there now, and the index. */
  async finish(): Promise<void> {
    await inSlices(this.#linking(), this.#options);
    await this.#contents.finish((fd) => inSlices(this.#index.finishing(fd, this.#contents.end), this.#options));
  }

  *#linking(): Generator<void, void, void> {
    for (const link of this.#hardlinks) {
      this.about = link.path;
      this.#index.entry(entryOf(link));
      this.#options.onEntry?.(link, false);
      yield;
    }
  }

  [Symbol.dispose](): void {
    this.#contents[Symbol.dispose]();
  }

  #end(file: Arriving): void {
    const { stat, received, room } = file;
    if (received !== stat.size) this.#misstated++;
    file.whole(room?.at ?? 0, received);
    file.hasher ??= this.#options.hashFile?.(stat);
    file.hasher?.end();
  }
}

function entryOf(stat: FileStat): TarEntry {
  const { uid, gid, linkname, modTime: mtime, devmajor, devminor } = stat;
  const type = typeOfGoMode(stat.mode);
  const isLink = linkname !== '' && (type === 'symlink' || type === 'file');
  // What the kernel or an archive would take for something else.
  if (mtime < 0n || (type === 'symlink' && !isLink)) throw new NotIndexable(stat.path);
  const xattrs = Object.entries(stat.xattrs).filter(([key]) => isCarried(key));
  return {
    type: type === 'dir' ? 'directory' : type === 'file' && isLink ? 'hardlink' : type,
    name: bytesOf(stat.path),
    mode: fromGoMode(stat.mode) & 0o7777,
    ...{ uid, gid, size: 0, mtime, devmajor, devminor },
    ...(isLink ? { linkname: bytesOf(linkname) } : {}),
    ...(xattrs.length === 0 ? {} : { xattrs: new Map(xattrs.map(([key, value]) => [bytesOf(key), value])) }),
  };
}

/** As archives have names. */
function bytesOf(text: string): string {
  return /[^\0-\x7f]/.test(text) ? encodeName(text).toString('latin1') : text;
}

function isLonger(name: string, bytes: number): boolean {
  return name.length > bytes || (name.length * 3 > bytes && encodeName(name).length > bytes);
}
