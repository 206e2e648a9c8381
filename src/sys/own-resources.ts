import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { type CgroupLayout, cgroupLayout } from './cgroup.ts';
import { hasErrno } from './libc.ts';

/** What this process, and all in its container, may take; and how much memory of it is taken. */
interface OwnResources {
  /** Bytes; the machine's where nothing less is set. */
  readonly memoryLimit: number;
  /** Bytes of what {@link memoryLimit} is of, without files that the kernel would give back unasked: as the kubelet counts. */
  readonly memoryUsed: number;
  /** Thousandths of a processor. */
  readonly cpuMillis: number;
}

/** Reads a dozen small files of the kernel: in workers. `own` is /proc/self/cgroup. */
export function ownResources(
  layout: CgroupLayout = cgroupLayout(),
  own: string = read('/proc/self/cgroup') ?? '',
): OwnResources {
  return { ...ownMemory(groupsOf('memory', layout, own)), cpuMillis: ownCpu(groupsOf('cpu', layout, own)) };
}

/** Directories of our own group and those above it, as far up as we see: a container's bounds are on the last, its processes may be in one below. */
function groupsOf(controller: string, { kind, hierarchies }: CgroupLayout, own: string): readonly string[] {
  const tree = hierarchies.find(({ controllers }) => kind === 'v2' || controllers.includes(controller));
  if (tree === undefined) return [];
  const line = own
    .split('\n')
    .map((text) => /^\d+:([^:]*):(\/.*)$/.exec(text))
    .find((match) => (tree.version === 2 ? match?.[1] === '' : match?.[1]?.split(',').includes(controller)));
  const groups = [tree.path];
  // Without a cgroup namespace the path is the machine's, and what we see begins further down.
  const deepest = tree.path + (line?.[2] ?? '/').replace(/\/$/, '');
  if (existsSync(deepest)) for (let at = deepest; at.length > tree.path.length; at = dirname(at)) groups.push(at);
  return groups;
}

function ownMemory(groups: readonly string[]): Pick<OwnResources, 'memoryLimit' | 'memoryUsed'> {
  let least: { readonly limit: number; readonly group: string } | undefined;
  for (const group of groups) {
    const limit = Number(read(`${group}/memory.max`) ?? read(`${group}/memory.limit_in_bytes`));
    // `max`, and what v1 says of no bound, are none.
    if (limit > 0 && limit < Math.min(totalmem(), least?.limit ?? Number.POSITIVE_INFINITY)) least = { limit, group };
  }
  if (least === undefined) {
    const available = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(read('/proc/meminfo') ?? '')?.[1]) * 1024;
    return { memoryLimit: totalmem(), memoryUsed: available >= 0 ? Math.max(0, totalmem() - available) : 0 };
  }
  const { limit, group } = least;
  const taken = Number(read(`${group}/memory.current`) ?? read(`${group}/memory.usage_in_bytes`) ?? 0);
  const stat = read(`${group}/memory.stat`) ?? '';
  // v1 has both, of the group alone and of all below it.
  const idle = /^total_inactive_file (\d+)$/m.exec(stat) ?? /^inactive_file (\d+)$/m.exec(stat);
  return { memoryLimit: limit, memoryUsed: Math.max(0, taken - Number(idle?.[1] ?? 0)) };
}

function ownCpu(groups: readonly string[]): number {
  let millis = availableParallelism() * 1000;
  for (const group of groups) {
    const [quota, period] = (
      read(`${group}/cpu.max`) ?? `${read(`${group}/cpu.cfs_quota_us`)} ${read(`${group}/cpu.cfs_period_us`)}`
    ).split(/\s+/);
    const share = Math.round((Number(quota) / Number(period)) * 1000);
    if (share > 0) millis = Math.min(millis, share);
  }
  return millis;
}

/** Undefined where there is no such file. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'EACCES', 'EPERM', 'ENOTDIR', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}
