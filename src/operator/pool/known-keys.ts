import { KeyFilter, marksOf } from '../../base/index.ts';

interface News {
  readonly keysVersion: string;
  readonly keysFilter: Uint8Array;
  readonly keysAdded: Uint8Array;
}

/** Keys of runs that ended on a builder that has not told of its own yet. */
const LEARNT = 10_000;

/** What builders tell of the keys that they hold, by address. */
export class KnownKeys {
  readonly #known = new Map<string, { version: string; readonly filter: KeyFilter }>();

  /** What is known already, as the builder called it. */
  version(address: string): string {
    return this.#known.get(address)?.version ?? '';
  }

  heard(address: string, { keysVersion: version, keysFilter, keysAdded }: News): void {
    const known = this.#known.get(address);
    if (keysFilter.length > 0) {
      const filter = KeyFilter.read(Uint8Array.from(keysFilter));
      if (filter === undefined) this.#known.delete(address);
      else this.#known.set(address, { version, filter });
    } else if (version !== '' && known?.version) {
      for (const mark of marksOf(keysAdded)) known.filter.add(mark);
      known.version = version;
    }
  }

  /** A run that has just ended there needed these. */
  learn(address: string, sketch: Uint8Array): void {
    const known = this.#known.get(address) ?? { version: '', filter: KeyFilter.for(LEARNT) };
    this.#known.set(address, known);
    for (const mark of marksOf(sketch)) known.filter.add(mark);
  }

  /** How much of a sketch the builder holds, 0 to 1; undefined where it has not told. */
  holds(address: string): ((needs: Uint8Array) => number) | undefined {
    const filter = this.#known.get(address)?.filter;
    return filter === undefined ? undefined : (needs) => filter.share(needs);
  }

  forget(address: string): void {
    this.#known.delete(address);
  }
}
