import { writeSync } from 'node:fs';
import { S_IFBLK, S_IFCHR, S_IFIFO, type Stat } from '../../sys/index.ts';
import { TAR_BLOCK, type TarEntry, type TarHandler } from '../tar/index.ts';
import { archiveName, isPrivateXattr, pathComponents, WHITEOUT_PREFIX } from './names.ts';
import { withinTime } from './times.ts';

/**
 * An EROFS image around a tar as it is: room for the superblock, the tar, and behind it inodes and directories, whose files lie in the tar. The kernel reads metadata
 * that was written here alone; what a hostile archive says is bounded and checked before. Format: the kernel's fs/erofs/erofs_fs.h.
 */

/** Where the tar begins: the superblock is at 1024. */
export const TAR_START = 4096;
const SUPER_OFFSET = 1024;
const MAGIC = 0xe0f5_e1e2;
const COMPAT_MTIME = 2;
const BLOCK = TAR_BLOCK;
const BLOCK_BITS = 9;
const SLOT = 32;
const INODE = 64;
const DIRENT = 12;
/** Number 0 would be taken for none by readers of directories. */
const FIRST_NID = 4;
/** Extended inode, content in consecutive blocks. */
const FORMAT = 1;
/** Of what is kept in memory until the end: inodes, and bytes of names, targets and attributes. */
const MAX_ENTRIES = 300_000;
const MAX_KEPT_BYTES = 64 << 20;
/** Addresses are 32-bit numbers of blocks; half of that is left for what stands behind the tar. */
const MAX_TAR = 2 ** 31 * BLOCK;

/** Entries, or blocks, in a step. */
const STEP = 512;

const TYPE_BITS = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
} as const;
const DIRENT_TYPE = { file: 1, directory: 2, char: 3, block: 4, fifo: 5, symlink: 7 } as const;
const XATTR_PREFIXES = [
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
] as const;

interface Node {
  readonly type: keyof typeof TYPE_BITS;
  mode: number;
  uid: number;
  gid: number;
  mtime: bigint;
  size: number;
  /** Of its content in the image. */
  at: number;
  readonly target?: string;
  readonly device?: number;
  xattrs: Buffer | undefined;
  readonly children: Map<string, Node> | undefined;
  links: number;
  nid: number;
}

/** An archive that needs a directory: it says what no index can, or what only another writer judges. */
export class NotIndexable extends Error {}

/** Takes the entries of a tar whose bytes are written from {@link TAR_START} on; {@link finish} makes the image. For a layer that stands on none. */
export class ErofsIndex implements TarHandler {
  readonly #position: () => number;
  readonly #root: Node;
  #entries = 0;
  #keptBytes = 0;
  #lastPath = '';
  #last: Node;
  #newest: Node | undefined;

  /**
   * @param position bytes of the archive that were read: in {@link entry}, where its content is
   * @param root of whose attributes an archive says nothing
   */
  constructor(position: () => number, { mode, uid, gid, mtimeNs }: Pick<Stat, 'mode' | 'uid' | 'gid' | 'mtimeNs'>) {
    this.#position = position;
    this.#root = directoryOf({ mode: mode & 0o7777, uid, gid, mtime: mtimeNs });
    this.#last = this.#root;
  }

  entry(given: TarEntry): void {
    this.#keep(given.name.length + (given.linkname?.length ?? 0));
    const entry = withinTime(given);
    const parts = pathComponents(entry.name).map(archiveName);
    const name = parts.pop();
    if (name === undefined) return;
    const isOdd = entry.name.includes('\0') || entry.linkname?.includes('\0') || this.#position() > MAX_TAR;
    if (isOdd || name.startsWith(WHITEOUT_PREFIX) || entry.sparse === true) throw new NotIndexable(name);
    const siblings = this.#directory(parts).children!;
    const there = siblings.get(name);
    if (entry.type === 'hardlink') {
      const target = this.#target(entry);
      if (target !== there) this.#put(siblings, name, target);
      return;
    }
    const xattrs = xattrsOf(entry);
    this.#keptBytes += xattrs?.length ?? 0;
    const { mode, uid, gid, mtime } = entry;
    if (entry.type !== 'directory') {
      this.#newest = { ...leafOf(entry, this.#position()), xattrs };
      this.#put(siblings, name, this.#newest);
    } else if (there?.children === undefined) this.#put(siblings, name, { ...directoryOf(entry), xattrs });
    // Attributes that it had stay, as they do in a directory.
    else if (there.xattrs !== undefined && xattrs !== undefined) throw new NotIndexable(name);
    else Object.assign(there, { mode, uid, gid, mtime, xattrs: xattrs ?? there.xattrs });
  }

  hole(): void {
    throw new NotIndexable('a sparse file');
  }

  /** As {@link entry}, of a file whose content is yet to come: to be told where it is and how long it became. */
  expect(entry: TarEntry & { readonly type: 'file' }): (position: number, size: number) => void {
    this.entry(entry);
    const node = this.#newest!;
    return (position, size) => {
      node.at = TAR_START + position;
      node.size = size;
    };
  }

