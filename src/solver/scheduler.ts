import { annotate, type Clock, CodedError, newId, toCodedError } from '../base/index.ts';
import { type Asker, EdgeState, type Held } from './edge.ts';
import { isVolatile, volatileKey } from './key.ts';
import { Level } from './level.ts';
import { contentKey } from './lookup.ts';
import {
  findLostResult,
  type KeyStore,
  type LostResultError,
  type OpContext,
  type Result,
  type ResultStore,
} from './ports.ts';
import { Run } from './run.ts';
import type { ActiveVertex } from './vertex.ts';

/** How long edges are advanced before other work of the thread gets its turn. */
const SLICE_MS = 10;
/** How often one edge is made anew because its result was lost: a hit, and what was made in its place. */
const MAX_STEPS_BACK = 2;

/**
 * Advances edges. `#advance` is the whole algorithm: it looks at one edge as it now is and does the next thing that what is wanted
 * of it needs; whatever changes afterwards wakes the edge again. Nothing recurses along the graph, so depth costs no stack.
 */
export class Scheduler {
  readonly #keys: KeyStore;
  readonly #results: ResultStore;
  readonly #clock: Clock;
  #queue: EdgeState[] = [];
  #scheduled = false;
  /** Executions under way by what they make. */
  readonly #executions = new Map<string, Run>();
  /** Work that nobody waits for at the moment. */
  readonly #idle = new Set<Run>();
  /** Active edges by the id of the result they hold. */
  readonly #holders = new Map<string, Set<EdgeState>>();

  constructor(keys: KeyStore, results: ResultStore, clock: Clock) {
    this.#keys = keys;
    this.#results = results;
    this.#clock = clock;
  }

  ask(edge: EdgeState, asker: Asker, level: Level): void {
    if (edge.asked(asker, level)) this.#wake(edge);
  }

  withdraw(edge: EdgeState, asker: Asker): void {
    if (edge.withdrawn(asker)) this.#wake(edge);
  }

  /** Gives up all that an edge does and holds, at once. */
  retire(edge: EdgeState): void {
    const runs = [...edge.runs];
    this.#rest(edge);
    this.#release(edge);
    for (const run of runs) run.abortIfIdle();
  }

