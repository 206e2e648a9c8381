import { invalidArgument } from '../base/index.ts';

type Token = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'any' } | { readonly kind: 'star' };

/**
 * A shell pattern of parameter expansion (POSIX 2.13 without brackets): `*`, `?` and backslash escapes. Neither wildcard matches a
 * line feed. Matching is by dynamic programming, so that no pattern costs more than its length times the value's.
 */
export class ShellPattern {
  readonly #tokens: readonly Token[];

  private constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** @throws CodedError invalid_argument on an escape that is none */
  static parse(source: string): ShellPattern {
    const tokens: Token[] = [];
    const characters = [...source];
    for (let i = 0; i < characters.length; i += 1) {
      let character = characters[i]!;
      if (character === '*') tokens.push({ kind: 'star' });
      else if (character === '?') tokens.push({ kind: 'any' });
      else {
        if (character === '\\') {
          i += 1;
          character = characters[i] ?? '';
          if (!['}', '/', '*', '?', '\\'].includes(character))
            throw invalidArgument(`invalid pattern (${source}) in substitution: invalid escape '\\${character}'`);
        }
        tokens.push({ kind: 'literal', text: character });
      }
    }
    return new ShellPattern(tokens);
  }

  /** The value without the shortest or longest matching start. */
  trimPrefix(value: string, longest: boolean): string {
    const characters = [...value];
    const end = matchEnd(this.#tokens, characters, 0, longest);
    return end === undefined ? value : characters.slice(end).join('');
  }

  /** The value without the shortest or longest matching end. */
  trimSuffix(value: string, longest: boolean): string {
    const characters = [...value].reverse();
    const end = matchEnd(this.#tokens.toReversed(), characters, 0, longest);
    return end === undefined ? value : characters.slice(end).reverse().join('');
  }

  /** The value with the first (or every) longest match replaced. */
  replace(value: string, replacement: string, all: boolean): string {
    const characters = [...value];
    let out = '';
    let at = 0;
    let lastEnd = -1;
    while (at <= characters.length) {
      const end = matchEnd(this.#tokens, characters, at, true);
      if (end !== undefined && !(end === at && at === lastEnd)) {
        out += replacement;
        if (!all) return out + characters.slice(end).join('');
        lastEnd = end;
        if (end > at) {
          at = end;
          continue;
        }
      }
      out += characters[at] ?? '';
      at += 1;
    }
    return out;
  }
}

/** Where a match that starts at `start` ends: the nearest or the farthest such place. */
function matchEnd(
  tokens: readonly Token[],
  value: readonly string[],
  start: number,
  longest: boolean,
): number | undefined {
  let reached = new Set([start]);
  for (const token of tokens) {
    const next = new Set<number>();
    if (token.kind === 'star') {
      // From the nearest place on, everything up to a line feed is within reach; farther places extend over their own line.
      let covered = -1;
      for (const from of [...reached].sort((a, b) => a - b)) {
        if (from <= covered) continue;
        next.add(from);
        let at = from;
        while (at < value.length && value[at] !== '\n') {
          at += 1;
          next.add(at);
        }
        covered = at;
      }
    } else {
      for (const from of reached) {
        const character = value[from];
        if (character === undefined) continue;
        if (token.kind === 'any' ? character !== '\n' : character === token.text) next.add(from + 1);
      }
    }
    if (next.size === 0) return undefined;
    reached = next;
  }
  let best: number | undefined;
  for (const end of reached) if (best === undefined || (longest ? end > best : end < best)) best = end;
  return best;
}
