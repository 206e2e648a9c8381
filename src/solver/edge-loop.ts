import { FairQueue, inTurn, isTurnSpent } from '../base/index.ts';
import type { EdgeState, Run } from './active.ts';

/** Has edges looked at that were woken, one after the other, in slices. */
export class EdgeLoop {
  readonly #look: (edge: EdgeState) => void;
  /** Tenants take turns, and the builds of each, edge by edge: nobody waits for all that another is to have looked at. */
  readonly #queue = new FairQueue<EdgeState>();
  #scheduled = false;
  readonly #beginning: (() => void)[] = [];
  readonly #idle = new Set<Run>();

  constructor(look: (edge: EdgeState) => void) {
    this.#look = look;
  }

  wake(edge: EdgeState): void {
    if (edge.queued || edge.vertex.retired) return;
    edge.queued = true;
    this.#queue.push(edge.vertex.owner, edge);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#drain());
  }

  /** Begins work that the edge which is looked at needs, once it has been: within the same step, so that many beginnings do not come on top of a slice. */
  begin(work: () => void): void {
    this.#beginning.push(work);
  }

  /** Nobody waits for this work at the moment. It is given up when nobody goes on where another left off. */
  leave(run: Run): void {
    this.#idle.add(run);
  }

  #drain(): void {
    for (let edge = this.#queue.shift(); edge !== undefined; edge = this.#queue.shift()) {
      edge.queued = false;
      this.#look(edge);
      for (const begin of this.#beginning.splice(0)) begin();
      if (this.#isLater()) return;
    }
    for (const run of this.#idle) {
      this.#idle.delete(run);
      run.abortIfIdle();
      if (this.#isLater()) return;
    }
    this.#scheduled = false;
  }

  /** Whether others have their turn first. */
  #isLater(): boolean {
    const spent = isTurnSpent();
    if (spent) inTurn(() => this.#drain());
    return spent;
  }
}