  /**
   * The step back: forgets the record of a result that a consumer found lost, and takes it from the edges that hold it; who still
   * wants them has them made anew. True when the consumer may try again: once a result, which `reported` keeps.
   */
  stepBack({ resultIds }: LostResultError, reported: Set<string>): boolean {
    const [first = ''] = resultIds;
    if (reported.has(first)) return false;
    reported.add(first);
    const lost = resultIds.flatMap((id) => [...(this.#holders.get(id) ?? [])]);
    if (lost.some((edge) => edge.stepsBack >= MAX_STEPS_BACK)) return false;
    for (const edge of lost) {
      const { held } = edge;
      if (held === undefined || edge.gone.has(held.result.id)) continue;
      edge.stepsBack++;
      edge.gone.add(held.result.id);
      if (held.record !== undefined) this.#forget(edge, held.record);
      this.#release(edge);
      edge.level = Level.slow;
      this.#wake(edge);
    }
    return true;
  }

  #wake(edge: EdgeState): void {
    if (edge.queued || edge.vertex.retired) return;
    edge.queued = true;
    this.#queue.push(edge);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#drain());
  }

  #drain(): void {
    const start = performance.now();
    for (let i = 0; i < this.#queue.length; i++) {
      const edge = this.#queue[i]!;
      edge.queued = false;
      try {
        this.#advance(edge);
      } catch (error) {
        this.#fail([edge], toCodedError(error));
      }
      if (i % 32 === 31 && performance.now() - start > SLICE_MS) {
        this.#queue = this.#queue.slice(i + 1);
        setImmediate(() => this.#drain());
        return;
      }
    }
    this.#queue = [];
    this.#scheduled = false;
    // Only now is it sure that nobody goes on where another left off.
    for (const run of this.#idle) run.abortIfIdle();
    this.#idle.clear();
  }

  /** The algorithm: keys by definition, keys by content, result; each only if what came before was not enough. */
  #advance(edge: EdgeState): void {
    const { vertex, inputs } = edge;
    const { wanted } = edge;
    if (vertex.retired || edge.error !== undefined) return;
    if (wanted <= edge.level) {
      this.#rest(edge);
      return;
    }
    const made = vertex.outputs[edge.index];
    if (made !== undefined) {
      this.#hold(edge, { ...made, result: made.result.clone() });
      return;
    }

    if (vertex.vertex.ignoreCache) {
      if (this.#reach(edge, Level.slow)) return; // no keys before there is a result
    } else {
      if (!this.#mapped(edge, 1) || !this.#ask(edge, inputs, Level.fast)) return;
      this.#look(edge);
      if (this.#reach(edge, Level.fast) || this.#hit(edge, wanted)) return;
      if (!edge.lookup.hopeless()) {
        if (!this.#mapped(edge, Number.POSITIVE_INFINITY)) return;
        if (!this.#ask(edge, inputs, Level.slow)) return;
        this.#look(edge);
        if (this.#hit(edge, wanted)) return;
      }
      if (!edge.lookup.hopeless()) {
        if (!this.#contents(edge)) return;
        this.#look(edge);
        if (this.#hit(edge, wanted)) return;
      }
      if (this.#reach(edge, Level.slow)) return;
    }
    if (!this.#mapped(edge, Number.POSITIVE_INFINITY)) return;
    if (!this.#ask(edge, inputs, Level.result) || !this.#contents(edge)) return;
    this.#execute(edge);
  }

  /** The edge is as far as it has to be: inputs and work are let go. */
  #rest(edge: EdgeState): void {
    for (const input of edge.inputs) this.withdraw(input, edge);
    for (const run of [...edge.runs]) if (run.leave(edge)) this.#idle.add(run);
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

  #tell(edge: EdgeState): void {
    for (const [asker] of edge.askers()) {
      if (asker instanceof EdgeState) this.#wake(asker);
      else asker.wake();
    }
  }

  #ask(edge: EdgeState, inputs: readonly EdgeState[], level: Level): boolean {
    let ready = true;
    for (const input of inputs) {
      this.ask(input, edge, level);
      if (input.level >= level) continue;
      if (input.error !== undefined) {
        this.#fail([edge], input.error);
        return false;
      }
      ready = false;
    }
    return ready;
  }

  #look(edge: EdgeState): void {
    if (!edge.lookup.update(this.#keys)) return;
    // What was found by one key of an input is found by all of them from now on.
    for (const key of edge.lookup.candidates) edge.lookup.link(this.#keys, key);
    this.#tell(edge);
  }

  /** A stored result ends the search: for who wants keys it is enough that there is one, else it is loaded. */
  #hit(edge: EdgeState, wanted: Level): boolean {
    const record = this.#record(edge);
    if (record === undefined) return false;
    this.#reach(edge, Level.slow);
    if (wanted === Level.result) this.#load(edge, record.key, record.id);
    return true;
  }

  #record(edge: EdgeState): { readonly key: string; readonly id: string } | undefined {
    const { read } = edge.vertex.scope;
    while (true) {
      let best: { key: string; id: string; createdAt: number } | undefined;
      for (const key of edge.lookup.candidates) {
        for (const { resultId, createdAt } of this.#keys.results(key, read)) {
          if (edge.gone.has(resultId) || (best !== undefined && best.createdAt >= createdAt)) continue;
          best = { key, id: resultId, createdAt };
        }
      }
      if (best === undefined || this.#results.exists(best.id)) return best;
      this.#forget(edge, best.id);
    }
  }

  #forget(edge: EdgeState, record: string): void {
    edge.gone.add(record);
    this.#keys.dropResult(record);
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
    vertex.mapRun = this.#start(
      edge,
      async (context) => {
        if (source) vertex.history.start();
        try {
          const answer = await vertex.op.cacheMap(vertex.maps.length, context);
          if (source) vertex.history.complete();
          return answer;
        } catch (error) {
          if (source) vertex.history.complete({ error });
          throw annotate(error, 'failed to load cache key');
        }
      },
      ({ map, done }) => {
        if (!source && map.inputs.length !== vertex.inputs.length) {
          throw new CodedError(
            'internal',
            `${vertex.vertex.name}: ${map.inputs.length} cache map inputs for ${vertex.inputs.length} inputs`,
          );
        }
        vertex.maps.push(map);
        // Only sources have more than one map: what an op with inputs is, its definition says at once.
        vertex.mapsDone = done || !source;
      },
      () => {
        vertex.mapRun = undefined;
      },
    );
    return false;
  }

  /** Content digests of all inputs where content decides; their results are asked for. */
  #contents(edge: EdgeState): boolean {
    const { vertex } = edge;
    const map = vertex.maps[0]!;
    let ready = true;
    for (let i = 0; i < vertex.inputs.length; i++) {
      const contentDigest = map.inputs[i]?.contentDigest;
      if (contentDigest === undefined || vertex.contents[i] !== undefined) continue;
      ready = false;
      const input = vertex.inputs[i]!;
      const running = vertex.contentRuns[i];
      if (running !== undefined) running.join(edge);
      else if (this.#ask(edge, [input], Level.result))
        this.#digest(edge, i, (result, context) => contentDigest.call(map.inputs[i], result, context));
      if (edge.error !== undefined) return false;
    }
    return ready;
  }

  #digest(edge: EdgeState, i: number, contentDigest: (result: Result, context: OpContext) => Promise<string>): void {
    const { vertex } = edge;
    const result = vertex.inputs[i]!.held!.result.clone();
    vertex.contentRuns[i] = this.#start(
      edge,
      async (context) => {
        try {
          return await contentDigest(result, context);
        } catch (error) {
          throw annotate(error, 'failed to compute cache key');
        } finally {
          await result.release();
        }
      },
      (digest) => {
        vertex.contents[i] = contentKey(digest);
      },
      () => {
        vertex.contentRuns[i] = undefined;
      },
    );
  }

  #load(edge: EdgeState, key: string, record: string): void {
    const { vertex } = edge;
    if (edge.loading !== undefined) {
      edge.loading.join(edge);
      return;
    }
    edge.loading = this.#start(
      edge,
      async () => {
        const result = await this.#results.load(record);
        if (result !== undefined) {
          vertex.started(true);
          vertex.history.complete({ cached: true });
        }
        return result;
      },
      (result) => {
        if (result === undefined) this.#forget(edge, record);
        else if (edge.held !== undefined || vertex.retired) discard(result);
        else this.#hold(edge, { result, record, keys: [key], joinKey: key });
      },
      () => {
        edge.loading = undefined;
      },
    );
  }

  /** Runs the op on the inputs' results, unless another edge is just making the same. */
  #execute(edge: EdgeState): void {
    const { vertex } = edge;
    if (!vertex.vertex.ignoreCache) {
      edge.lookup.refresh(this.#keys);
      if (this.#hit(edge, Level.result)) return;
    }
    const joinKey = edge.lookup.joinKey();
    const running = this.#executions.get(joinKey);
    if (running !== undefined) {
      if (running.began && !running.vertices.has(vertex)) vertex.started(false);
      running.join(edge);
      return;
    }
    const inputs = vertex.inputs.map((input) => input.held!.result.clone());
    const run: Run = this.#start(
      edge,
      async (context) => {
        try {
          using _place = await vertex.op.acquire?.(context);
          run.began = true;
          for (const each of run.vertices) each.started(false);
          const results = await vertex.op.exec(inputs, context);
          try {
            return { results, records: await this.#save(edge, results) };
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
        for (const each of run.vertices) {
          each.history.complete();
          if (!each.retired) this.#made(each, results, records);
        }
        for (const result of results) discard(result);
        for (const { index, vertex } of run.users) {
          if (index >= results.length)
            throw new CodedError('invalid_argument', `${vertex.vertex.name} has no output ${index}`);
        }
      },
      () => this.#executions.delete(joinKey),
    );
    this.#executions.set(joinKey, run);
  }

  /** Persists what an execution made, where a later build could find it. */
  async #save(edge: EdgeState, results: readonly Result[]): Promise<readonly (string | undefined)[]> {
    const { vertex } = edge;
    const rootsStay = vertex.inputs.length > 0 || vertex.maps.some((map) => !isVolatile(map.digest));
    if (vertex.retired) return results.map(() => undefined);
    const stays =
      rootsStay &&
      vertex.inputs.every((input, i) => vertex.contents[i] !== undefined || (input.held?.keys.length ?? 0) > 0);
    if (!stays) return results.map(() => undefined);
    const records: string[] = [];
    for (const result of results) records.push(await this.#results.save(result));
    return records;
  }

  /** Enters an execution's results into the keys of one of its vertices. */
  #made(vertex: ActiveVertex, results: readonly Result[], records: readonly (string | undefined)[]): void {
    const now = this.#clock.now();
    results.forEach((result, index) => {
      if (vertex.outputs[index] !== undefined) return;
      const edge = vertex.edge(index);
      edge.lookup.update(this.#keys);
      const record = records[index];
      const name = edge.lookup.name(index, 'stored');
      const keys: string[] = [];
      if (record !== undefined && !isVolatile(name)) {
        const known = [...edge.lookup.candidates];
        keys.push(...(known.length > 0 ? known : [name]));
        for (const key of keys) {
          edge.lookup.link(this.#keys, key);
          this.#keys.addResult(key, record, now, vertex.scope.write);
        }
      }
      // Consumers of an execution that ignored the cache, or stands on one, must not find what was made of an older one.
      const fresh = vertex.vertex.ignoreCache ? volatileKey(newId()) : edge.lookup.name(index, 'fresh');
      const stale = isVolatile(fresh);
      for (const key of stale ? [fresh] : [...keys, name]) edge.lookup.know(key);
      vertex.outputs[index] = { result: result.clone(), record, keys, joinKey: stale ? fresh : (keys[0] ?? name) };
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

  #release(edge: EdgeState): void {
    const made = edge.vertex.outputs[edge.index];
    edge.vertex.outputs[edge.index] = undefined;
    if (made !== undefined) discard(made.result);
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
  ): Run {
    const run = new Run();
    run.join(edge);
    edge.vertex.work.add(run);
    const context: OpContext = {
      get signal() {
        return run.signal;
      },
      sessions: () => run.sessions(),
      scope: edge.vertex.scope.write,
      progress: {
        status: (row) => run.vertices.forEach((vertex) => void vertex.history.progress.status(row)),
        log: (stream, data) => run.vertices.forEach((vertex) => void vertex.history.progress.log(stream, data)),
        warn: (warning) => run.vertices.forEach((vertex) => void vertex.history.progress.warn(warning)),
      },
    };
    run.settled = (async () => {
      let failure: CodedError | undefined;
      try {
        await undefined; // never within the caller: `run` is in place when the work begins
        const value = await work(context);
        ended();
        done(value);
      } catch (error) {
        ended();
        const lost = findLostResult(error);
        const again = lost !== undefined && !run.aborted && this.stepBack(lost, edge.vertex.lost);
        if (!run.aborted && !again) failure = this.#blame(error, edge.vertex);
        if (lost !== undefined) endVertices(run, again ? {} : { error });
      }
      edge.vertex.work.delete(run);
      const users = run.finish();
      if (failure !== undefined) this.#fail(users, failure);
      for (const user of users) this.#wake(user);
    })();
    return run;
  }

  #blame(error: unknown, vertex: ActiveVertex): CodedError {
    const coded = toCodedError(error);
    if (coded.details.some((detail) => detail.type === 'errdefs.Vertex')) return coded;
    return new CodedError(coded.code, coded.message, {
      cause: error,
      fault: coded.fault,
      ...(coded.reason === undefined ? {} : { reason: coded.reason }),
      ...(coded.hint === undefined ? {} : { hint: coded.hint }),
      details: [...coded.details, { type: 'errdefs.Vertex', value: { digest: vertex.vertex.digest } }],
    });
  }

  /** Fails edges and, one after the other, all that waits for them. */
  #fail(edges: readonly EdgeState[], error: CodedError): void {
    const open: EdgeState[] = [...edges];
    for (let edge = open.pop(); edge !== undefined; edge = open.pop()) {
      if (edge.error !== undefined || edge.wanted <= edge.level) continue;
      edge.error = error;
      this.#rest(edge);
      for (const [asker, level] of edge.askers()) {
        if (level <= edge.level) continue;
        if (asker instanceof EdgeState) open.push(asker);
        else asker.fail(error);
      }
    }
  }
}

/** Ends what is shown of a run's vertices. */
function endVertices(run: Run, outcome: { readonly error?: unknown }): void {
  for (const { history } of run.vertices) if (history.running) history.complete(outcome);
}

/** Releases a handle nobody waits for; a handle that cannot be released is the store's to sweep. */
function discard(result: Result): void {
  result.release().catch(() => {});
}
