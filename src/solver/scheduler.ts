import { type Clock, type CodedError, LargeMap, toCodedError } from '../base/index.ts';
import { type Asker, EdgeState, type Held, type VertexBuild } from './active.ts';
import type { OwnCache } from './caches.ts';
import { EdgeLoop } from './edge-loop.ts';
import { EdgeWork } from './edge-work.ts';
import { discard } from './handles.ts';
import { Level } from './level.ts';
import type { Observers } from './observer.ts';
import type { KeyStore, LostResultError } from './ports.ts';
import { Records } from './records.ts';

/** How many of those who ask for an edge are told of something in one step. */
const MOST_TOLD = 1000;

/**
 * Advances edges. `#advance` is the whole algorithm: it looks at one edge as it now is and does the next thing that what is wanted
 * of it needs; whatever changes afterwards wakes the edge again. Nothing recurses along the graph, so depth costs no stack.
 */
export class Scheduler {
  readonly #keys: KeyStore;
  readonly #records: Records;
  readonly #work: EdgeWork;
  readonly #loop = new EdgeLoop((edge) => this.#look(edge));
  /** How often somebody has asked for something: what orders asks and failures. */
  #asks = 0;
  /** Results that were taken from edges which somebody still wants. */
  #losses = 0;
  /** Active edges by the id of the result they hold. */
  readonly #holders = LargeMap.byText<string, Set<EdgeState>>();

  constructor({ keys, results }: OwnCache, clock: Clock, observers: Observers) {
    this.#keys = keys;
    this.#records = new Records({ keys, results }, observers, clock);
    this.#work = new EdgeWork(
      { keys, results, records: this.#records, observers, clock, loop: this.#loop },
      {
        wake: (edge) => this.#wake(edge),
        fail: (edges, error) => this.#fail(edges, error),
        hold: (edge, held) => this.#hold(edge, held),
        letGo: (edge) => this.#letGo(edge),
        stepBack: (lost, builds) => this.stepBack(lost, builds),
        losses: () => this.#losses,
      },
    );
  }

