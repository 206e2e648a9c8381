import type { TarEntry } from '../tar/index.ts';

/** The last time that fits 64 bits of nanoseconds, in April 2262. */
const MAX_TIME = (1n << 63n) - 1n;

/** Times before 1970 and after {@link MAX_TIME} become 1970, as containerd and BuildKit have them: what is packed of the files again is the same layer. */
export function withinTime(entry: TarEntry): TarEntry {
  return entry.mtime < 0n || entry.mtime > MAX_TIME ? { ...entry, mtime: 0n } : entry;
}
