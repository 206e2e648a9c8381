import { inSlices, LargeMap, mapFor } from '../../../base/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import type { KeyedOutput, KeyReader, OpContext, ResultStore } from '../../../solver/index.ts';
import type { EngineJob } from '../build-ref.ts';
import type { StepLayers } from './predicate-facts.ts';
import type { CapturedPart } from './provenance.ts';

/** Steps whose layers are told. */
const MOST_STEPS = 1000;

interface LayerDeps {
  readonly keys: Pick<KeyReader, 'results'>;
  readonly results: Pick<ResultStore<ImmutableRef>, 'load'>;
}

interface StepRecord {
  readonly op: string;
  readonly output: number;
  readonly record: string;
}

/** The layers of the results of a build's steps, of those that are packed or were given: nothing is packed for it. */
export async function stepLayers(
  job: Pick<EngineJob, 'keyed' | 'scope'>,
  { ref }: { readonly ref: Pick<CapturedPart['ref'], 'digests'> },
  { keys, results }: LayerDeps,
  context: OpContext,
): Promise<readonly StepLayers[]> {
  const ops = await inSlices(opsOf(ref), context);
  const found: StepLayers[] = [];
  for (const { op, output, record } of await inSlices(stepRecords(job, ops, keys), context)) {
    if (found.length >= MOST_STEPS) break;
    const chain = await packedLayers(record, results, context);
    if (chain !== undefined && chain.length > 0) found.push({ op, output, chain });
  }
  return found;
}

/** The ops by their vertices. Yields after each. */
function* opsOf({ digests }: Pick<CapturedPart['ref'], 'digests'>): Generator<void, ReadonlyMap<string, string>, void> {
  const found = mapFor<string, string>(digests.size);
  for (const [wire, vertex] of digests) {
    found.set(vertex, wire);
    yield;
  }
  return found;
}

/** The records of the steps' results, each once. Yields after each vertex. */
function* stepRecords(
  job: Pick<EngineJob, 'keyed' | 'scope'>,
  ops: ReadonlyMap<string, string>,
  keys: LayerDeps['keys'],
): Generator<void, Iterable<StepRecord>, void> {
  const found: StepRecord[] = [];
  const names = LargeMap.byText<string, true>();
  for (const vertex of job.keyed()) {
    yield;
    const op = vertex === undefined ? undefined : ops.get(vertex.digest);
    if (vertex === undefined || op === undefined) continue;
    for (const one of vertex.outputs) {
      const record = recordOf(one, keys, job.scope.read);
      const name = `${op} ${one.output} ${record}`;
      if (record === undefined || names.has(name)) continue;
      names.set(name, true);
      found.push({ op, output: one.output, record });
    }
  }
  return found;
}

/** That of the result which the build has used; of a step whose result it did not need, the only one that its keys have: which of several the others were made of is not known. */
function recordOf(
  { record, outcome, keys }: KeyedOutput,
  reader: LayerDeps['keys'],
  scopes: readonly string[],
): string | undefined {
  if (outcome.kind !== 'idle') return record;
  const [only, ...others] = new Set(keys.flatMap((key) => reader.results(key, scopes).map(({ resultId }) => resultId)));
  return others.length === 0 ? only : undefined;
}

async function packedLayers(
  record: string,
  results: LayerDeps['results'],
  context: OpContext,
): Promise<StepLayers['chain'] | undefined> {
  context.signal.throwIfAborted();
  const loaded = await results.load(record, context).catch(() => undefined);
  if (loaded === undefined) return undefined;
  try {
    return loaded.value.packed({})?.map(({ descriptor }) => descriptor);
  } finally {
    await loaded.release();
  }
}
