import type { Condition } from '../resources/index.ts';
import { clip } from './runtime/index.ts';

/** A time as resources have it: RFC 3339 to the second. */
export const timeText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** What keeps an object from what it is for, as a condition tells it. */
export interface Fault {
  /** CamelCase, for machines. */
  readonly reason: string;
  readonly message: string;
}

type Wanted = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** Conditions with this one in its place; its time of transition moves only when its status does. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  wanted: Wanted,
  generation: number | undefined,
  now: number,
): Condition[] {
  const before = conditions?.find(({ type }) => type === wanted.type);
  const condition: Condition = {
    ...wanted,
    message: clip(wanted.message, 4096),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime: before?.status === wanted.status ? before.lastTransitionTime : timeText(now),
  };
  return before === undefined
    ? [...(conditions ?? []), condition]
    : (conditions ?? []).map((one) => (one === before ? condition : one));
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((one) => one.type === type);
}
