import { CodedError } from '../../base/index.ts';
import { TAR_BLOCK } from './entry.ts';

/** What the numbers of a header block say. */

export function isZero(block: Buffer): boolean {
  for (let i = 0; i < TAR_BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** Unsigned as POSIX has it, or signed as old writers summed. @throws CodedError */
export function checkSum(block: Buffer): void {
  const stored = number(block, 148, 8, 'checksum');
  // The field itself counts as eight spaces.
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[i] as number;
  for (let i = 156; i < TAR_BLOCK; i++) sum += block[i] as number;
  if (stored === sum) return;
  for (let i = 0; i < TAR_BLOCK; i++) if ((i < 148 || i >= 156) && (block[i] as number) > 127) sum -= 256;
  if (stored !== sum) throw malformed('a header checksum is wrong: this is no tar archive, or a damaged one');
}

export function number(block: Buffer, at: number, width: number, what: string): number {
  const value = signedNumber(block, at, width, what);
  if (value < 0) throw malformed(`${what} is negative`);
  return value;
}

/** Octal digits, or base 256 where the first byte's top bit is set (GNU). */
export function signedNumber(block: Buffer, at: number, width: number, what: string): number {
  const first = block[at] ?? 0;
  if (first >= 0x80) {
    let value = first & 0x40 ? -1n : 0n;
    value = (value << 6n) | BigInt(first & 0x3f);
    for (let i = at + 1; i < at + width; i++) value = (value << 8n) | BigInt(block[i] ?? 0);
    const result = Number(value);
    if (!Number.isSafeInteger(result)) throw malformed(`${what} is out of range`);
    return result;
  }
  let value = 0;
  let i = at;
  const end = at + width;
  while (i < end && block[i] === 0x20) i++;
  for (; i < end; i++) {
    const digit = block[i] as number;
    // NUL or space ends it.
    if (digit === 0 || digit === 0x20) break;
    if (digit < 0x30 || digit > 0x37) throw malformed(`${what} is no octal number`);
    value = value * 8 + (digit - 0x30);
  }
  return value;
}

export function malformed(why: string): CodedError {
  return CodedError.of('TAR_MALFORMED', `malformed tar archive: ${why}`);
}
