export { runOperator } from './operator.ts';
