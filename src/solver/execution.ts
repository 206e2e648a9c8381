import { type Clock, inSlices, isTurnSpent, neverAborted, nextTurn } from '../base/index.ts';
import type { ActiveVertex, EdgeState, Ground, Prepared, Run } from './active.ts';
import { endVertices } from './failure.ts';
import { activeName, deciding, stays, storedKeys } from './ground.ts';
import { discard, releaseAll } from './handles.ts';
import { linkedKey, recordDigest } from './key.ts';
import { missOf } from './miss.ts';
import {
  type CacheLink,
  type CacheRecord,
  findLostResult,
  type KeyStore,
  type OpContext,
  type Result,
  type ResultStore,
} from './ports.ts';

/** Inputs that are looked at once more in one step. */
const MOST_INPUTS = 250;

/**
 * Makes an edge ready to be run: takes what every input holds now, and finds out why it is run. `losses` counts results that were taken from inputs. Yields after
 * each input; undefined when one of them holds no result any more.
 */
export function* prepare(
  store: KeyStore,
  edge: EdgeState,
  losses: () => number,
): Generator<void, Prepared | undefined, void> {
  const { vertex } = edge;
  const ground: Ground[] = [];
  const inputs: Result[] = [];
  let isReady = false;
  const before = losses();
  try {
    for (const [i, input] of vertex.inputs.entries()) {
      const { held } = input;
      if (held === undefined) return undefined;
      inputs.push(held.result.clone());
      ground.push({
        ...{ result: held.result.id, content: vertex.content(i), keys: input.names, name: held.name },
        selector: vertex.selector(i),
      });
      yield;
    }
    const key = yield* joinKey(vertex, ground);
    const miss = yield* missOf(store, edge, ground);
    yield;
    isReady = losses() === before || (yield* areHeld(edge, ground, losses));
    return isReady ? { ground: ground.slice(), inputs, key, miss } : undefined;
  } finally {
    if (!isReady) void releaseAll(inputs);
  }
}

/** Whether the inputs hold what they held, after a loss. Yields after each portion. */
function* areHeld(
  { inputs }: EdgeState,
  ground: readonly Ground[],
  losses: () => number,
): Generator<void, boolean, void> {
  let before: number;
  do {
    before = losses();
    for (const [at, { result }] of ground.entries()) {
      if (inputs[at]!.held?.result.id !== result) return false;
      if ((at + 1) % MOST_INPUTS === 0) yield;
    }
    // Behind one that was looked at another may have been lost.
  } while (losses() !== before);
  return true;
}

/** What executions are joined by: the op's key and, for each input, the content that decides or else the very result. Yields after each portion. */
function* joinKey(vertex: ActiveVertex, ground: readonly Ground[]): Generator<void, string, void> {
  const unshared = vertex.vertex.ignoreCache ? vertex.key : '';
  const key = yield* linkedKey(vertex.maps[0]!.digest, 'any', ground, ({ content, result, selector }) =>
    deciding(content, result, selector),
  );
  return `${vertex.scopeKey} ${unshared} ${key}`;
}

export interface Stores {
  readonly keys: KeyStore;
  readonly results: ResultStore;
  readonly clock: Clock;
}

/** What an execution made; what was entered of it for each vertex that had joined by then. */
interface Executed {
  readonly results: readonly Result[];
  readonly records: readonly (string | undefined)[];
  readonly entered: ReadonlyMap<ActiveVertex, readonly EnteredOutput[]>;
}

/** Runs an op, persists what it makes and enters it into the keys of all who joined. The inputs are released. */
export async function runOp(
  run: Run,
  { op }: ActiveVertex,
  inputs: readonly Result[],
  context: OpContext,
  stores: Stores,
): Promise<Executed> {
  const options = { signal: neverAborted };
  try {
    run.began = true;
    for (const each of run.vertices) {
      await inSlices(each.showUnused(), options);
      each.started(false);
    }
    const results = await op.exec(inputs, context);
    if (isTurnSpent()) await nextTurn(options);
    try {
      const records = await saveResults(stores.results, run, results);
      const entered = new Map<ActiveVertex, readonly EnteredOutput[]>();
      for (const [vertex, ground] of run.grounds)
        entered.set(vertex, await inSlices(enterOutputs(stores, vertex, ground, records), options));
      return { results, records, entered };
    } catch (error) {
      for (const result of results) discard(result);
      throw error;
    }
  } catch (error) {
    // Whether a lost input is a failure of this vertex is not known yet.
    if (findLostResult(error) === undefined) endVertices(run, { error });
    throw error;
  } finally {
    await releaseAll(inputs);
  }
}

/** Persists what an execution made, where a later build could find it; the records. */
async function saveResults(
  store: ResultStore,
  run: Run,
  results: readonly Result[],
): Promise<readonly (string | undefined)[]> {
  // Also what nobody waits for any more: it is finished.
  let found = false;
  for (const [vertex, ground] of run.grounds) found ||= await inSlices(stays(vertex, ground), { signal: neverAborted });
  const records: (string | undefined)[] = [];
  for (const result of results) records.push(found ? await store.save(result) : undefined);
  return records;
}

/** What an output of a vertex is stored under, and goes by. */
export interface EnteredOutput {
  readonly keys: readonly string[];
  readonly name: string;
}

/** Enters an execution's results into the keys of one of its vertices. Yields after each portion. */
export function* enterOutputs(
  { keys: store, clock }: Pick<Stores, 'keys' | 'clock'>,
  vertex: ActiveVertex,
  ground: readonly Ground[],
  records: readonly (string | undefined)[],
): Generator<void, readonly EnteredOutput[], void> {
  const createdAt = clock.now();
  const entered: EnteredOutput[] = [];
  for (const [index, record] of records.entries()) {
    const keys = record === undefined ? [] : yield* storedKeys(store, vertex, index, ground);
    for (const key of keys) yield* enterResult(store, vertex, index, ground, key, { resultId: record!, createdAt });
    entered.push({ keys, name: yield* activeName(vertex, index, ground, keys) });
    yield;
  }
  return entered;
}

/** Changes that are written in one transaction. */
const PORTION = 50;

/** Enters a record of a result under `target`, and lets every name of the ground lead there first. Yields after each portion. */
function* enterResult(
  store: KeyStore,
  vertex: ActiveVertex,
  output: number,
  ground: readonly Ground[],
  target: string,
  { resultId, createdAt }: CacheRecord,
): Generator<void, void, void> {
  const record = recordDigest(vertex.maps[0]!.digest, output);
  const scope = vertex.scope.write;
  let links: { readonly id: string; readonly link: CacheLink }[] = [];
  const write = () => {
    for (const { id, link } of links) store.addLink(id, link, target, scope);
    links = [];
  };
  for (const [input, { content, keys, selector }] of ground.entries()) {
    if (content !== undefined) links.push({ id: content, link: { input, record, selector: '' } });
    for (const id of keys) links.push({ id, link: { input, record, selector } });
    if (links.length < PORTION) continue;
    store.together(write);
    yield;
  }
  store.together(() => {
    write();
    store.addResult(target, resultId, createdAt, scope);
  });
}
