import { CodedError, invalidArgument, millisecondsIn } from '../../base/index.ts';
import { millisecondsOf } from '../../builder-api/index.ts';
import { type Filter, matchesFields, parseFilters } from '../../cache/gc/index.ts';
import type { BuildRecord } from './store.ts';

/** `startedAt>2h`: times in milliseconds. */
interface TimeTerm {
  readonly field: 'startedAt' | 'completedAt' | 'duration';
  readonly operator: '>' | '<' | '>=' | '<=';
  readonly than: number;
}

/** Filters on records as data, since patterns are tried in a worker: any of the alternatives must match, each by all its terms. */
export type HistoryFilter = readonly { readonly times: readonly TimeTerm[]; readonly rest: Filter }[];

/** What filters look at of a record. */
interface FilteredFields {
  readonly ref: string;
  readonly status: 'running' | 'completed' | 'error' | 'canceled';
  readonly repository: string | undefined;
  readonly startedAt: number;
  readonly completedAt: number;
  readonly duration: number;
}

const MOST_FILTERS = 100;
const TIME_TERM = /^(startedAt|completedAt|duration)(>=|<=|>|<)(.*)$/s;
/** Commas within quotes separate nothing. */
const TERMS = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/gs;

/**
 * Filters of the history of builds as BuildKit has them (research wire-facts 13): terms on times beside those of containerd's syntax.
 * @throws CodedError invalid_argument
 */
export function parseHistoryFilters(texts: readonly string[], now = Date.now()): HistoryFilter {
  if (texts.length > MOST_FILTERS) throw invalidArgument(`there are more than ${MOST_FILTERS} filters`);
  return texts.map((text) => {
    const times: TimeTerm[] = [];
    const others: string[] = [];
    for (const term of text.match(TERMS) ?? []) {
      const [, field, operator, value = ''] = TIME_TERM.exec(term) ?? [];
      if (field === undefined) others.push(term);
      else times.push({ field, operator, than: timeOf(field, value, now) } as TimeTerm);
    }
    return { times, rest: parseFilters([others.join(',')], 'history') };
  });
}

function timeOf(field: string, value: string, now: number): number {
  const duration = durationOf(value);
  if (field === 'duration') {
    if (duration === undefined) throw invalidArgument(`invalid duration ${value}`);
    return duration;
  }
  if (duration !== undefined) return now - duration;
  const time = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw invalidArgument(`invalid time ${value}`);
  return time;
}

/** As Go writes durations; undefined for what is none. */
function durationOf(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const [, sign, parts = ''] = /^([+-]?)((?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+)$/.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const sum = millisecondsIn(parts);
  return sign === '-' ? -sum : sum;
}

export function fieldsOf({ ref, error, frontendAttrs, createdAt, completedAt }: BuildRecord): FilteredFields {
  const startedAt = millisecondsOf(createdAt) ?? 0;
  const over = millisecondsOf(completedAt);
  const failed = error?.message?.includes('context canceled') === true ? 'canceled' : 'error';
  return {
    ref: ref ?? '',
    status: over === undefined ? 'running' : error == null ? 'completed' : failed,
    repository: frontendAttrs?.['vcs:source'] ?? repositoryOf(frontendAttrs?.['context'] ?? ''),
    startedAt,
    completedAt: over ?? 0,
    duration: over === undefined ? 0 : over - startedAt,
  };
}

function repositoryOf(context: string): string | undefined {
  const [address = ''] = context.split('#');
  return /^(?:git|ssh):\/\/|^[\w-]+@[\w.-]+:|^https?:\/\/.+\.git$/.test(address) ? address : undefined;
}

/** Worker task: which of them match, by index. @throws CodedError for a pattern that is none here */
export function matchRecords(args: {
  readonly filter: HistoryFilter;
  readonly records: readonly FilteredFields[];
}): number[] {
  return args.records.flatMap((fields, index) => (matches(args.filter, fields) ? [index] : []));
}

function matches(filter: HistoryFilter, fields: FilteredFields): boolean {
  const text = (field: string) =>
    field === 'ref' || field === 'status' || field === 'repository' ? fields[field] : undefined;
  return filter.some(
    ({ times, rest }) => times.every((term) => compare(term, fields[term.field])) && matchesFields(rest, text),
  );
}

/** Times of day in whole seconds, as they are told. */
function compare({ field, operator, than }: TimeTerm, value: number): boolean {
  const [a, b] = field === 'duration' ? [value, than] : [Math.floor(value / 1000), Math.floor(than / 1000)];
  switch (operator) {
    case '>':
      return a > b;
    case '<':
      return a < b;
    case '>=':
      return a >= b;
    case '<=':
      return a <= b;
  }
}

/** How a pattern that takes too long is told. */
export function patternTimeout(cause: unknown): CodedError {
  return new CodedError('deadline_exceeded', 'a pattern of the filter takes too long', { fault: 'user', cause });
}
