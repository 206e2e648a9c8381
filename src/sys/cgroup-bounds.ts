import {
  closeSync,
  existsSync,
  type FSWatcher,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Cgroup, CgroupLayout } from './cgroup.ts';
import { check, hasErrno, libc } from './libc.ts';

/** Of a group and all below it, together; 0 is no bound. */
export interface CgroupLimits {
  /** Processes and threads. */
  readonly processes: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes of memory and swap; -1 for as much swap as there is, 0 for what the machine has by default. */
  readonly memorySwap: number;
  /** Thousandths of a core; not bound when left out. */
  readonly cpuMillis?: number;
}

/** Microseconds in which a group may have its share of cores. */
const CPU_PERIOD_US = 100_000;
/** The least that the kernel takes. */
const LEAST_QUOTA_US = 1000;

/**
 * A group with bounds on it, made before anything runs in it. The runtime's own group is below: it is gone when the step has ended, and what is counted in it with it; here
 * it is still seen which bound was hit.
 */
export class CgroupBounds implements Disposable {
  /** Bounds that this machine's cgroups cannot hold. */
  readonly unmet: readonly (keyof CgroupLimits)[];
  readonly #group: Cgroup;
  readonly #limits: CgroupLimits;
  readonly #memory: MemoryTree | undefined;
  readonly #processes: ProcessCounter | undefined;

  constructor(group: Cgroup, layout: CgroupLayout, limits: CgroupLimits) {
    this.#group = group;
    this.#limits = limits;
    const memory = directoryOf(group, layout, 'memory');
    const pids = directoryOf(group, layout, 'pids');
    const unmet: (keyof CgroupLimits)[] = [];
    const set = (limit: keyof CgroupLimits, directory: string | undefined, file: string, value: number | string) => {
      if ((limits[limit] ?? 0) !== 0 && (directory === undefined || !write(`${directory}/${file}`, String(value))))
        unmet.push(limit);
    };
    const isV2 = layout.kind === 'v2';
    set('processes', pids, 'pids.max', limits.processes);
    set('memory', memory, isV2 ? 'memory.max' : 'memory.limit_in_bytes', limits.memory);
    const swap = limits.memorySwap < 0 ? 'max' : Math.max(0, limits.memorySwap - limits.memory);
    if (isV2) set('memorySwap', memory, 'memory.swap.max', swap);
    else set('memorySwap', memory, 'memory.memsw.limit_in_bytes', limits.memorySwap);
    if (limits.cpuMillis) {
      const quota = Math.max(LEAST_QUOTA_US, Math.round((limits.cpuMillis * CPU_PERIOD_US) / 1000));
      const cpu = directoryOf(group, layout, 'cpu');
      if (isV2) set('cpuMillis', cpu, 'cpu.max', `${quota} ${CPU_PERIOD_US}`);
      else set('cpuMillis', cpu, 'cpu.cfs_quota_us', quota);
    }
    this.unmet = unmet;
    if (!isV2 && memory !== undefined && limits.memory > 0) this.#memory = MemoryTree.open(memory);
    if (pids !== undefined && limits.processes > 0) this.#processes = new ProcessCounter(pids);
  }

  /** Whether the kernel killed a process here for want of memory. */
  outOfMemory(): boolean {
    return this.#memory?.wasExhausted() ?? (this.#group.oomKills() ?? 0) > 0;
  }

  /** Whether a process could not be made because there were as many as there may be. */
  async outOfProcesses(): Promise<boolean> {
    return (await this.#processes?.reached(this.#limits.processes)) ?? false;
  }

  [Symbol.dispose](): void {
    this.#memory?.[Symbol.dispose]();
    this.#processes?.[Symbol.dispose]();
  }
}

/** Makes the directories of a group that is to have bounds. In a worker: the kernel makes one group at a time, and whoever comes to it may wait for others' processes that are moved. */
export function makeBoundedGroup(group: Cgroup, layout: CgroupLayout): void {
  for (const controller of ['cpu', 'memory', 'pids']) directoryOf(group, layout, controller);
}

/** The group's directory where a controller works on it, made if need be. */
function directoryOf({ name }: Cgroup, { kind, hierarchies }: CgroupLayout, controller: string): string | undefined {
  const tree = hierarchies.find(({ controllers }) => kind === 'v2' || controllers.includes(controller));
  if (tree === undefined) return undefined;
  const directory = tree.path + name;
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    if (hasErrno(error, 'EROFS', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
  // In a v2 tree each group gives its controllers to those below it, or does not.
  if (kind === 'v2' && !existsSync(`${directory}/${controller}.max`)) {
    const above: string[] = [];
    for (let at = dirname(directory); at.length >= tree.path.length; at = dirname(at)) above.unshift(at);
    for (const at of above) write(`${at}/cgroup.subtree_control`, `+${controller}`);
  }
  return directory;
}

function write(file: string, value: string): boolean {
  try {
    writeFileSync(file, value);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return false;
  }
}

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** Of a v1 memory tree: counters there are each group's own, but whoever asks by an eventfd is told of what happens below, too. */
class MemoryTree implements Disposable {
  readonly #event: number;
  #exhausted = false;

  private constructor(event: number) {
    this.#event = event;
  }

  static open(directory: string): MemoryTree | undefined {
    const event = check(libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd');
    let control: number | undefined;
    try {
      control = openSync(`${directory}/memory.oom_control`, 'r');
      if (write(`${directory}/cgroup.event_control`, `${event} ${control}`)) return new MemoryTree(event);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    } finally {
      if (control !== undefined) closeSync(control);
    }
    closeSync(event);
    return undefined;
  }

  wasExhausted(): boolean {
    try {
      if (readSync(this.#event, Buffer.alloc(8)) > 0) this.#exhausted = true;
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN')) throw error;
    }
    return this.#exhausted;
  }

  [Symbol.dispose](): void {
    closeSync(this.#event);
  }
}

/** Since Linux 6.10 a group knows the most it ever held; before, failures are counted in the group below alone, whose file tells while it is there. */
export class ProcessCounter implements Disposable {
  readonly #directory: string;
  readonly #watchers: FSWatcher[] = [];
  #failed = false;

  constructor(directory: string) {
    this.#directory = directory;
    if (existsSync(`${directory}/pids.peak`)) return;
    this.#watch(directory, (event, name) => {
      if (event !== 'rename' || name === null) return;
      this.#watch(`${directory}/${name}/pids.events`, (what) => {
        if (what === 'change') this.#failed = true;
      });
    });
  }

  #watch(path: string, heard: (event: string, name: string | null) => void): void {
    try {
      const watcher = watch(path, { persistent: false }, heard);
      watcher.on('error', () => {});
      this.#watchers.push(watcher);
    } catch (error) {
      // It went as it came, or nothing more can be watched: then a failure is told less well, and that is all.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    }
  }

  async reached(limit: number): Promise<boolean> {
    // What is under way to us comes with the next turn.
    await setImmediate();
    if (this.#failed) return true;
    try {
      return Number(readFileSync(`${this.#directory}/pids.peak`, 'utf8')) >= limit;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENODEV')) throw error;
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}
