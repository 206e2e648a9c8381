/**
 * A string that holds one byte per character (latin1), as file names are bytes on Linux: it compares bytewise with `<`, and no name is
 * changed on its way through. See {@link byteString} and {@link textOf}.
 */
export type ByteString = string;

/** UTF-8 bytes of a text as a {@link ByteString}. */
export function byteString(text: string): ByteString {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The text of UTF-8 bytes; invalid sequences become U+FFFD, so use it for messages and known-ASCII names only. */
export function textOf(bytes: ByteString): string {
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

export type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** One member of an archive. Names are as in the archive but without trailing slash; nothing about them is trusted. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: ByteString;
  /** Permission bits with setuid, setgid and sticky: the low 12 bits of st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Content length in bytes; 0 for all but files. */
  readonly size: number;
  /** Its content is not `size` bytes in a row of the archive. */
  readonly sparse?: true;
  /** Nanoseconds since the epoch. */
  readonly mtime: bigint;
  /** Target of a symlink, verbatim, or the archive name of a hardlink's first name. */
  readonly linkname?: ByteString;
  readonly devmajor?: number;
  readonly devminor?: number;
  /** Extended attributes (PAX `SCHILY.xattr.<key>`), values byte for byte. */
  readonly xattrs?: ReadonlyMap<ByteString, Uint8Array>;
}

export const TAR_BLOCK = 512;

/** Zero bytes that follow content of this length. */
export function tarPadding(size: number): number {
  return -size & (TAR_BLOCK - 1);
}
