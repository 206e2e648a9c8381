export { type ExecOpOptions, execOp } from './exec-op.ts';
export { type MountEnvironment, type PreparedMounts, prepareMounts, uncachedMounts } from './mounts.ts';
export { secretEnvironment } from './secrets.ts';
