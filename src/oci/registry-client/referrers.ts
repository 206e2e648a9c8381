import type { Digest } from '../../base/index.ts';
import { siblingModule, tasksOf } from '../../sys/index.ts';
import { listedReferrers, withReferrer } from './referrers-task.ts';

/** How a registry without an API for referrers says so: 404 by the specification, the others are met as well. */
export const NOT_SERVED: ReadonlySet<number> = new Set([400, 404, 405, 406]);
export const NO_REFERRERS: Uint8Array = Buffer.from('{"manifests":[]}');

/** What a registry that lists no referrers itself has the list of them under (distribution-spec 1.1). */
export function fallbackTag(subject: Digest): string {
  return subject.replace(':', '-').slice(0, 128);
}

const task = tasksOf<typeof import('./referrers-task.ts')>(siblingModule(import.meta.url, './referrers-task'));

/** How a list is read, and how it is written anew. */
export const LISTED = { task: task('listedReferrers'), here: listedReferrers };
export const WITH_REFERRER = { task: task('withReferrer'), here: withReferrer };
