export { downloadBlob, SegmentBudget } from './download.ts';
export {
  type BlobAnswer,
  type BlobHost,
  type ByteRange,
  mayWantNoRange,
  partOf,
  rangeHeader,
  TransferError,
} from './host.ts';
export { firstHost } from './range-reader.ts';
export { defaultRetryPolicy, delayBefore, type RetryPolicy, tellWait, type Verdict } from './retry.ts';
