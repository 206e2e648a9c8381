import type { wire } from '../builder-api/index.ts';
import type { SolvePlan } from './solve-plan.ts';

/** The plan as the message that builders take; `ref` and `session` are the sender's. */
export function solveRequest(plan: SolvePlan): wire.moby.buildkit.v1.SolveRequest.$Properties {
  const copy = (all: readonly { readonly type: string; readonly attrs: Readonly<Record<string, string>> }[]) =>
    all.map(({ type, attrs }) => ({ type, attrs: { ...attrs } }));
  return {
    frontend: plan.frontend,
    frontendAttrs: { ...plan.frontendAttrs },
    frontendInputs: { ...plan.frontendInputs },
    exporters: copy(plan.exporters),
    cache: { exports: copy(plan.cacheExports), imports: copy(plan.cacheImports) },
    entitlements: [...plan.entitlements],
    ...(plan.trust === undefined ? {} : { trust: { ...plan.trust } }),
  };
}
