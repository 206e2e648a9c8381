import { type CodedError, toCodedError } from '../base/index.ts';

interface SourceDetail {
  readonly info?: { readonly filename?: string; readonly data?: string };
  readonly ranges?: readonly {
    readonly start?: { readonly line?: number };
    readonly end?: { readonly line?: number };
  }[];
}

/** An error for people: what failed, the lines it is about with those around them, what to do next. */
export function renderError(error: unknown): string {
  const coded = toCodedError(error);
  const lines = [`error: ${coded.message}`];
  for (const detail of coded.details)
    if (detail.type === 'errdefs.Source') lines.push(...snippet(detail.value as SourceDetail));
  if (coded.hint !== undefined) lines.push(`hint: ${coded.hint}`);
  return `${lines.join('\n')}\n`;
}

/** 1 for the user's faults, 2 for a wrong command line, 130 when interrupted, 3 for the platform's. */
export function exitCodeOf(error: unknown, phase: 'command-line' | 'run'): number {
  if (phase === 'command-line') return 2;
  const { fault }: CodedError = toCodedError(error);
  return fault === 'cancelled' ? 130 : fault === 'infrastructure' ? 3 : 1;
}

function snippet({ info, ranges }: SourceDetail): string[] {
  const start = ranges?.[0]?.start?.line;
  if (info?.data === undefined || start === undefined) return [];
  const end = Math.max(start, ...(ranges ?? []).map((range) => range.end?.line ?? start));
  const text = Buffer.from(info.data, 'base64').toString('utf8').split('\n');
  const out = [`${info.filename ?? ''}:${start}`, '--------------------'];
  for (let at = Math.max(1, start - 3); at <= Math.min(text.length, end + 3); at++)
    out.push(`${String(at).padStart(4)} | ${at >= start && at <= end ? '>>> ' : '    '}${text[at - 1]}`);
  return [...out, '--------------------'];
}
