export { Job } from './job.ts';
export { isVolatile, recordDigest, rootKey } from './key.ts';
export { lineLog } from './line-log.ts';
export * from './ports.ts';
export type { Recording } from './recording.ts';
export { Solver } from './solver.ts';
