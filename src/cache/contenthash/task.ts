import type { Digest } from '../../base/index.ts';
import { openRoot, type TaskContext } from '../../sys/index.ts';
import { type ContentChanges, contentChanges } from './changes.ts';
import { type ContentSelector, selectionDigest } from './checksum.ts';
import { ScanReader } from './scan.ts';
import { ContentTree, MissingFromTree, newDirectory, type TreeNode } from './tree.ts';
import { decodeTree, encodeTree } from './tree-bytes.ts';

export interface ChecksumArgs {
  /** Mounted file system; without one only what the tree knows can be answered. */
  readonly directory?: string;
  readonly tree?: Uint8Array;
  readonly selectors: readonly ContentSelector[];
}

export interface ChecksumAnswer {
  /** Undefined when the file system is needed. */
  readonly digest?: Digest;
  /** The tree with what was learned, when something was. */
  readonly tree?: Uint8Array;
}

/** Worker task. */
export function checksum(args: ChecksumArgs, context: TaskContext): ChecksumAnswer {
  const known = args.tree && storedTree(args.tree);
  if (args.directory === undefined) {
    if (!known) return {};
    try {
      return { digest: selectionDigest(new ContentTree(known), args.selectors) };
    } catch (error) {
      if (error instanceof MissingFromTree) return {};
      throw error;
    }
  }
  using root = openRoot(args.directory);
  using reader = new ScanReader(root, () => context.throwIfAborted());
  const tree = new ContentTree(known ?? newDirectory(), reader);
  const digest = selectionDigest(tree, args.selectors);
  if (!tree.changed) return { digest };
  const bytes = encodeTree(tree.root);
  context.transfer(bytes.buffer as ArrayBuffer);
  return { digest, tree: bytes };
}

export interface ChangesArgs {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** {@link selectionText} */
  readonly selection: string;
  /** Changes that are told. */
  readonly most: number;
}

/** Worker task; undefined where it is not known any more. */
export function changes({ before, after, selection, most }: ChangesArgs): ContentChanges | undefined {
  const [was, is] = [storedTree(before), storedTree(after)];
  if (was === undefined || is === undefined) return undefined;
  return contentChanges(was, is, JSON.parse(selection) as readonly ContentSelector[], most);
}

function storedTree(bytes: Uint8Array): TreeNode | undefined {
  try {
    return decodeTree(bytes);
  } catch {
    // Damaged or of another version: found out anew.
    return undefined;
  }
}
