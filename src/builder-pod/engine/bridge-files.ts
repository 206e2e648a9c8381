import { toGoMode } from '../../builder-api/index.ts';
import { siblingModule, type Task, tasksOf } from '../../sys/index.ts';
import type { BridgeRange, BridgeStat } from '../frontends/index.ts';
import type { FoundEntry, ReadArgs } from './read-task.ts';

const task = tasksOf<typeof import('./read-task.ts')>(siblingModule(import.meta.url, './read-task'));

/** Has a worker read below one root: of a ref, or of what is mounted in a container. */
export type ReadBelow = <A extends ReadArgs, R>(task: Task<A, R>, args: Omit<A, 'root'>) => Promise<R>;

export async function readFile(read: ReadBelow, path: string, range: BridgeRange | undefined): Promise<Uint8Array> {
  return await read(task('readFile'), { path, offset: range?.offset ?? 0, length: range?.length });
}

export async function readDir(
  read: ReadBelow,
  path: string,
  includePattern: string | undefined,
): Promise<readonly BridgeStat[]> {
  return (await read(task('readDirectory'), { path, includePattern })).map(bridgeStat);
}

export async function statFile(read: ReadBelow, path: string): Promise<BridgeStat> {
  return bridgeStat(await read(task('statFile'), { path }));
}

function bridgeStat({ path, stat, linkname }: FoundEntry): BridgeStat {
  const { uid, gid, mtimeNs, rdevMajor, rdevMinor } = stat;
  const size = stat.type === 'dir' ? 0 : stat.size;
  const mode = toGoMode(stat.mode);
  return { path, mode, uid, gid, size, modTime: mtimeNs, linkname, devmajor: rdevMajor, devminor: rdevMinor };
}
