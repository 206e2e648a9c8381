/** A bound, and what a person knows it by. */
export interface Limit {
  readonly most: number;
  /** The setting and who set it, e.g. `limits.stepMemory of the BuilderPool ci`. */
  readonly name: string;
}

/** What whoever sends a build can bound of what is done for it, beside the builder's own bounds. */
export const BUILD_LIMITS = [
  ...(['stepProcesses', 'stepMemory', 'stepCpuMillis', 'unpackedLayerBytes', 'unpackedLayerEntries'] as const),
  'contextBytes',
] as const;

/** Those that are set. They are no part of cache keys: they bound work, not what comes of it. */
export type BuildLimits = { readonly [name in (typeof BUILD_LIMITS)[number]]?: Limit };

export const NO_LIMITS: BuildLimits = {};

/** Of each the tighter one. */
export function tighterLimits(one: BuildLimits, other: BuildLimits): BuildLimits {
  return select((name) => {
    const [a, b] = [one[name], other[name]];
    return a === undefined || (b !== undefined && b.most < a.most) ? b : a;
  });
}

/** The limits of work that these builds share: of each the loosest, so that none is held to what only another has. */
export function sharedLimits(all: Iterable<BuildLimits>): BuildLimits {
  const [first = NO_LIMITS, ...others] = all;
  let shared = first;
  for (const limits of others)
    shared = select((name) => {
      const [one, other] = [shared[name], limits[name]];
      if (one === undefined || other === undefined) return undefined;
      return one.most >= other.most ? one : other;
    });
  return shared;
}

/** Whether some work could go further under these limits than under the others. */
export function areLooser(limits: BuildLimits, others: BuildLimits): boolean {
  return BUILD_LIMITS.some((name) => {
    const other = others[name]?.most;
    return other !== undefined && (limits[name]?.most ?? Number.POSITIVE_INFINITY) > other;
  });
}

function select(limitOf: (name: (typeof BUILD_LIMITS)[number]) => Limit | undefined): BuildLimits {
  return Object.fromEntries(
    BUILD_LIMITS.flatMap((name) => {
      const limit = limitOf(name);
      return limit === undefined ? [] : [[name, limit]];
    }),
  );
}
