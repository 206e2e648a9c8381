import { posix } from 'node:path';

/** Joined and cleaned, without a slash at the end: `posix.join` would keep it. */
export function joinPath(...parts: readonly string[]): string {
  return cleanPath(posix.join(...parts));
}

/** The shortest equal path, without a slash at the end. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}
