import type { CodedError, Digest } from '../base/index.ts';
import { recordDigest } from './key.ts';
import { Level } from './level.ts';
import { Lookup } from './lookup.ts';
import type { Result } from './ports.ts';
import type { Run } from './run.ts';
import type { ActiveVertex, VertexBuild } from './vertex.ts';

/** Who asks for an edge: another edge, or a build's demand. */
export type Asker = EdgeState | Demand;

export interface Demand {
  /** The edge got further. */
  wake(): void;
  /** The edge failed before it got as far as asked. */
  fail(error: CodedError): void;
}

/** A record in the cache of this id, which is empty for the own. */
export interface Origin {
  readonly cache: string;
  readonly record: string;
}

/** How often what an imported cache gives may be of no use to an edge before it is asked nothing more for it. */
const MAX_USELESS = 8;

/** A finished result while its vertex is active. */
export interface Held {
  readonly result: Result;
  /** The record it was loaded from or saved as. */
  readonly record: string | undefined;
  /** The record of an imported cache that it was loaded from. */
  readonly origin?: Origin | undefined;
  /** Whether it was found rather than made. */
  readonly hit: boolean;
  /** Stored key ids that name this very result. */
  readonly keys: readonly string[];
  /** What it goes by in the active graph. */
  readonly name: string;
}

/** One output of an active vertex: a memoised computation that gets as far as the furthest asker wants. */
export class EdgeState {
  readonly vertex: ActiveVertex;
  readonly index: number;
  readonly lookup: Lookup;
  level: Level = Level.none;
  held: Held | undefined;
  queued = false;
  loading: Run | undefined;
  /** Its work was refused before all who wait for it were there, and is done once more. */
  again = false;
  /** Work under way that this edge waits for. */
  readonly runs = new Set<Run>();
  /** Losses that its work reported since it was last done, other than of hits. */
  losses = 0;
  /** Records that some builds could not use, with these builds, by cache. */
  readonly #refused = new Map<string, Map<string, ReadonlySet<VertexBuild>>>();
  #record: Digest | undefined;
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

  /** Its result is being loaded or made; it needs nothing of its inputs then. */
  get making(): boolean {
    for (const run of this.runs) if (run.makes) return true;
    return false;
  }

  /** Stored keys that name one and the same: all that a source is known by, else those of the very result that is held. */
  get names(): readonly string[] {
    const source = this.inputs.length === 0 && !this.vertex.vertex.ignoreCache;
    return source ? [...this.lookup.own.candidates] : (this.held?.keys ?? []);
  }

  /** What links to its keys name; asked once the vertex has a cache map. */
  get record(): Digest {
    this.#record ??= recordDigest(this.vertex.maps[0]!.digest, this.index);
    return this.#record;
  }

  /** Asks are only ever raised, until they are withdrawn or failed. Returns whether this edge has to do something new. */
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
    return true;
  }

  /** A failure takes with it the asks that it fails, and is not kept: whoever asks afterwards has it tried again. Returns whose they were. */
  failed(): readonly Asker[] {
    const failed = [...this.#asks].filter(([, level]) => level > this.level).map(([asker]) => asker);
    for (const asker of failed) this.withdrawn(asker);
    return failed;
  }

  askers(): readonly Asker[] {
    return [...this.#asks.keys()];
  }

  /** These builds cannot use a record that others may. */
  refuse({ cache, record }: Origin, builds: ReadonlySet<VertexBuild>): void {
    const refused = this.#refused.get(cache) ?? new Map<string, ReadonlySet<VertexBuild>>();
    this.#refused.set(cache, refused.set(record, new Set([...(refused.get(record) ?? []), ...builds])));
  }

  /** Whether none of the builds that are here has found the record to be of no use to it. */
  usable({ cache, record }: Origin): boolean {
    const refused = this.#refused.get(cache);
    if (refused === undefined) return true;
    if (cache !== '' && refused.size >= MAX_USELESS) return false;
    return refused.get(record)?.isDisjointFrom(this.vertex.builds) ?? true;
  }
}
