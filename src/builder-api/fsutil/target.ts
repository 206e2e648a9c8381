import type { Dir, Root, Stat } from '../../sys/index.ts';
import { fromGoMode, typeOfGoMode } from './mode.ts';
import { type FileStat, isCarried } from './packets.ts';

const DIR_CACHE = 32;

/**
 * The directory to bring in line: `root` itself; or what `toWrite` gives, asked once, before the first change where there is a `root`, the same directory to
 * read.
 */
export type Place =
  | { readonly root: Root; readonly toWrite?: () => Promise<Root> }
  | { readonly root?: undefined; readonly toWrite: () => Promise<Root> };

/** A directory that is brought in line: as far as nothing has changed, the one that is only read. */
export class Target implements Disposable {
  readonly #ignoreOwners: boolean;
  readonly #dirs = new Map<string, Dir>();
  #root: Root;
  #toWrite: Place['toWrite'];
  /** Told when it goes over to where it may write. */
  onBegin: () => void = () => {};
  /** Whatever was made, replaced, removed, or given other metadata. */
  changes = 0;

  private constructor(root: Root, toWrite: Place['toWrite'], ignoreOwners: boolean) {
    this.#root = root;
    this.#toWrite = toWrite;
    this.#ignoreOwners = ignoreOwners;
  }

  static async open(place: Place, options: { readonly ignoreOwners?: boolean }): Promise<Target> {
    const ignoreOwners = options.ignoreOwners === true;
    if (place.root !== undefined) return new Target(place.root, place.toWrite, ignoreOwners);
    return new Target(await place.toWrite(), undefined, ignoreOwners);
  }

  [Symbol.dispose](): void {
    for (const dir of this.#dirs.values()) dir[Symbol.dispose]();
  }

  get root(): Root {
    return this.#root;
  }

  /** Goes over to where it may write: nothing has changed so far, so all that was open is there, too. */
  async begin(): Promise<void> {
    const toWrite = this.#toWrite;
    if (toWrite === undefined) return;
    this.#toWrite = undefined;
    this.#root = await toWrite();
    this.onBegin();
    for (const dir of this.#dirs.values()) dir[Symbol.dispose]();
    this.#dirs.clear();
  }

  /** Makes a change where it may write; at once where it may already. */
  writing(change: () => Promise<void> | undefined): Promise<void> | undefined {
    return this.#toWrite === undefined ? change() : this.begin().then(change);
  }

  /** The open directory of a path: content mostly arrives directory by directory. */
  parentOf(path: string): { readonly dir: Dir; readonly name: string } {
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? '' : path.slice(0, slash);
    let dir = this.#dirs.get(parent);
    if (dir === undefined) {
      dir = this.#root.openDir(`/${parent}`);
      this.#dirs.set(parent, dir);
      if (this.#dirs.size > DIR_CACHE) {
        const [oldest, stale] = this.#dirs.entries().next().value!;
        this.#dirs.delete(oldest);
        stale[Symbol.dispose]();
      }
    }
    return { dir, name: path.slice(slash + 1) };
  }

  /** A path is no directory any more. */
  forget(path: string): void {
    for (const [key, dir] of this.#dirs)
      if (key === path || key.startsWith(`${path}/`)) {
        dir[Symbol.dispose]();
        this.#dirs.delete(key);
      }
  }

  sameMetadata(dir: Dir, name: string, stat: FileStat, existing: Stat): boolean {
    if (existing.type !== 'symlink' && (existing.mode & 0o7777) !== (fromGoMode(stat.mode) & 0o7777)) return false;
    if (!this.#ignoreOwners && (existing.uid !== stat.uid || existing.gid !== stat.gid)) return false;
    const wanted = Object.entries(stat.xattrs).filter(([key]) => isCarried(key));
    const there = new Map([...dir.readXattrs(name)].filter(([key]) => isCarried(key)));
    return there.size === wanted.length && wanted.every(([key, value]) => there.get(key)?.equals(value) === true);
  }

  /** All but times. */
  applyMetadata(dir: Dir, name: string, stat: FileStat): void {
    this.changes++;
    if (!this.#ignoreOwners) dir.chown(name, stat.uid, stat.gid);
    if (typeOfGoMode(stat.mode) !== 'symlink') dir.chmod(name, fromGoMode(stat.mode) & 0o7777);
    for (const key of dir.listXattrs(name))
      if (isCarried(key) && !Object.hasOwn(stat.xattrs, key)) dir.removeXattr(name, key);
    for (const [key, value] of Object.entries(stat.xattrs)) if (isCarried(key)) dir.setXattr(name, key, value);
  }
}
