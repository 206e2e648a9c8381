import type { BuildOp } from '../../../llb/index.ts';
import { encodeDefinition } from '../../../llb/index.ts';
import { keyOf, type OpCacheMap, omitEmpty } from './op-cache-map.ts';

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

export function passthroughCacheMap(
  passthrough: { readonly id: string; readonly outputs: readonly number[] },
  inputCount: number,
): OpCacheMap {
  const parts = () => ({ Type: 'buildkit.passthrough.v0', Passthrough: omitEmpty({ ...passthrough }) });
  return plain(parts, inputCount);
}

/** Nested definitions enter by their bytes, not in BuildKit's form: clients do not send them. */
export function buildCacheMap(build: BuildOp, inputCount: number): OpCacheMap {
  const sorted = <T>(values: Readonly<Record<string, T>>) =>
    Object.keys(values).length === 0
      ? undefined
      : Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  const inputs = Object.entries(build.inputs).map(([name, input]) => [name, omitEmpty({ input })]);
  return plain(
    () => ({
      Type: 'buildkit.build.v0',
      Exec: omitEmpty({
        builder: build.builder,
        inputs: sorted(Object.fromEntries(inputs)),
        def: build.definition && encodeDefinition(build.definition),
        attrs: sorted(build.attrs),
      }),
    }),
    inputCount,
  );
}

function plain(parts: () => unknown, inputCount: number): OpCacheMap {
  return { ...keyOf(parts), inputs: Array.from({ length: inputCount }, () => ({})) };
}
