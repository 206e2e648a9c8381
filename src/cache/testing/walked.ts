import { type KeyRecord, walkKeys } from '../keys/export-walk.ts';

/** What is done in slices, at one go. */
export function atOnce<T>(steps: Iterator<unknown, T, void>): T {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

export function walked(...args: Parameters<typeof walkKeys>): readonly KeyRecord[] {
  return atOnce(walkKeys(...args));
}
