import { TAR_BLOCK, tarPadding } from './entry.ts';
import { checkSum, isZero, malformed, number, signedNumber } from './fields.ts';
import { MAX_PAX_SIZE, paxRecord, writeChecksum, writeOctal } from './header.ts';
import { parsePaxTime, readPaxRecords } from './pax.ts';

const MTIME = 136;
/** In headers of GNU's own format. */
const [ATIME, CTIME] = [345, 357];
const GNU_MAGIC = 'ustar  \0';
const TIME_RECORDS: ReadonlySet<string> = new Set(['mtime', 'atime', 'ctime', 'LIBARCHIVE.creationtime']);
const OCTAL_11 = 0o77777777777;
const NANO = 1_000_000_000n;

/** An extended header that is held back until all of it is there. */
interface Held {
  readonly header: Buffer;
  readonly isGlobal: boolean;
  readonly size: number;
  /** With what fills up its last block. */
  readonly body: Buffer;
  filled: number;
}

/**
 * Brings every time in an archive that is later than `epoch` (seconds) down to it, as it passes; all else stays byte for byte. Chunks are written to in place.
 * v7, USTAR, GNU and PAX archives as {@link file://./reader.ts} reads them. @throws CodedError invalid_argument for what is no such archive
 */
export class TimeClamp {
  readonly #epoch: number;
  readonly #carry = Buffer.alloc(TAR_BLOCK);
  #carried = 0;
  /** Bytes of content that come through as they are. */
  #pass = 0;
  #held: Held | undefined;
  /** Content of an old sparse member, whose map goes on in blocks of its own. */
  #afterMap: number | undefined;
  #globalSize: number | undefined;
  #paxSize: number | undefined;
  #paxTimeIsLater = false;
  #zeroBlocks = 0;

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  *push(chunk: Buffer): Generator<Buffer> {
    let from = 0;
    let at = 0;
    while (at < chunk.length && this.#zeroBlocks < 2) {
      if (this.#pass > 0) {
        const count = Math.min(this.#pass, chunk.length - at);
        this.#pass -= count;
        at += count;
        continue;
      }
      const isHere = this.#held === undefined && this.#carried === 0 && chunk.length - at >= TAR_BLOCK;
      if (isHere) {
        const end = at + TAR_BLOCK;
        if (this.#takeHeader(chunk.subarray(at, end))) {
          if (from < at) yield chunk.subarray(from, at);
          from = end;
        }
        at = end;
        continue;
      }
      if (from < at) yield chunk.subarray(from, at);
      at += this.#held === undefined ? this.#fillHeader(chunk, at) : this.#fillHeld(this.#held, chunk, at);
      from = at;
      yield* this.#whole();
    }
    if (from < chunk.length) yield chunk.subarray(from);
  }

  /** The input is over. */
  finish(): void {
    if (this.#held !== undefined || this.#carried > 0 || this.#afterMap !== undefined)
      throw malformed('unexpected EOF');
  }

  #fillHeader(chunk: Buffer, at: number): number {
    const count = chunk.copy(this.#carry, this.#carried, at, at + TAR_BLOCK - this.#carried);
    this.#carried += count;
    return count;
  }

  #fillHeld(held: Held, chunk: Buffer, at: number): number {
    const count = chunk.copy(held.body, held.filled, at, at + held.body.length - held.filled);
    held.filled += count;
    return count;
  }

  /** What came in parts and is complete now. */
  *#whole(): Generator<Buffer> {
    const held = this.#held;
    if (held !== undefined && held.filled === held.body.length) {
      this.#held = undefined;
      yield* this.#clampRecords(held);
    } else if (this.#carried === TAR_BLOCK) {
      this.#carried = 0;
      const block = Buffer.from(this.#carry);
      if (!this.#takeHeader(block)) yield block;
    }
  }

  /** Whether the block is held back. */
  #takeHeader(block: Buffer): boolean {
    if (this.#afterMap !== undefined) {
      if (block[504] === 0) this.#startContent(this.#afterMap);
      return false;
    }
    if (block[0] === 0 && isZero(block)) {
      this.#zeroBlocks++;
      return false;
    }
    if (this.#zeroBlocks > 0) throw malformed('data follows a zero block');
    checkSum(block);
    const size = number(block, 124, 12, 'size');
    const flag = block.toString('latin1', 156, 157);
    switch (flag) {
      case 'x':
      case 'X':
      case 'g': {
        this.#clamp(block, false);
        if (size > MAX_PAX_SIZE) throw malformed(`an extended header has ${size} bytes`);
        if (size === 0) return false;
        const body = Buffer.alloc(size + tarPadding(size));
        this.#held = { header: Buffer.from(block), isGlobal: flag === 'g', size, body, filled: 0 };
        return true;
      }
      case 'L':
      case 'K':
      case 'V':
        this.#clamp(block, false);
        this.#pass = size + tarPadding(size);
        return false;
    }
    this.#clamp(block, this.#paxTimeIsLater);
    const stored = this.#paxSize ?? this.#globalSize ?? size;
    this.#paxSize = undefined;
    this.#paxTimeIsLater = false;
    // Links, devices and directories have no content, whatever their size says; v7 tells directories by their names.
    const isEmpty = (flag >= '1' && flag <= '6') || (flag === '\0' && endsWithSlash(block));
    if (flag === 'S' && block[482] !== 0) this.#afterMap = stored;
    else this.#startContent(isEmpty ? 0 : stored);
    return false;
  }

  #startContent(size: number): void {
    this.#afterMap = undefined;
    this.#pass = size + tarPadding(size);
  }

  #clamp(block: Buffer, isLater: boolean): void {
    let changed = false;
    const fields = block.toString('latin1', 257, 265) === GNU_MAGIC ? [MTIME, ATIME, CTIME] : [MTIME];
    for (const field of fields) {
      const force = isLater && field === MTIME;
      if (!force && signedNumber(block, field, 12, 'time') <= this.#epoch) continue;
      writeTime(block, field, this.#epoch);
      changed = true;
    }
    if (changed) writeChecksum(block, 0);
  }

  /** An extended header without a modification time that is too late, which the entry's own header then tells; no header where nothing is left of it. */
  *#clampRecords({ header, isGlobal, size, body }: Held): Generator<Buffer> {
    const records: Buffer[] = [];
    let changed = false;
    for (const { key, value, bytes } of readPaxRecords(body.subarray(0, size))) {
      const text = value.toString('latin1');
      if (key === 'size' && /^\d{1,16}$/.test(text)) {
        if (isGlobal) this.#globalSize = Number(text);
        else this.#paxSize = Number(text);
      }
      const isLater = TIME_RECORDS.has(key) && text !== '' && parsePaxTime(text) > BigInt(this.#epoch) * NANO;
      changed ||= isLater;
      if (!isLater) records.push(bytes);
      else if (key === 'mtime' && !isGlobal) this.#paxTimeIsLater = true;
      else records.push(Buffer.from(paxRecord(key, String(this.#epoch)), 'latin1'));
    }
    if (!changed) {
      yield header;
      yield body;
      return;
    }
    const clamped = Buffer.concat(records);
    if (clamped.length === 0) return;
    writeOctal(header, 124, 12, clamped.length);
    header[135] = 0;
    writeChecksum(header, 0);
    yield header;
    yield Buffer.concat([clamped, Buffer.alloc(tarPadding(clamped.length))]);
  }
}

function endsWithSlash(block: Buffer): boolean {
  const name = block.subarray(0, 100);
  const end = name.indexOf(0);
  return name[(end < 0 ? name.length : end) - 1] === 0x2f;
}

function writeTime(block: Buffer, at: number, seconds: number): void {
  block[at + 11] = 0;
  if (seconds >= 0 && seconds <= OCTAL_11) {
    writeOctal(block, at, 12, seconds);
    return;
  }
  // Base 256, as GNU writes what octal digits cannot say.
  block.fill(seconds < 0 ? 0xff : 0, at, at + 12);
  block.writeBigInt64BE(BigInt(seconds), at + 4);
  block[at] = seconds < 0 ? 0xff : 0x80;
}
