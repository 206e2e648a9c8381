import { CodedError } from './errors.ts';

/** One step of a compiled pattern. `star` never crosses `/`, `globstar` is `.*`, `parents` is "any directories, also none". */
export type GlobToken =
  | { readonly kind: 'literal'; readonly code: number }
  | { readonly kind: 'any' }
  | { readonly kind: 'star' }
  | { readonly kind: 'globstar' }
  | { readonly kind: 'parents' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] };

const SLASH = 0x2f;

/** @throws CodedError invalid_argument: the field's error for a pattern that is no pattern. */
function badPattern(pattern: string): Error {
  return CodedError.of('BAD_PATTERN', `syntax error in pattern ${JSON.stringify(pattern)}`);
}

/** Reads the character class that starts after `[` at `start`; returns the token and the index after `]`. */
export function parseClass(codes: readonly number[], start: number, pattern: string): [GlobToken, number] {
  let at = start;
  const negated = codes[at] === 0x5e;
  if (negated) at++;
  const ranges: [number, number][] = [];
  const member = (): number => {
    let code = codes[at];
    if (code === undefined || code === 0x2d || code === 0x5d) throw badPattern(pattern);
    if (code === 0x5c) {
      code = codes[++at];
      if (code === undefined) throw badPattern(pattern);
    }
    at++;
    if (codes[at] === undefined) throw badPattern(pattern);
    return code;
  };
  while (!(codes[at] === 0x5d && ranges.length > 0)) {
    const low = member();
    let high = low;
    if (codes[at] === 0x2d) {
      at++;
      high = member();
    }
    ranges.push([low, high]);
  }
  return [{ kind: 'class', negated, ranges }, at + 1];
}

export function toCodes(text: string): number[] {
  return Array.from(text, (char) => char.codePointAt(0) ?? 0);
}

function tokenMatches(token: GlobToken, code: number): boolean {
  switch (token.kind) {
    case 'literal':
      return token.code === code;
    case 'any':
      return code !== SLASH;
    case 'class':
      return token.ranges.some(([low, high]) => low <= code && code <= high) !== token.negated;
    default:
      return false;
  }
}

function compileGlob(pattern: string): readonly GlobToken[] {
  const codes = toCodes(pattern);
  const tokens: GlobToken[] = [];
  let at = 0;
  while (at < codes.length) {
    const code = codes[at++]!;
    if (code === 0x2a) {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (code === 0x3f) tokens.push({ kind: 'any' });
    else if (code === 0x5b) {
      const [token, next] = parseClass(codes, at, pattern);
      tokens.push(token);
      at = next;
    } else if (code === 0x5c) {
      const escaped = codes[at++];
      if (escaped === undefined) throw badPattern(pattern);
      tokens.push({ kind: 'literal', code: escaped });
    } else tokens.push({ kind: 'literal', code });
  }
  return tokens;
}

const compiled = new Map<string, readonly GlobToken[]>();
const COMPILED_LIMIT = 1024;

/**
 * Shell globbing as Go's `path.Match` defines it: the whole of `name` must fit; `*` and `?` stop at `/`; `[a-z]`, `[^a-z]`, `\` escapes.
 * The work is bounded by the product of both lengths.
 * @throws CodedError invalid_argument when the pattern is malformed.
 */
export function matchGlob(pattern: string, name: string): boolean {
  let tokens = compiled.get(pattern);
  if (!tokens) {
    tokens = compileGlob(pattern);
    if (compiled.size >= COMPILED_LIMIT) compiled.clear();
    compiled.set(pattern, tokens);
  }
  const codes = toCodes(name);
  let token = 0;
  let at = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < codes.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      starToken = token++;
      starAt = at;
    } else if (current && tokenMatches(current, codes[at]!)) {
      token++;
      at++;
    } else if (starToken >= 0 && codes[starAt] !== SLASH) {
      token = starToken + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token]?.kind === 'star') token++;
  return token === tokens.length;
}

/** Whether a text holds an unescaped `*`, `?` or `[`, that is: whether {@link matchGlob} could match more than one name. */
export function hasGlob(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '*' || char === '?' || char === '[') return true;
  }
  return false;
}

/** The token may be left here; or `parents` is amid a directory's name and needs its slash first. */
const OPEN = 1;
const INSIDE = 2;

/** Runs tokens that may hold `globstar` and `parents` over all of `codes`, as a set of states: no input makes it slow. */
export function matchTokens(tokens: readonly GlobToken[], codes: readonly number[]): boolean {
  let states = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  const close = (set: Uint8Array) => {
    for (let i = 0; i < tokens.length; i++) {
      const kind = tokens[i]!.kind;
      if (set[i]! & OPEN && (kind === 'star' || kind === 'globstar' || kind === 'parents')) set[i + 1]! |= OPEN;
    }
  };
  states[0] = OPEN;
  close(states);
  for (const code of codes) {
    next.fill(0);
    let alive = false;
    for (let i = 0; i < tokens.length; i++) {
      if (!states[i]) continue;
      const token = tokens[i]!;
      if (token.kind === 'star') {
        if (code !== SLASH) next[i]! |= OPEN;
      } else if (token.kind === 'globstar') next[i]! |= OPEN;
      else if (token.kind === 'parents') next[i]! |= code === SLASH ? OPEN : INSIDE;
      else if (tokenMatches(token, code)) next[i + 1]! |= OPEN;
    }
    close(next);
    for (const state of next) if (state) alive = true;
    if (!alive) return false;
    [states, next] = [next, states];
  }
  return states[tokens.length] === OPEN;
}
