import { type CodedError, invalidArgument } from '../base/index.ts';
import { ShellPattern } from './shell-pattern.ts';
import { isSpace, quote } from './text.ts';

/** Where variables come from. */
export interface EnvLookup {
  get(name: string): string | undefined;
  keys(): Iterable<string>;
}

export const EMPTY_ENV: EnvLookup = { get: () => undefined, keys: () => [] };

export interface LexOptions {
  /** The escape character, backslash unless a directive says otherwise. */
  readonly escape?: string;
  /** Keep quotes in the result. */
  readonly rawQuotes?: boolean;
  /** Keep escape characters in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes mean nothing. */
  readonly ignoreQuotes?: boolean;
  /** Leave variables that are not set as they are written. */
  readonly skipUnset?: boolean;
}

export interface Expansion {
  readonly result: string;
  /** The result split at unquoted white space, after substitution. */
  readonly words: readonly string[];
  /** Names that were looked up and found, or not. */
  readonly matched: ReadonlySet<string>;
  readonly unmatched: ReadonlySet<string>;
}

/** Characters that the substitutions of one word may come to: values that double in each line must end somewhere. */
const MAX_SUBSTITUTED = 1 << 20;

/**
 * Shell word expansion as the Dockerfile reference describes it: quotes, escapes and `${name<modifier>word}`.
 * @throws CodedError invalid_argument
 */
export function expand(word: string, env: EnvLookup, options: LexOptions = {}): Expansion {
  const run = new ExpansionRun(word, env, options);
  try {
    const { result, words } = runNested(run.until(undefined, options.rawEscapes ?? false, false));
    return { result, words, matched: run.matched, unmatched: run.unmatched };
  } catch (error) {
    throw invalidArgument(`failed to process ${quote(word)}: ${(error as CodedError).message}`, { cause: error });
  }
}

/** A step of an expansion: it yields one that is nested in it and is given that one's value, so that no depth of nesting takes a stack. */
type Nested<T> = Generator<Nested<unknown>, T, unknown>;

function runNested<T>(outermost: Nested<T>): T {
  const open: Nested<unknown>[] = [outermost];
  let resume = (step: Nested<unknown>) => step.next();
  for (;;) {
    const step = open.at(-1)!;
    try {
      const { done, value } = resume(step);
      if (done !== true) {
        open.push(value as Nested<unknown>);
        resume = (nested) => nested.next();
        continue;
      }
      open.pop();
      if (open.length === 0) return value as T;
      resume = (outer) => outer.next(value);
    } catch (error) {
      open.pop();
      if (open.length === 0) throw error;
      resume = (outer) => outer.throw(error);
    }
  }
}

class WordCollector {
  readonly words: string[] = [];
  #current = '';

  /** Substituted or plain text: white space ends the word. */
  split(text: string): void {
    for (const character of text) {
      if (!isSpace(character)) this.#current += character;
      else this.end();
    }
  }

  whole(text: string): void {
    this.#current += text;
  }

  end(): void {
    if (this.#current !== '') this.words.push(this.#current);
    this.#current = '';
  }
}

class ExpansionRun {
  readonly matched = new Set<string>();
  readonly unmatched = new Set<string>();
  readonly #text: readonly string[];
  readonly #env: EnvLookup;
  readonly #options: LexOptions;
  readonly #escape: string;
  #at = 0;
  #substituted = 0;
  #rawEscapes = false;

  constructor(word: string, env: EnvLookup, options: LexOptions) {
    this.#text = [...word];
    this.#env = env;
    this.#options = options;
    this.#escape = options.escape ?? '\\';
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #next(): string | undefined {
    const character = this.#text[this.#at];
    this.#at += 1;
    return character;
  }

