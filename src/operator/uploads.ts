import type { SolvePlan } from '../plan/index.ts';

/** Of a BuildRun: who uploads its files, once somebody does. */
export const UPLOADER_ANNOTATION = 'slipway.build/uploader';

/** The session in which an attempt's directories are served, below that of its secrets and credentials, which whoever uploads does not serve. */
export const uploadSession = (session: string): string => `${session}.upload`;

/** The plan, with its directories asked for in a session of their own. */
export function withUploads(plan: SolvePlan, session: string): SolvePlan {
  if (plan.uploads.length === 0) return plan;
  const ids = plan.uploads.map((name) => [`local-sessionid:${name}`, uploadSession(session)] as const);
  return { ...plan, frontendAttrs: { ...plan.frontendAttrs, ...Object.fromEntries(ids) } };
}
