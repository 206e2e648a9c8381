import { posix } from 'node:path';
import { matchGlob } from '../../base/index.ts';
import type { Root } from '../../sys/index.ts';

const MAX_STEPS = 10_000;

/**
 * Paths (wildcards allowed) together with every symlink on the way and what they point to in the end, as include patterns. What does not
 * exist is kept as it is.
 */
export function followLinks(root: Root, paths: readonly string[]): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const todo = paths.map((path) => posix.join('/', path).slice(1));
  for (let next = todo.pop(); next !== undefined && done.size < MAX_STEPS; next = todo.pop()) {
    if (done.has(next)) continue;
    done.add(next);
    follow(next);
  }
  return [...found].sort();

  function follow(path: string): void {
    const parts = path.split('/').filter(Boolean);
    let here = '';
    for (const [index, part] of parts.entries()) {
      const rest = parts.slice(index + 1);
      if (/[*?[]/.test(part)) {
        for (const name of names(here)) if (matches(part, name)) todo.push(posix.join(here, name, ...rest));
        found.add(path);
        return;
      }
      here = posix.join(here, part);
      const stat = root.lstatIfAny(here);
      if (stat?.type !== 'symlink') continue;
      found.add(here);
      const target = root.readlink(here);
      const absolute = posix.join('/', target.startsWith('/') ? '' : posix.dirname(here), target, ...rest);
      todo.push(absolute.slice(1));
      return;
    }
    found.add(here === '' ? '.' : here);
  }

  function names(directory: string): string[] {
    return root.lstatIfAny(directory === '' ? '/' : directory)?.type === 'dir'
      ? root.readdir(directory === '' ? '/' : directory)
      : [];
  }

  function matches(pattern: string, name: string): boolean {
    try {
      return matchGlob(pattern, name);
    } catch {
      return false;
    }
  }
}