  /** Expands up to `stop` (consumed) or the end. In patterns, escapes inside quotes are doubled, since the pattern is read again. */
  *until(
    stop: string | undefined,
    rawEscapes: boolean,
    inPattern: boolean,
  ): Nested<{ readonly result: string; readonly words: string[] }> {
    const outerRaw = this.#rawEscapes;
    this.#rawEscapes = rawEscapes;
    const out: string[] = [];
    const words = new WordCollector();
    try {
      for (let character = this.#peek(); character !== undefined; character = this.#peek()) {
        if (character === stop) {
          this.#at += 1;
          words.end();
          return { result: out.join(''), words: words.words };
        }
        if (character === '$') {
          const value = (yield this.#dollar()) as string;
          out.push(value);
          words.split(value);
        } else if (character === '<' || (!this.#options.ignoreQuotes && (character === "'" || character === '"'))) {
          const value =
            character === '<'
              ? this.#heredocMark()
              : character === "'"
                ? this.#singleQuoted(inPattern)
                : ((yield this.#doubleQuoted(inPattern)) as string);
          out.push(value);
          words.whole(value);
        } else {
          this.#at += 1;
          if (character !== this.#escape) {
            out.push(character);
            words.split(character);
            continue;
          }
          if (this.#rawEscapes) {
            out.push(character);
            words.whole(character);
          }
          const escaped = this.#next();
          if (escaped === undefined) break;
          out.push(escaped);
          words.whole(escaped);
        }
      }
    } finally {
      this.#rawEscapes = outerRaw;
    }
    if (stop !== undefined) throw invalidArgument(`unexpected end of statement while looking for matching ${stop}`);
    words.end();
    return { result: out.join(''), words: words.words };
  }

  #singleQuoted(inPattern: boolean): string {
    const out: string[] = [];
    const open = this.#next()!;
    if (this.#options.rawQuotes) out.push(open);
    for (;;) {
      const character = this.#next();
      if (character === undefined)
        throw invalidArgument('unexpected end of statement while looking for matching single-quote');
      if (character === "'") {
        if (this.#options.rawQuotes) out.push(character);
        return out.join('');
      }
      if (inPattern && character === this.#escape) out.push(character);
      out.push(character);
    }
  }

  *#doubleQuoted(inPattern: boolean): Nested<string> {
    const out: string[] = [];
    const open = this.#next()!;
    if (this.#options.rawQuotes) out.push(open);
    for (;;) {
      const character = this.#peek();
      if (character === undefined)
        throw invalidArgument('unexpected end of statement while looking for matching double-quote');
      if (character === '$') {
        out.push((yield this.#dollar()) as string);
        continue;
      }
      this.#at += 1;
      if (character === '"') {
        if (this.#options.rawQuotes) out.push(character);
        return out.join('');
      }
      if (character !== this.#escape) {
        out.push(character);
        continue;
      }
      const following = this.#peek();
      if (following === undefined) continue;
      if (following === '"' || following === '$' || following === this.#escape) {
        if (this.#rawEscapes) out.push(character);
        this.#at += 1;
        out.push(following);
      } else {
        if (this.#rawEscapes && (!this.#options.rawQuotes || inPattern)) out.push(character);
        out.push(character);
      }
    }
  }

  *#dollar(): Nested<string> {
    const value = (yield this.#substitution()) as string;
    this.#substituted += value.length;
    if (this.#substituted > MAX_SUBSTITUTED)
      throw invalidArgument(`variables come to more than ${MAX_SUBSTITUTED} characters`);
    return value;
  }

  *#substitution(): Nested<string> {
    this.#at += 1;
    if (this.#peek() !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      const value = this.#lookup(name);
      return value ?? (this.#options.skipUnset ? `$${name}` : '');
    }
    this.#at += 1;
    const first = this.#peek();
    if (first === undefined) throw invalidArgument("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') throw invalidArgument('syntax error: bad substitution');
    const name = this.#name();
    let modifier = this.#next() ?? '';
    if (modifier === '}') {
      const value = this.#lookup(name);
      return value ?? (this.#options.skipUnset ? `\${${name}}` : '');
    }
    if (modifier === '/') return (yield this.#replacement(name)) as string;
    let orEmpty = '';
    if (modifier === ':') {
      orEmpty = ':';
      modifier = this.#next() ?? '';
    }
    const isPattern = modifier === '#' || modifier === '%';
    if (!isPattern && !['+', '-', '?'].includes(modifier) && orEmpty === '')
      throw invalidArgument(`unsupported modifier (${modifier}) in substitution`);
    if (isPattern && orEmpty !== '') throw invalidArgument(`unsupported modifier (:${modifier}) in substitution`);
    const word = (yield this.#operand('}', "syntax error: missing '}'", isPattern, isPattern)) as string;
    return this.#modified(name, orEmpty, modifier, word);
  }

  #modified(name: string, orEmpty: string, modifier: string, word: string): string {
    const value = this.#lookup(name);
    if (value === undefined && this.#options.skipUnset) return `\${${name}${orEmpty}${modifier}${word}}`;
    const absent = value === undefined || (orEmpty !== '' && value === '');
    switch (modifier) {
      case '-':
        return absent ? word : value;
      case '+':
        return absent ? '' : word;
      case '?': {
        if (!absent) return value;
        const what = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
        throw invalidArgument(`${name}: ${word === '' ? what : word}`);
      }
      case '#':
      case '%': {
        const longest = word.startsWith(modifier);
        const pattern = ShellPattern.parse(longest ? word.slice(1) : word);
        return modifier === '#' ? pattern.trimPrefix(value ?? '', longest) : pattern.trimSuffix(value ?? '', longest);
      }
      default:
        throw invalidArgument(`unsupported modifier (${orEmpty}${modifier}) in substitution`);
    }
  }

  *#replacement(name: string): Nested<string> {
    const all = this.#peek() === '/';
    if (all) this.#at += 1;
    const pattern = (yield this.#operand('/', `syntax error: missing '/' in \${}`, true, true)) as string;
    const replacement = (yield this.#operand('}', "syntax error: missing '}'", true, false)) as string;
    const value = this.#lookup(name);
    if (value === undefined && this.#options.skipUnset) return `\${${name}/${pattern}/${replacement}}`;
    return ShellPattern.parse(pattern).replace(value ?? '', replacement, all);
  }

  *#operand(stop: string, missing: string, rawEscapes: boolean, inPattern: boolean): Nested<string> {
    try {
      const { result } = (yield this.until(stop, rawEscapes, inPattern)) as { readonly result: string };
      return result;
    } catch (error) {
      // Without its cause, which is as long a chain as the nesting is deep.
      if (this.#peek() === undefined) throw invalidArgument(missing);
      throw error;
    }
  }

  /** A name, a positional number, or one special parameter. */
  #name(): string {
    const first = this.#peek();
    if (first === undefined) return '';
    if (/\p{Nd}/u.test(first)) return this.#while(/\p{Nd}/u);
    if (['@', '*', '#', '?', '-', '$', '!'].includes(first)) return this.#next()!;
    return this.#while(/[\p{L}\p{Nd}_]/u);
  }

  #while(accepted: RegExp): string {
    const start = this.#at;
    for (let character = this.#peek(); character !== undefined && accepted.test(character); character = this.#peek())
      this.#at += 1;
    return this.#text.slice(start, this.#at).join('');
  }

  /** `<<` with the blanks after it belongs to the word that follows. */
  #heredocMark(): string {
    this.#at += 1;
    if (this.#peek() !== '<') return '<';
    this.#at += 1;
    return `<<${this.#while(/[\t\r ]/)}`;
  }

  #lookup(name: string): string | undefined {
    const value = this.#env.get(name);
    if (value === undefined) this.unmatched.add(name);
    else this.matched.add(name);
    return value;
  }
}
