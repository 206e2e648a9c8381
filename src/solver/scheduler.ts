import {
  annotate,
  atOnce,
  type Clock,
  CodedError,
  inSlices,
  isCancelled,
  isTurnSpent,
  LargeMap,
  neverAborted,
  nextTurn,
  toCodedError,
} from '../base/index.ts';
import { type ActiveVertex, type Asker, EdgeState, type Held, type Prepared, Run, type VertexBuild } from './active.ts';
import type { OwnCache } from './caches.ts';
import { EdgeLoop } from './edge-loop.ts';
import { type EnteredOutput, enterOutputs, prepare, runOp } from './execution.ts';
import { blame, endVertices, mayDependOnWhoAsks, mayLose } from './failure.ts';
import { discard, releaseAll } from './handles.ts';
import { isVolatile } from './key.ts';
import { keyedLater, waysTo } from './keyed.ts';
import { Level } from './level.ts';
import type { Observers } from './observer.ts';
import {
  type CacheMap,
  findLostResult,
  type KeyStore,
  type LostResultError,
  type OpContext,
  type Result,
  type ResultStore,
  type VertexOutput,
} from './ports.ts';
import { type Found, Records } from './records.ts';
import { runContext } from './run-context.ts';
import { contentKey } from './search.ts';

/** How many of those who ask for an edge are told of something in one step. */
const MOST_TOLD = 1000;
/** Steps of preparing an execution that are taken at once, however long others have waited. */
const FEW_PREPARED = 50;

/**
 * Advances edges. `#advance` is the whole algorithm: it looks at one edge as it now is and does the next thing that what is wanted
 * of it needs; whatever changes afterwards wakes the edge again. Nothing recurses along the graph, so depth costs no stack.
 */
export class Scheduler {
  readonly #keys: KeyStore;
  readonly #results: ResultStore;
  readonly #records: Records;
  readonly #observers: Observers;
  readonly #clock: Clock;
  readonly #loop = new EdgeLoop((edge) => this.#look(edge));
  /** How often somebody has asked for something: what orders asks and failures. */
  #asks = 0;
  /** Executions under way by what they make. */
  readonly #executions = LargeMap.byText<string, Run>();
  /** Active edges by the id of the result they hold. */
  readonly #holders = LargeMap.byText<string, Set<EdgeState>>();

