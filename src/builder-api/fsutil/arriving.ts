import { closeSync, fchmodSync, fchownSync, constants as fs, readSync } from 'node:fs';
import { type AbortOptions, CodedError, inSlices, invalidArgument, newId } from '../../base/index.ts';
import { futimensNs } from '../../sys/index.ts';
import { holdsAt, writeAll } from './file-content.ts';
import { ownBytes } from './kept-bytes.ts';
import { fromGoMode } from './mode.ts';
import { type FileStat, isCarried } from './packets.ts';
import type { Target } from './target.ts';

/** Files whose content is being written at once; a sane sender interleaves a handful. */
const MAX_OPEN_FILES = 512;
/** Bytes that a file may have grown by while it was sent. */
export const MAX_GROWTH = 256 * 1024 * 1024;
/** First pieces held back so that a small file is written in one go. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/** A hash over one file as it arrives. */
export interface FileHasher {
  update(data: Uint8Array): void;
  /** Called once when the file is whole. */
  end(): void;
}

interface ArrivingOptions extends AbortOptions {
  readonly ignoreOwners?: boolean;
  readonly hashFile?: (stat: FileStat) => FileHasher | undefined;
  readonly onSize?: (bytes: number) => void;
  readonly hold?: { add(bytes: number): void };
}

interface Arriving {
  readonly id: number;
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

/** The files whose content was asked for and comes in pieces, of many at a time. Half-written files never look finished: their time is set last. */
export class ArrivingFiles implements Disposable {
  readonly #target: Target;
  readonly #options: ArrivingOptions;
  readonly #files = new Map<number, Arriving>();
  /** Start of names that nobody else has. */
  readonly #temporary = `.slipway-${newId()}-`;
  #open = 0;
  #heldBytes = 0;
  /** Bytes of content so far. */
  bytes = 0;
  /** Files that came with another length than was listed. */
  misstated = 0;

  constructor(target: Target, options: ArrivingOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** How many are not whole yet. */
  get size(): number {
    return this.#files.size;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) {
      if (file.fd < 0) continue;
      closeSync(file.fd);
      if (file.temporary === undefined) continue;
      const { dir } = this.#target.parentOf(file.stat.path);
      dir.removeAll(file.temporary);
    }
  }

  /**
   * A file that will come under this number; one that is empty is made. `replaces`: another file has its place until then, which may be the
   * `same`, to be compared as it comes.
   */
  expect(id: number, stat: FileStat, { replaces, same }: { readonly replaces: boolean; readonly same: boolean }): void {
    const temporary = replaces ? `${this.#temporary}${id}` : undefined;
    const file: Arriving = {
      ...{ id, stat, temporary, received: 0, hasher: undefined, held: undefined },
      ...{ same: same ? 0 : undefined, fd: -1 },
    };
    if (stat.size === 0) this.#finish(file);
    else this.#files.set(id, file);
  }

  /** Empty for one that was not asked for. */
  pathOf(id: number): string {
    return this.#files.get(id)?.stat.path ?? '';
  }

  /** A piece of a file, or its end. A promise where the next has to wait. */
  take(id: number, data: Uint8Array): Promise<void> | undefined {
    const file = this.#files.get(id);
    if (file === undefined) throw invalidArgument('file transfer: content that was not asked for');
    if (data.length === 0) return this.#end(file);
    this.bytes += data.length;
    file.received += data.length;
    const { size, path } = file.stat;
    if (file.received > size + MAX_GROWTH)
      throw invalidArgument(`file transfer: ${JSON.stringify(path)} is far longer than it was said to be`);
    if (file.received > size) this.#options.onSize?.(Math.min(data.length, file.received - size));
    file.hasher ??= this.#options.hashFile?.(file.stat);
    file.hasher?.update(data);
    if (file.same === undefined) this.#add(file, data);
    else if (!this.#continuesSame(file, file.same, data))
      return this.#target.writing(async () => {
        await this.#copySame(file);
        this.#add(file, data);
      });
    return undefined;
  }

  #end(file: Arriving): Promise<void> | undefined {
    if (file.same === undefined || file.same === file.stat.size) {
      this.#finish(file);
      return undefined;
    }
    // One that ends early is not the same.
    return this.#target.writing(async () => {
      await this.#copySame(file);
      this.#finish(file);
    });
  }

  #add(file: Arriving, data: Uint8Array): void {
    if (file.fd < 0 && file.held === undefined && this.#heldBytes + data.length <= MAX_HELD_BYTES) {
      // Most files are whole with this piece, and written in the same turn.
      file.held = ownBytes(data);
      this.#heldBytes += data.length;
      this.#options.hold?.add(data.length);
      return;
    }
    if (file.fd < 0) {
      this.#create(file);
      this.#writeHeld(file);
    }
    writeAll(file.fd, data);
  }

  #create(file: Arriving): void {
    if (++this.#open > MAX_OPEN_FILES)
      throw new CodedError('resource_exhausted', 'file transfer: too many files are sent at the same time', {
        fault: 'user',
      });
    const { dir, name } = this.#target.parentOf(file.stat.path);
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
  async #copySame(file: Arriving): Promise<void> {
    const { same = 0 } = file;
    file.same = undefined;
    this.#target.changes++;
    if (same === 0) return;
    using there = this.#openThere(file);
    this.#create(file);
    await inSlices(copying(there.fd, file.fd, same), this.#options);
  }

  #openThere(file: Arriving): { readonly fd: number } & Disposable {
    const { dir, name } = this.#target.parentOf(file.stat.path);
    const fd = dir.open(name, fs.O_RDONLY | fs.O_NOFOLLOW);
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  }

  /** Ends a file: content that is held, owner, mode, attributes, and the time last. */
  #finish(file: Arriving): void {
    const { stat, temporary } = file;
    if (file.received !== stat.size) this.misstated++;
    if (file.same === undefined) {
      if (file.fd < 0) this.#create(file);
      const { dir, name } = this.#target.parentOf(stat.path);
      try {
        this.#writeHeld(file);
        if (this.#options.ignoreOwners !== true) fchownSync(file.fd, stat.uid, stat.gid);
        fchmodSync(file.fd, fromGoMode(stat.mode) & 0o7777);
        for (const [key, value] of Object.entries(stat.xattrs))
          if (isCarried(key)) dir.setXattr(temporary ?? name, key, value);
        futimensNs(file.fd, stat.modTime, stat.modTime);
        if (temporary !== undefined) dir.rename(temporary, dir, name);
      } catch (error) {
        if (temporary !== undefined) dir.removeAll(temporary);
        throw error;
      } finally {
        closeSync(file.fd);
        file.fd = -1;
        this.#open--;
      }
    }
    this.#files.delete(file.id);
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
}

/** Copies the first bytes of a file in steps. */
function* copying(from: number, to: number, bytes: number): Generator<void, void, void> {
  const piece = Buffer.allocUnsafe(1 << 18);
  for (let at = 0; at < bytes; ) {
    const size = readSync(from, piece, 0, Math.min(piece.length, bytes - at), at);
    if (size === 0) throw new CodedError('aborted', 'file transfer: a file that was there became shorter');
    writeAll(to, piece.subarray(0, size));
    at += size;
    yield;
  }
}
