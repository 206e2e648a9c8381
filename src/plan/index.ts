export { outputNames } from './outputs.ts';
export { planBuild } from './plan.ts';
export { type Reference, references } from './references.ts';
export { solveRequest } from './request.ts';
export type {
  ClusterValues,
  PlannedExporter,
  PlannedGitAuth,
  PlannedSecret,
  PlanOptions,
  SolvePlan,
} from './solve-plan.ts';
