import type { Logger } from '../../base/index.ts';
import { type Change, type KeyText, type KubeObject, keyOf } from './ports.ts';

export type Indexes<T> = Readonly<Record<string, (object: T) => string | undefined>>;

/** How long a deleted object's uid is remembered against late news of it. */
const TOMBSTONE_MS = 10 * 60_000;

/** The objects of an informer: the newest of each, by key and by index. News older than what is known are dropped, also of what we wrote or deleted ourselves. */
export class ObjectStore<T extends KubeObject> {
  readonly #objects = new Map<KeyText, T>();
  readonly #indexes: Indexes<T>;
  readonly #indexed = new Map<string, Map<string, Set<KeyText>>>();
  readonly #tombstones = new Map<string, number>();
  readonly #handlers = new Set<(change: Change<T>) => void>();
  readonly #log: Logger;

  constructor(indexes: Indexes<T>, log: Logger) {
    this.#indexes = indexes;
    this.#log = log;
    for (const name of Object.keys(indexes)) this.#indexed.set(name, new Map());
  }

  get(key: KeyText): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): readonly T[] {
    const keys = this.#indexed.get(index)?.get(value) ?? [];
    return [...keys].map((key) => this.#objects.get(key) as T);
  }

  onChange(handler: (change: Change<T>) => void): Disposable {
    this.#handlers.add(handler);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }

  set(object: T): void {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    const { uid } = object.metadata;
    if (uid !== undefined && this.#tombstones.has(uid)) return;
    if (previous !== undefined && versionOf(object) <= versionOf(previous)) return;
    if (previous !== undefined) this.#unindex(key, previous);
    this.#objects.set(key, object);
    for (const [name, indexOf] of Object.entries(this.#indexes)) {
      const value = indexOf(object);
      if (value === undefined) continue;
      const keys = this.#indexed.get(name) as Map<string, Set<KeyText>>;
      const set = keys.get(value);
      if (set === undefined) keys.set(value, new Set([key]));
      else set.add(key);
    }
    this.#tell({ kind: 'set', object, previous });
  }

  /** With a uid only the object of that uid: another may be there by now. */
  remove(key: KeyText, uid: string | undefined): void {
    if (uid !== undefined) this.#bury(uid);
    const object = this.#objects.get(key);
    if (object === undefined || (uid !== undefined && object.metadata.uid !== uid)) return;
    this.#unindex(key, object);
    this.#objects.delete(key);
    this.#tell({ kind: 'gone', object });
  }

  /** What a whole list of `resourceVersion` holds; what it lacks is gone, unless it is newer than the list. */
  replace(objects: readonly T[], resourceVersion: string): void {
    const listed = new Set(objects.map(keyOf));
    for (const [key, object] of this.#objects)
      if (!listed.has(key) && versionOf(object) <= parseVersion(resourceVersion)) this.remove(key, object.metadata.uid);
    for (const object of objects) this.set(object);
  }

  #unindex(key: KeyText, object: T): void {
    for (const [name, indexOf] of Object.entries(this.#indexes)) {
      const value = indexOf(object);
      const keys = this.#indexed.get(name);
      const set = value === undefined ? undefined : keys?.get(value);
      set?.delete(key);
      if (set?.size === 0) keys?.delete(value as string);
    }
  }

  #bury(uid: string): void {
    const now = performance.now();
    this.#tombstones.set(uid, now);
    for (const [old, at] of this.#tombstones) {
      if (now - at < TOMBSTONE_MS) break;
      this.#tombstones.delete(old);
    }
  }

  #tell(change: Change<T>): void {
    for (const handler of this.#handlers)
      try {
        handler(change);
      } catch (error) {
        this.#log.error('a handler of changes failed', { err: error });
      }
  }
}

/** Resource versions grow with every write; etcd's are numbers, and the API promises that they compare. */
function versionOf({ metadata }: KubeObject): bigint {
  return parseVersion(metadata.resourceVersion);
}

function parseVersion(text: string | undefined): bigint {
  return text !== undefined && /^[0-9]+$/.test(text) ? BigInt(text) : 0n;
}
