export { outputNames } from './outputs.ts';
export {
  type PlannedExporter,
  type PlannedSecret,
  type PlanOptions,
  parseDuration,
  planBuild,
  type SolvePlan,
} from './plan.ts';