  ask(edge: EdgeState, asker: Asker, level: Level): void {
    if (edge.asked(asker, level, ++this.#asks)) this.#wake(edge);
  }

  withdraw(edge: EdgeState, asker: Asker): void {
    if (edge.withdrawn(asker)) this.#wake(edge);
  }

  /** Gives up all that an edge does and holds, at once, and then step by step what it has asked of its inputs. */
  *retire(edge: EdgeState): Generator<void, void, void> {
    const runs = [...edge.runs];
    this.#letGo(edge);
    this.#discardMade(edge);
    this.#release(edge);
    for (const run of runs) run.abortIfIdle();
    while (!this.#withdrawn(edge)) yield;
  }

  /**
   * The step back: takes a result that a consumer of these builds found lost from the edges that hold it; who still wants them has them
   * made anew. What is gone is forgotten for good, what was refused or could not be reached is passed over for these builds alone. Returns whether a
   * hit was taken: there are only so many of them. Losses of another kind the consumer counts, see `mayLose`.
   */
  stepBack({ resultIds, kind }: LostResultError, builds: ReadonlySet<VertexBuild>): boolean {
    let hit = false;
    for (const edge of resultIds.flatMap((id) => [...(this.#holders.get(id) ?? [])])) {
      const { held, vertex } = edge;
      if (held === undefined || (kind !== 'gone' && vertex.builds.isDisjointFrom(builds))) continue;
      hit ||= held.hit;
      if (held.record !== undefined) {
        if (kind === 'gone') this.#keys.dropResult(held.record);
        else edge.refuse({ cache: '', record: held.record }, builds, kind);
      }
      if (held.origin !== undefined) edge.refuse(held.origin, kind === 'gone' ? vertex.builds : builds, kind);
      if (vertex.outputs[edge.index]?.result.id === held.result.id) this.#discardMade(edge);
      this.#release(edge);
      this.#losses++;
      edge.level = Level.slow;
      this.#wake(edge);
    }
    return hit;
  }

  #wake(edge: EdgeState): void {
    this.#loop.wake(edge);
  }

  /** One step: what of an edge is to be told on, or else what is to be done next. */
  #look(edge: EdgeState): void {
    try {
      if (this.#tellOn(edge) && this.#withdrawn(edge)) this.#advance(edge);
    } catch (error) {
      this.#fail([edge], toCodedError(error));
    }
  }

  /** The algorithm: keys by definition, keys by content, result; each only if what came before was not enough. */
  #advance(edge: EdgeState): void {
    const { vertex, wanted } = edge;
    if (vertex.retired) return;
    if (wanted <= edge.level) {
      this.#rest(edge);
      return;
    }
    const made = vertex.outputs[edge.index];
    if (made !== undefined) {
      this.#hold(edge, { ...made, result: made.result.clone() });
      return;
    }
    if (edge.making) return;

    if (vertex.vertex.ignoreCache) {
      if (this.#reach(edge, Level.slow)) return; // no keys before there is a result
    } else {
      if (!this.#work.mapped(edge, 1) || !this.#ask(edge, Level.fast) || !this.#lookUp(edge)) return;
      if (this.#reach(edge, Level.fast) || this.#hit(edge, wanted)) return;
      if (!edge.lookup.hopeless()) {
        if (!this.#work.mapped(edge, Number.POSITIVE_INFINITY)) return;
        const keyed = this.#ask(edge, Level.slow);
        // Whatever the other inputs come up with, contents that alone can lead on are needed: for a key, or else to run.
        this.#contents(edge);
        if (!keyed || !this.#lookUp(edge) || this.#hit(edge, wanted)) return;
      }
      if (!edge.lookup.hopeless()) {
        if (!this.#allContents(edge) || !this.#lookUp(edge) || this.#hit(edge, wanted)) return;
      }
      if (this.#reach(edge, Level.slow)) return;
    }
    if (!this.#work.mapped(edge, Number.POSITIVE_INFINITY)) return;
    if (!this.#ask(edge, Level.result) || !this.#allContents(edge)) return;
    this.#execute(edge);
  }

  /** The edge is as far as it has to be, or has failed. */
  #rest(edge: EdgeState): void {
    edge.losses = 0;
    edge.again = false;
    // No consumer finds anything by what has no keys: its result will be wanted, and so what was begun for its keys goes on while they decide.
    const isKeyless = edge.vertex.vertex.ignoreCache || edge.lookup.hopeless();
    if (edge.wanted === Level.none || edge.level !== Level.slow || !isKeyless) this.#letGo(edge);
  }

  /** Inputs and work are no longer needed. */
  #letGo(edge: EdgeState): void {
    edge.asking.end();
    edge.preparing?.return(undefined);
    edge.preparing = undefined;
    edge.refreshed = false;
    for (const run of [...edge.runs]) if (run.leave(edge)) this.#loop.leave(run);
    this.#withdrawn(edge);
  }

  /** A step of taking back what inputs were asked for and are no more. Returns whether that is all; if not, the edge is woken. */
  #withdrawn(edge: EdgeState): boolean {
    if (!edge.asking.isHolding) return true;
    return this.#over(
      edge,
      edge.asking.withdraw((input) => this.withdraw(input, edge)),
    );
  }

  /** Whether a step was the last one; if not, the edge is woken for the next. */
  #over(edge: EdgeState, isOver: boolean): boolean {
    if (!isOver) this.#wake(edge);
    return isOver;
  }

  /** The edge has got to `level`; true when that is all that is wanted of it. */
  #reach(edge: EdgeState, level: Level): boolean {
    if (edge.level < level) {
      edge.level = level;
      this.#tell(edge);
    }
    if (edge.wanted > edge.level) return false;
    this.#rest(edge);
    return true;
  }

  /** Wakes all who ask for the edge, so many in a step. */
  #tell(edge: EdgeState): void {
    edge.untold = edge.askers();
    this.#tellOn(edge);
  }

  /** Goes on to tell who asks, first of a failure, then of what the edge has got to. Returns whether all have been told; if not, the edge is woken. */
  #tellOn(edge: EdgeState): boolean {
    const { failure } = edge;
    if (failure !== undefined) {
      const { askers, over } = edge.failed(MOST_TOLD);
      for (const asker of askers) {
        if (asker instanceof EdgeState) {
          asker.asking.refused();
          this.#fail([asker], failure.error, failure.at);
        } else asker.fail(failure.error);
      }
      if (!over) {
        this.#wake(edge);
        return false;
      }
      this.#rest(edge);
    }
    for (let told = 0; edge.untold !== undefined; told++) {
      if (told === MOST_TOLD) {
        this.#wake(edge);
        return false;
      }
      const { value: asker, done } = edge.untold.next();
      if (done === true) edge.untold = undefined;
      else if (asker instanceof EdgeState) {
        asker.asking.heard(edge);
        this.#wake(asker);
      } else asker.wake();
    }
    return true;
  }

  /** Whether all inputs are so far. */
  #ask(edge: EdgeState, level: Level): boolean {
    const { ready, over } = edge.asking.step(level, (input) => this.ask(input, edge, level));
    return this.#over(edge, over) && ready;
  }

  /** Whether all that inputs have come up with is looked up. */
  #lookUp(edge: EdgeState): boolean {
    const { found, over } = edge.lookup.update((input) => edge.asking.looked(input));
    if (found) this.#tell(edge);
    return this.#over(edge, over);
  }

  /** A stored result ends the search: for who wants keys it is enough that there is one, else it is loaded. */
  #hit(edge: EdgeState, wanted: Level): boolean {
    const found = this.#records.find(edge);
    if (found === undefined) return false;
    this.#reach(edge, Level.slow);
    if (wanted === Level.result) {
      this.#letGo(edge);
      this.#work.load(edge, found);
    }
    return true;
  }

  /** Its op is to be run, unless something has been found since. */
  #execute(edge: EdgeState): void {
    if (!edge.vertex.vertex.ignoreCache && !edge.refreshed) {
      edge.refreshed = true;
      edge.lookup.refresh();
      if (!this.#lookUp(edge) || this.#hit(edge, Level.result)) return;
    }
    this.#work.execute(edge);
  }

  /** Whether all contents are there that decide. */
  #allContents(edge: EdgeState): boolean {
    return this.#over(edge, edge.asking.wantContents()) && this.#contents(edge);
  }

  /** Content digests of inputs that are due, whose results are asked for. Returns whether all are there. */
  #contents(edge: EdgeState): boolean {
    const { vertex } = edge;
    const { ready, over } = edge.asking.contents((i) => {
      const input = vertex.inputs[i]!;
      const running = vertex.contentRun(i);
      if (running !== undefined) running.join(edge);
      else {
        this.ask(input, edge, Level.result);
        if (input.level >= Level.result) this.#work.digest(edge, i);
      }
    });
    return this.#over(edge, over) && ready;
  }

  #hold(edge: EdgeState, held: Held): void {
    edge.held = held;
    const holders = this.#holders.get(held.result.id) ?? new Set<EdgeState>();
    this.#holders.set(held.result.id, holders.add(edge));
    edge.lookup.settle();
    this.#reach(edge, Level.result);
  }

  #discardMade({ vertex, index }: EdgeState): void {
    const made = vertex.outputs[index];
    vertex.outputs[index] = undefined;
    if (made !== undefined) discard(made.result);
  }

  #release(edge: EdgeState): void {
    const { held } = edge;
    if (held === undefined) return;
    edge.held = undefined;
    const holders = this.#holders.get(held.result.id);
    holders?.delete(edge);
    if (holders?.size === 0) this.#holders.delete(held.result.id);
    discard(held.result);
  }

  /** Fails edges and, one after the other in their turns, all that waits for them. */
  #fail(edges: readonly EdgeState[], error: CodedError, at = this.#asks): void {
    for (const edge of edges) {
      if (edge.wanted <= edge.level) continue;
      edge.fail({ error, at });
      this.#wake(edge);
    }
  }
}
