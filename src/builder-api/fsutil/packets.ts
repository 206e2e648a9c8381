import { CodedError } from '../../base/index.ts';
import { decodeName, encodeName } from '../../sys/index.ts';
import { longOf, toBigInt } from '../services/integers.ts';
import { fsutil } from '../wire/core.js';

const { Packet } = fsutil.types;
const { PACKET_STAT, PACKET_REQ, PACKET_DATA, PACKET_FIN, PACKET_ERR } = Packet.PacketType;

/**
 * One entry of a tree as fsutil tells it; `path` and `linkname` as sys has names, for any bytes. `mode` is Go's os.FileMode (mode.ts), `modTime` nanoseconds since the epoch.
 */
export interface FileStat {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; 0 for anything but a regular file, and for a hard link. */
  readonly size: number;
  readonly modTime: bigint;
  /** Target of a symlink; for a regular file: the path, within the transfer, that it is a hard link to. */
  readonly linkname: string;
  readonly devmajor: number;
  readonly devminor: number;
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
}

/** Whether an attribute is applied: another machine's security labels and overlay's own marks mean nothing here, or worse. */
export function isCarried(key: string): boolean {
  return !key.startsWith('trusted.') && key !== 'security.selinux';
}

export type FsPacket =
  /** `asLast` is the receiver's own knowledge: the entry is there already, just so. */
  | { readonly type: 'stat'; readonly stat: FileStat; readonly asLast?: true }
  /** End of the listing. */
  | { readonly type: 'statEnd' }
  | { readonly type: 'request'; readonly id: number }
  /** Empty data ends the file. */
  | { readonly type: 'data'; readonly id: number; readonly data: Uint8Array }
  | { readonly type: 'fin' }
  | { readonly type: 'error'; readonly message: string };

/** A stream of packets, either way; whoever made the stream half-closes it. */
export interface PacketStream {
  readonly packets: AsyncIterable<FsPacket>;
  /** A promise where the sender has to wait before the next. */
  send(packet: FsPacket): Promise<void> | undefined;
}

export function encodePacket(packet: FsPacket): Uint8Array {
  switch (packet.type) {
    case 'stat': {
      const { path, linkname, modTime, ...stat } = packet.stat;
      const names = { path: encodeName(path), linkname: encodeName(linkname) };
      return Packet.encode({ type: PACKET_STAT, stat: { ...stat, ...names, modTime: longOf(modTime) } }).finish();
    }
    case 'statEnd':
      // All fields at their defaults: an empty message.
      return new Uint8Array();
    case 'request':
      return Packet.encode({ type: PACKET_REQ, id: packet.id }).finish();
    case 'data':
      return Packet.encode({ type: PACKET_DATA, id: packet.id, data: packet.data }).finish();
    case 'fin':
      return Packet.encode({ type: PACKET_FIN }).finish();
    case 'error':
      return Packet.encode({ type: PACKET_ERR, data: Buffer.from(packet.message) }).finish();
  }
}

/** @throws CodedError internal for what is no packet */
export function decodePacket(bytes: Uint8Array): FsPacket {
  let packet: fsutil.types.Packet;
  try {
    packet = Packet.decode(bytes);
  } catch (cause) {
    throw new CodedError('internal', 'file transfer: a packet cannot be decoded', { cause, fault: 'user' });
  }
  switch (packet.type) {
    case PACKET_STAT:
      return packet.stat == null ? { type: 'statEnd' } : { type: 'stat', stat: fromWire(packet.stat) };
    case PACKET_REQ:
      return { type: 'request', id: packet.id };
    case PACKET_DATA:
      return { type: 'data', id: packet.id, data: packet.data };
    case PACKET_FIN:
      return { type: 'fin' };
    case PACKET_ERR:
      return { type: 'error', message: Buffer.from(packet.data).toString() };
    default:
      throw new CodedError('internal', `file transfer: unknown packet type ${packet.type}`, { fault: 'user' });
  }
}

function fromWire(stat: fsutil.types.Stat.$Properties): FileStat {
  return {
    path: nameOf(stat.path),
    mode: stat.mode ?? 0,
    uid: stat.uid ?? 0,
    gid: stat.gid ?? 0,
    size: Number(stat.size ?? 0),
    modTime: toBigInt(stat.modTime),
    linkname: nameOf(stat.linkname),
    devmajor: Number(stat.devmajor ?? 0),
    devminor: Number(stat.devminor ?? 0),
    xattrs: stat.xattrs ?? {},
  };
}

function nameOf(bytes: Uint8Array | undefined | null): string {
  return bytes == null || bytes.length === 0 ? '' : decodeName(bytes);
}
