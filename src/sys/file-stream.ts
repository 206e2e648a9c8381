import { createReadStream } from 'node:fs';

/** A file from `start` on, as fast as it is read. Node's own adapter (`Readable.toWeb`) copies every chunk for byte streams: twice the memory that the collector is to find. */
export function fileStream(
  path: string,
  { start = 0, signal }: { readonly start?: number; readonly signal: AbortSignal },
): ReadableStream<Uint8Array> {
  const file = createReadStream(path, { start, signal, highWaterMark: 1 << 18 });
  // Told to whoever reads next; nobody may be reading when the signal ends it.
  file.on('error', () => {});
  const chunks: AsyncIterator<Uint8Array> = file[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        file.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
