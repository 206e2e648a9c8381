import { type CodedError, toCodedError } from '../base/index.ts';
import { snippet, toldPlaces } from '../llb/index.ts';

/** An error for people: what failed, the lines it is about with those around them, what to do next. */
export function renderError(error: unknown): string {
  const coded = toCodedError(error);
  const lines = [`error: ${coded.message}`];
  for (const { lines: all, ...place } of toldPlaces(coded.details))
    if (all !== undefined) lines.push(...snippet({ ...place, lines: all }));
  if (coded.hint !== undefined) lines.push(`hint: ${coded.hint}`);
  return `${lines.join('\n')}\n`;
}

/** 1 for the user's faults, 2 for a wrong command line, 130 when interrupted, 3 for the platform's. */
export function exitCodeOf(error: unknown, phase: 'command-line' | 'run'): number {
  if (phase === 'command-line') return 2;
  const { fault }: CodedError = toCodedError(error);
  return fault === 'cancelled' ? 130 : fault === 'infrastructure' ? 3 : 1;
}
