import { isTurnSpent, mapFor, nextTurn } from '../../../base/index.ts';
import type { ImmutableRef, Layer } from '../../../cache/ports.ts';
import type { KeyedVertex, KeyReader, OpContext, ResultStore } from '../../../solver/index.ts';
import type { StepLayers, StepOutput } from './predicate-facts.ts';
import type { CapturedPart } from './provenance.ts';

/** Outputs that are looked at, steps whose layers are told, and layers of all of them. */
const MOST_OUTPUTS = 4000;
const MOST_STEPS = 1000;
const MOST_LAYERS = 10_000;

export interface StepLayerStores {
  readonly keys: Pick<KeyReader, 'results'>;
  readonly results: Pick<ResultStore<ImmutableRef>, 'load'>;
}

/** The outputs of a build's steps, of those that its graph has. Yields after each vertex. */
export function* stepOutputs(
  vertices: Iterable<KeyedVertex | undefined>,
  { digests }: Pick<CapturedPart['ref'], 'digests'>,
): Generator<void, readonly StepOutput[], void> {
  const ops = mapFor<string, string>(digests.size);
  for (const [wire, vertex] of digests) {
    ops.set(vertex, wire);
    yield;
  }
  const found: StepOutput[] = [];
  for (const vertex of vertices) {
    yield;
    const op = vertex === undefined ? undefined : ops.get(vertex.digest);
    if (vertex === undefined || op === undefined) continue;
    for (const { output, outcome, record, keys } of vertex.outputs) {
      if (found.length >= MOST_OUTPUTS) return found;
      if (outcome.kind === 'idle') found.push({ op, output, keys });
      else if (record !== undefined) found.push({ op, output, record });
    }
  }
  return found;
}

/** The layers of the results of steps, of those that are still there and are packed or were given: nothing is packed for it. */
export async function stepLayers(
  outputs: readonly StepOutput[],
  scopes: readonly string[],
  { keys, results }: StepLayerStores,
  context: OpContext,
): Promise<readonly StepLayers[]> {
  const found: StepLayers[] = [];
  const looked = new Set<string>();
  const known = new Map<string, Layer>();
  let layers = 0;
  for (const { op, output, ...by } of outputs) {
    if (isTurnSpent()) await nextTurn(context);
    if (found.length >= MOST_STEPS) break;
    const record = by.record ?? onlyResult(by.keys ?? [], keys, scopes);
    const name = `${op} ${output} ${record}`;
    if (record === undefined || looked.has(name)) continue;
    looked.add(name);
    const chain = await packedLayers(record, results, known, context);
    if (chain === undefined || chain.length === 0) continue;
    layers += chain.length;
    if (layers > MOST_LAYERS) break;
    found.push({ op, output, chain });
  }
  return found;
}

/** Of several it is not known which the others were made of. */
function onlyResult(
  all: readonly string[],
  reader: StepLayerStores['keys'],
  scopes: readonly string[],
): string | undefined {
  const [only, ...others] = new Set(all.flatMap((key) => reader.results(key, scopes).map(({ resultId }) => resultId)));
  return others.length === 0 ? only : undefined;
}

async function packedLayers(
  record: string,
  results: StepLayerStores['results'],
  known: Map<string, Layer>,
  context: OpContext,
): Promise<StepLayers['chain'] | undefined> {
  context.signal.throwIfAborted();
  const loaded = await results.load(record, context).catch(() => undefined);
  if (loaded === undefined) return undefined;
  try {
    return loaded.value.packed({ known })?.map(({ descriptor }) => descriptor);
  } finally {
    await loaded.release();
  }
}
