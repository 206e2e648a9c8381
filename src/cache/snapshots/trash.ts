import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cancelledError, HOUSE, newId } from '../../base/index.ts';
import { hasErrno, siblingModule, tasksOf, unmountOrDetach, type WorkerPool } from '../../sys/index.ts';

const task = tasksOf<typeof import('./trash-task.ts')>(siblingModule(import.meta.url, './trash-task'));

/**
 * Where trees go to be removed in the background: a rename now, the work in a worker. Before anything is removed the file system is synced once, so
 * that a power loss never brings back a record whose tree is half gone: either the tree lies whole in the trash, or both are gone.
 */
export class Trash implements AsyncDisposable {
  readonly #directory: string;
  /** Trees that lie where they were: a full disk has no room for another name. Their owner finds them again should this life end first. */
  readonly #inPlace = new Set<string>();
  /** What is to be unmounted first. */
  readonly #mounts = new Set<string>();
  readonly #pool: WorkerPool;
  readonly #stop = new AbortController();
  #emptying: Promise<void> | undefined;
  #again = false;
  #passes = 0;
  #pass = Promise.withResolvers<void>();

  /** What an earlier life left in `directory` is removed too. `pool` is for work that nobody waits for. */
  constructor(directory: string, pool: WorkerPool) {
    this.#directory = directory;
    this.#pool = pool;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (readdirSync(directory).length > 0) this.#empty();
  }

  /**
   * Takes a file or tree on the same file system out of its place; one that is not there is no error. Its name is not to be used again: on a full disk it
   * goes where it lies. What is mounted `mountedAt` a path below goes first.
   */
  discard(path: string, mountedAt?: string): void {
    let place = join(this.#directory, newId());
    try {
      renameSync(path, place);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      this.#inPlace.add(path);
      place = path;
    }
    if (mountedAt !== undefined) this.#mounts.add(join(place, mountedAt));
    this.#empty();
  }

  /** Resolves when what was discarded so far is removed, whatever comes meanwhile. */
  async settled(): Promise<void> {
    const target = this.#passes + (this.#again ? 2 : 1);
    while (this.#emptying !== undefined && this.#passes < target) await this.#pass.promise;
  }

  /** Resolves when nothing is left to remove. */
  async idle(): Promise<void> {
    while (this.#emptying !== undefined) await this.#emptying;
  }

  /** Stops; the next life removes the rest. */
  async close(): Promise<void> {
    this.#stop.abort(cancelledError());
    await this.idle();
    for (const mounted of this.#mounts) unmountOrDetach(mounted);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #empty(): void {
    this.#again = true;
    this.#emptying ??= this.#run().finally(() => {
      this.#emptying = undefined;
      this.#endPass();
    });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stop.signal.aborted) {
      this.#again = false;
      const trees = [...this.#inPlace];
      this.#inPlace.clear();
      const mounts = [...this.#mounts];
      // What could not be removed (an I/O error) stays for the next life.
      await this.#pool
        .run(
          task('emptyTrash'),
          { directory: this.#directory, trees, mounts },
          { signal: this.#stop.signal, owner: HOUSE },
        )
        .then(
          () => {
            for (const mounted of mounts) this.#mounts.delete(mounted);
          },
          () => {},
        );
      this.#passes++;
      this.#endPass();
    }
  }

  #endPass(): void {
    this.#pass.resolve();
    this.#pass = Promise.withResolvers();
  }
}
