import { posix } from 'node:path';
import { atOnce, type Digest, digester, invalidArgument } from '../../base/index.ts';
import { encodeName } from '../../sys/index.ts';

/** What of an entry beside its content enters its digest, and can change alone. */
export interface EntryMeta {
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** An entry of a content tree. Digests and children are found as they are asked for and then kept. */
export interface TreeNode {
  readonly kind: 'file' | 'dir' | 'symlink';
  /** Target of a symlink. */
  readonly link?: string;
  /** Where it is known: for who tells what has changed. */
  readonly meta?: EntryMeta;
  /** Of the entry itself; of a directory, its header alone. */
  digest?: Digest;
  /** Of a directory with all in it. */
  content?: Digest;
  readonly children?: Map<string, TreeNode>;
  /** Whether `children` are all there are. */
  complete?: boolean;
}

/** Reads what a tree does not know yet; paths are resolved, from the root, '' is the root. Absent for trees that are whole. */
export interface TreeReader {
  entry(path: string): TreeNode | undefined;
  children(path: string): Iterable<readonly [string, TreeNode]>;
  digest(path: string): Digest;
}

/** What is needed is not in the tree and there is no reader. */
export class MissingFromTree extends Error {}

const MAX_LINKS = 255;
/** Entries in one step. */
const STEP = 64;
const HEADER_OF_NOTHING: Digest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export function newDirectory(meta?: EntryMeta): TreeNode {
  return { kind: 'dir', children: new Map(), ...(meta === undefined ? {} : { meta }) };
}

/** A root for trees that are received, whose root has no header of its own. */
export function receivedRoot(): TreeNode {
  return { ...newDirectory(), digest: HEADER_OF_NOTHING, complete: true };
}

/**
 * Content digests over a file tree, filled in from a reader as far as they are asked for. Paths are `/a/b`, with '' for the root.
 */
export class ContentTree {
  readonly root: TreeNode;
  readonly #reader: TreeReader | undefined;
  /** Whether something was learned since the tree was made. */
  changed = false;

  constructor(root: TreeNode, reader?: TreeReader) {
    this.root = root;
    this.#reader = reader;
  }

  /** The entry at a path as it is written, no symlinks followed. */
  get(path: string): TreeNode | undefined {
    let node = this.root;
    let here = '';
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (node.kind !== 'dir') return undefined;
      here = `${here}/${name}`;
      const child = this.#child(node, name, here);
      if (!child) return undefined;
      node = child;
    }
    return node;
  }

  /** Resolves symlinks inside the tree; the last one only with `followLast`. `node` is undefined where nothing is. */
  resolve(path: string, followLast: boolean): { readonly path: string; readonly node: TreeNode | undefined } {
    let current = '';
    let node: TreeNode | undefined = this.root;
    let rest = path.replace(/^\/+/, '');
    let links = 0;
    while (rest !== '') {
      const slash = rest.indexOf('/');
      const name = slash < 0 ? rest : rest.slice(0, slash);
      rest = slash < 0 ? '' : rest.slice(slash + 1);
      const next = keyPath(posix.join('/', current, name));
      node = this.get(next);
      if (node?.kind !== 'symlink' || (!followLast && rest === '')) {
        current = next;
        continue;
      }
      if (++links > MAX_LINKS) throw invalidArgument(`too many links found while resolving ${JSON.stringify(path)}`);
      const target = node.link ?? '';
      rest = rest === '' ? target : `${target}/${rest}`;
      if (target.startsWith('/')) current = '';
      // An empty rest ends the loop at the link's own directory.
      if (rest === '') node = this.get(current);
    }
    return { path: current, node };
  }

  /** Names and entries of a directory in the order of their bytes. */
  sortedChildren(node: TreeNode, path: string): readonly (readonly [string, TreeNode])[] {
    this.#complete(node, path);
    const children = [...node.children!];
    const sorted = children.map(([name, child]) => [encodeName(name), name, child] as const);
    sorted.sort((a, b) => Buffer.compare(a[0], b[0]));
    return sorted.map(([, name, child]) => [name, child] as const);
  }

  /** Digest of the entry itself: a file, a symlink, a directory's header. */
  entryDigest(node: TreeNode, path: string): Digest {
    if (node.digest === undefined) {
      node.digest = this.#read(path).digest(path);
      this.changed = true;
    }
    return node.digest;
  }

  /** Digest of an entry with all that is in it. */
  contentDigest(node: TreeNode, path: string): Digest {
    return atOnce(this.digesting(node, path));
  }

  /** The same in short steps. */
  *digesting(node: TreeNode, path: string): Generator<void, Digest, void> {
    if (node.kind !== 'dir') return this.entryDigest(node, path);
    if (node.content === undefined) {
      const hash = digester();
      hash.update('\0');
      hash.update(this.entryDigest(node, path));
      let count = 0;
      for (const [name, child] of this.sortedChildren(node, path)) {
        hash.update(encodeName(`\0${name}`));
        const below = `${path}/${name}`;
        hash.update(child.kind === 'dir' ? yield* this.digesting(child, below) : this.entryDigest(child, below));
        if (++count % STEP === 0) yield;
      }
      node.content = hash.digest();
      this.changed = true;
    }
    return node.content;
  }

  #child(node: TreeNode, name: string, path: string): TreeNode | undefined {
    const known = node.children!.get(name);
    if (known || node.complete) return known;
    const found = this.#read(path).entry(path);
    if (found) {
      node.children!.set(name, found);
      this.changed = true;
    }
    return found;
  }

  #complete(node: TreeNode, path: string): void {
    if (node.complete) return;
    for (const [name, child] of this.#read(path).children(path))
      if (!node.children!.has(name)) node.children!.set(name, child);
    node.complete = true;
    this.changed = true;
  }

  #read(path: string): TreeReader {
    if (!this.#reader) throw new MissingFromTree(path);
    return this.#reader;
  }
}

/** `/a/b` without trailing slash, '' for the root. */
export function keyPath(path: string): string {
  const clean = posix.join('/', path).replace(/\/$/, '');
  return clean;
}
