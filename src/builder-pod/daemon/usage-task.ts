import { fileSystemUsage, ownResources } from '../../sys/index.ts';

/** Worker task: what the builder has to build with. A disk that does not answer holds this thread, and nobody else. */
export function readUsage(stateRoot: string) {
  const { total, free, inodes, freeInodes } = fileSystemUsage(stateRoot);
  return { diskTotal: total, diskFree: free, inodesTotal: inodes, inodesFree: freeInodes, ...ownResources() };
}
