export { Job, type JobOptions } from './job.ts';
export { CONTENT_OUTPUT, isVolatile, recordDigest, rootKey } from './key.ts';
export * from './ports.ts';
export type { Recording } from './recording.ts';
export { Solver, type SolverOptions } from './solver.ts';
