import { constants, openSync } from 'node:fs';
import { CodedError } from '../../base/index.ts';
import { Dir, hasErrno, O_PATH, type Root, type Stat } from '../../sys/index.ts';

/** What lies below the directory being written, top first: upper directories of the lower layers. */
type Lowers = readonly Root[];

const MAX_SYMLINKS = 40;
const CACHE_SIZE = 200;

interface Opened {
  readonly dir: Dir;
  /** Path from the root without symlinks; '' is the root. */
  readonly path: string;
}

/**
 * Opens directories below a root one component at a time, never through a symlink in the kernel: links are read and followed here, inside the root.
 * Keeps descriptors of the last used ones. Missing directories are made, with the metadata that a lower layer has for them.
 */
export class Directories implements Disposable {
  readonly #root: Dir;
  readonly #lowers: Lowers;
  /** By path as asked for. A Map keeps order of insertion: the first is the oldest. */
  readonly #byPath = new Map<string, Opened>();
  readonly #onMade: (parent: Dir, name: string, replacedWhiteout: boolean) => void;

  constructor(root: Dir, lowers: Lowers, onMade: (parent: Dir, name: string, replacedWhiteout: boolean) => void) {
    this.#root = root;
    this.#lowers = lowers;
    this.#onMade = onMade;
  }

  /** The directory at these components; valid until the next {@link trim} or {@link forget}. */
  open(parts: readonly string[]): Opened {
    if (parts.length === 0) return { dir: this.#root, path: '' };
    const key = parts.join('/');
    const known = this.#byPath.get(key);
    if (known !== undefined) return known;
    const opened = this.#resolve(parts);
    this.#byPath.set(key, opened);
    return opened;
  }

  /** Closes the oldest descriptors when there are many; only between entries. */
  trim(): void {
    if (this.#byPath.size <= CACHE_SIZE) return;
    let left = CACHE_SIZE / 2;
    for (const [key, { dir }] of this.#byPath) {
      if (left-- <= 0) break;
      this.#byPath.delete(key);
      dir[Symbol.dispose]();
    }
  }

  /** Forgets all: something on the way of a kept path was taken away. */
  forget(): void {
    for (const { dir } of this.#byPath.values()) dir[Symbol.dispose]();
    this.#byPath.clear();
  }

  [Symbol.dispose](): void {
    this.forget();
  }

  /** A fresh descriptor of the directory, so that each cache entry owns its own. */
  #resolve(parts: readonly string[]): Opened {
    const todo = [...parts];
    const path: string[] = [];
    // Descriptors of `path`, outermost first, so that `..` in a link goes back without asking the kernel.
    const stack: Dir[] = [];
    let links = 0;
    try {
      // The longest known prefix saves the way down to it.
      const parent = parts.length > 1 ? this.open(parts.slice(0, -1)) : undefined;
      if (parent !== undefined && parent.path === parts.slice(0, -1).join('/')) {
        const name = parts.at(-1) as string;
        const next = this.#enter(parent.dir, name, parent.path);
        if (next instanceof Dir) return { dir: next, path: `${parent.path}/${name}` };
      }
      while (todo.length > 0) {
        const name = todo.shift() as string;
        if (name === '' || name === '.') continue;
        if (name === '..') {
          path.pop();
          stack.pop()?.[Symbol.dispose]();
          continue;
        }
        const here = stack.at(-1) ?? this.#root;
        const next = this.#enter(here, name, path.join('/'));
        if (next instanceof Dir) {
          stack.push(next);
          path.push(name);
          continue;
        }
        if (++links > MAX_SYMLINKS)
          throw CodedError.of(
            'LAYER_SYMLINK_LOOP',
            `too many symbolic links on the way to ${JSON.stringify(parts.join('/'))}`,
          );
        if (next.target.startsWith('/')) {
          for (const dir of stack.splice(0)) dir[Symbol.dispose]();
          path.length = 0;
        }
        todo.unshift(...next.target.split('/'));
      }
      // A link may lead to the root itself: a descriptor of its own is needed then too.
      const last = stack.pop() ?? reopen(this.#root);
      return { dir: last, path: path.join('/') };
    } finally {
      for (const dir of stack) dir[Symbol.dispose]();
    }
  }

  /** One step down: the directory, made where missing, or the target of the symlink that stands there. */
  #enter(parent: Dir, name: string, parentPath: string): Dir | { target: string } {
    try {
      return parent.openDir(name);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    }
    const stat = parent.lstatIfAny(name);
    if (stat?.type === 'symlink') return { target: parent.readlink(name) };
    const isWhiteout = stat !== undefined && isWhiteoutStat(stat);
    if (stat !== undefined && !isWhiteout)
      throw CodedError.of(
        'LAYER_NOT_A_DIRECTORY',
        `${JSON.stringify(`${parentPath}/${name}`)} is no directory, yet other entries lie in it`,
      );
    const path = parentPath === '' ? name : `${parentPath}/${name}`;
    const lower = isWhiteout ? undefined : this.#lower(path);
    if (lower?.type === 'symlink') return { target: lower.target };
    if (isWhiteout) parent.unlink(name);
    parent.mkdir(name, lower === undefined ? 0o755 : lower.stat.mode & 0o7777);
    if (lower !== undefined) copyOwner(parent, name, lower.stat);
    this.#onMade(parent, name, isWhiteout);
    return parent.openDir(name);
  }

  #lower(path: string): { type: 'dir'; stat: Stat } | { type: 'symlink'; target: string } | undefined {
    for (const lower of this.#lowers) {
      const stat = lower.lstatIfAny(path);
      if (stat === undefined) continue;
      if (stat.type === 'dir') return { type: 'dir', stat };
      return stat.type === 'symlink' ? { type: 'symlink', target: lower.readlink(path) } : undefined;
    }
    return undefined;
  }
}

export function isWhiteoutStat(stat: Stat): boolean {
  return stat.type === 'char' && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

function copyOwner(parent: Dir, name: string, stat: Stat): void {
  parent.chown(name, stat.uid, stat.gid);
  parent.chmod(name, stat.mode & 0o7777);
  parent.utimens(name, stat.mtimeNs, stat.mtimeNs);
}

function reopen(dir: Dir): Dir {
  return new Dir(openSync(dir.procPath, O_PATH | constants.O_DIRECTORY));
}
