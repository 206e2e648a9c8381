import type { Build, BuilderPool, BuildRun } from '../../resources/index.ts';
import { table } from '../cache/table.ts';
import { printable } from '../progress/text.ts';

type Output = 'table' | 'json';

export function listBuilds(builds: readonly Build[], output: Output): string {
  if (output === 'json') return json(builds);
  const rows = builds.map(({ metadata, status }) => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    return [
      metadata.name,
      ready?.status ?? 'Unknown',
      ready?.reason ?? '',
      status?.lastRun?.name ?? '',
      ready?.message ?? '',
    ];
  });
  return listed(['NAME', 'READY', 'REASON', 'RUN', 'MESSAGE'], rows, 'no Builds');
}

export function listRuns(runs: readonly BuildRun[], output: Output): string {
  if (output === 'json') return json(runs);
  const rows = runs.map(({ metadata, status = {} }) => [
    metadata.name,
    status.phase ?? 'Pending',
    status.startedAt ?? '',
    status.completedAt ?? '',
    String(status.attempts?.length ?? 0),
    status.cache === undefined ? '' : `${status.cache.hits}/${status.cache.vertices}`,
    status.failure?.reason ?? status.outputs?.[0]?.digest ?? '',
  ]);
  return listed(['NAME', 'PHASE', 'STARTED', 'COMPLETED', 'ATTEMPTS', 'CACHED', 'RESULT'], rows, 'no BuildRuns');
}

export function listPools(pools: readonly BuilderPool[], output: Output): string {
  if (output === 'json') return json(pools);
  const rows = pools.flatMap(({ metadata, status }) => {
    const pods = (status?.builders ?? []).map(({ pod, phase, ...one }) => ({
      ...one,
      builder: pod,
      is: phase as string,
    }));
    const others = (status?.endpoints ?? []).map(({ address, ready, ...one }) => ({
      ...{ ...one, builder: address, is: ready ? 'Ready' : 'NotReady' },
    }));
    const all = [...pods, ...others];
    if (all.length === 0) return [[metadata.name, '', '', '', '', 'no builders']];
    return all.map(({ builder, is, capacity, version, message }) => [
      ...[metadata.name, builder, is, String(capacity ?? ''), version ?? '', message ?? ''],
    ]);
  });
  return listed(['POOL', 'BUILDER', 'PHASE', 'CAPACITY', 'VERSION', 'MESSAGE'], rows, 'no BuilderPools');
}

function json(items: readonly object[]): string {
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2)}\n`;
}

function listed(head: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  return rows.length === 0
    ? `${none}\n`
    : table(
        head,
        rows.map((row) => row.map(printable)),
      );
}
