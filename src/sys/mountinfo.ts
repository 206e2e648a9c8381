import { readFileSync } from 'node:fs';
import { unmountOrDetach } from './mount.ts';

/** A line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface MountInfo {
  readonly id: number;
  readonly parentId: number;
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

export function parseMountinfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ', 2);
    if (before === undefined || after === undefined) continue;
    const left = before.split(' ');
    const right = after.split(' ');
    mounts.push({
      id: Number(left[0]),
      parentId: Number(left[1]),
      root: unescapeOctal(left[3] ?? ''),
      target: unescapeOctal(left[4] ?? ''),
      options: (left[5] ?? '').split(','),
      type: right[0] ?? '',
      source: unescapeOctal(right[1] ?? ''),
      superOptions: (right[2] ?? '').split(','),
    });
  }
  return mounts;
}

/** Space, tab, newline and backslash stand there as three octal digits. */
function unescapeOctal(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return bytes;
}

export function listMounts(): MountInfo[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** Mounts at or below `directory` (an absolute path without symlinks), oldest first. */
export function mountsBelow(directory: string): MountInfo[] {
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  return listMounts().filter(({ target }) => target === directory || target.startsWith(prefix));
}

/** Unmounts everything below `directory` (not `directory` itself), youngest first; how many there were. */
export function unmountBelow(directory: string): number {
  const targets = mountsBelow(directory).filter(({ target }) => target !== directory);
  for (const { target } of targets.reverse()) unmountOrDetach(target);
  return targets.length;
}
