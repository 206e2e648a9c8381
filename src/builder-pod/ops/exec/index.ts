export { execOp } from './exec-op.ts';
export { type PreparedMounts, prepareMounts, uncachedMounts } from './mounts.ts';
export { secretEnvironment } from './secrets.ts';