  /** Writes what stands before and behind a tar of so many bytes. */
  finish(fd: number, tarSize: number): void {
    for (const _ of this.finishing(fd, tarSize));
  }

  /** {@link finish} in steps, for a thread that others share. */
  *finishing(fd: number, tarSize: number): Generator<void, void, void> {
    const meta = Math.ceil((TAR_START + tarSize) / 4096) * 4096;
    const { nodes, parents } = yield* this.#numbered();
    const last = nodes.at(-1)!;
    const inodes = Buffer.alloc(last.nid * SLOT + sizeOf(last));
    const content = new Blocks(meta + Math.ceil(inodes.length / BLOCK) * BLOCK);
    for (const [n, node] of nodes.entries()) {
      if (n % STEP === 0) yield;
      const { at, size } =
        node.children !== undefined
          ? content.add(yield* direntBlocks(node, parents.get(node)!))
          : node.target !== undefined
            ? content.add([Buffer.from(node.target, 'latin1')])
            : node;
      writeInode(inodes, node, at, size);
    }
    writeAll(fd, inodes, meta);
    const end = content.write(fd);
    writeAll(fd, superblock({ meta, end, inodes: nodes.length }), 0);
  }

  #keep(bytes: number): void {
    this.#keptBytes += bytes;
    if (++this.#entries > MAX_ENTRIES || this.#keptBytes > MAX_KEPT_BYTES) throw new NotIndexable('too many entries');
  }

