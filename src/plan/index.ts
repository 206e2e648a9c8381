export { outputNames } from './outputs.ts';
export {
  type ClusterValues,
  type PlannedExporter,
  type PlannedGitAuth,
  type PlannedSecret,
  type PlanOptions,
  planBuild,
  type SolvePlan,
} from './plan.ts';
export { type Reference, references } from './references.ts';
export { solveRequest } from './request.ts';
