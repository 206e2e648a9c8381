import type { FileStat } from './packets.ts';

/** What an entry of a listing takes in memory, beside its names. */
const ENTRY_BYTES = 512;

/** What is kept of an entry while its listing lasts. */
export function entryBytes({ path, linkname, xattrs }: FileStat): number {
  let bytes = ENTRY_BYTES + 2 * (path.length + linkname.length);
  for (const [key, value] of Object.entries(xattrs)) bytes += 2 * key.length + value.length;
  return bytes;
}

/** Bytes that may be kept: a small view would keep the whole buffer that it is part of. */
export function ownBytes(data: Uint8Array): Uint8Array {
  return data.length * 4 < data.buffer.byteLength ? Uint8Array.from(data) : data;
}
