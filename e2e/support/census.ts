import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tempFiles } from './leftovers.ts';

/** How many a running builder has of what a build takes for a time, each by a name that says what it is. */
export type Census = Readonly<Record<string, number>>;

/**
 * Counts a running builder's descriptors (by what they are open on), mounts, child processes, temp files, and the records of its database. Two
 * censuses, before and after work that ended, are alike: {@link grown} tells what is not.
 */
export function census(root: string): Census {
  const pid = Number(readFileSync(path.join(root, 'builderd.pid'), 'utf8'));
  const counts: Record<string, number> = {};
  const add = (name: string, count = 1) => {
    counts[name] = (counts[name] ?? 0) + count;
  };
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    if (target !== undefined) add(`descriptor ${kindOf(target, root)}`);
  }
  for (const line of readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n')) {
    const at = line.split(' ')[4];
    if (at?.startsWith(root)) add(`mount ${kindOf(at, root)}`);
  }
  for (const child of childrenOf(pid)) add(`process ${child}`);
  for (const file of tempFiles(root)) add(`file ${kindOf(file, root)}`);
  add('directory of a snapshot', readdirSync(path.join(root, 'snapshots')).length);
  using db = new DatabaseSync(path.join(root, 'slipway.db'), { readOnly: true });
  for (const table of ['refs', 'ref_blobs', 'named_refs', 'leases', 'lease_resources', 'snapshots'])
    add(`row of ${table}`, (db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n);
  return counts;
}

/** Descriptors that each thread with an event loop has. */
const OF_A_THREAD: Census = {
  'descriptor anon_inode:[eventpoll]': 1,
  'descriptor anon_inode:[eventfd]': 1,
  'descriptor anon_inode:[io_uring]': 1,
  'descriptor pipe': 2,
};
/** Threads start when there is work for them, up to bounds of their own. */
const THREADS = 5;

/** What there is more of now than before, some threads apart. */
export function grown(before: Census, now: Census): Census {
  const growth = (name: string) => (now[name] ?? 0) - (before[name] ?? 0);
  const threads = Math.min(THREADS, growth('descriptor anon_inode:[eventpoll]'));
  const more = Object.keys(now).map((name) => [name, growth(name) - threads * (OF_A_THREAD[name] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

/** Numbers and ids out of what a descriptor is open on. */
function kindOf(target: string, root: string): string {
  return target
    .replace(root, '')
    .replace(/:\[\d+\]/, '')
    .replace(/[0-9a-z]{20,}/g, '*')
    .replace(/\d+/g, 'n');
}

/** Names of all processes below one, its threads' children too. */
function childrenOf(pid: number): string[] {
  const found: string[] = [];
  for (const thread of attempt(() => readdirSync(`/proc/${pid}/task`)) ?? []) {
    const children = attempt(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')) ?? '';
    for (const child of children.split(' ').filter((one) => one !== '')) {
      const name = attempt(() => readFileSync(`/proc/${child}/comm`, 'utf8').trim());
      if (name !== undefined) found.push(name, ...childrenOf(Number(child)));
    }
  }
  return found;
}

/** What may be gone by now. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
