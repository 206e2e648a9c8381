import type { CodedError } from '../base/index.ts';
import { Level } from './level.ts';
import { Lookup } from './lookup.ts';
import type { Result } from './ports.ts';
import type { Run } from './run.ts';
import type { ActiveVertex } from './vertex.ts';

/** Who asks for an edge: another edge, or a build's demand. */
export type Asker = EdgeState | Demand;

export interface Demand {
  /** The edge got further. */
  wake(): void;
  /** The edge failed before it got as far as asked. */
  fail(error: CodedError): void;
}

/** A finished result while its vertex is active. */
export interface Held {
  readonly result: Result;
  /** The record it was loaded from or saved as. */
  readonly record: string | undefined;
  /** Stored key ids; the first one names it. Empty when the key is volatile. */
  readonly keys: readonly string[];
  /** What executions that use it are told apart by. */
  readonly joinKey: string;
}

/** One output of an active vertex: a memoised computation that gets as far as the furthest asker wants. */
export class EdgeState {
  readonly vertex: ActiveVertex;
  readonly index: number;
  readonly lookup: Lookup;
  level: Level = Level.none;
  held: Held | undefined;
  error: CodedError | undefined;
  queued = false;
  loading: Run | undefined;
  /** Records that turned out to be gone, and results that were reported lost. */
  readonly gone = new Set<string>();
  /** How often its result was reported lost. */
  stepsBack = 0;
  /** Work under way that this edge waits for. */
  readonly runs = new Set<Run>();
  readonly #asks = new Map<Asker, Level>();
  readonly #count: [number, number, number, number] = [0, 0, 0, 0];

  constructor(vertex: ActiveVertex, index: number) {
    this.vertex = vertex;
    this.index = index;
    this.lookup = new Lookup(this);
  }

  get inputs(): readonly EdgeState[] {
    return this.vertex.inputs;
  }

  get wanted(): Level {
    if (this.#count[Level.result] > 0) return Level.result;
    if (this.#count[Level.slow] > 0) return Level.slow;
    return this.#count[Level.fast] > 0 ? Level.fast : Level.none;
  }

  /** Asks are only ever raised, until they are withdrawn. Returns whether this edge has to do something new. */
  asked(asker: Asker, level: Level): boolean {
    const before = this.#asks.get(asker) ?? Level.none;
    if (before >= level) return false;
    if (before > Level.none) this.#count[before]--;
    this.#asks.set(asker, level);
    this.#count[level]++;
    return level > this.level;
  }

  withdrawn(asker: Asker): boolean {
    const level = this.#asks.get(asker);
    if (level === undefined) return false;
    this.#asks.delete(asker);
    this.#count[level]--;
    if (this.#asks.size === 0) this.error = undefined; // a failure is told to those who asked, and not kept
    return true;
  }

  askers(): readonly (readonly [Asker, Level])[] {
    return [...this.#asks];
  }
}
