import type { Dir } from '../../sys/index.ts';
import { wholeSeconds } from './compare.ts';
import { fsName } from './names.ts';
import { entryNames, openDirectory } from './walk.ts';

interface MeasureOptions {
  readonly below?: string | undefined;
  /** Called at each directory; throws to stop. */
  readonly check: () => void;
}

/**
 * Whether the files of a tree, holes too, have more bytes than `most`, by what is told of them alone: nothing is read. Of what may be as in `below` nothing is
 * counted, and each file once: what is more by this is more as a tar.
 */
export function isLargerThan(most: number, directory: string, { below, check }: MeasureOptions): boolean {
  const linked = new Set<string>();
  let left = most;
  const walk = (dir: Dir, under: Dir | undefined): boolean => {
    check();
    for (const bytes of entryNames(dir)) {
      const name = fsName(bytes);
      const stat = dir.lstatIfAny(name);
      if (stat?.type !== 'dir' && stat?.type !== 'file') continue;
      const old = under?.lstatIfAny(name);
      if (stat.type === 'dir') {
        using inside = dir.openDir(name);
        using inUnder = old?.type === 'dir' ? under?.openDir(name) : undefined;
        if (walk(inside, inUnder)) return true;
        continue;
      }
      if (old?.type === 'file' && old.size === stat.size && wholeSeconds(old.mtimeNs) === wholeSeconds(stat.mtimeNs))
        continue;
      if (stat.nlink > 1) {
        const inode = `${stat.dev}:${stat.ino}`;
        if (linked.has(inode)) continue;
        linked.add(inode);
      }
      left -= stat.size;
      if (left < 0) return true;
    }
    return false;
  };
  using root = openDirectory(directory);
  using under = below === undefined ? undefined : openDirectory(below);
  return walk(root, under);
}
