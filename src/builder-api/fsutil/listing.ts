import { CodedError, invalidArgument } from '../../base/index.ts';
import type { RawCall } from '../grpc/channel.ts';
import { decodePacket, encodePacket, type FsPacket, type PacketStream } from './packets.ts';

/** A longer listing is not kept. */
const MAX_BYTES = 16 * 1024 * 1024;
const LENGTH = 4;

/** Told of what is kept. */
interface Hold {
  add(bytes: number): void;
}

/**
 * The entries of a directory as its sender told them, byte for byte but for the order of attributes. Who has made a directory by a listing need not look
 * at it to know that an entry of another is there already: equal messages are equal paths, types, sizes, times, owners, modes and attributes.
 */
export class Listing {
  readonly bytes: Uint8Array;
  readonly #hold: Hold | undefined;
  #entries: Set<string> | undefined;

  constructor(bytes: Uint8Array, hold?: Hold) {
    this.bytes = bytes;
    this.#hold = hold;
    hold?.add(bytes.length);
  }

  /** The position behind `message`, if it stands at `position`. */
  after(position: number, message: Uint8Array): number | undefined {
    const after = this.#after(position, message);
    if (after !== undefined || position >= this.bytes.length) return after;
    const ordered = inOrder(message);
    return ordered === message ? undefined : this.#after(position, ordered);
  }

  #after(position: number, message: Uint8Array): number | undefined {
    const start = position + LENGTH;
    const end = start + message.length;
    if (end > this.bytes.length || this.#lengthAt(position) !== message.length) return undefined;
    return Buffer.compare(this.bytes.subarray(start, end), message) === 0 ? end : undefined;
  }

  *messages(end = this.bytes.length): Generator<Uint8Array> {
    for (let at = 0; at < end; ) {
      const start = at + LENGTH;
      at = start + this.#lengthAt(at);
      yield this.bytes.subarray(start, at);
    }
  }

  has(message: Uint8Array, packet: FsPacket): boolean {
    if (this.#entries === undefined) {
      this.#hold?.add(this.bytes.length);
      this.#entries = new Set([...this.messages()].map(keyOf));
    }
    return this.#entries.has(keyOf(inOrder(message, packet)));
  }

  #lengthAt(position: number): number {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + position, LENGTH).getUint32(0);
  }
}

const keyOf = (message: Uint8Array): string =>
  Buffer.from(message.buffer, message.byteOffset, message.length).toString('latin1');

/** An entry with its attributes in one order: senders in Go tell them in any. */
function inOrder(message: Uint8Array, packet = decodePacket(message)): Uint8Array {
  if (packet.type !== 'stat') return message;
  const names = Object.keys(packet.stat.xattrs);
  if (names.length < 2) return message;
  const xattrs = Object.fromEntries(names.sort().map((name) => [name, packet.stat.xattrs[name]!]));
  return encodePacket({ ...packet, stat: { ...packet.stat, xattrs } });
}

/** Keeps the listing of a transfer while it comes. */
export class ListingKeeper {
  readonly #hold: Hold | undefined;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(hold?: Hold) {
    this.#hold = hold;
  }

  add(entry: Uint8Array, packet: FsPacket): void {
    if (this.#bytes > MAX_BYTES) return;
    const message = inOrder(entry, packet);
    const piece = new Uint8Array(LENGTH + message.length);
    this.#bytes += piece.length;
    this.#hold?.add(piece.length);
    if (this.#bytes > MAX_BYTES) {
      this.#pieces = [];
      this.#hold?.add(-this.#bytes);
      return;
    }
    new DataView(piece.buffer).setUint32(0, message.length);
    piece.set(message, LENGTH);
    this.#pieces.push(piece);
  }

  /** Undefined where it is too long. */
  finish(): Uint8Array | undefined {
    return this.#bytes > MAX_BYTES ? undefined : Buffer.concat(this.#pieces);
  }
}

/** The packets of a call that we made; `keeper` gets the listing. */
export function listedPackets(call: RawCall, keeper: ListingKeeper): PacketStream {
  return { packets: packets(call.responses, keeper), send: (packet) => call.write(encodePacket(packet)) };
}

async function* packets(messages: AsyncIterable<Uint8Array>, keeper: ListingKeeper): AsyncGenerator<FsPacket> {
  for await (const message of messages) {
    const packet = decodePacket(message);
    if (packet.type === 'stat') keeper.add(message, packet);
    yield packet;
  }
}

/**
 * Reads a transfer as far as its listing goes on like `last`. Undefined when it was the same to its end, which the sender has been told then; else
 * the packets from the beginning, entries that are as they were marked.
 */
export async function packetsUnlessSame(
  call: RawCall,
  last: Listing,
  keeper: ListingKeeper,
  onMessage: () => void = () => {},
): Promise<PacketStream | undefined> {
  const messages = call.responses[Symbol.asyncIterator]();
  const send = (packet: FsPacket) => call.write(encodePacket(packet));
  let same = 0;
  for (;;) {
    const next = await messages.next();
    onMessage();
    const after = next.done === true ? undefined : last.after(same, next.value);
    if (after !== undefined) {
      same = after;
      continue;
    }
    if (next.done === true || same < last.bytes.length || decodePacket(next.value).type !== 'statEnd')
      return { packets: fromDifference(last, same, next, messages, keeper), send };
    try {
      await send({ type: 'fin' });
      await finished(messages);
    } finally {
      await messages.return?.();
    }
    return undefined;
  }
}

async function finished(messages: AsyncIterator<Uint8Array>): Promise<void> {
  const { done, value } = await messages.next();
  if (done === true) throw new CodedError('unavailable', 'file transfer: the stream ended before the files were there');
  const packet = decodePacket(value);
  if (packet.type === 'error')
    throw new CodedError('unknown', `file transfer: the sender failed: ${packet.message}`, { fault: 'user' });
  if (packet.type !== 'fin') throw invalidArgument(`file transfer: unexpected ${packet.type} from the sender`);
}

async function* fromDifference(
  last: Listing,
  same: number,
  different: IteratorResult<Uint8Array>,
  messages: AsyncIterator<Uint8Array>,
  keeper: ListingKeeper,
): AsyncGenerator<FsPacket> {
  const marked = (message: Uint8Array): FsPacket => {
    const packet = decodePacket(message);
    if (packet.type !== 'stat') return packet;
    keeper.add(message, packet);
    return last.has(message, packet) ? { ...packet, asLast: true } : packet;
  };
  try {
    for (const message of last.messages(same)) yield marked(message);
    for (let next = different; next.done !== true; next = await messages.next()) yield marked(next.value);
  } finally {
    await messages.return?.();
  }
}
