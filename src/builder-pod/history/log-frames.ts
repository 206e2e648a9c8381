import { wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { statusMessages } from '../protocol/index.ts';

/** A log is what the Status stream told, each message after its length: what BuildKit keeps under this type. */
export const LOG_TYPE = 'application/vnd.buildkit.status.v0';

const { StatusResponse } = wire.moby.buildkit.v1;
type Status = wire.moby.buildkit.v1.StatusResponse.$Properties;

const HEAD = 4;
/** None of ours is longer. */
const MAX_FRAME = 64 << 20;

export function logFrames(events: readonly VertexEvent[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const message of statusMessages(events)) {
    const body = StatusResponse.encode(message).finish();
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(body.length);
    parts.push(head, body);
  }
  return Buffer.concat(parts);
}

/** The messages of a log, up to its end or what is no whole message any more. */
export async function* readLogFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Status, void> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= HEAD) {
      const length = rest.readUInt32LE(at);
      if (length > MAX_FRAME) return;
      if (rest.length - at - HEAD < length) break;
      yield StatusResponse.decode(rest.subarray(at + HEAD, at + HEAD + length));
      at += HEAD + length;
    }
    rest = rest.subarray(at);
  }
}
