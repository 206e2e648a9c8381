import { CodedError } from '../../base/index.ts';
import { beyondBound, type Schema, type WireMessage } from './schema.ts';

/** Entries of all lists of one op, or of what is said of one: more than any command line, environment or set of mounts has that a kernel takes. */
const MAX_ENTRIES = 10_000;

/** @throws CodedError resource_exhausted for a message whose lists are longer than what is worked on at one go; `what` names it, the error its field. */
export function assertBounded(
  schema: Schema,
  message: WireMessage,
  what: string,
  spared: readonly string[] = [],
): void {
  const beyond = beyondBound(schema, message, MAX_ENTRIES, new Set(spared));
  if (beyond === undefined) return;
  throw CodedError.of('DEFINITION_TOO_LARGE', `${what} has more than ${MAX_ENTRIES} entries in ${beyond}`, {
    hint: 'split it into several steps, or pass lists in a file',
  });
}
