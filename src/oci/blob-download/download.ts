import { addAbortListener } from 'node:events';
import { type BlobDownload, RangeReader } from './range-reader.ts';

/** A blob of so many bytes comes in segments, several at once. */
const LARGE = 32 << 20;
const SEGMENT = 8 << 20;
/** Segments of one blob that are read before their turn. */
const AHEAD = 3;

/** How many segments may lie in memory before their turn, of all blobs together. */
export class SegmentBudget {
  #free: number;

  constructor(count = 6) {
    this.#free = count;
  }

  /** Room for one more, until disposed; undefined where there is none. */
  take(): Disposable | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return { [Symbol.dispose]: () => void this.#free++ };
  }
}

interface DownloadOptions extends BlobDownload {
  readonly offset: number;
  /** Room for a segment that is read before its turn, until disposed; undefined where there is none. */
  readonly room: () => Disposable | undefined;
  /** Called once, when nothing more will be read. */
  readonly onClose: () => void;
}

/**
 * A blob as a stream. A large one comes by several Range requests at once, where the host serves ranges and there is room for what comes before its turn. It
 * ends only after exactly `size - offset` bytes; the digest is the reader's to check. The first connection is made before this resolves, so that a missing blob
 * rejects here.
 */
export async function downloadBlob(options: DownloadOptions): Promise<ReadableStream<Uint8Array>> {
  const { size, offset } = options;
  const closing = new AbortController();
  const download = { ...options, signal: AbortSignal.any([options.signal, closing.signal]) };
  const segment = size - offset < LARGE ? size - offset : SEGMENT;
  const first = new RangeReader(download, offset, offset + segment);
  let closed = false;
  let listener: Disposable | undefined;
  let chunks: AsyncGenerator<Uint8Array> | undefined;
  const close = () => {
    if (closed) return;
    closed = true;
    listener?.[Symbol.dispose]();
    closing.abort();
    first[Symbol.dispose]();
    chunks?.return(undefined).catch(() => {});
    options.onClose();
  };
  let isRanged: boolean;
  try {
    isRanged = await first.open();
  } catch (error) {
    close();
    throw error;
  }
  const reading = isRanged ? inSegments(first, offset + segment, download) : chunksOf(first);
  chunks = reading;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        listener = addAbortListener(options.signal, () => {
          controller.error(options.signal.reason);
          close();
        });
      },
      async pull(controller) {
        try {
          const { done, value } = await reading.next();
          if (closed) return;
          if (done !== true) return controller.enqueue(value);
          close();
          controller.close();
        } catch (error) {
          if (closed) return;
          close();
          controller.error(error);
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/** What `first` reads, then all from `next` to the end, in order. */
async function* inSegments(
  first: RangeReader,
  next: number,
  { room: roomFor, ...download }: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  const { size } = download;
  const ahead: { readonly chunks: Promise<readonly Uint8Array[]>; readonly room: Disposable }[] = [];
  const following = () => {
    const from = next;
    next = Math.min(next + SEGMENT, size);
    return new RangeReader(download, from, next);
  };
  const readAhead = () => {
    while (next < size && ahead.length < AHEAD) {
      const room = roomFor();
      if (room === undefined) return;
      const chunks = Array.fromAsync(chunksOf(following()));
      // Heard when its turn comes.
      chunks.catch(() => {});
      ahead.push({ chunks, room });
    }
  };
  try {
    readAhead();
    yield* chunksOf(first);
    for (let segment = ahead.shift(); segment !== undefined || next < size; segment = ahead.shift()) {
      if (segment === undefined) {
        yield* chunksOf(following());
      } else {
        using _room = segment.room;
        readAhead();
        yield* await segment.chunks;
      }
      readAhead();
    }
  } finally {
    for (const { room } of ahead) room[Symbol.dispose]();
  }
}

async function* chunksOf(reader: RangeReader): AsyncGenerator<Uint8Array> {
  using _reader = reader;
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) yield chunk;
}
