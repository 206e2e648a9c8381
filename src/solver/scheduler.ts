import {
  annotate,
  type Clock,
  CodedError,
  type Digest,
  inSlices,
  isCancelled,
  isTurnSpent,
  neverAborted,
  nextTurn,
  toCodedError,
} from '../base/index.ts';
import { type ActiveVertex, type Asker, EdgeState, type Ground, type Held, Run, type VertexBuild } from './active.ts';
import type { OwnCache } from './caches.ts';
import { EdgeLoop } from './edge-loop.ts';
import { blame, endVertices, mayDependOnWhoAsks, mayLose } from './failure.ts';
import { activeName, groundOf, joinKey, linkGround, stays, storedKeys } from './ground.ts';
import { isVolatile } from './key.ts';
import { keyedVertex } from './keyed.ts';
import { Level } from './level.ts';
import { missOf } from './miss.ts';
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
  readonly #executions = new Map<string, Run>();
  /** Active edges by the id of the result they hold. */
  readonly #holders = new Map<string, Set<EdgeState>>();

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

  /** Gives up all that an edge does and holds, at once. */
  retire(edge: EdgeState): void {
    const runs = [...edge.runs];
    this.#letGo(edge);
    this.#discardMade(edge);
    this.#release(edge);
    for (const run of runs) run.abortIfIdle();
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
      if (this.#tellOn(edge)) this.#advance(edge);
    } catch (error) {
      this.#fail([edge], toCodedError(error));
    }
  }

  /** The algorithm: keys by definition, keys by content, result; each only if what came before was not enough. */
  #advance(edge: EdgeState): void {
    const { vertex, inputs } = edge;
    const { wanted } = edge;
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
      if (!this.#mapped(edge, 1) || !this.#ask(edge, inputs, Level.fast)) return;
      this.#lookUp(edge);
      if (this.#reach(edge, Level.fast) || this.#hit(edge, wanted)) return;
      if (!edge.lookup.hopeless()) {
        if (!this.#mapped(edge, Number.POSITIVE_INFINITY)) return;
        const keyed = this.#ask(edge, inputs, Level.slow);
        // Whatever the other inputs come up with, these contents are needed: for a key, or else to run.
        this.#contents(edge, (i) => edge.lookup.onlyContentLeads(i));
        if (!keyed) return;
        this.#lookUp(edge);
        if (this.#hit(edge, wanted)) return;
      }
      if (!edge.lookup.hopeless()) {
        if (!this.#contents(edge)) return;
        this.#lookUp(edge);
        if (this.#hit(edge, wanted)) return;
      }
      if (this.#reach(edge, Level.slow)) return;
    }
    if (!this.#mapped(edge, Number.POSITIVE_INFINITY)) return;
    if (!this.#ask(edge, inputs, Level.result) || !this.#contents(edge)) return;
    this.#execute(edge);
  }

  /** The edge is as far as it has to be, or has failed. */
  #rest(edge: EdgeState): void {
    edge.losses = 0;
    edge.again = false;
    // No consumer finds anything by what has no keys: its result will be wanted, and so what was begun for its keys goes on while they decide.
    if (edge.wanted === Level.none || edge.level !== Level.slow || !edge.lookup.hopeless()) this.#letGo(edge);
  }

  /** Inputs and work are no longer needed. */
  #letGo(edge: EdgeState): void {
    for (const input of edge.inputs) this.withdraw(input, edge);
    for (const run of [...edge.runs]) if (run.leave(edge)) this.#loop.leave(run);
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
        if (asker instanceof EdgeState) this.#fail([asker], failure.error, failure.at);
        else asker.fail(failure.error);
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
      else if (asker instanceof EdgeState) this.#wake(asker);
      else asker.wake();
    }
    return true;
  }

  #ask(edge: EdgeState, inputs: readonly EdgeState[], level: Level): boolean {
    let ready = true;
    for (const input of inputs) {
      this.ask(input, edge, level);
      if (input.level < level) ready = false;
    }
    return ready;
  }

  #lookUp(edge: EdgeState): void {
    if (edge.lookup.update()) this.#tell(edge);
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

  /** Content digests of all inputs (or those that are `due`) where content decides; their results are asked for. */
  #contents(edge: EdgeState, due: (input: number) => boolean = () => true): boolean {
    const { vertex } = edge;
    const map = vertex.maps[0]!;
    let ready = true;
    for (let i = 0; i < vertex.inputs.length; i++) {
      const contentDigest = map.inputs[i]?.contentDigest;
      if (contentDigest === undefined || vertex.content(i) !== undefined || !due(i)) continue;
      ready = false;
      const input = vertex.inputs[i]!;
      const running = vertex.contentRuns[i];
      if (running !== undefined) running.join(edge);
      else if (this.#ask(edge, [input], Level.result))
        this.#digest(edge, i, (result, context) => contentDigest.call(map.inputs[i], result, context));
    }
    return ready;
  }

  #digest(edge: EdgeState, i: number, contentDigest: (result: Result, context: OpContext) => Promise<Digest>): void {
    const { vertex } = edge;
    const result = vertex.inputs[i]!.held!.result.clone();
    vertex.contentRuns[i] = this.#start(
      edge,
      async (context) => {
        try {
          return await contentDigest(result, context);
        } catch (error) {
          if (findLostResult(error) === undefined && !isCancelled(error)) vertex.history.complete({ error });
          context.leave?.({ subject: { kind: 'content', index: i }, inputs: [result], mounts: [] });
          throw annotate(error, 'failed to compute cache key');
        } finally {
          await result.release();
        }
      },
      (digest) => {
        vertex.contents[i] = { id: contentKey(digest), of: result.id, digest };
      },
      () => {
        vertex.contentRuns[i] = undefined;
      },
    );
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
        this.#hold(edge, { result, record, origin, hit: true, keys: [key], name: key });
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
    if (!vertex.vertex.ignoreCache) {
      edge.lookup.refresh();
      if (this.#hit(edge, Level.result)) return;
    }
    const ground = groundOf(vertex);
    const key = joinKey(vertex, ground);
    edge.missed = { why: missOf(this.#keys, edge, ground), on: ground };
    this.#observers.missed({ ...output(edge), miss: edge.missed.why, keyed: () => keyedVertex(vertex) });
    this.#letGo(edge);
    const running = this.#executions.get(key);
    if (running !== undefined) {
      if (running.began && !running.vertices.has(vertex)) vertex.started(false);
      if (!running.grounds.has(vertex)) running.grounds.set(vertex, ground);
      running.join(edge);
      return;
    }
    const inputs = vertex.inputs.map((input) => input.held!.result.clone());
    const run: Run = this.#start(
      edge,
      async (context) => {
        try {
          run.began = true;
          for (const each of run.vertices) {
            await inSlices(each.showUnused(), { signal: neverAborted });
            each.started(false);
          }
          const results = await vertex.op.exec(inputs, context);
          if (isTurnSpent()) await nextTurn({ signal: neverAborted });
          try {
            return { results, records: await this.#save(run, results) };
          } catch (error) {
            for (const result of results) discard(result);
            throw error;
          }
        } catch (error) {
          // Whether a lost input is a failure of this vertex is not known yet.
          if (findLostResult(error) === undefined) endVertices(run, { error });
          throw error;
        } finally {
          for (const input of inputs) await input.release();
        }
      },
      ({ results, records }) => {
        try {
          for (const [each, itsGround] of run.grounds) {
            each.history.complete();
            this.#made(each, itsGround, results, records);
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

  /** Persists what an execution made, where a later build could find it. */
  async #save(run: Run, results: readonly Result[]): Promise<readonly (string | undefined)[]> {
    // Also what nobody waits for any more: it is finished.
    const found = [...run.grounds].some(([vertex, ground]) => stays(vertex, ground));
    const records: (string | undefined)[] = [];
    for (const result of results) records.push(found ? await this.#results.save(result) : undefined);
    return records;
  }

  /** Enters an execution's results into the keys of one of its vertices. */
  #made(
    vertex: ActiveVertex,
    ground: readonly Ground[],
    results: readonly Result[],
    records: readonly (string | undefined)[],
  ): void {
    const now = this.#clock.now();
    results.forEach((result, index) => {
      const record = records[index];
      const keys = record === undefined ? [] : storedKeys(this.#keys, vertex, index, ground);
      for (const key of keys) {
        linkGround(this.#keys, vertex, index, ground, key);
        this.#keys.addResult(key, record!, now, vertex.scope.write);
      }
      if (vertex.retired || vertex.outputs[index] !== undefined) return;
      const name = activeName(vertex, index, ground, keys);
      const edge = vertex.edge(index);
      for (const key of isVolatile(name) ? [name] : [...keys, name]) edge.lookup.own.know(key);
      this.#observers.resulted({ ...output(edge), found: undefined, result, keys });
      vertex.outputs[index] = { result: result.clone(), record, hit: false, keys, name };
    });
  }

  #hold(edge: EdgeState, held: Held): void {
    edge.held = held;
    let holders = this.#holders.get(held.result.id);
    if (holders === undefined) {
      holders = new Set();
      this.#holders.set(held.result.id, holders);
    }
    holders.add(edge);
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

/** Releases a handle nobody waits for; a handle that cannot be released is the store's to sweep. */
function discard(result: Result): void {
  result.release().catch(() => {});
}
