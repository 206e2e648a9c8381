import { addAbortListener } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AbortOptions, CodedError, sleep, transportWords } from '../../base/index.ts';
import type { Caller } from './credentials.ts';
import { delayBefore, type RetryPolicy, tellWait } from './retry.ts';

/** Progress after which a cut connection gets its full number of retries again. */
const RESET_AFTER = 1 << 20;

interface DownloadOptions extends AbortOptions {
  readonly size: number;
  readonly offset: number;
  readonly retry: RetryPolicy;
  readonly told: Caller['told'];
  /** Opens the blob from an offset: status 200 is the whole blob, 206 what was asked for. */
  readonly open: (offset: number) => Promise<IncomingMessage>;
  /** Called once, when nothing more will be read. */
  readonly onClose: () => void;
}

/**
 * A blob as a stream, which goes on by a Range request after a cut connection. It ends only after exactly `size - offset` bytes; the digest is
 * the reader's to check. The first connection is made before this resolves, so that a missing blob rejects here.
 */
export async function downloadBlob(options: DownloadOptions): Promise<ReadableStream<Uint8Array>> {
  const { size, signal, retry } = options;
  let position = options.offset;
  let retries = 0;
  let progressMark = position;
  let current: { response: IncomingMessage; chunks: AsyncIterator<Buffer> } | undefined;
  let closed = false;
  let listener: Disposable | undefined;

  const close = () => {
    if (closed) return;
    closed = true;
    listener?.[Symbol.dispose]();
    current?.response.destroy();
    options.onClose();
  };

  const connect = async () => {
    const response = await options.open(position);
    response.on('error', () => {});
    const status = response.statusCode ?? 0;
    let skip = 0;
    if (status === 206) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
      if (range === null || Number(range[1]) !== position || (range[2] !== '*' && Number(range[2]) !== size)) {
        response.destroy();
        throw wrongSize(`the registry answered with the range ${response.headers['content-range'] ?? 'none'}`);
      }
    } else {
      const length = response.headers['content-length'];
      if (length !== undefined && Number(length) !== size) {
        response.destroy();
        throw wrongSize(`the registry says it has ${length}`);
      }
      // The server knows no ranges: what is there already is read over.
      skip = position;
    }
    const chunks: AsyncIterable<Buffer> = skip === 0 ? response : skipping(response, skip);
    current = { response, chunks: chunks[Symbol.asyncIterator]() };
  };

  const wrongSize = (why: string) =>
    CodedError.of('OCI_SIZE_MISMATCH', `the blob is to have ${size} bytes, but ${why}`);

  /** The next chunk, or undefined at the end. */
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      try {
        signal.throwIfAborted();
        if (current === undefined) await connect();
        const result = await current!.chunks.next();
        if (result.done !== true) {
          position += result.value.length;
          if (position > size) throw wrongSize('more came');
          if (position - progressMark >= RESET_AFTER) {
            retries = 0;
            progressMark = position;
          }
          return result.value;
        }
        if (position === size) return undefined;
        throw CodedError.of('REGISTRY_CUT', `after ${position} of ${size} bytes: unexpected EOF`);
      } catch (error) {
        current?.response.destroy();
        current = undefined;
        signal.throwIfAborted();
        const wait = delayBefore(retry, retries++, error);
        if (wait === undefined)
          throw error instanceof CodedError
            ? error
            : CodedError.of('REGISTRY_CONNECTION', `after ${position} of ${size} bytes: ${transportWords(error)}`, {
                cause: error,
              });
        tellWait(options.told, error, wait);
        await sleep(wait, { signal });
      }
    }
  };

  try {
    if (position < size || size === 0) await connect();
  } catch (error) {
    close();
    throw error;
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        listener = addAbortListener(signal, () => {
          controller.error(signal.reason);
          close();
        });
      },
      async pull(controller) {
        try {
          const chunk = position === size && current === undefined ? undefined : await next();
          if (closed) return;
          if (chunk !== undefined) controller.enqueue(chunk);
          else {
            close();
            controller.close();
          }
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

async function* skipping(response: IncomingMessage, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (left >= chunk.length) {
      left -= chunk.length;
      continue;
    }
    yield left === 0 ? chunk : chunk.subarray(left);
    left = 0;
  }
}
