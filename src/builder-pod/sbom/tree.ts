import { closeSync, constants as fs, fstatSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { hasErrno, type Root, type TaskContext } from '../../sys/index.ts';

/** Of a file that tells of packages. */
const MOST_BYTES = 64 << 20;
/** Files and directories of one tree that are looked at. */
const MOST_ENTRIES = 2_000_000;
const MOST_NOTES = 100;
/** Of one scan: bytes that are read and inflated, and what entries of lists count. A clock would not give the same document twice. */
const MOST_WORK = 2 ** 30;
/** What an entry of a list counts, in bytes. */
const ENTRY = 256;

/** The file system that is scanned, with what could not be read of it. Nothing outside of it is ever opened, and nothing that is no regular file. */
export class ScannedTree {
  readonly #root: Root;
  readonly #context: Pick<TaskContext, 'throwIfAborted'>;
  readonly #mostWork: number;
  readonly #notes: string[] = [];
  #work = 0;

  /** @param mostWork - in bytes; what is beyond is not told of, which is noted */
  constructor(root: Root, context: Pick<TaskContext, 'throwIfAborted'>, mostWork = MOST_WORK) {
    this.#root = root;
    this.#context = context;
    this.#mostWork = mostWork;
  }

  /** What the scan went past, in the order in which it did. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /** Says that something is not told of. */
  note(path: string, why: string): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push(`${path}: ${why}`);
    else if (this.#notes.length === MOST_NOTES) this.#notes.push('/: and more, of which there is no note');
  }

  /**
   * Counts work before it is done.
   * @param bytes - without them an entry of a list
   * @throws what the abort threw, or an error where the scan has done all that it may
   */
  spend(bytes = ENTRY): void {
    this.#context.throwIfAborted();
    this.#work += bytes;
    if (this.#isSpent) throw new Error(`the scan has read ${this.#mostWork} bytes: what follows is not told of`);
  }

  get #isSpent(): boolean {
    return this.#work > this.#mostWork;
  }

  /** What a file tells, up to where it cannot be read, which is noted. */
  *readable<T>(path: string, told: Iterable<T>): Generator<T> {
    try {
      yield* told;
    } catch (error) {
      this.#context.throwIfAborted();
      this.note(path, (error as Error).message.slice(0, 200));
    }
  }

  /** Every path of a regular file or directory that is no link, each directory's names in order. */
  *walk(): Generator<{
    readonly path: string;
    readonly isDirectory: boolean;
    readonly mode: number;
    readonly size: number;
  }> {
    const open = ['/'];
    let entries = 0;
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      this.#context.throwIfAborted();
      if (this.#isSpent) return;
      if (++entries > MOST_ENTRIES) {
        this.note('/', `more than ${MOST_ENTRIES} files: the rest was not scanned`);
        return;
      }
      let below: readonly string[] = [];
      let stat: ReturnType<Root['lstatIfAny']>;
      try {
        stat = this.#root.lstatIfAny(path);
        if (stat?.type === 'dir') below = this.#root.readdir(path).sort().reverse();
      } catch (error) {
        this.note(path, (error as Error).message);
        continue;
      }
      if (stat === undefined || (stat.type !== 'dir' && stat.type !== 'file')) continue;
      yield { path, isDirectory: stat.type === 'dir', mode: stat.mode, size: Number(stat.size) };
      for (const name of below) open.push(posix.join(path, name));
    }
  }

  /** The names in a directory; none where it is not there. */
  names(path: string): readonly string[] {
    try {
      return this.#root.readdir(path).sort();
    } catch {
      return [];
    }
  }

  /** A regular file, whole; undefined where there is none, or where it cannot be read, which is noted. */
  read(path: string, most = MOST_BYTES): Buffer | undefined {
    return this.use(path, (file) => {
      if (file.size > most) {
        this.note(path, `larger than ${most} bytes`);
        return undefined;
      }
      return file.read(0, file.size);
    });
  }

  text(path: string, most?: number): string | undefined {
    return this.read(path, most)?.toString('utf8');
  }

  /** Parts of a regular file, links followed inside the tree. */
  use<T>(path: string, work: (file: OpenFile) => T): T | undefined {
    this.#context.throwIfAborted();
    if (this.#isSpent) return undefined;
    let fd: number;
    try {
      fd = this.#root.open(path, fs.O_RDONLY | fs.O_NONBLOCK | fs.O_NOCTTY);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) this.note(path, (error as Error).message);
      return undefined;
    }
    try {
      const stat = fstatSync(fd);
      return stat.isFile() ? work(new OpenFile(fd, stat.size, (bytes) => this.spend(bytes))) : undefined;
    } catch (error) {
      this.#context.throwIfAborted();
      this.note(path, (error as Error).message);
      return undefined;
    } finally {
      closeSync(fd);
    }
  }
}

/** A file that is read in parts. */
export class OpenFile {
  readonly size: number;
  readonly #fd: number;
  readonly #spend: (bytes: number) => void;

  constructor(fd: number, size: number, spend: (bytes: number) => void) {
    this.#fd = fd;
    this.#spend = spend;
    this.size = size;
  }

  /** Fewer bytes where it ends before. */
  read(offset: number, length: number): Buffer {
    const end = Math.min(offset + length, this.size);
    const most = Math.max(0, end - offset);
    this.#spend(most);
    const bytes = Buffer.alloc(most);
    let filled = 0;
    for (let read = -1; filled < bytes.length && read !== 0; filled += read)
      read = readSync(this.#fd, bytes, filled, bytes.length - filled, offset + filled);
    return bytes.subarray(0, filled);
  }
}
