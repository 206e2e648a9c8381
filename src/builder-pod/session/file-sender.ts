import { type AbortOptions, CodedError, toCodedError } from '../../base/index.ts';
import { clientOf, FileSend, inTime, Metadata, type Session } from '../../builder-api/index.ts';
import { siblingModule } from '../../sys/index.ts';
import type { DirectoryTree, SendTreeArgs } from './send-tree-task.ts';

/** Bytes in one message: larger than Go's own 32 KB is faster (tunnel-facts 6). */
const PIECE = 256 * 1024;

/** Where in the client a result goes. */
interface ExportTarget {
  /** Position of the exporter in the solve request. */
  readonly exporterId: number;
  /** What the exporter tells the client beside the files, e.g. `containerimage.digest`. */
  readonly response: Readonly<Record<string, string>>;
  /** All platforms come in one stream (local exporter in delete mode). */
  readonly multiPlatform?: boolean;
}

interface SendProgress extends AbortOptions {
  readonly onProgress?: (bytes: number) => void;
}

/** Results to one build client (FileSend). */
export class FileSender {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether the client takes files at all. */
  get available(): boolean {
    return this.#session.supports(FileSend, FileSend.methods.diffCopy);
  }

  /** Streams a file, e.g. a tar archive. False when the client says that it has it already. @throws CodedError */
  async sendFile(target: ExportTarget, source: AsyncIterable<Uint8Array>, options: SendProgress): Promise<boolean> {
    this.#require();
    const abandon = new AbortController();
    const signal = AbortSignal.any([options.signal, abandon.signal]);
    const call = clientOf(FileSend, this.#session).diffCopy({ signal, metadata: exportMetadata(target) });
    // The client says nothing until it has all, unless it refuses: then sending stops at once.
    let over: { error?: unknown } | undefined;
    const answered = (async () => {
      try {
        for await (const _ of call.responses);
        over = {};
      } catch (error) {
        over = { error };
      }
    })();
    let bytes = 0;
    try {
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length && over === undefined; at += PIECE) {
          const data = chunk.subarray(at, at + PIECE);
          const wait = call.write({ data });
          if (wait !== undefined) await inTime(wait, 'taken nothing of the result', this.#session.limits.stallMs);
          bytes += data.length;
          options.onProgress?.(bytes);
        }
        if (over !== undefined) break;
      }
    } catch (error) {
      abandon.abort(toCodedError(error));
      await answered;
      throw error;
    }
    call.end();
    await answered;
    const error = over?.error;
    if (error === undefined) return true;
    if (toCodedError(error).code === 'already_exists') return false;
    throw error;
  }

  /** Sends directories' trees as one, which the client asks for every file of; a prefix puts one below a directory, e.g. `linux_amd64`. @throws CodedError */
  async sendTrees(target: ExportTarget, trees: readonly DirectoryTree[], options: SendProgress): Promise<void> {
    this.#require();
    const args: SendTreeArgs = { trees, metadata: exportMetadata(target).pairs() };
    await this.#session.run({ module: siblingModule(import.meta.url, './send-tree-task'), fn: 'sendDirectory' }, args, {
      signal: options.signal,
      onMessage: (bytes) => options.onProgress?.(bytes as number),
    });
  }

  #require(): void {
    if (!this.available)
      throw new CodedError('failed_precondition', 'the build client takes no files', {
        hint: 'give the output a destination, e.g. --output type=tar,dest=out.tar',
      });
  }
}

function exportMetadata(target: ExportTarget): Metadata {
  const metadata = new Metadata().add('buildkit-attachable-exporter-id', String(target.exporterId));
  if (target.multiPlatform === true) metadata.add('buildkit-exporter-multi-platform', '1');
  for (const [key, value] of Object.entries(target.response))
    if (/^[\w.-]+$/.test(key) && /^[\x20-\x7e]*$/.test(value)) metadata.add(`exporter-md-${key}`, value);
  return metadata;
}
