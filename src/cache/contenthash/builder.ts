import { type Digest, invalidArgument } from '../../base/index.ts';
import { ContentTree, type EntryMeta, keyPath, receivedRoot, type TreeNode } from './tree.ts';
import { decodingTree, encodingTree } from './tree-bytes.ts';

/** An entry as it was received; `digest` is that of {@link entryHash}. */
interface ReceivedEntry {
  readonly type: 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  readonly digest: Digest;
  /** Target of a symlink. */
  readonly linkname?: string;
  readonly meta?: EntryMeta;
}

/**
 * The content tree of files that are received, so that they need not be read again. Starts from the tree of what was there before; parents come before children;
 * changes make only the digests of the directories above them unknown.
 */
export class ContentTreeBuilder {
  readonly #root: TreeNode;

  private constructor(root: TreeNode) {
    this.#root = root;
  }

  /** In short steps. */
  static *opening(before?: Uint8Array): Generator<void, ContentTreeBuilder, void> {
    return new ContentTreeBuilder(before === undefined ? receivedRoot() : yield* decodingTree(before));
  }

  /** @throws CodedError invalid_argument when the parent is no directory that was received. */
  set(path: string, entry: ReceivedEntry): void {
    const { parent, name } = this.#parent(path);
    const before = parent.children!.get(name);
    const { digest } = entry;
    const meta = entry.meta === undefined ? {} : { meta: entry.meta };
    if (entry.type === 'dir') {
      const children = before?.kind === 'dir' ? before.children! : new Map<string, TreeNode>();
      parent.children!.set(name, { kind: 'dir', digest, children, complete: true, ...meta });
    } else if (entry.type === 'symlink')
      parent.children!.set(name, { kind: 'symlink', digest, link: entry.linkname ?? '', ...meta });
    else parent.children!.set(name, { kind: 'file', digest, ...meta });
  }

  /** A hardlink has the digest of the file it names, which came before. */
  setHardlink(path: string, target: string): void {
    const node = new ContentTree(this.#root).get(keyPath(target));
    if (!node?.digest || node.kind === 'dir') throw invalidArgument(`hardlink ${path} to unknown file ${target}`);
    const { digest, meta } = node;
    this.set(path, { type: 'file', digest, ...(meta === undefined ? {} : { meta }) });
  }

  /** Removes an entry with all in it; nothing where there is none. */
  delete(path: string): void {
    const { parent, name } = this.#parent(path);
    parent.children!.delete(name);
  }

  /** For `ContentHasher.setTree`; in short steps. */
  *finishing(): Generator<void, Uint8Array, void> {
    yield* new ContentTree(this.#root).digesting(this.#root, '');
    return yield* encodingTree(this.#root);
  }

  #parent(path: string): { readonly parent: TreeNode; readonly name: string } {
    const parts = keyPath(path).split('/').filter(Boolean);
    const name = parts.pop();
    if (name === undefined) throw invalidArgument('the root of a received tree has no entry of its own');
    let parent = this.#root;
    delete parent.content;
    for (const part of parts) {
      const child = parent.children!.get(part);
      if (child?.kind !== 'dir') throw invalidArgument(`${path} came before its directory`);
      delete child.content;
      parent = child;
    }
    return { parent, name };
  }
}
