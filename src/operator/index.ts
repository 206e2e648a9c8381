export { runOperator } from './operator.ts';
export { openRunBuilder, type RunBuilder } from './run/run-builder.ts';
