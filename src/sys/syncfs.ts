import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { check } from './libc.ts';

const syncfs = koffi.load('libc.so.6').func('int syncfs(int)') as (fd: number) => number;

/** Makes everything on the file system of `path` durable (syncfs(2)). It waits for the disk: bulk workers only. */
export function syncFileSystem(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    check(syncfs(fd), 'syncfs', path);
  } finally {
    closeSync(fd);
  }
}
