import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HOUSE, neverAborted } from '../../base/index.ts';
import { fileSystemUsage, siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';

interface ReserveOptions {
  /** A directory of its own on the disk that is to have room. */
  readonly directory: string;
  /** Where the files are written; without one nothing is ever reserved. */
  readonly pool?: WorkerPool;
  readonly intervalMs?: number;
}

const task = tasksOf<typeof import('./metadata-tasks.ts')>(siblingModule(import.meta.url, './metadata-tasks'));
const MAX_FILES = 64;
const FILE_BYTES = 64 << 10;
/** At most this part of the disk is reserved, and of its inodes. */
const SHARE = 32;
const INTERVAL_MS = 5_000;

/**
 * Room on the disk that no build can spend: small files, of which each holds some bytes and an inode. They are removed where something must be
 * written that a full disk must not stop (a start, what frees room, what ends things), and made again as soon as there is room.
 */
export class Reserve implements AsyncDisposable {
  readonly #options: ReserveOptions;
  readonly #files: number;
  readonly #timer: NodeJS.Timeout;
  #filling: Promise<void> | undefined;
  #closed = false;

  /** `directory` is there already, or is made when the reserve is first filled. */
  constructor(options: ReserveOptions) {
    this.#options = options;
    const { total, inodes } = fileSystemUsage(join(options.directory, '..'));
    // Some file systems have no table of inodes, and say 0.
    const limits = [MAX_FILES, total / SHARE / FILE_BYTES, ...(inodes > 0 ? [inodes / SHARE] : [])];
    this.#files = Math.floor(Math.min(...limits));
    this.#timer = setInterval(() => void this.fill(), options.intervalMs ?? INTERVAL_MS);
    this.#timer.unref();
  }

  /** Whether the disk has so little room that what is about to be written may need the reserve. */
  get isNeeded(): boolean {
    const { free, inodes, freeInodes } = fileSystemUsage(join(this.#options.directory, '..'));
    return free < 2 * this.#files * FILE_BYTES || (inodes > 0 && freeInodes < 2 * this.#files);
  }

  /** Gives the room away; false when there was none. */
  release(): boolean {
    const names = this.#names();
    for (const name of names) rmSync(join(this.#options.directory, name), { force: true });
    return names.length > 0;
  }

  /** Takes as much of it as can be had; all but so many files where that is told. */
  async fill({ but = 0 }: { readonly but?: number } = {}): Promise<void> {
    const { pool, directory } = this.#options;
    const files = this.#files - but;
    if (pool === undefined || this.#closed || this.#names().length >= files) return;
    const args = { directory, files, bytes: FILE_BYTES };
    // What could not be had now is tried for at the next interval.
    this.#filling ??= pool
      .run(task('fillReserve'), args, { signal: neverAborted, owner: HOUSE })
      .catch(() => {})
      .finally(() => {
        this.#filling = undefined;
      });
    await this.#filling;
  }

  /** Leaves it as full as can be: what lies beside it has no other room when it is opened again. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#filling;
    await this.fill();
    this.#closed = true;
  }

  #names(): string[] {
    try {
      return readdirSync(this.#options.directory);
    } catch {
      return [];
    }
  }
}
