import { type AbortOptions, CodedError, sleep, toCodedError } from '../../../base/index.ts';
import type { ObjectBlob, ObjectClient } from './client.ts';

/** A blob of which nothing comes for so long is asked for again. */
const IDLE_MS = 20_000;
/** What a store has to give in that time of waiting for it; one that drips would hold a build for ever. */
const LEAST_BYTES = 1 << 20;
const LEAST_MS = 5 * 60_000;
/** How often the rest of a blob is asked for when its stream broke, before {@link LEAST_BYTES} more have come. */
const MAX_RESUMES = 3;
const RESUME_MS = 200;

type Opener = Pick<ObjectClient, 'openBlob'>;

/** A blob's bytes: what broke on the way, or comes too slowly, is asked for from there. More than was said is not taken. @throws CodedError */
export async function* wholeBlob(
  client: Opener,
  blob: ObjectBlob,
  { signal }: AbortOptions,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let tries = 0;
  /** Where the tries began to count. */
  let counted = 0;
  while (offset < blob.size) {
    signal.throwIfAborted();
    try {
      for await (const chunk of watched(client, blob, offset, signal)) {
        offset += chunk.length;
        if (offset > blob.size)
          throw new CodedError('data_loss', `blob ${blob.digest} has more than its ${blob.size} bytes`);
        if (offset - counted >= LEAST_BYTES) {
          counted = offset;
          tries = 0;
        }
        yield chunk;
      }
      if (offset < blob.size)
        throw new CodedError('unavailable', `blob ${blob.digest} ended after ${offset} of ${blob.size} bytes`);
    } catch (error) {
      signal.throwIfAborted();
      if (toCodedError(error).code !== 'unavailable' || ++tries >= MAX_RESUMES) throw error;
      await sleep(RESUME_MS * tries, { signal });
    }
  }
}

/** The rest of a blob, given up when nothing comes of it, or too little. */
async function* watched(
  client: Opener,
  blob: ObjectBlob,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const idle = new AbortController();
  const over = () =>
    idle.abort(new CodedError('unavailable', `nothing came of blob ${blob.digest} for ${IDLE_MS / 1000} s`));
  const timer = setTimeout(over, IDLE_MS);
  try {
    const stream = await client.openBlob(blob, { signal: AbortSignal.any([signal, idle.signal]), offset });
    const stop = () => stream.destroy(idle.signal.reason as Error);
    idle.signal.addEventListener('abort', stop, { once: true });
    const leave = () => stream.destroy(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    try {
      let bytes = 0;
      let waitedMs = 0;
      let since = performance.now();
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        timer.refresh();
        bytes += chunk.length;
        waitedMs += performance.now() - since;
        if (bytes >= LEAST_BYTES) bytes = waitedMs = 0;
        else if (waitedMs >= LEAST_MS)
          throw new CodedError(
            'unavailable',
            `blob ${blob.digest} comes too slowly: ${bytes} bytes in ${LEAST_MS / 60_000} minutes`,
          );
        yield chunk;
        // Whoever takes it may take its time.
        timer.refresh();
        since = performance.now();
      }
    } finally {
      signal.removeEventListener('abort', leave);
      stream.destroy();
    }
  } catch (error) {
    signal.throwIfAborted();
    idle.signal.throwIfAborted();
    throw error instanceof CodedError
      ? error
      : new CodedError('unavailable', `blob ${blob.digest}: ${(error as Error).message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
