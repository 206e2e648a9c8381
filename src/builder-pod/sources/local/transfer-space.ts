import { CodedError, Shares, type WorkOwner } from '../../../base/index.ts';

/** What is left of the file system that transfers write to. */
export interface FreeSpace {
  readonly free: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

interface SpaceOptions {
  /** Bytes that transfers leave free. */
  readonly keepFree: number;
  /** Told when there is little more than that left. */
  readonly onLow?: () => void;
}

/** A transfer under way. */
interface Transfer extends Disposable {
  /** Fires when it is to end, so that others have room. */
  readonly signal: AbortSignal;
  /** What it has written so far, and what is left beside it. */
  report(written: { readonly bytes: number; readonly entries: number }, left: FreeSpace): void;
}

/** What an entry takes beside its content; roughly. */
const ENTRY_BYTES = 4096;
/** Of the inodes. */
const KEEP_INODES = 0.01;
const LOW = 4;
/** What a transfer had is free only some time after its end: for so long no other is ended, unless half of what is left free is gone too. */
const RETURN_MS = 5000;
/** Of what is left free: who holds less of the disk in sum than this is not what fills it. */
const LITTLE = 0.1;

/** The disk that transfers share: when too little of it is left, the largest transfer of who holds most of it in sum is ended, and all that it wrote goes. */
export class TransferSpace {
  readonly #options: SpaceOptions;
  readonly #shares = new Shares<(error: CodedError) => void>();
  #cutAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  /** Disposed when it is over and what it wrote is kept, or gone. */
  begin(owner: WorkOwner): Transfer {
    const controller = new AbortController();
    const end = (error: CodedError) => controller.abort(error);
    let taken = 0;
    const take = (bytes: number) => {
      this.#shares.add(owner, end, bytes - taken);
      taken = bytes;
    };
    return {
      signal: controller.signal,
      report: ({ bytes, entries }, left) => {
        take(bytes + entries * ENTRY_BYTES);
        this.#check(left);
      },
      [Symbol.dispose]: () => take(0),
    };
  }

  #check({ free, inodes, freeInodes }: FreeSpace): void {
    const { keepFree, onLow } = this.#options;
    // File systems that make inodes as they are needed count none.
    const share = Math.min(partOf(free, keepFree), partOf(freeInodes, inodes * KEEP_INODES));
    if (share < LOW) onLow?.();
    if (share >= 1) return;
    const now = performance.now();
    if (share > 0.5 && now - this.#cutAt < RETURN_MS) return;
    if (this.#shares.total < keepFree * LITTLE) return;
    this.#cutAt = now;
    this.#shares.largest()?.(
      CodedError.of(
        'CONTEXT_DISK',
        `no space left on device: the builder's disk is almost full, and of all that build clients are sending this is the most`,
      ),
    );
  }
}

const partOf = (free: number, keep: number): number => (keep > 0 ? free / keep : Number.POSITIVE_INFINITY);
