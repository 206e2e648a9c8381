export { type ExecOpOptions, execOp } from './exec-op.ts';
