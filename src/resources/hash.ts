import { createHash } from 'node:crypto';
import { type Build, type BuildStatus, RERUN_ANNOTATION } from './build.ts';
import type { BuildSpec } from './build-spec.ts';

/** Fields that say when, where and how long to build, but not what. */
const NOT_BUILT = [
  'poolRef',
  'resources',
  'priority',
  'timeout',
  'queueTimeout',
  'retry',
  'suspend',
  'triggers',
  'historyLimit',
] as const satisfies readonly (keyof BuildSpec)[];

/** Hash (16 hex digits) of what a Build makes: of the fields that matter, the rerun annotation and what has triggered a run last. A change of it starts a run. */
export function buildHash(
  build: Pick<Build, 'spec'> & { readonly status?: Pick<BuildStatus, 'triggered'> | undefined } & {
    readonly metadata: Pick<Build['metadata'], 'annotations'>;
  },
): string {
  const spec: Record<string, unknown> = { ...build.spec };
  for (const field of NOT_BUILT) delete spec[field];
  const trigger = build.status?.triggered?.token;
  const rerun = build.metadata.annotations?.[RERUN_ANNOTATION] ?? '';
  return createHash('sha256').update(canonicalJson({ spec, rerun, trigger })).digest('hex').slice(0, 16);
}

/** JSON with sorted keys; undefined members are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}
