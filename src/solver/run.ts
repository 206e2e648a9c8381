import { areLooser, type BuildLimits, cancelledError, sharedLimits } from '../base/index.ts';
import type { EdgeState } from './edge.ts';
import type { Ground } from './ground.ts';
import type { ActiveVertex, VertexBuild } from './vertex.ts';

/** Work under way, shared by the edges that wait for it; aborted when the last of them has left. */
export class Run {
  /** Every vertex that ever waited: whose sessions serve the work and whose watchers see it. */
  readonly vertices = new Set<ActiveVertex>();
  /** What the execution runs on, as each vertex that joined it knows that. */
  readonly grounds = new Map<ActiveVertex, readonly Ground[]>();
  /** Whether the edges that wait for it have their results from it. */
  readonly makes: boolean;
  readonly #users = new Set<EdgeState>();
  #controller: AbortController | undefined;
  #aborted = false;
  #limits: BuildLimits | undefined;
  /** The builds whose sessions served it from the beginning. */
  first: ReadonlySet<VertexBuild> = new Set();
  settled: Promise<void> = Promise.resolve();
  /** The op itself has begun (it got its place to run). */
  began = false;

  constructor(makes: boolean) {
    this.makes = makes;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort(cancelledError());
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get users(): ReadonlySet<EdgeState> {
    return this.#users;
  }

  /** Waits for this run. One that was aborted is waited for too: its successor starts only when it has ended. */
  join(edge: EdgeState): void {
    this.#users.add(edge);
    this.vertices.add(edge.vertex);
    edge.runs.add(this);
  }

  /** Returns whether nobody waits any more. */
  leave(edge: EdgeState): boolean {
    this.#users.delete(edge);
    edge.runs.delete(this);
    return this.#users.size === 0;
  }

  /** Stops the work if nobody waits for it. */
  abortIfIdle(): void {
    if (this.#users.size > 0 || this.#aborted) return;
    this.#aborted = true;
    this.#controller?.abort(cancelledError());
  }

  /** Ends the run for all who wait. */
  finish(): readonly EdgeState[] {
    const users = [...this.#users];
    for (const edge of users) edge.runs.delete(this);
    this.#users.clear();
    return users;
  }

  /** The builds that want this now. */
  builds(): ReadonlySet<VertexBuild> {
    return new Set([...this.vertices].flatMap((vertex) => [...vertex.builds]));
  }

  /** Their sessions. */
  sessions(): readonly string[] {
    return [...new Set([...this.builds()].flatMap((build) => build.sessions()))];
  }

  /** Their limits, those of the work from the first time that they are asked. */
  limits(): BuildLimits {
    this.#limits ??= limitsOf(this.builds());
    return this.#limits;
  }

  /** Whether the work was held to less than those who want the vertex now are. */
  wasTighterThan({ builds }: ActiveVertex): boolean {
    return this.#limits !== undefined && areLooser(limitsOf(builds), this.#limits);
  }
}

function limitsOf(builds: ReadonlySet<VertexBuild>): BuildLimits {
  return sharedLimits([...builds].map(({ limits }) => limits));
}
