import { type AbortOptions, Gathered, joined } from '../../base/index.ts';
import { EncodedMessage, lengthOf } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { statusMessages } from '../protocol/index.ts';

/** A log is what the Status stream told, each message after its length: what BuildKit keeps under this type. */
export const LOG_TYPE = 'application/vnd.buildkit.status.v0';

const HEAD = 4;
/** None of ours is longer. */
const MAX_FRAME = 64 << 20;

/** What is handed over at one go: one step of very many inputs makes a message of megabytes. */
const PORTION_BYTES = 1 << 20;

/** Messages as they stand in a log, in portions. */
export async function* logFrames(
  events: readonly VertexEvent[],
  options: AbortOptions,
): AsyncGenerator<Uint8Array, void, void> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const { parts } of statusMessages(events, options)) {
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(lengthOf(parts));
    pieces.push(head, ...parts);
    bytes += HEAD + lengthOf(parts);
    if (bytes < PORTION_BYTES) continue;
    yield* joined(pieces, PORTION_BYTES);
    pieces = [];
    bytes = 0;
  }
  yield* joined(pieces, PORTION_BYTES);
}

/** The messages of a log as they stand there, up to its end or what is no whole message any more. */
export async function* readLogFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<EncodedMessage, void> {
  let head = new Gathered(HEAD);
  let body: Gathered | undefined;
  for await (const chunk of chunks) {
    for (let at = 0; ; ) {
      at = head.take(chunk, at);
      if (head.missing > 0) break;
      if (body === undefined) {
        const length = Buffer.from(head.bytes).readUInt32LE();
        if (length > MAX_FRAME) return;
        body = new Gathered(length);
      }
      at = body.take(chunk, at);
      if (body.missing > 0) break;
      yield new EncodedMessage([body.bytes]);
      head = new Gathered(HEAD);
      body = undefined;
    }
  }
}
