import { DEFAULT_POOL } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import { keyOf } from '../runtime/index.ts';
import type { Use } from './admission.ts';
import { parseQuantity } from './quantity.ts';
import type { QueuedRun } from './queue.ts';

export const poolOf = ({ spec }: KnownRun): string => spec.buildSpec.poolRef?.name ?? DEFAULT_POOL;

/** A run as it is queued; `runs` of its Build tell what it may need and use. */
export function queuedRun(run: KnownRun, runs: readonly KnownRun[] = []): QueuedRun {
  const { metadata, spec, status } = run;
  const failed = (status?.attempts ?? []).filter(({ completedAt }) => completedAt !== undefined);
  const earlier = runs.filter((one) => one.metadata.uid !== metadata.uid);
  const needs = earlier
    .filter((one) => one.status?.needs !== undefined)
    .reduce<KnownRun | undefined>(
      (newest, one) => (one.spec.number > (newest?.spec.number ?? 0) ? one : newest),
      undefined,
    )?.status?.needs;
  return {
    uid: metadata.uid as string,
    key: keyOf(run),
    namespace: metadata.namespace as string,
    pool: poolOf(run),
    priority: spec.buildSpec.priority ?? 0,
    queuedAt: Date.parse(status?.queuedAt ?? metadata.creationTimestamp ?? new Date().toISOString()),
    affinity: `${metadata.namespace}/${run.alike ?? spec.buildRef.name}`,
    avoid: failed.map(({ builder }) => builder),
    work: status?.work,
    needs: needs === undefined ? undefined : Buffer.from(needs, 'base64'),
    use: useOf(run, earlier),
  };
}

/** What the Build asks for; else the most that any of its runs that are kept used. */
function useOf({ spec }: KnownRun, earlier: readonly KnownRun[]): Use {
  const { requests } = spec.buildSpec.resources ?? {};
  const most = (read: (used: NonNullable<NonNullable<KnownRun['status']>['used']>) => number) =>
    earlier.reduce<number | undefined>((found, { status }) => {
      if (status?.used === undefined) return found;
      return Math.max(found ?? 0, read(status.used));
    }, undefined);
  return {
    memory: parseQuantity(requests?.['memory']) ?? most(({ memory }) => memory),
    cpus: parseQuantity(requests?.['cpu']) ?? most(({ cpuMillis }) => cpuMillis / 1000),
  };
}
