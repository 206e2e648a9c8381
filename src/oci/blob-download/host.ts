import type { Readable } from 'node:stream';
import type { AbortOptions, CodedError } from '../../base/index.ts';
import type { RetryPolicy, Verdict } from './retry.ts';

/** Bytes of a blob: from the first on, up to `to` or to its end. */
export interface ByteRange {
  readonly from: number;
  readonly to?: number;
}

/** What a host gives of a blob. */
export interface BlobAnswer {
  readonly body: Readable;
  /** Where it begins; undefined for the whole blob, whatever was asked for. */
  readonly from?: number | undefined;
  /** Bytes of the blob, where the host says. */
  readonly size?: number | undefined;
}

/** A host that may have the blob. */
export interface BlobHost {
  readonly name: string;
  readonly retry: RetryPolicy;
  /** One of which nothing comes for so long, while somebody waits for it, has failed; undefined where its connections see to that. In ms. */
  readonly idleMs?: number;
  /** One attempt: nothing is tried again below. */
  open(range: ByteRange | undefined, options: AbortOptions): Promise<BlobAnswer>;
  /** What came of an attempt; `noRanges` where the range may be what was refused. */
  judge(error: unknown): Verdict & { readonly noRanges?: boolean };
  /** The end of a transfer that broke off, as this kind of host tells it. */
  failure(message: string, cause: unknown): CodedError;
}

/** What a host does instead of giving the bytes. */
export class TransferError extends Error {
  readonly passes: boolean;

  constructor(message: string, { passes }: { readonly passes: boolean }) {
    super(message);
    this.passes = passes;
  }
}

/** What servers say that want no Range, instead of leaving it out of account. */
const WANT_NO_RANGE: ReadonlySet<number> = new Set([400, 416, 501]);

/** Whether what was answered with this HTTP status may be given where no range is asked for. */
export function mayWantNoRange(status: number): boolean {
  return WANT_NO_RANGE.has(status);
}

export function rangeHeader({ from, to }: ByteRange): string {
  return `bytes=${from}-${to === undefined ? '' : to - 1}`;
}

/** What the headers of an answer say of where it lies in the blob; `from` is NaN where they say it wrongly. */
export function partOf({
  isPart,
  contentRange,
  contentLength,
}: {
  /** The answer is 206. */
  readonly isPart: boolean;
  readonly contentRange: string | undefined;
  readonly contentLength: string | number | undefined;
}): Pick<BlobAnswer, 'from' | 'size'> {
  if (!isPart) return contentLength === undefined ? {} : { size: Number(contentLength) };
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(contentRange ?? '');
  if (range === null) return { from: Number.NaN };
  return { from: Number(range[1]), size: range[2] === '*' ? undefined : Number(range[2]) };
}
