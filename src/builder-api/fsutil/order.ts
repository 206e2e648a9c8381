import { CodedError } from '../../base/index.ts';
import { encodeName } from '../../sys/index.ts';

/** The order of a listing: bytewise with `/` below everything, so that a directory's entries follow it at once. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === 0x2f) return -1;
    if (y === 0x2f) return 1;
    // A byte that is no text, among others.
    if (isLow(x) || isLow(y)) return compareBytes(encodeName(a), encodeName(b));
    // UTF-16 surrogates stand for code points above all others, which UTF-8 bytes put last.
    if (x >= 0xd800 && y >= 0xd800) return rank(x) - rank(y);
    return x - y;
  }
  return a.length - b.length;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc80 && unit <= 0xdcff;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  if (at < 0 || at >= b.length) return a.length - b.length;
  const [x, y] = [a[at] as number, b[at] as number];
  return x === 0x2f ? -1 : y === 0x2f ? 1 : x - y;
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
    throw CodedError.of('BAD_PATH', `file transfer: path ${JSON.stringify(path.slice(0, 200))} is not allowed`);
}
