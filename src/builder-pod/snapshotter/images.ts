import { join } from 'node:path';
import { CodedError, type Logger, type WorkOptions } from '../../base/index.ts';
import {
  hasErrno,
  mount,
  type Pools,
  type Privileges,
  ROOT,
  siblingModule,
  tasksOf,
  unmountOrDetach,
} from '../../sys/index.ts';

const task = tasksOf<typeof import('./tasks.ts')>(siblingModule(import.meta.url, './tasks'));

/** What says nothing of an image. */
const SHORTAGES = ['ENOMEM', 'EMFILE', 'ENFILE', 'EAGAIN', 'EINTR'] as const;

/** Each step that starts copies all mounts of the builder: from so many on no image is made that could be a directory as well. */
const MAX_OPTIONAL = 128;

interface ImagesOptions {
  readonly pools: Pools;
  readonly privileges: Privileges;
  /** Bytes of a packed layer from which on an image is worth a mount that stays; with `Infinity` no image is. */
  readonly minBytes: number;
  readonly log: Logger;
}

/**
 * Snapshots whose files lie in one image (EROFS around the layer's tar), mounted where their directory is: they are made without a system call for each file and removed by one. Needs a kernel that mounts images from files (6.12) and
 * the rights of the machine's root, which is tried once; elsewhere layers are unpacked into directories. The mounts are this process's: a new life makes them anew.
 */
export class SnapshotImages {
  readonly #options: ImagesOptions;
  /** Mounted ones, and those that may be, by directory of the snapshot. */
  readonly #mounted = new Set<string>();
  #works: Promise<boolean> | undefined;

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** Where the image of a snapshot in `directory` goes that a layer of so many packed bytes fills, or whatever else where that is not told; undefined where it is to be a directory. */
  async file(directory: string, size: number | undefined, options: WorkOptions): Promise<string | undefined> {
    const { privileges, minBytes, pools } = this.#options;
    const isWorth = size === undefined ? this.#mounted.size < MAX_OPTIONAL : size >= minBytes;
    if (!isWorth || minBytes === Number.POSITIVE_INFINITY || privileges.overlayXattrs !== ROOT.overlayXattrs)
      return undefined;
    this.#works ??= pools.short.run(task('imagesWork'), { directory: join(directory, 'trial') }, options);
    const tried = this.#works;
    try {
      return (await tried) ? imageIn(directory) : undefined;
    } catch {
      // Whoever tried has gone, or the disk is full: no word on the kernel.
      if (this.#works === tried) this.#works = undefined;
      options.signal.throwIfAborted();
      return undefined;
    }
  }

  /** @returns false, and the image is gone, when the kernel refuses it */
  async mount(directory: string, options: WorkOptions): Promise<boolean> {
    // Before: who gives up waiting does not know whether it was.
    this.#mounted.add(directory);
    const isMounted = await this.#options.pools.short.run(task('mountImage'), imageMount(directory), options);
    if (!isMounted) this.#mounted.delete(directory);
    return isMounted;
  }

  /**
   * At start, before anybody is served. @returns whether it is there, whole, and of use on this machine
   * @throws CodedError unavailable where the machine is short of something
   */
  mountNow(directory: string): boolean {
    const { image, target } = imageMount(directory);
    try {
      mount({ type: 'erofs', source: image, options: ['ro'] }, target);
    } catch (error) {
      if (hasErrno(error, ...SHORTAGES))
        throw new CodedError('unavailable', `failed to mount ${image}`, {
          cause: error,
          hint: 'start the builder again once the machine has memory and files to spare: nothing was lost',
        });
      this.#options.log.warn('a base layer cannot be mounted: what stands on it is made again when it is asked for', {
        image,
        err: error,
      });
      return false;
    }
    this.#mounted.add(directory);
    return true;
  }

  /** Where below the directory something is mounted, for who removes it; from now on that is his. */
  forget(directory: string): string | undefined {
    return this.#mounted.delete(directory) ? 'fs' : undefined;
  }

  close(): void {
    for (const directory of this.#mounted) unmountOrDetach(join(directory, 'fs'));
    this.#mounted.clear();
  }
}

export const imageIn = (directory: string) => join(directory, 'image');

const imageMount = (directory: string) => ({ image: imageIn(directory), target: join(directory, 'fs') });
