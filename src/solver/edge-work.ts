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
} from '../base/index.ts';
import { type ActiveVertex, type EdgeState, type Held, type Prepared, Run, type VertexBuild } from './active.ts';
import type { OwnCache } from './caches.ts';
import type { EdgeLoop } from './edge-loop.ts';
import { type EnteredOutput, enterOutputs, prepare, runOp, type Stores } from './execution.ts';
import { blame, endVertices, mayDependOnWhoAsks, mayLose } from './failure.ts';
import { discard, releaseAll } from './handles.ts';
import { isVolatile } from './key.ts';
import { keyedLater, waysTo } from './keyed.ts';
import type { Observers } from './observer.ts';
import {
  type CacheMap,
  findLostResult,
  type LostResultError,
  type OpContext,
  type Result,
  type VertexOutput,
} from './ports.ts';
import type { Found, Records } from './records.ts';
import { runContext } from './run-context.ts';
import { contentKey } from './search.ts';

/** Steps of preparing an execution that are taken at once, however long others have waited. */
const FEW_PREPARED = 50;

/** What the end of work is told to. */
interface Schedule {
  wake(edge: EdgeState): void;
  fail(edges: readonly EdgeState[], error: CodedError): void;
  /** The edge has its result. */
  hold(edge: EdgeState, held: Held): void;
  /** The edge needs nothing more of its inputs, nor of other work. */
  letGo(edge: EdgeState): void;
  /** See `Scheduler.stepBack`. */
  stepBack(lost: LostResultError, builds: ReadonlySet<VertexBuild>): boolean;
  /** How many results were taken from edges by that. */
  losses(): number;
}

interface WorkOptions extends OwnCache {
  readonly records: Records;
  readonly observers: Observers;
  readonly clock: Clock;
  readonly loop: EdgeLoop;
}

/**
 * The work that edges have done: cache maps, digests of contents, loads and executions. Each piece runs once for all edges that want it (`Run`), and what has come of it, or who is to
 * fail of it and who has it done again, is told to the schedule when it ends.
 */
export class EdgeWork {
  readonly #stores: Stores;
  readonly #records: Records;
  readonly #observers: Observers;
  readonly #loop: EdgeLoop;
  readonly #schedule: Schedule;
  /** Executions under way by what they make. */
  readonly #executions = LargeMap.byText<string, Run>();

  constructor({ keys, results, records, observers, clock, loop }: WorkOptions, schedule: Schedule) {
    this.#stores = { keys, results, clock };
    this.#records = records;
    this.#observers = observers;
    this.#loop = loop;
    this.#schedule = schedule;
  }

  /** Cache maps of the vertex up to number `count`, or as many as there are. */
  mapped(edge: EdgeState, count: number): boolean {
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

  /** The content digest of what is selected of an input, whose result is there. */
  digest(edge: EdgeState, i: number): void {
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

  /** Loads what was found for it. */
  load(edge: EdgeState, found: Found): void {
    const { vertex } = edge;
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
        this.#schedule.hold(edge, {
          result,
          record,
          origin,
          hit: true,
          keys: [key],
          ways: waysTo(edge, key),
          name: key,
        });
      },
      () => {
        edge.loading = undefined;
      },
      true,
    );
    edge.loading = run;
  }

  /** Runs the op on the inputs' results, unless another edge is just making the same. */
  execute(edge: EdgeState): void {
    const { vertex } = edge;
    const prepared = this.#prepared(edge);
    if (prepared === undefined) return;
    const { ground, inputs, key, miss } = prepared;
    edge.missed = { why: miss, on: ground };
    this.#observers.missed({ ...output(edge), miss, keyed: keyedLater(vertex) });
    this.#schedule.letGo(edge);
    const running = this.#executions.get(key);
    if (running !== undefined) {
      void releaseAll(inputs);
      if (running.began && !running.vertices.has(vertex)) vertex.startedWith(running);
      if (!running.grounds.has(vertex)) running.grounds.set(vertex, ground);
      running.join(edge);
      return;
    }
    const stores = this.#stores;
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
          this.#schedule.fail([user], blame(error, user.vertex));
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
    edge.preparing ??= prepare(this.#stores.keys, edge, () => this.#schedule.losses());
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
    this.#schedule.wake(edge);
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
      if (failure !== undefined) this.#schedule.fail(this.#refused(run, users, failure), failure);
      for (const user of users) this.#schedule.wake(user);
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
    const hit = this.#schedule.stepBack(lost, run.builds());
    if (hit) return true;
    const users = [...run.users];
    for (const user of users) user.losses++;
    const over = users.filter(({ losses, inputs }) => !mayLose(losses, inputs.length));
    if (over.length === users.length) return false;
    for (const user of over) this.#schedule.fail([user], blame(lost, user.vertex));
    return true;
  }
}

function output({ vertex, index }: EdgeState): VertexOutput {
  const jobs = [...vertex.builds].map(({ id }) => id);
  return { vertex: vertex.vertex, output: index, scope: vertex.scope.write, jobs };
}
