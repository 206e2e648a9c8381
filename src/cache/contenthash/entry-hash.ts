import { createHash } from 'node:crypto';
import type { Digest } from '../../base/index.ts';
import { encodeName } from '../../sys/index.ts';

/** What of a file-system entry enters its content digest; times do not. */
interface EntryHeader {
  readonly type: 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of regular files; others count as 0. */
  readonly size: number;
  readonly linkname: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** Sockets count as empty files. */
const TYPE_FLAGS = { file: '0', dir: '5', symlink: '2', char: '3', block: '4', fifo: '6', socket: '0' } as const;

/** A running digest of one entry: the header, then the file's bytes as they come. */
export interface EntryHash {
  update(data: Uint8Array): void;
  digest(): Digest;
}

/** The digest of an entry, its header hashed already. */
export function entryHash(entry: EntryHeader): EntryHash {
  const hash = createHash('sha256').update(headerBytes(entry));
  return {
    update: (data) => void hash.update(data),
    digest: () => `sha256:${hash.digest('hex')}`,
  };
}

/** The tarsum v1 header of an entry with an empty name; the file's bytes follow it. */
export function headerBytes(entry: EntryHeader): Buffer {
  const size = entry.type === 'file' ? entry.size : 0;
  const link = entry.type === 'symlink' ? entry.linkname : '';
  const text =
    `namemode${entry.mode & 0o7777}uid${entry.uid}gid${entry.gid}size${size}typeflag${TYPE_FLAGS[entry.type]}linkname${link}` +
    `unamegnamedevmajor${entry.devMajor}devminor${entry.devMinor}`;
  const parts: Uint8Array[] = [encodeName(text)];
  for (const name of [...entry.xattrs.keys()].filter(countsAsContent).sort())
    parts.push(encodeName(name), entry.xattrs.get(name)!);
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

function countsAsContent(xattr: string): boolean {
  return xattr === 'security.capability' || !(xattr.startsWith('security.') || xattr.startsWith('system.'));
}
