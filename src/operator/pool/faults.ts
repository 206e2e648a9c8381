import type { KnownRun } from '../known.ts';

/** Ends of attempts that speak against the pod they were on, not against what was built, a registry or the network. */
const OF_THE_POD = new Set([
  ...[
    'BuilderLost',
    'ExecRuntime',
    'ExecNoRuntime',
    'ExecNoSeccompProfile',
    'MetadataFull',
    'MetadataOpen',
    'Invariant',
  ],
]);

/** How many runs in a row ended so, the newest first, by pod; `pods` with when each was made, in ms since the epoch. */
export function faultsOn(pods: ReadonlyMap<string, number>, runs: readonly KnownRun[]): ReadonlyMap<string, number> {
  const ends = new Map<string, { readonly at: number; readonly fault: boolean }[]>();
  for (const { status } of runs)
    for (const { pod, reason = '', startedAt, completedAt } of status?.attempts ?? []) {
      const since = pod === undefined ? undefined : pods.get(pod);
      if (pod === undefined || since === undefined || completedAt === undefined || Date.parse(startedAt) < since)
        continue;
      const all = ends.get(pod) ?? [];
      all.push({ at: Date.parse(completedAt), fault: OF_THE_POD.has(reason) });
      ends.set(pod, all);
    }
  return new Map(
    [...ends].map(([pod, all]) => {
      all.sort((a, b) => b.at - a.at);
      const good = all.findIndex(({ fault }) => !fault);
      return [pod, good < 0 ? all.length : good];
    }),
  );
}
