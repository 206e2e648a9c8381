import type { z } from 'zod';
import { CodedError } from '../base/index.ts';
import { describeIssues } from './load.ts';

/**
 * An object as an API server has it. Fields that this version does not know are left out: CRDs may be newer than the operator. @throws CodedError invalid_argument for
 * what does not fit otherwise
 */
export function parseStored<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const first = schema.safeParse(value);
  if (first.success) return first.data;
  const unknown = first.error.issues.filter(({ code }) => code === 'unrecognized_keys');
  const known = unknown.length === 0 ? first : schema.safeParse(without(value, unknown));
  if (known.success) return known.data;
  throw CodedError.of('OBJECT_MALFORMED', `the object does not fit its schema:\n${describeIssues(known.error)}`, {
    cause: known.error,
  });
}

function without(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = structuredClone(value);
  for (const issue of issues) if (issue.code === 'unrecognized_keys') remove(copy, issue.path, issue.keys);
  return copy;
}

function remove(value: unknown, path: readonly PropertyKey[], keys: readonly string[]): void {
  let at = value;
  for (const part of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[part];
  if (typeof at === 'object' && at !== null) for (const key of keys) delete (at as Record<string, unknown>)[key];
}