  constructor({ keys, results }: OwnCache, clock: Clock, observers: Observers) {
    this.#keys = keys;
    this.#results = results;
    this.#records = new Records({ keys, results }, observers, clock);
    this.#observers = observers;
    this.#clock = clock;
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
   * hit was taken: there are only so many of them. Losses of another kind the consumer counts, see {@link mayLose}.
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
      if (!this.#mapped(edge, 1) || !this.#ask(edge, Level.fast) || !this.#lookUp(edge)) return;
      if (this.#reach(edge, Level.fast) || this.#hit(edge, wanted)) return;
      if (!edge.lookup.hopeless()) {
        if (!this.#mapped(edge, Number.POSITIVE_INFINITY)) return;
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
    if (!this.#mapped(edge, Number.POSITIVE_INFINITY)) return;
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
    if (wanted === Level.result) this.#load(edge, found);
    return true;
  }

  /** Cache maps of the vertex up to number `count`, or as many as there are. */
  #mapped(edge: EdgeState, count: number): boolean {
    const { vertex } = edge;
    if (vertex.mapsDone || vertex.maps.length >= count) return true;
    if (vertex.mapRun !== undefined) {
      vertex.mapRun.join(edge);
      return false;
    }
    const source = vertex.inputs.length === 0;
    const { op } = vertex;
    if (!source && op.definitionMap !== undefined) {
      try {
        this.#take(vertex, op.definitionMap(), true);
      } catch (error) {
        throw blame(annotate(error, 'failed to load cache key'), vertex);
      }
      return true;
    }
    vertex.mapRun = this.#start(
      edge,
      async (context) => {
        if (source) vertex.history.start();
        try {
          const answer = await op.cacheMap(vertex.maps.length, context);
          if (source) vertex.history.pause();
          return answer;
        } catch (error) {
          if (source) vertex.history.complete({ error });
          throw annotate(error, 'failed to load cache key');
        }
      },
      // Only sources have more than one map: what an op with inputs is, its definition says at once.
      ({ map, done }) => this.#take(vertex, map, done || !source),
      () => {
        vertex.mapRun = undefined;
      },
    );
    return false;
  }

  #take(vertex: ActiveVertex, map: CacheMap, done: boolean): void {
    vertex.take(map, done);
    this.#observers.keyed({ vertex: vertex.vertex, scope: vertex.scope.write, map });
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
        if (input.level >= Level.result) this.#digest(edge, i);
      }
    });
    return this.#over(edge, over) && ready;
  }

  #digest(edge: EdgeState, i: number): void {
    const { vertex } = edge;
    const input = vertex.maps[0]!.inputs[i]!;
    const result = vertex.inputs[i]!.held!.result.clone();
    const run = this.#start(
      edge,
      async (context) => {
        try {
          return await input.contentDigest!(result, context);
        } catch (error) {
          if (findLostResult(error) === undefined && !isCancelled(error)) vertex.history.complete({ error });
          context.leave?.({ subject: { kind: 'content', index: i }, inputs: [result], mounts: [] });
          throw annotate(error, 'failed to compute cache key');
        } finally {
          await result.release();
        }
      },
      (digest) => {
        vertex.know(i, { id: contentKey(digest), of: result.id, digest });
      },
      () => {
        vertex.digested(i);
        for (const each of vertex.edges) each.asking.heardAt(i);
      },
    );
    vertex.digesting(i, run);
  }

  #load(edge: EdgeState, found: Found): void {
    const { vertex } = edge;
    this.#letGo(edge);
    if (edge.loading !== undefined) {
      edge.loading.join(edge);
      return;
    }
    const run: Run = this.#start(
      edge,
      async (context) => {
        const loaded = await this.#records.load(edge, found, context, () => run.builds());
        if (loaded !== undefined) await inSlices(vertex.showUnused(), { signal: neverAborted });
        return loaded;
      },
      (loaded) => {
        if (loaded === undefined) return;
        const { result, record, key, origin } = loaded;
        // It may have been reported lost, meanwhile or as the own record that an import turned out to be. Each import is had once.
        if (edge.held !== undefined || vertex.retired || !this.#records.stands(edge, loaded)) {
          if (origin !== undefined) edge.refuse(origin, vertex.builds);
          discard(result);
          return;
        }
        vertex.started(true);
        vertex.history.complete({ cached: true });
        edge.lookup.own.know(key);
        this.#observers.resulted({ ...output(edge), found: origin?.cache ?? '', result, keys: [key] });
        this.#hold(edge, { result, record, origin, hit: true, keys: [key], ways: waysTo(edge, key), name: key });
      },
      () => {
        edge.loading = undefined;
      },
      true,
    );
    edge.loading = run;
  }

  /** Runs the op on the inputs' results, unless another edge is just making the same. */
  #execute(edge: EdgeState): void {
    const { vertex } = edge;
    if (!vertex.vertex.ignoreCache && !edge.refreshed) {
      edge.refreshed = true;
      edge.lookup.refresh();
      if (!this.#lookUp(edge) || this.#hit(edge, Level.result)) return;
    }
    const prepared = this.#prepared(edge);
    if (prepared === undefined) return;
    const { ground, inputs, key, miss } = prepared;
    edge.missed = { why: miss, on: ground };
    this.#observers.missed({ ...output(edge), miss, keyed: keyedLater(vertex) });
    this.#letGo(edge);
    const running = this.#executions.get(key);
    if (running !== undefined) {
      void releaseAll(inputs);
      if (running.began && !running.vertices.has(vertex)) vertex.started(false);
      if (!running.grounds.has(vertex)) running.grounds.set(vertex, ground);
      running.join(edge);
      return;
    }
    const stores = { keys: this.#keys, results: this.#results, clock: this.#clock };
    const run: Run = this.#start(
      edge,
      (context) => runOp(run, vertex, inputs, context, stores),
      ({ results, records, entered }) => {
        try {
          for (const [each, itsGround] of run.grounds) {
            each.history.complete();
            // Those who have joined since are few.
            const outputs = entered.get(each) ?? atOnce(enterOutputs(stores, each, itsGround, records));
            this.#made(each, results, records, outputs);
          }
        } finally {
          for (const result of results) discard(result);
        }
        for (const user of [...run.users]) {
          if (user.index < results.length) continue;
          const { name } = user.vertex.vertex;
          const error = new CodedError('invalid_argument', `${name} has no output ${user.index}`);
          this.#fail([user], blame(error, user.vertex));
        }
      },
      () => this.#executions.delete(key),
      true,
    );
    run.grounds.set(vertex, ground);
    this.#executions.set(key, run);
  }

  /** A step of making an edge ready to be run; what is ready, or nothing when the edge was woken instead. */
  #prepared(edge: EdgeState): Prepared | undefined {
    edge.preparing ??= prepare(this.#keys, edge);
    // Of few inputs at one go: nobody else comes to the same meanwhile.
    for (let n = 0; n < FEW_PREPARED || !isTurnSpent(); n++) {
      const step = edge.preparing.next();
      if (step.done !== true) continue;
      edge.preparing = undefined;
      if (step.value !== undefined) return step.value;
      // An input was lost meanwhile.
      edge.refreshed = false;
      edge.asking.recheck();
      break;
    }
    this.#wake(edge);
    return undefined;
  }

  /** What an execution has made is there for those who wait for one of its vertices. */
  #made(
    vertex: ActiveVertex,
    results: readonly Result[],
    records: readonly (string | undefined)[],
    entered: readonly EnteredOutput[],
  ): void {
    vertex.made();
    if (vertex.outputs.length === 0) vertex.outputs = results.map(() => undefined);
    for (const [index, result] of results.entries()) {
      if (vertex.retired || vertex.outputs[index] !== undefined) continue;
      const { keys, name } = entered[index]!;
      const edge = vertex.edge(index);
      for (const key of isVolatile(name) ? [name] : [...keys, name]) edge.lookup.own.know(key);
      edge.lookup.settle();
      this.#observers.resulted({ ...output(edge), found: undefined, result, keys });
      vertex.outputs[index] = { result: result.clone(), record: records[index], hit: false, keys, name };
    }
  }

  #hold(edge: EdgeState, held: Held): void {
    edge.held = held;
    let holders = this.#holders.get(held.result.id);
    if (holders === undefined) {
      holders = new Set();
      this.#holders.set(held.result.id, holders);
    }
    holders.add(edge);
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

  /** Starts work for an edge; whoever joined is woken when it has ended, or fails with it. */
  #start<R>(
    edge: EdgeState,
    work: (context: OpContext) => Promise<R>,
    done: (value: R) => void,
    ended: () => void,
    makes = false,
  ): Run {
    const run = new Run(makes);
    run.join(edge);
    edge.vertex.begun(run);
    const context = runContext(run, edge.vertex);
    const carryOut = async () => {
      let failure: CodedError | undefined;
      try {
        run.first = run.builds();
        const value = await work(context);
        // Where many end at once, what follows of each is not to come on top of a slice.
        if (isTurnSpent()) await nextTurn({ signal: neverAborted });
        ended();
        done(value);
      } catch (error) {
        ended();
        failure = this.#failure(run, edge.vertex, error);
      }
      edge.vertex.ended(run);
      const users = run.finish();
      if (failure !== undefined) this.#fail(this.#refused(run, users, failure), failure);
      for (const user of users) this.#wake(user);
    };
    // Not within the caller: `run` is in place when the work begins.
    run.settled = new Promise((resolve) => this.#loop.begin(() => resolve(carryOut())));
    return run;
  }

  /** What is told to those who wait for work that failed; nothing if they may have it done again. */
  #failure(run: Run, vertex: ActiveVertex, error: unknown): CodedError | undefined {
    const lost = findLostResult(error);
    let again = false;
    try {
      again = lost !== undefined && !run.aborted && this.#tryAgain(run, lost);
    } catch (another) {
      return blame(another, vertex);
    } finally {
      if (lost !== undefined) endVertices(run, again ? {} : { error });
    }
    return run.aborted || again ? undefined : blame(error, vertex);
  }

  /** Who is told a failure. What a service refused, or limits ended, of those who were there first may be had by who came later: they have it done again, once. */
  #refused(run: Run, users: readonly EdgeState[], { code }: CodedError): readonly EdgeState[] {
    const mayDepend = mayDependOnWhoAsks(code);
    return users.filter((user) => {
      const asksAnew = mayDepend && !user.vertex.builds.isSubsetOf(run.first);
      if (user.again || !(asksAnew || run.wasTighterThan(user.vertex))) return true;
      user.again = true;
      return false;
    });
  }

  /** Whether some of those who wait for work that found a result lost have it done again. The others have lost too much. */
  #tryAgain(run: Run, lost: LostResultError): boolean {
    const hit = this.stepBack(lost, run.builds());
    if (hit) return true;
    const users = [...run.users];
    for (const user of users) user.losses++;
    const over = users.filter(({ losses, inputs }) => !mayLose(losses, inputs.length));
    if (over.length === users.length) return false;
    for (const user of over) this.#fail([user], blame(lost, user.vertex));
    return true;
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

function output({ vertex, index }: EdgeState): VertexOutput {
  const jobs = [...vertex.builds].map(({ id }) => id);
  return { vertex: vertex.vertex, output: index, scope: vertex.scope.write, jobs };
}
