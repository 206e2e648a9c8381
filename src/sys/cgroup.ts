import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CodedError } from '../base/index.ts';
import { hasErrno, libc, SYS } from './libc.ts';
import { listMounts, type MountInfo } from './mountinfo.ts';

/** One mounted cgroup tree. A v2 tree has no name of a controller in it. */
interface CgroupHierarchy {
  readonly version: 1 | 2;
  readonly path: string;
  /** v1: controllers, or `name=systemd`. */
  readonly controllers: readonly string[];
}

/** `v2`: one tree. `v1`: trees by controller. `hybrid`: those, and a v2 tree without controllers beside them. */
export interface CgroupLayout {
  readonly kind: 'none' | 'v1' | 'hybrid' | 'v2';
  readonly hierarchies: readonly CgroupHierarchy[];
}

const V1_CONTROLLERS = new Set([
  ...['blkio', 'cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'hugetlb', 'memory', 'misc'],
  ...['net_cls', 'net_prio', 'perf_event', 'pids', 'rdma'],
]);

/** The cgroup trees as mounted here. */
export function cgroupLayout(mounts: readonly MountInfo[] = listMounts()): CgroupLayout {
  const hierarchies: CgroupHierarchy[] = [];
  for (const { type, target, superOptions } of mounts) {
    // Copies elsewhere (in container roots) are not ours to use.
    if (target !== '/sys/fs/cgroup' && !target.startsWith('/sys/fs/cgroup/')) continue;
    if (type === 'cgroup2') hierarchies.push({ version: 2, path: target, controllers: [] });
    if (type === 'cgroup') {
      const controllers = superOptions.filter((option) => V1_CONTROLLERS.has(option) || option.startsWith('name='));
      hierarchies.push({ version: 1, path: target, controllers });
    }
  }
  const hasV1 = hierarchies.some(({ version }) => version === 1);
  const hasV2 = hierarchies.some(({ version }) => version === 2);
  return { kind: hasV1 ? (hasV2 ? 'hybrid' : 'v1') : hasV2 ? 'v2' : 'none', hierarchies };
}

/** Paths of all groups with this last name, wherever they are, outermost first; one tree tells, since runtimes make a group in all of them. */
export function findCgroups(lastName: string, layout: CgroupLayout = cgroupLayout()): string[] {
  const { hierarchies } = layout;
  const tree = hierarchies.find(({ controllers }) => controllers.includes('pids')) ?? hierarchies[0];
  if (tree === undefined) return [];
  const found: string[] = [];
  const walk = (name: string) => {
    for (const child of subdirectories(tree.path + name)) {
      if (child === lastName) found.push(`${name}/${child}`);
      else walk(`${name}/${child}`);
    }
  };
  walk('');
  return found;
}

/** Whether a group may have this last name. */
export function isCgroupName(name: string): boolean {
  return /^[A-Za-z0-9_.:@-]+$/.test(name) && name !== '..';
}

/** A cgroup by its path from the roots of all trees, e.g. `/slipway/<state id>`. */
export class Cgroup {
  readonly name: string;
  readonly #layout: CgroupLayout;

  constructor(name: string, layout: CgroupLayout) {
    if (!name.startsWith('/') || !name.slice(1).split('/').every(isCgroupName)) {
      throw new CodedError('invalid_argument', `invalid cgroup name ${JSON.stringify(name)}`);
    }
    this.name = name;
    this.#layout = layout;
  }

  /** Its directory in every tree, existing or not. */
  get directories(): readonly string[] {
    return this.#layout.hierarchies.map(({ path }) => path + this.name);
  }

  /** Makes it in every tree. */
  create(): void {
    for (const directory of this.directories) {
      try {
        mkdirSync(directory, { recursive: true });
      } catch (error) {
        // A tree that is mounted read-only is one that the runtime does without, too.
        if (!hasErrno(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
      }
    }
  }

  /** Names of the groups right below it. */
  children(): string[] {
    const names = new Set<string>();
    for (const directory of this.directories) for (const name of subdirectories(directory)) names.add(name);
    return [...names].sort();
  }

  /** All processes in it and below. */
  pids(): number[] {
    const pids = new Set<number>();
    for (const directory of this.directories) collectPids(directory, pids);
    return [...pids];
  }

  /** SIGKILLs what is in it and below now; how many there were. */
  killOnce(): number {
    const pids = this.pids();
    for (const pid of pids) libc.kill(pid, SIGKILL);
    return pids.length;
  }

  /** Signals a process that is in it or below; false where it is not: a number that was given to another one meanwhile is not mistaken for it. */
  signal(pid: number, signal: number): boolean {
    const process = libc.syscall(SYS.pidfdOpen, 'int', pid, 'unsigned int', 0);
    if (process < 0) return false;
    try {
      // Held by the descriptor, the number cannot change hands while we look.
      if (!this.pids().includes(pid)) return false;
      return (
        libc.syscall(SYS.pidfdSendSignal, ...['int', process, 'int', signal, 'void*', null, 'unsigned int', 0]) === 0
      );
    } finally {
      libc.close(process);
    }
  }

  /** SIGKILLs all in it and below until none is left. @throws CodedError deadline_exceeded after `timeoutMs` (10 s). */
  async killAll(timeoutMs = 10_000): Promise<number> {
    const killed = new Set<number>();
    const end = performance.now() + timeoutMs;
    for (let pids = this.pids(); pids.length > 0; pids = this.pids()) {
      if (performance.now() > end) {
        throw CodedError.of('SYS_UNKILLABLE', `cgroup ${this.name}: processes ${pids.join(', ')} do not end`);
      }
      for (const pid of pids) {
        killed.add(pid);
        libc.kill(pid, SIGKILL);
      }
      await delay(5);
    }
    return killed.size;
  }

  /** Removes it and what is below in every tree, once empty; a group that is still dying is tried again for a while. */
  async remove(): Promise<void> {
    for (const directory of this.directories) {
      for (let attempt = 0; ; attempt++) {
        try {
          removeTree(directory);
          break;
        } catch (error) {
          if (!hasErrno(error, 'EBUSY') || attempt >= 100) throw error;
          await delay(10);
        }
      }
    }
  }

  /** Removes it unless something is in it or below. */
  removeEmpty(): boolean {
    for (const directory of this.directories) {
      try {
        rmdirSync(directory);
      } catch (error) {
        if (hasErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
        if (!hasErrno(error, 'ENOENT')) throw error;
      }
    }
    return true;
  }

  /**
   * How many processes in it and below the kernel killed for want of memory (v2; v1 counts the group alone). Undefined where nothing counts.
   */
  oomKills(): number | undefined {
    for (const { version, path, controllers } of this.#layout.hierarchies) {
      if (version === 1 && !controllers.includes('memory')) continue;
      const file = `${path}${this.name}/${version === 1 ? 'memory.oom_control' : 'memory.events'}`;
      try {
        const count = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
        if (count !== undefined) return Number(count);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'ENODEV')) throw error;
      }
    }
    return undefined;
  }

  /** What its processes, and those below, have used so far: bytes of memory at most, and milliseconds of CPU. Undefined where nothing counts. */
  used(): { readonly memory: number | undefined; readonly cpuMs: number | undefined } {
    const read = (controller: string, v2: string, v1: string): string | undefined => {
      for (const { version, path, controllers } of this.#layout.hierarchies) {
        if (version === 1 && !controllers.includes(controller)) continue;
        try {
          return readFileSync(`${path}${this.name}/${version === 1 ? v1 : v2}`, 'utf8');
        } catch (error) {
          if (!hasErrno(error, 'ENOENT', 'ENODEV')) throw error;
        }
      }
      return undefined;
    };
    const memory = read('memory', 'memory.peak', 'memory.max_usage_in_bytes');
    const cpu = read('cpuacct', 'cpu.stat', 'cpuacct.usage');
    // cpu.stat has microseconds, cpuacct.usage nanoseconds.
    const micros = /^usage_usec (\d+)$/m.exec(cpu ?? '')?.[1];
    const cpuMs = micros === undefined ? Number(cpu ?? Number.NaN) / 1e6 : Number(micros) / 1e3;
    return {
      memory: memory === undefined ? undefined : Number(memory),
      cpuMs: Number.isFinite(cpuMs) ? cpuMs : undefined,
    };
  }

  /** Moves a process in. */
  add(pid: number): void {
    for (const directory of this.directories) {
      try {
        writeFileSync(`${directory}/cgroup.procs`, String(pid));
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'EROFS', 'ENOSPC')) throw error;
      }
    }
  }
}

const SIGKILL = 9;

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function collectPids(directory: string, into: Set<number>): void {
  try {
    for (const pid of readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n'))
      if (pid !== '') into.add(Number(pid));
  } catch (error) {
    // EOPNOTSUPP: a threaded group, whose processes its parent lists.
    if (!hasErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) throw error;
  }
  for (const name of subdirectories(directory)) collectPids(`${directory}/${name}`, into);
}

function removeTree(directory: string): void {
  for (const name of subdirectories(directory)) removeTree(`${directory}/${name}`);
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
