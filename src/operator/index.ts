export { type OperatorOptions, runOperator } from './operator.ts';