  #put(siblings: Map<string, Node>, name: string, node: Node): void {
    if (siblings.get(name)?.children !== undefined) {
      // What is kept of the last path may lie below what goes.
      this.#lastPath = '';
      this.#last = this.#root;
    }
    siblings.set(name, node);
  }

  /** Made where missing, as when files are written. What leads through a link is not followed here. */
  #directory(parts: readonly string[]): Node {
    const path = parts.join('/');
    if (path === this.#lastPath) return this.#last;
    let node = this.#root;
    for (const part of parts) {
      let next = node.children!.get(part);
      if (next === undefined) {
        this.#keep(0);
        next = directoryOf({ mode: 0o755, uid: 0, gid: 0, mtime: BigInt(Date.now()) * 1_000_000n });
        node.children!.set(part, next);
      }
      if (next.children === undefined) throw new NotIndexable(path);
      node = next;
    }
    this.#lastPath = path;
    this.#last = node;
    return node;
  }

  #target(entry: TarEntry): Node {
    const path = entry.linkname ?? '';
    let node: Node | undefined = this.#root;
    for (const part of pathComponents(path)) node = node?.children?.get(archiveName(part));
    if (node === undefined || node.children !== undefined) throw new NotIndexable(path);
    return node;
  }

  /** All that is left, the root first, each with its number; and the parents of directories. */
  *#numbered(): Generator<void, { readonly nodes: readonly Node[]; readonly parents: ReadonlyMap<Node, Node> }, void> {
    const nodes = [this.#root];
    const parents = new Map([[this.#root, this.#root]]);
    let nid = FIRST_NID;
    let seen = 0;
    // Those that are found on the way are appended.
    for (const node of nodes) {
      node.nid = nid;
      nid += Math.ceil(sizeOf(node) / SLOT);
      for (const child of node.children?.values() ?? []) {
        if (++seen % STEP === 0) yield;
        if (child.children !== undefined) parents.set(child, node);
        if (child.children !== undefined) node.links++;
        else child.links++;
        if (child.links <= 1 || child.children !== undefined) nodes.push(child);
      }
    }
    return { nodes, parents };
  }
}

function directoryOf({ mode, uid, gid, mtime }: Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime'>): Node {
  const children = new Map<string, Node>();
  return { type: 'directory', mode, uid, gid, mtime, size: 0, at: 0, xattrs: undefined, children, links: 2, nid: 0 };
}

function leafOf(entry: TarEntry, position: number): Omit<Node, 'xattrs'> {
  const { type, mode, uid, gid, mtime, size, linkname, devmajor = 0, devminor = 0 } = entry;
  const plain = { uid, gid, mtime, size, at: TAR_START + position, children: undefined, links: 0, nid: 0 };
  if (type === 'symlink') {
    // The kernel reads a target from one page.
    if (linkname === undefined || linkname.length > 4095) throw new NotIndexable(entry.name);
    return { ...plain, type, mode: 0o777, target: linkname };
  }
  if (type !== 'char' && type !== 'block') return { ...plain, type: type as 'file' | 'fifo', mode };
  if (devmajor > 0xfff || devminor > 0xf_ffff) throw new NotIndexable(entry.name);
  // A whiteout to overlayfs: of nothing, in a layer that stands on none.
  if (type === 'char' && devmajor === 0 && devminor === 0) throw new NotIndexable(entry.name);
  const device = ((devminor & 0xff) | (devmajor << 8) | ((devminor & ~0xff) << 12)) >>> 0;
  return { ...plain, type, mode, device };
}

/** Attributes as they lie behind the inode; undefined for none. */
function xattrsOf(entry: TarEntry): Buffer | undefined {
  const parts: Buffer[] = [];
  for (const [key, value] of entry.xattrs ?? []) {
    if (isPrivateXattr(key)) continue;
    const [prefix, index] = XATTR_PREFIXES.find(([one]) => key.startsWith(one)) ?? [];
    const isOfUser = index === 1 && entry.type !== 'file' && entry.type !== 'directory';
    // Other kinds, and an archive that says what a file system would not take, are left to the file system.
    if (prefix === undefined || isOfUser || key.length === prefix.length) throw new NotIndexable(key);
    const name = Buffer.from(key.slice(prefix.length), 'latin1');
    if (name.length > 255 || value.length > 4096) throw new NotIndexable(key);
    const part = Buffer.alloc(align(4 + name.length + value.length, 4));
    part.writeUInt8(name.length, 0);
    part.writeUInt8(index!, 1);
    part.writeUInt16LE(value.length, 2);
    name.copy(part, 4);
    part.set(value, 4 + name.length);
    parts.push(part);
  }
  if (parts.length === 0) return undefined;
  const all = Buffer.concat([Buffer.alloc(12), ...parts]);
  if (all.length > 16_384) throw new NotIndexable(entry.name);
  return all;
}

function writeInode(inodes: Buffer, node: Node, at: number, size: number): void {
  const start = node.nid * SLOT;
  const { xattrs } = node;
  inodes.writeUInt16LE(FORMAT, start);
  inodes.writeUInt16LE(xattrs === undefined ? 0 : (xattrs.length - 12) / 4 + 1, start + 2);
  inodes.writeUInt16LE(TYPE_BITS[node.type] | node.mode, start + 4);
  inodes.writeBigUInt64LE(BigInt(size), start + 8);
  inodes.writeUInt32LE(node.device ?? at / BLOCK, start + 16);
  inodes.writeUInt32LE(node.nid, start + 20);
  inodes.writeUInt32LE(node.uid, start + 24);
  inodes.writeUInt32LE(node.gid, start + 28);
  inodes.writeBigUInt64LE(node.mtime / 1_000_000_000n, start + 32);
  inodes.writeUInt32LE(Number(node.mtime % 1_000_000_000n), start + 40);
  inodes.writeUInt32LE(node.links, start + 44);
  xattrs?.copy(inodes, start + INODE);
}

const sizeOf = ({ xattrs }: Node) => INODE + (xattrs?.length ?? 0);

/** Names in the order of their bytes, as many to a block as fit: their descriptions first, the names behind. */
function* direntBlocks(node: Node, parent: Node): Generator<void, Buffer[], void> {
  const entries = [...node.children!, ['.', node] as const, ['..', parent] as const];
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const blocks: Buffer[] = [];
  for (let from = 0; from < entries.length; ) {
    let used = 0;
    let to = from;
    while (to < entries.length && used + DIRENT + entries[to]![0].length <= BLOCK)
      used += DIRENT + entries[to++]![0].length;
    // The last is as long as what is in it; others are filled up.
    const block = Buffer.alloc(to === entries.length ? used : BLOCK);
    let nameAt = (to - from) * DIRENT;
    for (let at = 0; from < to; from++, at += DIRENT) {
      const [name, { nid, type }] = entries[from]!;
      block.writeBigUInt64LE(BigInt(nid), at);
      block.writeUInt16LE(nameAt, at + 8);
      block.writeUInt8(DIRENT_TYPE[type], at + 10);
      nameAt += block.write(name, nameAt, 'latin1');
    }
    blocks.push(block);
    if (blocks.length % STEP === 0) yield;
  }
  return blocks;
}

/** What lies in blocks of its own behind the inodes. */
class Blocks {
  readonly #start: number;
  readonly #parts: Buffer[] = [];
  #size = 0;

  constructor(start: number) {
    this.#start = start;
  }

  /** All but the last part fill their blocks. */
  add(parts: readonly Buffer[]): { readonly at: number; readonly size: number } {
    const at = this.#start + this.#size;
    let size = 0;
    for (const part of parts) {
      this.#parts.push(part);
      size += part.length;
    }
    const padding = align(size, BLOCK) - size;
    if (padding > 0) this.#parts.push(Buffer.alloc(padding));
    this.#size += size + padding;
    return { at, size };
  }

  /** @returns where the image ends */
  write(fd: number): number {
    writeAll(fd, Buffer.concat(this.#parts), this.#start);
    return this.#start + this.#size;
  }
}

function superblock({ meta, end, inodes }: { meta: number; end: number; inodes: number }): Buffer {
  const head = Buffer.alloc(TAR_START);
  const at = SUPER_OFFSET;
  head.writeUInt32LE(MAGIC, at);
  head.writeUInt32LE(COMPAT_MTIME, at + 8);
  head.writeUInt8(BLOCK_BITS, at + 12);
  head.writeUInt16LE(FIRST_NID, at + 14);
  head.writeBigUInt64LE(BigInt(inodes), at + 16);
  head.writeUInt32LE(end / BLOCK, at + 36);
  head.writeUInt32LE(meta / BLOCK, at + 40);
  return head;
}

const align = (size: number, to: number) => Math.ceil(size / to) * to;

/** Writes all, wherever the kernel stops. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}
