import { posix } from 'node:path';
import { type ContentSelector, filtered } from './checksum.ts';
import { ContentTree, keyPath, MissingFromTree, type TreeNode } from './tree.ts';

/** An entry that is not as it was; `path` from the root of what it was selected from, `before` and `after` of a mode (`0644`), an owner (`0:0`) or a link. */
export interface ContentChange {
  readonly path: string;
  /** `changed` where it is not known what of it is another. */
  readonly change: 'added' | 'removed' | 'content' | 'mode' | 'owner' | 'kind' | 'link' | 'attributes' | 'changed';
  readonly before?: string;
  readonly after?: string;
}

export interface ContentChanges {
  /** In the order of paths, selector by selector. */
  readonly first: readonly ContentChange[];
  /** Of all; what is in a directory that is new or gone counts as one. */
  readonly count: number;
}

/** What differs between two trees in what the selectors take; undefined where the trees do not know all of it. */
export function contentChanges(
  before: TreeNode,
  after: TreeNode,
  selectors: readonly ContentSelector[],
  most: number,
): ContentChanges | undefined {
  const comparison = new Comparison(new ContentTree(before), new ContentTree(after), most);
  try {
    for (const selector of selectors.length === 0 ? [{ path: '/' }] : selectors) comparison.compare(selector);
  } catch (error) {
    if (error instanceof MissingFromTree) return undefined;
    throw error;
  }
  return { first: comparison.first, count: comparison.seen.size };
}

type Place = { readonly node: TreeNode; readonly path: string } | undefined;

class Comparison {
  readonly first: ContentChange[] = [];
  readonly seen = new Set<string>();
  readonly #before: ContentTree;
  readonly #after: ContentTree;
  readonly #most: number;

  constructor(before: ContentTree, after: ContentTree, most: number) {
    this.#before = before;
    this.#after = after;
    this.#most = most;
  }

  compare(selector: ContentSelector): void {
    const follow = selector.followLinks ?? false;
    const [was, is] = [filtered(this.#before, selector), filtered(this.#after, selector)];
    if (was === undefined || is === undefined) {
      this.#follow(keyPath(selector.path), follow);
      return;
    }
    const earlier = new Map(was.map((found) => [found.path, found]));
    const now = new Map(is.map((found) => [found.path, found]));
    for (const path of [...new Set([...earlier.keys(), ...now.keys()])].sort()) {
      const [a, b] = [earlier.get(path), now.get(path)];
      const isFollowed = (found: typeof a) => follow && found?.outermost === true && found.node.kind === 'symlink';
      if (isFollowed(a) || isFollowed(b)) this.#follow(path, true);
      else this.#entries(path, placeOf(a), placeOf(b));
    }
  }

  #follow(path: string, follow: boolean): void {
    const [a, b] = [this.#before.resolve(path, follow), this.#after.resolve(path, follow)];
    this.#trees(path, placeOf({ ...a, source: a.path }), placeOf({ ...b, source: b.path }));
  }

  /** With all that is in them. */
  #trees(path: string, a: Place, b: Place): void {
    const open: (readonly [string, Place, Place])[] = [[path, a, b]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [at, was, is] = next;
      if (was?.node.content !== undefined && was.node.content === is?.node.content) continue;
      this.#entries(at, was, is);
      if (was?.node.kind !== 'dir' || is?.node.kind !== 'dir') continue;
      const earlier = new Map(this.#before.sortedChildren(was.node, was.path));
      const now = new Map(this.#after.sortedChildren(is.node, is.path));
      const names = [...new Set([...earlier.keys(), ...now.keys()])].sort();
      for (const name of names.reverse()) {
        const child = (place: NonNullable<Place>, children: ReadonlyMap<string, TreeNode>): Place => {
          const node = children.get(name);
          return node && { node, path: `${place.path}/${name}` };
        };
        open.push([`${at}/${name}`, child(was, earlier), child(is, now)]);
      }
    }
  }

  #entries(path: string, was: Place, is: Place): void {
    const change = this.#change(was, is);
    if (change === undefined || this.seen.has(path)) return;
    this.seen.add(path);
    if (this.first.length < this.#most) this.first.push({ path: posix.join('/', path).slice(1), ...change });
  }

  #change(was: Place, is: Place): Omit<ContentChange, 'path'> | undefined {
    if (was === undefined || is === undefined) return was === is ? undefined : { change: was ? 'removed' : 'added' };
    if (this.#before.entryDigest(was.node, was.path) === this.#after.entryDigest(is.node, is.path)) return undefined;
    return difference(was.node, is.node);
  }
}

function placeOf(found: { readonly node: TreeNode | undefined; readonly source: string } | undefined): Place {
  return found?.node && { node: found.node, path: found.source };
}

/** Of two entries whose digests differ. */
function difference(was: TreeNode, is: TreeNode): Omit<ContentChange, 'path'> {
  if (was.kind !== is.kind) return { change: 'kind', before: was.kind, after: is.kind };
  if (was.link !== is.link) return { change: 'link', before: was.link ?? '', after: is.link ?? '' };
  const [a, b] = [was.meta, is.meta];
  if (a === undefined || b === undefined) return { change: 'changed' };
  const octal = (mode: number) => mode.toString(8).padStart(4, '0');
  if (a.mode !== b.mode) return { change: 'mode', before: octal(a.mode), after: octal(b.mode) };
  if (a.uid !== b.uid || a.gid !== b.gid)
    return { change: 'owner', before: `${a.uid}:${a.gid}`, after: `${b.uid}:${b.gid}` };
  return { change: is.kind === 'file' ? 'content' : 'attributes' };
}
