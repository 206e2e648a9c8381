import { addAbortListener } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';

/** What is read at once for who brings no memory. */
const CHUNK = 1 << 18;

/**
 * A file from `start` on, as fast as it is read. A stream of bytes: who reads with memory of its own (`getReader({ mode: 'byob' })`) has it filled, so that the collector finds nothing. Node's own adapter (`Readable.toWeb`) makes
 * two buffers for every chunk.
 */
export function fileStream(
  path: string,
  { start = 0, signal }: { readonly start?: number; readonly signal: AbortSignal },
): ReadableStream<Uint8Array> {
  let opening: Promise<FileHandle> | undefined;
  let isOver = false;
  let at = start;
  let aborting: Disposable | undefined;
  const end = () => {
    isOver = true;
    aborting?.[Symbol.dispose]();
    // After a read that is under way.
    void opening?.then((file) => file.close()).catch(() => {});
  };
  return new ReadableStream({
    type: 'bytes',
    start(controller) {
      aborting = addAbortListener(signal, () => {
        if (isOver) return;
        end();
        controller.error(signal.reason);
      });
    },
    async pull(controller) {
      try {
        opening ??= open(path, 'r');
        const file = await opening;
        if (isOver) return;
        const request = controller.byobRequest;
        const into = (request?.view as Uint8Array<ArrayBuffer> | null | undefined) ?? new Uint8Array(CHUNK);
        const { bytesRead } = await file.read(into, 0, into.byteLength, at);
        if (isOver) return;
        at += bytesRead;
        if (bytesRead === 0) {
          end();
          controller.close();
          request?.respond(0);
        } else if (request) request.respond(bytesRead);
        else controller.enqueue(into.subarray(0, bytesRead));
      } catch (error) {
        if (isOver) return;
        end();
        throw error;
      }
    },
    cancel: end,
  });
}
