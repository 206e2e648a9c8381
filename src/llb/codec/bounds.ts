import { CodedError } from '../../base/index.ts';
import { beyondBound, type Schema, type WireMessage } from './schema.ts';

/** Entries of all lists of one op, or of what is said of one: more than any command line, environment or set of mounts has that a kernel takes. */
const MAX_ENTRIES = 10_000;

/** Fields of an op that have a bound of their own. */
const OF_AN_OP: ReadonlySet<string> = new Set(['inputs']);

/** @throws CodedError resource_exhausted for an op whose lists are longer than what is worked on at one go, its inputs apart; `what` names it, the error its field. */
export function assertOpBounded(
  schema: Schema,
  op: WireMessage,
  { bytes, what }: { bytes: number; what: string },
): void {
  // An entry takes a byte or more.
  if (bytes > MAX_ENTRIES) assertBounded(schema, op, what, OF_AN_OP);
}

/** The same for what is said of an op. */
export function assertBounded(schema: Schema, message: WireMessage, what: string, spared?: ReadonlySet<string>): void {
  const beyond = beyondBound(schema, message, MAX_ENTRIES, spared);
  if (beyond === undefined) return;
  throw CodedError.of('DEFINITION_TOO_LARGE', `${what} has more than ${MAX_ENTRIES} entries in ${beyond}`, {
    hint: 'split it into several steps, or pass lists in a file',
  });
}
