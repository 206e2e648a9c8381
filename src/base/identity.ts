import { randomBytes } from 'node:crypto';

/** A 25-character lower-case base36 random id, the form BuildKit's clients expect of sessions, refs and processes. */
export function newId(): string {
  const value = BigInt(`0x${randomBytes(17).toString('hex')}`);
  return value.toString(36).padStart(25, '0').slice(-25);
}
