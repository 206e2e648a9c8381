import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** What `getconf CLK_TCK` says on every Linux that Node runs on. */
const TICKS = 100;
const MIB = 1024 * 1024;

/** CPU and memory of a daemon: its process, those it started, and, for CPU, all that these have waited for. */
export class ProcessTree {
  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
  }

  /** Seconds in user and kernel mode so far; a step's count from its end on. */
  cpuSeconds(): number {
    let ticks = 0;
    for (const pid of this.#pids()) {
      // After the name, which may hold anything, fields 14 to 17 are the ticks of the process and of the children it has waited for.
      const stat = read(`/proc/${pid}/stat`);
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      for (const field of fields.slice(11, 15)) ticks += Number(field);
    }
    return ticks / TICKS;
  }

  /** Resident now, in MiB. */
  residentMib(): number {
    return this.#memory('VmRSS');
  }

  /** The most that was resident since {@link resetPeak}. */
  peakMib(): number {
    return this.#memory('VmHWM');
  }

  resetPeak(): void {
    for (const pid of this.#pids()) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  }

  #memory(field: string): number {
    let kib = 0;
    for (const pid of this.#pids())
      kib += Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    return (kib * 1024) / MIB;
  }

  #pids(): readonly number[] {
    const found = [this.pid];
    for (const pid of found)
      for (const thread of list(`/proc/${pid}/task`))
        found.push(
          ...read(`/proc/${pid}/task/${thread}/children`)
            .split(' ')
            .filter((each) => each !== '')
            .map(Number),
        );
    return found;
  }
}

/** Empty for what is gone by now. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
