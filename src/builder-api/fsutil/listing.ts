import { type AbortOptions, CodedError, inSlices, invalidArgument, isTurnSpent, nextTurn } from '../../base/index.ts';
import type { RawCall } from '../grpc/channel.ts';
import { comparePaths } from './order.ts';
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

  constructor(bytes: Uint8Array, hold?: Hold) {
    this.bytes = bytes;
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

  /** The message at a position; undefined at the end. */
  at(position: number): Uint8Array | undefined {
    const start = position + LENGTH;
    return position < this.bytes.length ? this.bytes.subarray(start, start + this.#lengthAt(position)) : undefined;
  }

  *messages(end: number): Generator<Uint8Array> {
    for (let at = 0; at < end; ) {
      const message = this.at(at) as Uint8Array;
      at += LENGTH + message.length;
      yield message;
    }
  }

  #lengthAt(position: number): number {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + position, LENGTH).getUint32(0);
  }
}

/** Looks up the entries of another listing: both are in the order of their paths, so each is read once. */
class Lookup {
  readonly #listing: Listing;
  #position: number;

  constructor(listing: Listing, position: number) {
    this.#listing = listing;
    this.#position = position;
  }

  /** Whether the next entry is there, just so, looked for in short steps. */
  *has(message: Uint8Array, packet: FsPacket & { type: 'stat' }): Generator<void, boolean, void> {
    const wanted = inOrder(message, packet);
    for (let there = this.#next(); there !== undefined; there = this.#next()) {
      const isSame = Buffer.compare(there, wanted) === 0;
      if (!isSame && isBehind(there, packet.stat.path)) return false;
      this.#position += LENGTH + there.length;
      if (isSame) return true;
      yield;
    }
    return false;
  }

  #next(): Uint8Array | undefined {
    return this.#listing.at(this.#position);
  }
}

function isBehind(message: Uint8Array, path: string): boolean {
  const packet = decodePacket(message);
  return packet.type === 'stat' && comparePaths(packet.stat.path, path) > 0;
}

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
  options: AbortOptions & { readonly onMessage?: () => void },
): Promise<PacketStream | undefined> {
  const messages = call.responses[Symbol.asyncIterator]();
  const send = (packet: FsPacket) => call.write(encodePacket(packet));
  let same = 0;
  for (;;) {
    const next = await messages.next();
    options.onMessage?.();
    const after = next.done === true ? undefined : last.after(same, next.value);
    if (after !== undefined) {
      same = after;
      continue;
    }
    if (next.done === true || same < last.bytes.length || decodePacket(next.value).type !== 'statEnd')
      return { packets: fromDifference({ last, same, different: next, messages, keeper }, options), send };
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

interface Difference {
  readonly last: Listing;
  /** How far it is the same. */
  readonly same: number;
  /** What came in place of the next entry, and what comes behind it. */
  readonly different: IteratorResult<Uint8Array>;
  readonly messages: AsyncIterator<Uint8Array>;
  readonly keeper: ListingKeeper;
}

async function* fromDifference(
  { last, same, different, messages, keeper }: Difference,
  options: AbortOptions,
): AsyncGenerator<FsPacket> {
  try {
    for (const message of last.messages(same)) {
      if (isTurnSpent()) await nextTurn(options);
      const packet = decodePacket(message);
      keeper.add(message, packet);
      yield packet.type === 'stat' ? { ...packet, asLast: true } : packet;
    }
    const lookup = new Lookup(last, same);
    for (let next = different; next.done !== true; next = await messages.next()) {
      const packet = decodePacket(next.value);
      if (packet.type === 'stat') {
        keeper.add(next.value, packet);
        const asLast = await inSlices(lookup.has(next.value, packet), options);
        yield asLast ? { ...packet, asLast } : packet;
      } else yield packet;
    }
  } finally {
    await messages.return?.();
  }
}
