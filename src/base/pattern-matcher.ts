import { posix } from 'node:path';
import { CodedError } from './errors.ts';
import { type GlobToken, matchGlob, matchTokens, parseClass, toCodes } from './glob.ts';

/** What a directory's patterns said, handed on to its children: one bit for each pattern. Empty at the root. */
export type ParentMatches = readonly boolean[];

/** Whether the path is matched in the end, and what to hand to its children. */
interface PathMatch {
  readonly matched: boolean;
  readonly parents: ParentMatches;
}

interface Pattern {
  readonly text: string;
  readonly negated: boolean;
  readonly components: readonly string[];
  matches(path: string): boolean;
}

/**
 * Ordered include or exclude patterns as `.dockerignore` and LLB's include and exclude lists have them: the last pattern that matches a path or one of
 * its parents decides, `!` turns a match off again, `*` stops at `/`, `**` does not. Paths are relative, clean, with `/`.
 */
export class PatternMatcher {
  readonly #patterns: readonly Pattern[];
  readonly #hasNegated: boolean;

  /** @throws CodedError invalid_argument on a malformed pattern. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map(compilePattern).filter((pattern) => pattern !== undefined);
    this.#hasNegated = this.#patterns.some((pattern) => pattern.negated);
  }

  get empty(): boolean {
    return this.#patterns.length === 0;
  }

  /** Whether a `!` pattern is among them. */
  get hasNegated(): boolean {
    return this.#hasNegated;
  }

  /** Whether the path is matched, by itself or through a parent. For a whole tree use {@link matchChild}. */
  matches(path: string): boolean {
    return this.matchChild(path, []).matched;
  }

  /** For walkers: the path's result from its parent's (`[]` when the parent is unknown or the root: parents are then looked at here). */
  matchChild(path: string, parent: ParentMatches): PathMatch {
    const results = new Array<boolean>(this.#patterns.length).fill(false);
    let matched = false;
    for (const [index, pattern] of this.#patterns.entries()) {
      let match = parent[index] ?? false;
      if (!match) {
        // A pattern that could not change the outcome is not tried.
        if (pattern.negated !== matched) continue;
        match = pattern.matches(path) || (parent.length === 0 && matchesParent(pattern, path));
        if (!match) continue;
      }
      results[index] = true;
      matched = !pattern.negated;
    }
    return { matched, parents: results };
  }

  /** Whether everything beneath this matched directory is matched too, so that an excluding walker need not enter it. */
  canPrune(directory: string): boolean {
    return !this.#patterns.some((pattern) => pattern.negated && mayMatchInside(pattern, directory));
  }

  /** Whether something beneath this directory may be matched though the directory is not, so that an including walker must enter it. */
  mayMatchInside(directory: string): boolean {
    return this.#patterns.some((pattern) => !pattern.negated && mayMatchInside(pattern, directory));
  }
}

/** Lines of a `.dockerignore` file as patterns: comments and blank lines dropped, a leading `/` stripped, paths cleaned. */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\ufeff/, '').split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    let pattern = line.trim();
    if (pattern === '') continue;
    const negated = pattern.startsWith('!');
    if (negated) pattern = pattern.slice(1).trim();
    if (pattern !== '') {
      pattern = cleanPath(pattern);
      if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1);
    }
    patterns.push(negated ? `!${pattern}` : pattern);
  }
  return patterns;
}

/** Go's `path.Clean`: no trailing slash, `.` for nothing. */
function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

function compilePattern(source: string): Pattern | undefined {
  let text = source.trim();
  if (text === '') return undefined;
  text = cleanPath(text);
  const negated = text.startsWith('!');
  if (negated) {
    if (text === '!') throw CodedError.of('BAD_PATTERN', 'illegal exclusion pattern: "!"');
    text = text.slice(1);
  }
  matchGlob(text, '.');
  return { text, negated, components: text.split('/'), matches: pathTest(text) };
}

/** The cheapest test that fits the pattern: most are plain paths, prefixes or suffixes. */
function pathTest(text: string): (path: string) => boolean {
  const special = /[*?[\]\\]/;
  if (!special.test(text)) return (path) => path === text;
  if (text.startsWith('**') && !special.test(text.slice(2))) {
    const suffix = text.slice(2);
    return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1));
  }
  if (text.endsWith('/**') && !special.test(text.slice(0, -2))) {
    const prefix = text.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  const tokens = compileTokens(text);
  return (path) => matchTokens(tokens, toCodes(path));
}

function compileTokens(text: string): GlobToken[] {
  const codes = toCodes(text);
  const tokens: GlobToken[] = [];
  let at = 0;
  while (at < codes.length) {
    const code = codes[at++]!;
    if (code === 0x2a && codes[at] === 0x2a) {
      at++;
      if (codes[at] === 0x2f) at++;
      tokens.push({ kind: at === codes.length ? 'globstar' : 'parents' });
    } else if (code === 0x2a) tokens.push({ kind: 'star' });
    else if (code === 0x3f) tokens.push({ kind: 'any' });
    else if (code === 0x5b) {
      const [token, next] = parseClass(codes, at, text);
      tokens.push(token);
      at = next;
    } else tokens.push({ kind: 'literal', code: code === 0x5c ? (codes[at++] ?? code) : code });
  }
  return tokens;
}

function matchesParent(pattern: Pattern, path: string): boolean {
  for (let slash = path.indexOf('/', 1); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    if (pattern.matches(path.slice(0, slash))) return true;
  }
  return false;
}

/** Conservative: true unless no path beneath `directory` can fit. */
function mayMatchInside(pattern: Pattern, directory: string): boolean {
  if (directory === '' || directory === '.') return true;
  const parts = directory.split('/');
  for (const [index, part] of parts.entries()) {
    const component = pattern.components[index];
    // A shorter pattern that fits a parent has already had its say at that parent.
    if (component === undefined) return false;
    if (component.includes('**') || component.includes('[')) return true;
    if (!matchGlob(component, part)) return false;
  }
  return pattern.components.length > parts.length;
}
