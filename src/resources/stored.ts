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
  const copy = structuredClone(value);
  for (const issue of first.error.issues) if (issue.code === 'unrecognized_keys') remove(copy, issue.path, issue.keys);
  const second = schema.safeParse(copy);
  if (second.success) return second.data;
  throw new CodedError('invalid_argument', `the object does not fit its schema:\n${describeIssues(second.error)}`, {
    cause: second.error,
    reason: 'OBJECT_MALFORMED',
    hint: 'do the CRDs belong to this version? Apply crds/ of it',
  });
}

function remove(value: unknown, path: readonly PropertyKey[], keys: readonly string[]): void {
  let at = value;
  for (const part of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[part];
  if (typeof at === 'object' && at !== null) for (const key of keys) delete (at as Record<string, unknown>)[key];
}
