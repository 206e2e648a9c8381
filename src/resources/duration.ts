import { millisecondsIn } from '../base/index.ts';

/** Milliseconds of a duration that the schema has accepted. */
export function parseDuration(text: string): number {
  return millisecondsIn(text);
}
