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
const TOKEN = /\s*(?:(?<quoted>"(?:[^"\\]|\\.)*")|(?<operator>==|!=|~=)|(?<comma>,)|(?<text>[^\s,"=!~]+))\s*/y;

/**
 * Parses filters in containerd's syntax (`type==regular,inuse`): `field`, `field==value`, `field!=value`, `field~=regexp`; values may be quoted. The strings
 * of a list are alternatives. @throws CodedError invalid_argument that names the filter
 */
export function parseFilters(filters: readonly string[]): Filter {
  return filters.filter((text) => text.trim() !== '').map(parseFilter);
}

function parseFilter(text: string): readonly Selector[] {
  const fail = (why: string) =>
    invalidArgument(`invalid filter ${JSON.stringify(text.slice(0, 100))}: ${why}`, {
      hint: 'write field, field==value, field!=value or field~=regexp, joined by commas',
    });
  if (text.length > MAX_LENGTH) throw fail(`longer than ${MAX_LENGTH} characters`);
  const tokens = tokenize(text, fail);
  const selectors: Selector[] = [];
  for (let at = 0; at < tokens.length; ) {
    const field = tokens[at++];
    if (field?.kind !== 'text' && field?.kind !== 'quoted') throw fail('a field name is missing');
    if (tokens[at]?.kind !== 'operator') selectors.push({ field: field.text, value: '' });
    else {
      const operator = tokens[at++]?.text as '==' | '!=' | '~=';
      const value = tokens[at++];
      if (value?.kind !== 'text' && value?.kind !== 'quoted') throw fail(`a value after ${operator} is missing`);
      if (operator === '~=') checkPattern(value.text, fail);
      selectors.push({ field: field.text, operator, value: value.text });
    }
    if (at < tokens.length && tokens[at++]?.kind !== 'comma') throw fail('a comma is missing');
    else if (at === tokens.length && tokens.at(-1)?.kind === 'comma')
      throw fail('a selector after the last comma is missing');
  }
  return selectors;
}

interface Token {
  readonly kind: 'text' | 'quoted' | 'operator' | 'comma';
  readonly text: string;
}

function tokenize(text: string, fail: (why: string) => Error): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw fail(`unexpected ${JSON.stringify(text[at])}`);
    const [kind, value] = Object.entries(groups).find(([, found]) => found !== undefined) as [Token['kind'], string];
    tokens.push({ kind, text: kind === 'quoted' ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value });
  }
  return tokens;
}

function checkPattern(pattern: string, fail: (why: string) => Error): void {
  try {
    new RegExp(pattern);
  } catch {
    throw fail(`${JSON.stringify(pattern)} is no regular expression`);
  }
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
  if (operator === '~=') return typeof actual === 'string' && new RegExp(value).test(actual);
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
