import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Cgroup, cgroupLayout, findCgroups } from './cgroup.ts';
import { hasErrno, libc } from './libc.ts';
import { unmountBelow } from './mountinfo.ts';

/** What a daemon's life is marked with: its state directory's id, which never changes. */
interface LifeMark {
  /** Lower-case letters, digits and dashes. */
  readonly stateId: string;
  /** The state directory: every mount is below it. */
  readonly directory: string;
}

/** Environment variable that processes of a daemon carry. */
const MARK = 'SLIPWAY_STATE';
/** Of /proc/PID/stat: the same on every Linux, whatever the kernel counts in. */
const TICKS_PER_SECOND = 100;
/** A process without an environment that is older never had one. */
const STARTING_SECONDS = 1;

/** For the environment of every process a daemon starts outside a step's cgroup. */
export function markEnvironment(stateId: string): Readonly<Record<string, string>> {
  return { [MARK]: stateId };
}

/** The cgroup that holds all steps of a daemon; `parent` from its configuration. */
export function lifeCgroup(stateId: string, parent = '/slipway', layout = cgroupLayout()): Cgroup {
  return new Cgroup(`${parent}/${stateId}`, layout);
}

/** Live processes that carry the mark, ours aside; and those that are just starting a program, whose environment cannot be read yet. */
function markedProcesses(stateId: string): { readonly marked: readonly number[]; readonly starting: number } {
  const mark = Buffer.from(`\0${MARK}=${stateId}\0`);
  const marked: number[] = [];
  let starting = 0;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      // Between two NULs, so that neither a prefix nor a suffix matches.
      const environment = readFileSync(`/proc/${pid}/environ`);
      if (environment.length === 0) starting += isStarting(pid) ? 1 : 0;
      else if (Buffer.concat([Buffer.of(0), environment]).includes(mark)) marked.push(pid);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) throw error;
    }
  }
  return { marked, starting };
}

/** Whether a process without an environment is one that has only now begun: the kernel starts it before it puts the environment in place. */
function isStarting(pid: number): boolean {
  // Kernel threads and the dead have no memory.
  if (readFileSync(`/proc/${pid}/statm`, 'latin1').startsWith('0 ')) return false;
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const startedTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const uptime = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
  return uptime - startedTicks / TICKS_PER_SECOND < STARTING_SECONDS;
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
  for (let round = 0; round < 100; round++) {
    const found = markedProcesses(stateId);
    if (found.marked.length === 0 && found.starting === 0) break;
    for (const pid of found.marked) {
      marked.add(pid);
      libc.kill(pid, 9);
    }
    await delay(5);
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
