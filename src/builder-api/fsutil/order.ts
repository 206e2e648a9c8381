import { invalidArgument } from '../../base/index.ts';

/** The order of a listing: bytewise with `/` below everything, so that a directory's entries follow it at once. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === 0x2f) return -1;
    if (y === 0x2f) return 1;
    // UTF-16 surrogates stand for code points above all others, which UTF-8 bytes put last.
    if (x >= 0xd800 && y >= 0xd800) return rank(x) - rank(y);
    return x - y;
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** @throws CodedError invalid_argument for a path that is not relative, clean and below the root */
export function assertCleanPath(path: string): void {
  if (
    path === '' ||
    path.length > 4096 ||
    path.startsWith('/') ||
    path.includes('\0') ||
    path.split('/').some((part) => part === '' || part === '.' || part === '..')
  )
    throw invalidArgument(`file transfer: path ${JSON.stringify(path.slice(0, 200))} is not allowed`, {
      reason: 'BAD_PATH',
    });
}
