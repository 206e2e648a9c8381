import type { ContentHasher } from '../../cache/contenthash/index.ts';
import type { ImmutableRef, RefManager } from '../../cache/ports.ts';
import type { Op, Result } from '../../solver/ports.ts';
import { diffCacheMap, knownAtOnce, mergeCacheMap } from './cache-map/index.ts';

interface MergeOpOptions {
  readonly refs: RefManager;
  readonly hasher: ContentHasher;
  readonly resultOf: (ref: ImmutableRef) => Result<ImmutableRef>;
  /** Of the vertex, for descriptions of refs. */
  readonly name: string;
}

/** The merge op: its inputs one above the other. */
export function mergeOp(inputs: readonly number[], inputCount: number, options: MergeOpOptions): Op<ImmutableRef> {
  return {
    ...knownAtOnce(() => mergeCacheMap(inputs, inputCount), options.hasher),
    exec: async (results, { signal, owner, scope }) => {
      const refs = results.map(({ value }) => value);
      return [options.resultOf(await options.refs.merge(refs, { signal, owner, scope, description: options.name }))];
    },
  };
}

/** The diff op: what makes the upper input of the lower one. Either may be scratch. */
export function diffOp(
  diff: { readonly lower: number; readonly upper: number },
  options: MergeOpOptions,
): Op<ImmutableRef> {
  const { refs, resultOf, name } = options;
  return {
    ...knownAtOnce(() => diffCacheMap(diff), options.hasher),
    exec: async (results, { signal, owner, scope }) => {
      const common = { signal, owner, scope, description: name };
      // Inputs come in this order, whatever index the op has for them.
      const [first, second] = results;
      const [below, above] = diff.lower < 0 ? [undefined, first?.value] : [first?.value, second?.value];
      if (below !== undefined) return [resultOf(await refs.diff(below, above, common))];
      return [resultOf(above === undefined ? await refs.empty(common) : above.clone())];
    },
  };
}
