import { createGunzip } from 'node:zlib';
import { CodedError, Gathered, isTurnSpent, neverAborted, nextTurn } from '../../base/index.ts';

/** Largest message either way, as BuildKit's clients have it. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** One message as a gRPC frame: a flag byte, four bytes of length, the message. Never compressed. */
export function frameMessage(message: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(message.length), message]);
}

/** What comes before a message of so many bytes. */
export function frameHeader(bytes: number): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(bytes, 1);
  return header;
}

/** @throws CodedError resource_exhausted for a message that no peer would take. */
export function assertSendable({ length }: { readonly length: number }, limit = MAX_MESSAGE_BYTES): void {
  if (length > limit)
    throw new CodedError('resource_exhausted', `trying to send message larger than max (${length} vs. ${limit})`);
}

/** A message as it came. */
export interface Framed {
  /** Compressed, if `isCompressed`. */
  readonly body: Uint8Array;
  readonly isCompressed: boolean;
}

/** What is unpacked at one go, on a thread of libuv's. */
const UNPACKED_BYTES = 1 << 20;

/**
 * The message that a compressed body holds. `onBytes` is told of what is unpacked as it comes, and may throw.
 * @throws CodedError resource_exhausted when it is broken or larger than `limit`
 */
export async function inflated(
  body: Uint8Array,
  {
    limit = MAX_MESSAGE_BYTES,
    onBytes,
  }: { readonly limit?: number | undefined; readonly onBytes: (bytes: number) => void },
): Promise<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: UNPACKED_BYTES });
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    gunzip.end(body);
    for await (const part of gunzip as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > limit) throw new RangeError(`more than ${limit} bytes`);
      onBytes(part.length);
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    throw new CodedError('resource_exhausted', 'a compressed message is broken or larger than max', { cause });
  }
  // Copied also where it is one part, which would keep all the memory that was there for it.
  const message = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const part of parts) {
    if (isTurnSpent()) await nextTurn({ signal: neverAborted });
    message.set(part, at);
    at += part.length;
  }
  return message;
}

const HEADER_BYTES = 5;

/** Cuts a byte stream into messages. A message that lies in one chunk is a view of it. */
export class FrameParser {
  readonly #limit: number;
  readonly #gzip: boolean;
  #header = new Gathered(HEADER_BYTES);
  /** Of the message whose header is whole. */
  #body: Gathered | undefined;

  /** `encoding` is the peer's grpc-encoding. @throws CodedError unimplemented when it is unknown. */
  constructor(encoding: string | undefined, limit = MAX_MESSAGE_BYTES) {
    if (encoding !== undefined && encoding !== 'gzip' && encoding !== 'identity')
      throw new CodedError('unimplemented', `grpc-encoding ${encoding} is not supported`, { hint: 'use gzip or none' });
    this.#gzip = encoding === 'gzip';
    this.#limit = limit;
  }

  /** Bytes of a message that is not whole. */
  get incomplete(): number {
    return this.#header.has + (this.#body?.has ?? 0);
  }

  /** Calls `onMessage` for each message that this chunk completes. @throws CodedError resource_exhausted | internal */
  push(chunk: Uint8Array, onMessage: (message: Framed) => void): void {
    for (let at = 0; ; ) {
      at = this.#header.take(chunk, at);
      if (this.#header.missing > 0) return;
      this.#body ??= new Gathered(this.#length());
      at = this.#body.take(chunk, at);
      if (this.#body.missing > 0) return;
      const message = { body: this.#body.bytes, isCompressed: this.#header.bytes[0] === 1 };
      this.#header = new Gathered(HEADER_BYTES);
      this.#body = undefined;
      onMessage(message);
    }
  }

  /** What the header says of the message. */
  #length(): number {
    const { bytes } = this.#header;
    const length = bytes[1]! * 0x1000000 + ((bytes[2]! << 16) | (bytes[3]! << 8) | bytes[4]!);
    if (length > this.#limit)
      throw new CodedError('resource_exhausted', `received message larger than max (${length} vs. ${this.#limit})`, {
        fault: 'user',
      });
    if (bytes[0] !== 0 && (bytes[0] !== 1 || !this.#gzip))
      throw new CodedError('internal', 'compressed message without a known grpc-encoding');
    return length;
  }
}
