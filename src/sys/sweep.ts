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
const LOOK_MS = 5;
const MOST_LOOKS = 100;

/** For the environment of every process a daemon starts outside a step's cgroup. */
export function markEnvironment(stateId: string): Readonly<Record<string, string>> {
  return { [MARK]: stateId };
}

/** The cgroup that holds all steps of a daemon; `parent` from its configuration. */
export function lifeCgroup(stateId: string, parent = '/slipway', layout = cgroupLayout()): Cgroup {
  return new Cgroup(`${parent}/${stateId}`, layout);
}

/** Of the processes there are, or of these, ours aside: those that carry the mark, and those that are just starting a program, whose environment cannot be read yet. */
function markedProcesses(stateId: string, pids: Iterable<number> = allProcesses()) {
  const mark = Buffer.from(`\0${MARK}=${stateId}\0`);
  const marked: number[] = [];
  const starting = new Set<number>();
  let gone = 0;
  for (const pid of pids) {
    try {
      // Between two NULs, so that neither a prefix nor a suffix matches.
      const environment = readFileSync(`/proc/${pid}/environ`);
      if (environment.length > 0) {
        if (Buffer.concat([Buffer.of(0), environment]).includes(mark)) marked.push(pid);
      } else if (isStarting(pid)) starting.add(pid);
      else gone++;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) throw error;
      gone++;
    }
  }
  return { marked, starting, gone };
}

function allProcesses(): number[] {
  const pids = readdirSync('/proc').map(Number);
  return pids.filter((pid) => Number.isInteger(pid) && pid !== process.pid);
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
 * Ends all marked processes, and says how many. Nothing tells of a process that is no child of ours when it has ended, or has its environment; both are
 * a matter of moments, and are looked for.
 */
async function endMarked(stateId: string): Promise<number> {
  const ended = new Set<number>();
  let undecided: ReadonlySet<number> | undefined;
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const { marked, starting, gone } = markedProcesses(stateId, undecided);
    for (const pid of marked) {
      ended.add(pid);
      libc.kill(pid, 9);
    }
    // Those that are found may have started others. Once none is, one that starts a program is of this life only if it had begun then; and one that was seen to, and is gone, may have been.
    const all = marked.length > 0 || (undecided !== undefined && gone > 0);
    undecided = all ? undefined : starting;
    if (undecided?.size === 0) break;
    await delay(LOOK_MS);
  }
  return ended.size;
}

/**
 * Ends what an earlier life on this state directory left: marked processes, the processes of its steps, mounts below the directory, its cgroups.
 * Call it under the directory's lock, before anything is mounted.
 */
export async function sweep(
  { stateId, directory }: LifeMark,
  cgroupParent?: string,
): Promise<{ readonly processes: number; readonly mounts: number }> {
  const processes = await endMarked(stateId);
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
  return { processes: processes + steps, mounts };
}
