import { closeSync, constants, openSync } from 'node:fs';
import { check, libc } from './libc.ts';
import { tellStart } from './starts.ts';

/** Makes everything on the file system of `path` durable (syncfs(2)). It waits for the disk: bulk workers only. */
export function syncFileSystem(path: string): void {
  tellStart('sync', path);
  const fd = openSync(path, constants.O_RDONLY);
  try {
    check(libc.syncfs(fd), 'syncfs', path);
  } finally {
    closeSync(fd);
  }
}
