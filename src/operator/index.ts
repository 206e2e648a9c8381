export { Cluster, isNoApi } from './client/cluster.ts';
export type { LogRecord } from './logs/records.ts';
export { runOperator } from './operator.ts';
export { openRunBuilder, type RunBuilder } from './run/run-builder.ts';
