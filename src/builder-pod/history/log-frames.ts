import { Gathered, joined } from '../../base/index.ts';
import { EncodedMessage, wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { statusMessages } from '../protocol/index.ts';

/** A log is what the Status stream told, each message after its length: what BuildKit keeps under this type. */
export const LOG_TYPE = 'application/vnd.buildkit.status.v0';

const { StatusResponse } = wire.moby.buildkit.v1;

const HEAD = 4;
/** None of ours is longer. */
const MAX_FRAME = 64 << 20;

/** What is copied and handed over at one go: one step of very many inputs makes a message of megabytes. */
const PORTION_BYTES = 1 << 20;
const PIECE_BYTES = 256 << 10;

/** Messages as they stand in a log, in portions. */
export function* logFrames(events: readonly VertexEvent[]): Generator<Uint8Array, void, void> {
  yield* joined(pieces(events), PORTION_BYTES);
}

function* pieces(events: readonly VertexEvent[]): Generator<Uint8Array, void, void> {
  for (const message of statusMessages(events)) {
    const body = StatusResponse.encode(message).finish();
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(body.length);
    if (body.length <= PIECE_BYTES) yield Buffer.concat([head, body]);
    else {
      yield head;
      for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
    }
  }
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
