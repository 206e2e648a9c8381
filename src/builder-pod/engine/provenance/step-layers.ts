import { inSlices } from '../../../base/index.ts';
import { walkKeys } from '../../../cache/keys/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import { type KeyReader, type OpContext, type ResultStore, recordDigest } from '../../../solver/index.ts';
import type { EngineJob } from '../build-ref.ts';
import type { StepLayers } from './predicate-task.ts';
import type { CapturedPart } from './provenance.ts';

/** Steps whose layers are told. */
const MOST_STEPS = 1000;

interface LayerDeps {
  readonly keys: KeyReader;
  readonly results: Pick<ResultStore<ImmutableRef>, 'load'>;
}

/**
 * The layers of the results of a build's steps, of those that are packed or were given: nothing is packed for it. `roots` are the keys of the result in the builder's
 * own store.
 */
export async function stepLayers(
  job: EngineJob,
  { ref }: CapturedPart,
  roots: readonly string[],
  { keys, results }: LayerDeps,
  context: OpContext,
): Promise<readonly StepLayers[]> {
  const steps = await inSlices(stepsByRecord(job), context);
  const records = await inSlices(walkKeys(keys, roots, job.scope.read), context);
  const found: StepLayers[] = [];
  const wireDigests = await inSlices(wireDigestsOf(ref), context);
  for (const { digest, results: all } of records) {
    const step = steps.get(digest);
    const op = step === undefined ? undefined : wireDigests.get(step.vertex);
    if (step === undefined || op === undefined || all.length === 0) continue;
    if (found.length >= MOST_STEPS) break;
    const chain = await packedLayers(all, results, context);
    if (chain === undefined || chain.length === 0) continue;
    const isTold = found.some(
      (one) =>
        one.op === op &&
        one.output === step.output &&
        one.chain.length === chain.length &&
        one.chain.every(({ digest: d }, i) => d === chain[i]!.digest),
    );
    if (!isTold) found.push({ op, output: step.output, chain });
  }
  return found;
}

/** Yields after each vertex. */
function* wireDigestsOf({ digests }: Pick<CapturedPart['ref'], 'digests'>): Generator<void, Map<string, string>, void> {
  const found = new Map<string, string>();
  for (const [wire, vertex] of digests) {
    found.set(vertex, wire);
    yield;
  }
  return found;
}

async function packedLayers(
  records: readonly { readonly resultId: string }[],
  results: Pick<ResultStore<ImmutableRef>, 'load'>,
  context: OpContext,
): Promise<StepLayers['chain'] | undefined> {
  for (const { resultId } of records) {
    context.signal.throwIfAborted();
    const loaded = await results.load(resultId, context).catch(() => undefined);
    if (loaded === undefined) continue;
    try {
      const layers = loaded.value.packed({});
      if (layers !== undefined) return layers.map(({ descriptor }) => descriptor);
    } finally {
      await loaded.release();
    }
  }
  return undefined;
}

/** Yields after each vertex. */
function* stepsByRecord(
  job: EngineJob,
): Generator<void, ReadonlyMap<string, { readonly vertex: string; readonly output: number }>, void> {
  const steps = new Map<string, { vertex: string; output: number }>();
  for (const keyed of job.keyed()) {
    yield;
    if (keyed === undefined) continue;
    for (const { digest } of keyed.maps)
      for (const { output } of keyed.outputs) steps.set(recordDigest(digest, output), { vertex: keyed.digest, output });
  }
  return steps;
}
