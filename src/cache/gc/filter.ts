import { invalidArgument } from '../../base/index.ts';
import type { DiskUsage } from './usage.ts';

interface Selector {
  readonly field: string;
  readonly operator?: '==' | '!=' | '~=';
  readonly value: string;
}

/** Filters as data (they go to a worker when they hold patterns): any of the lists must match, each by all its selectors. */
export type Filter = readonly (readonly Selector[])[];

const MAX_LENGTH = 1024;
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
 * values may be quoted as in Go. The strings of a list are alternatives. @throws CodedError invalid_argument that names the filter
 */
export function parseFilters(filters: readonly string[]): Filter {
  return filters.filter((text) => text.trim() !== '').map((text) => new FilterParser(text).parse());
}

class FilterParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.length > MAX_LENGTH) throw this.#fail(`longer than ${MAX_LENGTH} characters`);
  }

  parse(): readonly Selector[] {
    const selectors = [this.#selector()];
    while (this.#take(/,/y)) selectors.push(this.#selector());
    if (this.#at < this.#text.length) throw this.#fail(`unexpected ${JSON.stringify(this.#text[this.#at])}`);
    return selectors;
  }

  #selector(): Selector {
    const field = this.#field();
    // Fields have no fields of their own, but the syntax does.
    while (this.#take(/\./y)) this.#field();
    const operator = this.#take(OPERATOR);
    if (operator === undefined) return { field, value: '' };
    if (operator !== '==' && operator !== '!=' && operator !== '~=')
      throw this.#fail(`unsupported operator ${JSON.stringify(operator)}`);
    const quoted = this.#take(operator === '~=' ? QUOTED_PATTERN : QUOTED);
    const value = quoted === undefined ? this.#take(VALUE) : unquote(quoted);
    if (value === undefined) throw this.#fail(`a value after ${operator} is missing`);
    if (operator === '~=') this.#checkPattern(value);
    return { field, operator, value };
  }

  #field(): string {
    const quoted = this.#take(QUOTED);
    const field = quoted === undefined ? this.#take(FIELD) : unquote(quoted);
    if (field === undefined) throw this.#fail('a field name is missing');
    return field;
  }

  /** The next token, if it is of this kind; spaces around it do not count. */
  #take(kind: RegExp): string | undefined {
    this.#skip();
    kind.lastIndex = this.#at;
    const found = kind.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    this.#skip();
    return found;
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #checkPattern(pattern: string): void {
    try {
      regExpOf(pattern);
    } catch {
      throw this.#fail(`${JSON.stringify(pattern)} is no regular expression`);
    }
  }

  #fail(why: string): Error {
    return invalidArgument(`invalid filter ${JSON.stringify(this.#text.slice(0, 100))}: ${why}`, {
      hint: 'write field, field==value, field!=value or field~=regexp, joined by commas',
    });
  }
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
  return filter.length === 0 || filter.some((selectors) => selectors.every((selector) => matches(selector, record)));
}

function matches({ field, operator, value }: Selector, record: DiskUsage): boolean {
  const actual = fieldOf(record, field);
  if (operator === undefined) return typeof actual === 'boolean' ? actual : actual !== undefined && actual !== '';
  if (operator === '~=') return typeof actual === 'string' && regExpOf(value).test(actual);
  const isEqual = typeof actual === 'boolean' ? actual === (value === '1' || value === 'true') : actual === value;
  return operator === '==' ? isEqual : !isEqual;
}

/** Fields of a record (wire-facts 5.4); an unknown field is absent. */
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
