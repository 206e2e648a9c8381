import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { CodedError } from '../../base/index.ts';
import { Dir, O_PATH, readXattrsOf, type Stat } from '../../sys/index.ts';
import { type ByteString, byteString, type TarEntry, TarWriter } from '../tar/index.ts';
import { archiveName, fsName, isPrivateXattr, OPAQUE_MARKER, WHITEOUT_PREFIX } from './names.ts';

export interface WalkOptions {
  /** Modification times are at most this, in nanoseconds (SOURCE_DATE_EPOCH). */
  readonly maxMtime?: bigint | undefined;
  /** Called at each directory; throws to stop. */
  readonly check?: () => void;
}

const REDIRECT = 'overlay.redirect';
const METACOPY = 'overlay.metacopy';

/**
 * The tar of an overlay upper directory (or of any tree), chunk by chunk: names sorted bytewise within each directory, parents first, without the root
 * itself; whiteouts and opaque marks in OCI form, hard links after their first name, sockets left out.
 */
export function* packTree(directory: string, options: WalkOptions = {}): Generator<Buffer> {
  yield* packTrees([{ directory }], options);
}

/** One archive of several trees, each below its prefix (a single component), which gets an entry of its own. */
export function* packTrees(
  trees: readonly { readonly directory: string; readonly prefix?: string | undefined }[],
  options: WalkOptions = {},
): Generator<Buffer> {
  const packer = new TreePacker(options);
  for (const { directory, prefix } of trees) {
    using root = new Dir(openSync(directory, O_PATH | constants.O_DIRECTORY));
    if (prefix !== undefined) packer.prefix(byteString(prefix));
    yield* packer.directory(root, prefix === undefined ? '' : `${byteString(prefix)}/`);
  }
  packer.writer.finish();
  yield* packer.drain();
}

class TreePacker {
  readonly writer = new TarWriter();
  readonly #options: WalkOptions;
  /** First archive name by device and inode. */
  readonly #linked = new Map<string, ByteString>();

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  *drain(): Generator<Buffer> {
    for (let chunk = this.writer.take(); chunk !== undefined; chunk = this.writer.take()) yield chunk;
  }

  prefix(name: ByteString): void {
    this.writer.header({ type: 'directory', name, mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0n });
  }

  *directory(dir: Dir, prefix: ByteString): Generator<Buffer> {
    this.#options.check?.();
    const names = readdirSync(dir.procPath, { encoding: 'latin1' }).sort();
    for (const bytes of names) {
      const name = fsName(bytes);
      const stat = dir.lstat(name);
      const path = prefix + bytes;
      if (stat.type === 'dir') {
        const xattrs = dir.readXattrs(name);
        this.#header(path, stat, { type: 'directory', ...withXattrs(xattrs, path) });
        if (isOpaque(xattrs)) this.#marker(`${path}/${OPAQUE_MARKER}`);
        using below = dir.openDir(name);
        yield* this.directory(below, `${path}/`);
      } else if (stat.type === 'char' && stat.rdevMajor === 0 && stat.rdevMinor === 0)
        this.#marker(`${prefix}${WHITEOUT_PREFIX}${bytes}`);
      else if (stat.type !== 'socket') yield* this.#leaf(dir, name, path, stat);
      if (this.writer.ready) yield* this.drain();
    }
  }

  *#leaf(dir: Dir, name: string, path: ByteString, stat: Stat): Generator<Buffer> {
    if (stat.nlink > 1) {
      const key = `${stat.dev}:${stat.ino}`;
      const first = this.#linked.get(key);
      if (first !== undefined) {
        this.#header(path, stat, { type: 'hardlink', linkname: first });
        return;
      }
      this.#linked.set(key, path);
    }
    if (stat.type === 'file') {
      yield* this.#file(dir, name, path, stat);
      return;
    }
    const xattrs = withXattrs(dir.readXattrs(name), path);
    switch (stat.type) {
      case 'symlink':
        this.#header(path, stat, { type: 'symlink', linkname: archiveName(dir.readlink(name)), ...xattrs });
        break;
      case 'char':
      case 'block':
        this.#header(path, stat, {
          type: stat.type,
          devmajor: stat.rdevMajor,
          devminor: stat.rdevMinor,
          ...xattrs,
        });
        break;
      default:
        this.#header(path, stat, { type: 'fifo', ...xattrs });
    }
  }

  *#file(dir: Dir, name: string, path: ByteString, stat: Stat): Generator<Buffer> {
    const fd = dir.open(name, constants.O_RDONLY);
    try {
      this.#header(path, stat, { type: 'file', size: stat.size, ...withXattrs(readXattrsOf(fd), path) });
      while (!this.writer.readFrom(fd)) yield* this.drain();
    } finally {
      closeSync(fd);
    }
  }

  #header(name: ByteString, stat: Stat, entry: Partial<TarEntry> & Pick<TarEntry, 'type'>): void {
    const { maxMtime } = this.#options;
    this.writer.header({
      name,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: 0,
      mtime: maxMtime !== undefined && stat.mtimeNs > maxMtime ? maxMtime : stat.mtimeNs,
      ...entry,
    });
  }

  /** An empty file that means something by its name; without a time, so that it is the same each time. */
  #marker(name: ByteString): void {
    this.writer.header({ type: 'file', name, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n });
  }
}

function isOpaque(xattrs: ReadonlyMap<string, Buffer>): boolean {
  const value = xattrs.get('trusted.overlay.opaque') ?? xattrs.get('user.overlay.opaque');
  return value?.toString('latin1') === 'y';
}

function withXattrs(all: ReadonlyMap<string, Buffer>, path: ByteString): Pick<TarEntry, 'xattrs'> {
  if (all.size === 0) return {};
  const kept = new Map<ByteString, Uint8Array>();
  for (const [key, value] of all) {
    if (!isPrivateXattr(key)) kept.set(byteString(key), value);
    else if (key.endsWith(REDIRECT) || key.endsWith(METACOPY))
      // Then the content lies in a lower layer, and this directory alone does not tell what changed.
      throw new CodedError(
        'failed_precondition',
        `${path} carries ${key}: its snapshot was mounted with that feature on`,
        {
          fault: 'infrastructure',
          reason: 'LAYER_OVERLAY_FEATURE',
          hint: 'mount overlays with redirect_dir=off,metacopy=off',
        },
      );
  }
  return kept.size === 0 ? {} : { xattrs: kept };
}
