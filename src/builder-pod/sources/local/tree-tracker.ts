import { closeSync, constants as fs, readSync } from 'node:fs';
import { type AbortOptions, inSlices } from '../../../base/index.ts';
import {
  type FileHasher,
  type FileStat,
  fromGoMode,
  isCarried,
  type ReceiveOptions,
  typeOfGoMode,
} from '../../../builder-api/fsutil/index.ts';
import { ContentTreeBuilder, type EntryHash, entryHash } from '../../../cache/contenthash/index.ts';
import type { Root } from '../../../sys/index.ts';

/**
 * Keeps the content tree of a directory in step with a transfer into it, so that nothing is read again for its digests. It gives up, and the
 * tree is then scanned when needed, where it cannot know: an incomplete earlier tree, a file that changed while it was sent.
 */
export class TreeTracker implements Pick<ReceiveOptions, 'onEntry' | 'onRemoved' | 'hashFile'> {
  /** Regular files with other metadata, whose content did not come. */
  readonly #unread = new Map<string, FileStat>();
  #builder: ContentTreeBuilder | undefined;

  private constructor(builder: ContentTreeBuilder | undefined) {
    this.#builder = builder;
  }

  static async open(before: Uint8Array | undefined, options: AbortOptions): Promise<TreeTracker> {
    try {
      return new TreeTracker(await inSlices(ContentTreeBuilder.opening(before), options));
    } catch {
      options.signal.throwIfAborted();
      // A damaged tree: the next one is scanned.
      return new TreeTracker(undefined);
    }
  }

  onEntry = (stat: FileStat, unchanged: boolean): void => {
    const type = typeOfGoMode(stat.mode);
    if (type === 'file' && stat.linkname !== '')
      this.#attempt((builder) => builder.setHardlink(stat.path, stat.linkname));
    else if (type === 'file') {
      if (!unchanged) this.#unread.set(stat.path, stat);
    } else if (type === 'dir' || !unchanged) this.#set(stat, hashOf(stat));
  };

  onRemoved = (path: string): void => {
    this.#attempt((builder) => builder.delete(path));
  };

  hashFile = (stat: FileStat): FileHasher => {
    const hash = hashOf(stat);
    let bytes = 0;
    return {
      update: (data) => {
        bytes += data.length;
        hash.update(data);
      },
      end: () => {
        this.#unread.delete(stat.path);
        if (bytes === stat.size) this.#set(stat, hash);
        else this.#builder = undefined;
      },
    };
  };

  /** The tree once all is there, in `root`. */
  async finish(root: Root, options: AbortOptions): Promise<Uint8Array | undefined> {
    for (const stat of this.#unread.values()) this.#set(stat, await inSlices(readingHash(root, stat), options));
    try {
      return this.#builder === undefined ? undefined : await inSlices(this.#builder.finishing(), options);
    } catch {
      options.signal.throwIfAborted();
      return undefined;
    }
  }

  #set(stat: FileStat, hash: EntryHash): void {
    const type = typeOfGoMode(stat.mode);
    this.#attempt((builder) =>
      builder.set(stat.path, {
        type,
        digest: hash.digest(),
        meta: { mode: modeOf(stat), uid: stat.uid, gid: stat.gid },
        ...(type === 'symlink' ? { linkname: stat.linkname } : {}),
      }),
    );
  }

  #attempt(step: (builder: ContentTreeBuilder) => void): void {
    try {
      if (this.#builder !== undefined) step(this.#builder);
    } catch {
      this.#builder = undefined;
    }
  }
}

function* readingHash(root: Root, stat: FileStat): Generator<void, EntryHash, void> {
  const hash = hashOf(stat);
  const fd = root.open(stat.path, fs.O_RDONLY | fs.O_NOFOLLOW);
  try {
    const piece = Buffer.allocUnsafe(256 * 1024);
    for (let length = readSync(fd, piece); length > 0; length = readSync(fd, piece)) {
      hash.update(piece.subarray(0, length));
      yield;
    }
  } finally {
    closeSync(fd);
  }
  return hash;
}

function modeOf(stat: FileStat): number {
  return fromGoMode(stat.mode) & 0o7777;
}

function hashOf(stat: FileStat): EntryHash {
  return entryHash({
    type: typeOfGoMode(stat.mode),
    mode: modeOf(stat),
    uid: stat.uid,
    gid: stat.gid,
    size: stat.size,
    linkname: stat.linkname,
    devMajor: stat.devmajor,
    devMinor: stat.devminor,
    xattrs: new Map(Object.entries(stat.xattrs).filter(([key]) => isCarried(key))),
  });
}
