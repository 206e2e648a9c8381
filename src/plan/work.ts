import { type Digest, digestOf } from '../base/index.ts';
import type { SolvePlan } from './solve-plan.ts';

/** Attributes that say where results come from and go, not what they are. */
const BESIDE = new Set(['cache-imports', 'cache-from']);

/**
 * Digest of what a builder does for a plan in a scope of the cache, without names, outputs, caches and secret values: plans that have the same are solved by the same steps. Undefined where a client
 * sends what is built, which the plan does not tell.
 */
export function workDigest(plan: SolvePlan, scope: string): Digest | undefined {
  if (plan.uploads.length > 0) return undefined;
  const sorted = <T>(all: Readonly<Record<string, T>>) => Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(
    JSON.stringify([
      scope,
      plan.frontend,
      sorted(plan.frontendAttrs).filter(([name]) => !BESIDE.has(name)),
      sorted(plan.frontendInputs).map(([name, bytes]) => [name, digestOf(bytes)]),
      [...plan.entitlements].sort(),
    ]),
  );
}
