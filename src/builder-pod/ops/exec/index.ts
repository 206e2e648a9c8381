export { type ExecOpOptions, execOp } from './exec-op.ts';
export { uncachedMounts } from './mounts.ts';
