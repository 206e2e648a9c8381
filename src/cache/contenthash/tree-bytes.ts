import { atOnce, CodedError, type Digest } from '../../base/index.ts';
import { decodeName, encodeName } from '../../sys/index.ts';
import type { EntryMeta, TreeNode } from './tree.ts';

const VERSION = 3;
/** The same without what {@link HAS_META} says. */
const VERSION_WITHOUT_META = 2;
const KINDS = ['file', 'dir', 'symlink'] as const;
const HAS_DIGEST = 4;
const HAS_CONTENT = 8;
const COMPLETE = 16;
/** Nodes in one step. */
const STEP = 64;
const HAS_META = 32;
/** As the last one that had any. */
const SAME_OWNER = 64;

/**
 * A tree as compact bytes, about 40 a file: version, then each node as flags, digests (32 bytes each), mode and, where it is another than before, owner, link, and for directories the number of children, each with
 * its name before it.
 */
export function encodeTree(root: TreeNode): Uint8Array {
  return atOnce(encodingTree(root));
}

/** The same in short steps. */
export function* encodingTree(root: TreeNode): Generator<void, Uint8Array, void> {
  let count = 0;
  let bytes = Buffer.allocUnsafe(64 * 1024);
  let at = 0;
  const reserve = (more: number) => {
    if (at + more <= bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + more));
    bytes.copy(grown, 0, 0, at);
    bytes = grown;
  };
  const text = (value: string) => {
    const name = encodeName(value);
    reserve(4 + name.length);
    at = bytes.writeUInt32LE(name.length, at);
    at += name.copy(bytes, at);
  };
  const digest = (value: Digest | undefined) => {
    if (value === undefined) return;
    at += bytes.write(value.slice('sha256:'.length), at, 'hex');
  };
  let owner: { readonly uid: number; readonly gid: number } | undefined;
  const stack: (readonly [string | undefined, TreeNode])[] = [[undefined, root]];
  at = bytes.writeUInt8(VERSION, at);
  for (let next = stack.pop(); next; next = stack.pop()) {
    const [name, node] = next;
    if (++count % STEP === 0) yield;
    if (name !== undefined) text(name);
    reserve(16);
    const { meta } = node;
    const isSame = meta !== undefined && meta.uid === owner?.uid && meta.gid === owner.gid;
    const flags =
      KINDS.indexOf(node.kind) |
      (node.digest === undefined ? 0 : HAS_DIGEST) |
      (node.content === undefined ? 0 : HAS_CONTENT) |
      (node.complete ? COMPLETE : 0) |
      (meta === undefined ? 0 : HAS_META) |
      (isSame ? SAME_OWNER : 0);
    at = bytes.writeUInt8(flags, at);
    if (meta !== undefined) {
      at = bytes.writeUInt16LE(meta.mode, at);
      if (!isSame) {
        owner = meta;
        at = bytes.writeUInt32LE(meta.uid, at);
        at = bytes.writeUInt32LE(meta.gid, at);
      }
    }
    reserve(72);
    digest(node.digest);
    digest(node.content);
    if (node.kind === 'symlink') text(node.link ?? '');
    if (node.kind !== 'dir') continue;
    reserve(4);
    at = bytes.writeUInt32LE(node.children?.size ?? 0, at);
    for (const child of [...(node.children ?? [])].reverse()) stack.push(child);
  }
  return new Uint8Array(bytes.subarray(0, at));
}

/** @throws CodedError data_loss when the bytes are damaged or of another version: the tree is then scanned again. */
export function decodeTree(input: Uint8Array): TreeNode {
  return atOnce(decodingTree(input));
}

/** The same in short steps. */
export function* decodingTree(input: Uint8Array): Generator<void, TreeNode, void> {
  let count = 0;
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  let at = 0;
  try {
    const version = bytes.readUInt8(at++);
    if (version !== VERSION && version !== VERSION_WITHOUT_META) throw new RangeError('another version');
    const text = () => {
      const length = bytes.readUInt32LE(at);
      at += 4 + length;
      if (at > bytes.length) throw new RangeError('truncated');
      return decodeName(bytes.subarray(at - length, at));
    };
    const digest = (): Digest => {
      at += 32;
      if (at > bytes.length) throw new RangeError('truncated');
      return `sha256:${bytes.toString('hex', at - 32, at)}`;
    };
    let owner = { uid: 0, gid: 0 };
    const metaOf = (flags: number): EntryMeta => {
      const mode = bytes.readUInt16LE(at);
      at += 2;
      if ((flags & SAME_OWNER) === 0) {
        owner = { uid: bytes.readUInt32LE(at), gid: bytes.readUInt32LE(at + 4) };
        at += 8;
      }
      return { mode, ...owner };
    };
    const open: { children: Map<string, TreeNode>; left: number }[] = [];
    const read = (): TreeNode => {
      const flags = bytes.readUInt8(at++);
      const kind = KINDS[flags & 3];
      if (!kind) throw new RangeError('unknown kind');
      const node: TreeNode = {
        kind,
        ...(flags & HAS_META ? { meta: metaOf(flags) } : {}),
        ...(flags & HAS_DIGEST ? { digest: digest() } : {}),
        ...(flags & HAS_CONTENT ? { content: digest() } : {}),
        ...(kind === 'symlink' ? { link: text() } : {}),
        ...(kind === 'dir' ? { children: new Map() } : {}),
        ...(flags & COMPLETE ? { complete: true } : {}),
      };
      if (node.children) {
        open.push({ children: node.children, left: bytes.readUInt32LE(at) });
        at += 4;
      }
      return node;
    };
    const root = read();
    for (let top = open.at(-1); top; top = open.at(-1)) {
      if (++count % STEP === 0) yield;
      if (top.left-- === 0) {
        open.pop();
        continue;
      }
      const { children } = top;
      const name = text();
      children.set(name, read());
    }
    return root;
  } catch (error) {
    throw new CodedError('data_loss', 'stored content digests are damaged', { cause: error });
  }
}
