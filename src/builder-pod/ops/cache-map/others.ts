import { keyOf, NOTHING, type OpCacheInput, type OpCacheMap, omitEmpty } from './op-cache-map.ts';

export function mergeCacheMap(inputs: readonly number[], inputCount: number): OpCacheMap {
  return plain(
    () => ({
      Type: 'buildkit.merge.v0',
      Merge: omitEmpty({ inputs: inputs.map((input) => omitEmpty({ input })) }),
    }),
    inputCount,
  );
}

export function diffCacheMap(diff: { readonly lower: number; readonly upper: number }): OpCacheMap {
  return plain(
    () => ({
      Type: 'buildkit.diff.v0',
      Diff: { lower: omitEmpty({ input: diff.lower }), upper: omitEmpty({ input: diff.upper }) },
    }),
    [diff.lower, diff.upper].filter((input) => input >= 0).length,
  );
}

function plain(parts: () => Readonly<Record<string, unknown>>, inputCount: number): OpCacheMap {
  return { ...keyOf(parts), inputs: new Array<OpCacheInput>(inputCount).fill(NOTHING) };
}
