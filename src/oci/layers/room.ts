import { CodedError } from '../../base/index.ts';
import { fileSystemUsage } from '../../sys/index.ts';

/** Bytes that are written between two looks at the file system; they are there at each of them. */
const STEP = 16 << 20;
/** What an entry takes beside its content; roughly. */
const ENTRY_BYTES = 4096;
/** Of the inodes. */
const KEEP_INODES = 0.01;

/** Whether so many bytes more leave `keepFree` of the file system of `path` free, and inodes. Others may write there, too: it holds for the moment. */
export function hasRoom(path: string, bytes: number, keepFree: number): boolean {
  const { free, inodes, freeInodes } = fileSystemUsage(path);
  // File systems that make inodes as they are needed count none.
  return free - bytes >= keepFree && (inodes === 0 || freeInodes >= inodes * KEEP_INODES);
}

/** @throws CodedError always */
export function noRoom(bytes: number, keepFree: number): never {
  throw CodedError.of(
    'CACHE_DISK',
    `the builder's disk has no room for ${bytes} bytes of it, besides ${keepFree} that are to stay free`,
  );
}

/** What one writer of a directory leaves free, whatever it says that it is going to write. */
export class Room {
  readonly #directory: string;
  readonly #keepFree: number;
  #left = 0;

  constructor(directory: string, keepFree: number) {
    this.#directory = directory;
    this.#keepFree = keepFree;
  }

  /** Before an entry is made. @throws CodedError CACHE_DISK */
  entry(): void {
    this.bytes(ENTRY_BYTES);
  }

  /** Before so many are written. @throws CodedError CACHE_DISK */
  bytes(count: number): void {
    if (count > this.#left) {
      const wanted = count + STEP;
      if (!hasRoom(this.#directory, wanted, this.#keepFree)) noRoom(wanted, this.#keepFree);
      this.#left = wanted;
    }
    this.#left -= count;
  }
}
