import type { WorkOwner } from '../../base/index.ts';

/** Places that are told of one by one; bytes of others count together. */
const MAX_SOURCES = 64;
const OTHERS = 'others';

/** Bytes of layers that came from outside, by where from. */
export type PulledBytes = ReadonlyMap<string, number>;

/** Counts what builds under way pull: base images and caches. What several want at once is counted to the one that began it. */
export class PulledTally {
  readonly #builds = new Map<string, Map<string, number>>();

  /** Counts for this build from now on, until it is disposed. */
  begin(owner: WorkOwner): { readonly bytes: PulledBytes } & Disposable {
    const key = keyOf(owner);
    const bytes = new Map<string, number>();
    this.#builds.set(key, bytes);
    return {
      bytes,
      [Symbol.dispose]: () => {
        if (this.#builds.get(key) === bytes) this.#builds.delete(key);
      },
    };
  }

  readonly add = (owner: WorkOwner, source: string, bytes: number): void => {
    const counted = this.#builds.get(keyOf(owner));
    if (counted === undefined || bytes === 0) return;
    const name = counted.has(source) || counted.size < MAX_SOURCES ? source : OTHERS;
    counted.set(name, (counted.get(name) ?? 0) + bytes);
  };
}

const keyOf = ({ tenant, build }: WorkOwner): string => JSON.stringify([tenant, build]);
