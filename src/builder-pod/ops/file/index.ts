export { type FileOpOptions, fileOp } from './file-op.ts';
