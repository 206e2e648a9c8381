import { annotate, invalidArgument } from '../../base/index.ts';
import type { DiskUsage } from './disk-usage.ts';

interface Selector {
  readonly field: string;
  readonly operator?: '==' | '!=' | '~=';
  readonly value: string;
}

/** Filters as data (they go to a worker when they hold patterns): any of the lists must match, each by all its selectors. */
export type Filter = readonly (readonly Selector[])[];

const MAX_LENGTH = 1024;
const QUOTE = /["/|]/y;
const SPACE = /\s*/y;
const FIELD = /[\w-]+/y;
const OPERATOR = /[=!~]+/y;
/** What is not quoted begins like no other token, and may then hold anything, `=` too. */
const VALUE = /[^\s,.=!~"/|\p{C}][^\s,\p{C}]*/uy;
const QUOTED = /"(?:[^"\\\n]|\\.)*"/y;
/** Patterns have two more quotes. */
const QUOTED_PATTERN = /(["/|])(?:(?!\1)[^\\\n]|\\.)*\1/y;
const ESCAPE = /\\(?:([abfnrtv])|([0-7]{3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/g;
const LETTERS: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

/**
 * Parses filters in containerd's syntax (`type==regular,inuse`): selectors `field`, `field==value`, `field!=value`, `field~=regexp` joined by commas; fields and
 * values may be quoted as in Go. The strings of a list are alternatives; `what` they are for is told in an error. @throws CodedError invalid_argument that shows, in
 * containerd's words, where the filter is at fault
 */
export function parseFilters(filters: readonly string[], what: string): Filter {
  try {
    return filters.filter((text) => text.trim() !== '').map((text) => new FilterParser(text).parse());
  } catch (error) {
    throw annotate(error, `failed to parse ${what} filters [${filters.join(' ').slice(0, 2 * MAX_LENGTH)}]`);
  }
}

class FilterParser {
  readonly #text: string;
  #at = 0;
  /** Where the last token ends: spaces follow. */
  #end = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.length > MAX_LENGTH)
      throw invalidFilter(`filters: longer than ${MAX_LENGTH} characters: ${JSON.stringify(text.slice(0, 100))}`);
  }

  parse(): readonly Selector[] {
    const selectors = [this.#selector()];
    while (this.#take(/,/y)) selectors.push(this.#selector());
    if (this.#at < this.#text.length) throw this.#fail(`unexpected input: ${this.#text[this.#end]}`, this.#end);
    return selectors;
  }

  #selector(): Selector {
    const field = this.#field();
    // Fields have no fields of their own, but the syntax does.
    while (this.#take(/\./y)) this.#field();
    const at = this.#at;
    const operator = this.#take(OPERATOR);
    if (operator === undefined) {
      if (this.#sees(/$|,/y)) return { field, value: '' };
      throw this.#fail('expected an operator ("=="|"!="|"~=")');
    }
    if (operator !== '==' && operator !== '!=' && operator !== '~=')
      throw this.#fail(`unsupported operator ${JSON.stringify(operator)}`, at);
    const isPattern = operator === '~=';
    const quoted = this.#take(isPattern ? QUOTED_PATTERN : QUOTED);
    if (quoted === undefined && this.#sees(QUOTE))
      throw this.#fail(this.#sees(QUOTED_PATTERN) ? 'invalid quote encountered' : 'quoted literal not terminated');
    const value = quoted === undefined ? this.#take(VALUE) : unquote(quoted);
    if (value === undefined) throw this.#fail('expected value or quoted');
    if (isPattern) this.#checkPattern(value);
    return { field, operator, value };
  }

  #field(): string {
    const quoted = this.#take(QUOTED);
    const field = quoted === undefined ? this.#take(FIELD) : unquote(quoted);
    if (field === undefined) throw this.#fail('expected field or quoted');
    return field;
  }

  /** The next token, if it is of this kind; spaces around it do not count. */
  #take(kind: RegExp): string | undefined {
    this.#skip();
    kind.lastIndex = this.#at;
    const found = kind.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    this.#end = this.#at;
    this.#skip();
    return found;
  }

  #sees(kind: RegExp): boolean {
    kind.lastIndex = this.#at;
    return kind.test(this.#text);
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #checkPattern(pattern: string): void {
    try {
      regExpOf(pattern);
    } catch {
      throw this.#fail(`${JSON.stringify(pattern)} is no regular expression`, this.#text.length);
    }
  }

  #fail(why: string, at = this.#at): Error {
    const [before, character, after] = [this.#text.slice(0, at), this.#text[at], this.#text.slice(at + 1)];
    const shown = character === undefined ? before : `${before} >|${character}|< ${after}`;
    return invalidFilter(`filters: parse error: [${shown}]: ${why}: invalid argument`);
  }
}

function invalidFilter(message: string): Error {
  return invalidArgument(message, {
    hint: 'write field, field==value, field!=value or field~=regexp, joined by commas',
  });
}

function unquote(quoted: string): string {
  const quote = quoted[0] as string;
  return quoted.slice(1, -1).replace(ESCAPE, (all, letter, octal, hex, short, long, other) => {
    if (letter !== undefined) return LETTERS[letter] as string;
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const code = hex ?? short ?? long;
    if (code !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff));
    // Others are no escapes of a string but may be one of a pattern: `\.`.
    return other === '\\' || other === quote ? other : all;
  });
}

/** A regular expression; flags in front, which Go has and this language has not, become its own. */
function regExpOf(pattern: string): RegExp {
  const [front = '', flags = ''] = /^\(\?([ims]+)\)/.exec(pattern) ?? [];
  return new RegExp(pattern.slice(front.length), flags);
}

/** Whether a filter holds a regular expression, which may take any time: match it in a worker. */
export function hasPattern(filter: Filter): boolean {
  return filter.some((selectors) => selectors.some(({ operator }) => operator === '~='));
}

/** Whether any of the lists matches; no list matches everything. */
export function matchesFilter(filter: Filter, record: DiskUsage): boolean {
  return matchesFields(filter, (field) => fieldOf(record, field));
}

type FieldReader = (field: string) => string | boolean | undefined;

/** The same for what has other fields. */
export function matchesFields(filter: Filter, read: FieldReader): boolean {
  return filter.length === 0 || filter.some((selectors) => selectors.every((selector) => matches(selector, read)));
}

function matches({ field, operator, value }: Selector, read: FieldReader): boolean {
  const actual = read(field);
  if (operator === undefined) return typeof actual === 'boolean' ? actual : actual !== undefined && actual !== '';
  if (operator === '~=') return typeof actual === 'string' && regExpOf(value).test(actual);
  const isEqual = typeof actual === 'boolean' ? actual === (value === '1' || value === 'true') : actual === value;
  return operator === '==' ? isEqual : !isEqual;
}

/** Fields of a record; an unknown field is absent. */
function fieldOf(record: DiskUsage, field: string): string | boolean | undefined {
  switch (field) {
    case 'id':
      return record.id;
    case 'parents':
      return record.parents.join(';');
    case 'description':
      return record.description;
    case 'type':
      return record.recordType;
    case 'inuse':
      return record.inUse;
    case 'mutable':
      return record.mutable;
    case 'immutable':
      return !record.mutable;
    case 'shared':
      return record.shared;
    case 'private':
      return !record.shared;
    default:
      return undefined;
  }
}
