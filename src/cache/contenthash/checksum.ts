import { posix } from 'node:path';
import {
  CodedError,
  type Digest,
  digester,
  digestOf,
  hasGlob,
  matchGlob,
  type ParentMatches,
  PatternMatcher,
} from '../../base/index.ts';
import { encodeName } from '../../sys/index.ts';
import { type ContentTree, keyPath, type TreeNode } from './tree.ts';

/** A part of a file tree that an op reads. */
export interface ContentSelector {
  readonly path: string;
  /** `path` is a pattern. */
  readonly wildcard?: boolean;
  /** A symlink at the path itself counts as what it names. */
  readonly followLinks?: boolean;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  /** Paths that must be among what was selected. */
  readonly requiredPaths?: readonly string[];
}

/** Selectors as text, to be kept with the digest of what they took. */
export function selectionText(selectors: readonly ContentSelector[]): string {
  return JSON.stringify(selectors);
}

/** One digest over several selectors; the whole tree when there is none. */
export function selectionDigest(tree: ContentTree, selectors: readonly ContentSelector[]): Digest {
  const all = selectors.length === 0 ? [{ path: '/' }] : selectors;
  return digestOf(all.map((selector) => selectorDigest(tree, selector)).join('\0'));
}

/** @throws CodedError not_found when the path is not there (a pattern that matches nothing is not an error). */
function selectorDigest(tree: ContentTree, selector: ContentSelector): Digest {
  const path = cleanPath(selector);
  if (!isFiltered(selector)) return pathDigest(tree, path, selector.followLinks ?? false);
  const { prefix, found } = new Selection(tree, path, selector).run();
  const digests = found.map(({ path: at, source, node, outermost }) =>
    selector.followLinks && outermost && node.kind === 'symlink'
      ? pathDigest(tree, at, true)
      : tree.entryDigest(node, source),
  );
  if (found.length === 0) return digestOf('');
  if (found.length === 1 && posix.basename(path) === posix.basename(found[0]!.path)) return digests[0]!;
  const hash = digester();
  for (const [index, { path: at }] of found.entries()) {
    const key = (at.startsWith(prefix) ? at.slice(prefix.length) : at).replaceAll('/', '\0');
    hash.update(key === '' ? '\0' : encodeName(key));
    hash.update(digests[index]!);
  }
  return hash.digest();
}

/** What a wildcard or filtered selector takes, in key order; undefined for a plain one, which takes its path with all below it. */
export function filtered(tree: ContentTree, selector: ContentSelector): readonly Found[] | undefined {
  return isFiltered(selector) ? new Selection(tree, cleanPath(selector), selector).run().found : undefined;
}

function isFiltered({ wildcard, includePatterns, excludePatterns }: ContentSelector): boolean {
  return wildcard === true || (includePatterns?.length ?? 0) > 0 || (excludePatterns?.length ?? 0) > 0;
}

function cleanPath({ path }: ContentSelector): string {
  return posix.join('/', path).replace(/(?<=.)\/$/, '');
}

function pathDigest(tree: ContentTree, path: string, followLinks: boolean): Digest {
  const resolved = tree.resolve(keyPath(path), followLinks);
  if (!resolved.node) throw notFound(keyPath(path));
  return tree.contentDigest(resolved.node, resolved.path);
}

function notFound(path: string): CodedError {
  return CodedError.of('CONTENT_PATH_NOT_FOUND', `${JSON.stringify(path)}: not found`);
}

/** A file or a directory's header that is in; `path` as the selector spells it, `source` where it really is. */
interface Found {
  readonly path: string;
  readonly source: string;
  readonly node: TreeNode;
  /** No directory above it was selected as a header. */
  readonly outermost: boolean;
}

interface DirHeader extends Found {
  included: boolean;
  readonly includes: ParentMatches;
  readonly excludes: ParentMatches;
}

/** Collects the entries that a wildcard or filtered selector takes, in key order: a directory's header, then what is in it. */
class Selection {
  readonly #tree: ContentTree;
  readonly #pattern: string;
  readonly #skipOwnHeader: boolean;
  readonly #selector: ContentSelector;
  readonly #include: PatternMatcher | undefined;
  readonly #exclude: PatternMatcher | undefined;
  readonly #found: Found[] = [];

  constructor(tree: ContentTree, path: string, selector: ContentSelector) {
    this.#tree = tree;
    this.#selector = selector;
    this.#pattern = keyPath(path);
    this.#skipOwnHeader = path.endsWith('/');
    this.#include = matcher(selector.includePatterns);
    this.#exclude = matcher(selector.excludePatterns);
  }

  run(): { readonly prefix: string; readonly found: readonly Found[] } {
    const { wildcard } = this.#selector;
    const parts = this.#pattern.split('/').filter(Boolean);
    const fixed = wildcard ? parts.findIndex(hasGlob) : -1;
    const rest = fixed < 0 ? [] : parts.slice(fixed);
    const prefix = keyPath(fixed < 0 ? this.#pattern : parts.slice(0, fixed).join('/'));
    const base = this.#tree.resolve(prefix, rest.length > 0);
    if (base.node) this.#match(base.node, base.path, prefix, rest);
    for (const required of this.#selector.requiredPaths ?? [])
      if (!this.#found.some((entry) => entry.path.startsWith(required))) throw notFound(required);
    return { prefix, found: this.#found };
  }

  /** Descends along the pattern's components, then takes each match with all in it. */
  #match(node: TreeNode, source: string, path: string, pattern: readonly string[]): void {
    const [component, ...rest] = pattern;
    if (component === undefined) {
      this.#take(node, source, path, path, []);
      return;
    }
    if (node.kind !== 'dir') return;
    for (const [name, child] of this.#tree.sortedChildren(node, source))
      if (matchGlob(component, name)) this.#match(child, `${source}/${name}`, `${path}/${name}`, rest);
  }

  #take(node: TreeNode, source: string, path: string, top: string, headers: readonly DirHeader[]): void {
    const parent = headers.at(-1);
    const candidate = path.slice(top.length).replace(/^\//, '');
    const include = this.#include?.matchChild(candidate, parent?.includes ?? []);
    let selected = include?.matched ?? true;
    let excludes: ParentMatches = [];
    if (selected && this.#exclude) {
      const exclude = this.#exclude.matchChild(candidate, parent?.excludes ?? []);
      excludes = exclude.parents;
      selected = !exclude.matched;
    }
    const entry = { path, source, node, outermost: parent === undefined };
    if (node.kind !== 'dir') {
      if (selected) this.#add(entry, headers);
      return;
    }
    let inner = headers;
    if (!(this.#skipOwnHeader && path === this.#pattern)) {
      const header: DirHeader = { ...entry, included: false, includes: include?.parents ?? [], excludes };
      if (selected) {
        this.#add(header, headers);
        header.included = true;
      }
      inner = [...headers, header];
    }
    for (const [name, child] of this.#tree.sortedChildren(node, source))
      this.#take(child, `${source}/${name}`, `${path}/${name}`, top, inner);
  }

  #add(entry: Found, headers: readonly DirHeader[]): void {
    for (const header of headers) {
      if (header.included) continue;
      header.included = true;
      this.#found.push(header);
    }
    this.#found.push(entry);
  }
}

function matcher(patterns: readonly string[] | undefined): PatternMatcher | undefined {
  return patterns?.length ? new PatternMatcher(patterns) : undefined;
}
