import { closeSync, constants, readSync } from 'node:fs';
import type { Dir, Stat } from '../../sys/index.ts';
import { isPrivateXattr } from './names.ts';

const NANO = 1_000_000_000n;
const CHUNK = 1 << 17;
const [ours, theirs] = [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)];

/** Whole seconds, as layers hold them, in nanoseconds. */
export function wholeSeconds(time: bigint): bigint {
  const rest = time % NANO;
  return time - (rest < 0n ? rest + NANO : rest);
}

/**
 * Whether a layer would say of an entry what the layers below say already: type, mode, owner, attributes, and of all but directories time, size, target and
 * content. Whatever only touched an entry (a copy-up, a mode set back) is then no change. Content is read last, and always: equal times prove nothing.
 */
export function saysTheSame(name: string, dir: Dir, stat: Stat, below: Dir, old: Stat, check: () => void): boolean {
  if (stat.mode !== old.mode || stat.uid !== old.uid || stat.gid !== old.gid) return false;
  if (stat.rdevMajor !== old.rdevMajor || stat.rdevMinor !== old.rdevMinor) return false;
  const isDirectory = stat.type === 'dir';
  if (!isDirectory && (stat.size !== old.size || wholeSeconds(stat.mtimeNs) !== wholeSeconds(old.mtimeNs)))
    return false;
  if (!haveSameXattrs(dir.readXattrs(name), below.readXattrs(name))) return false;
  if (stat.type === 'symlink') return dir.readlink(name) === below.readlink(name);
  return stat.type !== 'file' || stat.size === 0 || haveSameContent(name, dir, below, check);
}

function haveSameXattrs(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  const [left, right] = [a, b].map((all) => [...all].filter(([key]) => !isPrivateXattr(key)));
  return left?.length === right?.length && left?.every(([key, value]) => b.get(key)?.equals(value)) === true;
}

function haveSameContent(name: string, dir: Dir, below: Dir, check: () => void): boolean {
  const a = dir.open(name, constants.O_RDONLY);
  try {
    const b = below.open(name, constants.O_RDONLY);
    try {
      for (;;) {
        check();
        const count = fill(a, ours);
        if (fill(b, theirs) !== count || ours.compare(theirs, 0, count, 0, count) !== 0) return false;
        if (count < CHUNK) return true;
      }
    } finally {
      closeSync(b);
    }
  } finally {
    closeSync(a);
  }
}

function fill(fd: number, buffer: Buffer): number {
  let used = 0;
  while (used < CHUNK) {
    const count = readSync(fd, buffer, used, CHUNK - used, null);
    if (count === 0) break;
    used += count;
  }
  return used;
}
