import { type CodedError, grown, type LargeMap } from '../base/index.ts';
import { Level } from './level.ts';

/** A failure fails what was asked until it came about, `at` that time. */
interface Failure {
  readonly error: CodedError;
  readonly at: number;
}

const LEVELS = 4;
/** The level that is asked for, and when: a number, since there are many. */
type Ask = number;

function levelOf(ask: Ask = 0): Level {
  return (ask % LEVELS) as Level;
}

/** Something that is computed as far as those who ask for it want: how far that is, and whose asks a failure takes. */
export abstract class Wanted<A> {
  /** How far it has got. */
  level: Level = Level.none;
  /** What it has failed of, until all whose asks that fails are told. */
  failure: Failure | undefined;
  /** Those who are yet to be told how far it has got. */
  untold: Iterator<A, undefined> | undefined;
  #failing: Iterator<A, undefined> | undefined;
  /** Mostly few. */
  #asks: Map<A, Ask> | LargeMap<A, Ask> = new Map();
  /** How many ask for each level. */
  #fast = 0;
  #slow = 0;
  #result = 0;

  get wanted(): Level {
    if (this.#result > 0) return Level.result;
    if (this.#slow > 0) return Level.slow;
    return this.#fast > 0 ? Level.fast : Level.none;
  }

  #count(level: Level, by: 1 | -1): void {
    if (level === Level.result) this.#result += by;
    else if (level === Level.slow) this.#slow += by;
    else if (level === Level.fast) this.#fast += by;
  }

  /** Asks are only ever raised, until they are withdrawn or failed. `at` orders asks and failures. Returns whether there is something new to do. */
  asked(asker: A, level: Level, at: number): boolean {
    const before = levelOf(this.#asks.get(asker));
    if (before >= level) return false;
    this.#count(before, -1);
    this.#asks = grown(this.#asks, (each) => this.nameOf(each));
    this.#asks.set(asker, at * LEVELS + level);
    this.#count(level, 1);
    return level > this.level;
  }

  withdrawn(asker: A): boolean {
    const level = levelOf(this.#asks.get(asker));
    if (level === Level.none) return false;
    this.#asks.delete(asker);
    this.#count(level, -1);
    return true;
  }

  /** A failure takes with it the asks that it fails, and is not kept: whoever asks afterwards, or for more, has it tried again. */
  fail({ error, at }: Failure): void {
    this.#failing ??= this.askers();
    this.failure = { error: this.failure?.error ?? error, at };
  }

  /** Looks at so many asks, and takes those that have failed. Returns whose they were, and whether these are all. */
  failed(most: number): { readonly askers: readonly A[]; readonly over: boolean } {
    const askers: A[] = [];
    for (let n = 0; n < most; n++) {
      const next = this.#failing?.next();
      if (next === undefined || next.done === true) {
        this.failure = this.#failing = undefined;
        return { askers, over: true };
      }
      const asker = next.value;
      const ask = this.#asks.get(asker) ?? Level.none;
      if (levelOf(ask) <= this.level || ask >= (this.failure!.at + 1) * LEVELS) continue;
      this.withdrawn(asker);
      askers.push(asker);
    }
    return { askers, over: false };
  }

  /** Those who ask when it is their turn; who begins to ask meanwhile may be left out. */
  *askers(): Generator<A, undefined, void> {
    for (const asker of this.#asks.keys()) if (this.#asks.has(asker)) yield asker;
    return undefined;
  }

  /** As names of large maps are. */
  abstract nameOf(asker: A): string;
}
