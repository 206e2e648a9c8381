import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Cgroup, cgroupLayout, findCgroups } from './cgroup.ts';
import { hasErrno, libc } from './libc.ts';
import { unmountBelow } from './mountinfo.ts';

/** What a daemon's life is marked with: its state directory's id, which never changes. */
export interface LifeMark {
  /** Lower-case letters, digits and dashes. */
  readonly stateId: string;
  /** The state directory: every mount is below it. */
  readonly directory: string;
}

/** Environment variable that processes of a daemon carry. */
const MARK = 'SLIPWAY_STATE';

/** For the environment of every process a daemon starts outside a step's cgroup. */
export function markEnvironment(stateId: string): Readonly<Record<string, string>> {
  return { [MARK]: stateId };
}

/** The cgroup that holds all steps of a daemon; `parent` from its configuration. */
export function lifeCgroup(stateId: string, parent = '/slipway', layout = cgroupLayout()): Cgroup {
  return new Cgroup(`${parent}/${stateId}`, layout);
}

/** Live processes that carry the mark, ours aside. */
export function markedProcesses(stateId: string): number[] {
  const mark = Buffer.from(`\0${MARK}=${stateId}\0`);
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      // Between two NULs, so that neither a prefix nor a suffix matches.
      const environment = Buffer.concat([Buffer.of(0), readFileSync(`/proc/${pid}/environ`)]);
      if (environment.includes(mark)) found.push(pid);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) throw error;
    }
  }
  return found;
}

/**
 * Ends what an earlier life on this state directory left: marked processes, the processes of its steps, mounts below the directory, its cgroups.
 * Call it under the directory's lock, before anything is mounted.
 */
export async function sweep(
  { stateId, directory }: LifeMark,
  cgroupParent?: string,
): Promise<{ readonly processes: number; readonly mounts: number }> {
  const marked = new Set<number>();
  // Again until none is left, since one may just have started another. A killed one has no environment any more.
  for (let found = markedProcesses(stateId), round = 0; found.length > 0 && round < 100; round++) {
    for (const pid of found) {
      marked.add(pid);
      libc.kill(pid, 9);
    }
    await delay(5);
    found = markedProcesses(stateId);
  }
  const cgroup = lifeCgroup(stateId, cgroupParent);
  let steps = await cgroup.killAll();
  // Steps may have asked for a parent group of their own; the state id is in their path, too.
  for (const name of findCgroups(stateId)) {
    const other = new Cgroup(name, cgroupLayout());
    steps += await other.killAll();
    await other.remove();
  }
  const mounts = unmountBelow(realpathSync(directory));
  await cgroup.remove();
  return { processes: marked.size + steps, mounts };
}
