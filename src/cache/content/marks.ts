import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What tells a blob that may not be on the disk yet, in the file system itself: in its mode the owner's x, and in its folder's the sticky bit while there is one such. Set before it has its name, taken away once it is synced, so
 * whatever of it a machine without power has kept, it is not taken for whole. Nobody waits for a sync, which of a small blob is most of what it costs.
 */
const MARKS = { file: 0o100, folder: 0o1000 } as const;

type Marked = keyof typeof MARKS;

export function mark(path: string, what: Marked): void {
  chmodSync(path, statSync(path).mode | MARKS[what]);
}

/** One that is gone needs nothing. */
export function unmark(path: string, what: Marked): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode;
  if (mode !== undefined) chmodSync(path, mode & ~MARKS[what]);
}

/** What is marked in a directory. */
export function markedIn(directory: string, what: Marked): readonly string[] {
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & MARKS[what]) !== 0);
}
