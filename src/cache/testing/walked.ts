import { type KeyRecord, walkKeys } from '../keys/export-walk.ts';

/** {@link walkKeys} at one go. */
export function walked(...args: Parameters<typeof walkKeys>): readonly KeyRecord[] {
  const steps = walkKeys(...args);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}
