import { CodedError } from '../../base/index.ts';
import { type ByteString, TAR_BLOCK, type TarEntry, type TarEntryType, tarPadding, textOf } from './entry.ts';
import { checkSum, isZero, malformed, number, signedNumber } from './fields.ts';
import { MAX_PAX_SIZE } from './header.ts';
import { type PaxRecords, parsePax } from './pax.ts';
import { extendMap, SparseContent, type SparseMap } from './sparse.ts';

/** Who gets what {@link TarReader} finds. `data` chunks are borrowed until the call returns. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  data?(chunk: Uint8Array): void;
  /** So many zeros that the archive does not hold, of a sparse file. */
  hole?(size: number): void;
  /** After the last content byte of each entry. */
  end?(): void;
}

export interface TarLimits {
  /** Most entries; default 4 million. */
  readonly maxEntries?: number | undefined;
  /** Longest name or link target in bytes; default 4096, as PATH_MAX. */
  readonly maxName?: number;
  /** Most content bytes in all, holes of sparse files too; default none. */
  readonly maxBytes?: number | undefined;
}

const TYPE_BY_FLAG: Readonly<Record<string, TarEntryType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
};

type Target = 'pax' | 'global' | 'longname' | 'longlink' | 'skip' | 'sparse';
const METADATA_BY_FLAG: Readonly<Record<string, Target>> = {
  x: 'pax',
  X: 'pax',
  g: 'global',
  L: 'longname',
  K: 'longlink',
  V: 'skip',
};

const MAX_ID = 0xffff_fffe;
const NANO = 1_000_000_000n;

/** A sparse member in GNU's old format: its header, its map so far, and the stored size. */
interface OldSparse {
  readonly map: number[];
  readonly realSize: number;
  readonly storedSize: number;
}

/**
 * A push parser for v7, USTAR, GNU and PAX archives (POSIX.1-2017 pax; GNU tar manual, "Basic Tar Format"): feed it bytes with
 * {@link push}, then call {@link close}. Everything from the archive is bounded, nothing is trusted: paths come out as they stand.
 * What it cannot read rightly it refuses.
 * @throws CodedError invalid_argument from push and close, with reason TAR_MALFORMED, TAR_SPARSE, TAR_TYPE, TAR_LIMIT, TAR_TOO_LARGE or TAR_TOO_MANY
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #maxEntries: number;
  readonly #maxName: number;
  readonly #maxBytes: number;
  readonly #header = Buffer.allocUnsafeSlow(TAR_BLOCK);
  #headerFill = 0;
  #content = 0;
  #padding = 0;
  #target: Target | 'entry' | undefined;
  #metadata: Buffer | undefined;
  #metadataFill = 0;
  #global: PaxRecords = {};
  #pax: PaxRecords = {};
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;
  #oldSparse: OldSparse | undefined;
  #sparse: SparseContent | undefined;
  #zeroBlocks = 0;
  #ended = false;
  #headers = 0;
  #entries = 0;
  #bytes = 0;
  #position = 0;

  constructor(handler: TarHandler, limits: TarLimits = {}) {
    this.#handler = handler;
    this.#maxEntries = limits.maxEntries ?? 4_000_000;
    this.#maxName = limits.maxName ?? 4096;
    this.#maxBytes = limits.maxBytes ?? Number.MAX_SAFE_INTEGER;
  }

  /** Entries seen so far. */
  get entries(): number {
    return this.#entries;
  }

  /** Header blocks seen so far whose checksum is right. */
  get headers(): number {
    return this.#headers;
  }

  /** Bytes of the archive that were read; in {@link TarHandler.entry} its content comes next. */
  get position(): number {
    return this.#position;
  }

  /** Whether the end of the archive was seen. */
  get ended(): boolean {
    return this.#ended;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#content > 0) at += this.#takeContent(chunk, at);
      else if (this.#padding > 0) {
        const count = Math.min(this.#padding, chunk.length - at);
        this.#padding -= count;
        this.#position += count;
        at += count;
      } else {
        const count = Math.min(TAR_BLOCK - this.#headerFill, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + count), this.#headerFill);
        this.#headerFill += count;
        this.#position += count;
        at += count;
        if (this.#headerFill === TAR_BLOCK) {
          this.#headerFill = 0;
          this.#takeHeader();
        }
      }
    }
  }

  /** The input is over: fails when it stopped inside an entry. */
  close(): void {
    if (this.#ended) return;
    // The content is whole where only what fills up its last block is missing.
    const isWhole = this.#content === 0 && this.#headerFill === 0;
    const isAnnounced =
      Object.keys(this.#pax).length > 0 || this.#longName !== undefined || this.#longLink !== undefined;
    if (!isWhole || isAnnounced || this.#oldSparse !== undefined) throw malformed('unexpected EOF');
  }

  #takeContent(chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#content, chunk.length - at);
    const part = at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count);
    this.#content -= count;
    this.#position += count;
    if (this.#target === 'entry') {
      if (this.#sparse !== undefined) this.#sparse.push(part);
      else this.#handler.data?.(part);
    } else if (this.#metadata !== undefined) {
      this.#metadata.set(part, this.#metadataFill);
      this.#metadataFill += count;
    }
    if (this.#content === 0) this.#finishContent();
    return count;
  }

  #finishContent(): void {
    const body = this.#metadata;
    const target = this.#target;
    this.#metadata = undefined;
    this.#target = undefined;
    switch (target) {
      case 'entry':
        this.#sparse?.end();
        this.#sparse = undefined;
        this.#handler.end?.();
        break;
      case 'pax':
        parsePax(body!, this.#pax);
        break;
      case 'global':
        parsePax(body!, this.#global);
        if (this.#global.sparse !== undefined) throw malformed('a global header tells of a sparse file');
        break;
      case 'longname':
        this.#longName = this.#cString(body!, 0, body!.length);
        break;
      case 'longlink':
        this.#longLink = this.#cString(body!, 0, body!.length);
        break;
      case 'sparse':
        this.#takeSparseBlock(body!, 0, 21);
        break;
    }
  }

  #takeHeader(): void {
    const block = this.#header;
    if (block[0] === 0 && isZero(block)) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#ended = true;
      return;
    }
    if (this.#zeroBlocks > 0) throw malformed('data follows a zero block');
    checkSum(block);
    this.#headers++;
    const flag = block.toString('latin1', 156, 157);
    const size = number(block, 124, 12, 'size');
    const metadata = METADATA_BY_FLAG[flag];
    if (metadata !== undefined) {
      this.#startMetadata(metadata, size);
      return;
    }
    if (flag === 'S') {
      const realSize = number(block, 483, 12, 'size of a sparse file');
      this.#oldSparse = { map: [], realSize, storedSize: size };
      this.#takeSparseBlock(block, 386, 4);
      return;
    }
    const type = TYPE_BY_FLAG[flag];
    if (type === undefined)
      throw CodedError.of('TAR_TYPE', `malformed tar archive: unknown entry type ${JSON.stringify(flag)}`, {
        ...(flag === 'M' ? { hint: 'this is a later volume of an archive: join the volumes first' } : {}),
      });
    this.#startEntry(type, size);
  }

  /** Pairs of a map in GNU's old format, from the header or a block of its own; either says whether one more follows. */
  #takeSparseBlock(block: Buffer, at: number, pairs: number): void {
    const { map, storedSize } = this.#oldSparse!;
    for (let n = 0; n < pairs; n++) {
      const pair = at + n * 24;
      if (block[pair] === 0) break;
      const [offset, size] = [pair, pair + 12].map((field) => number(block, field, 12, 'place in a sparse file'));
      extendMap(map, [offset!, size!]);
    }
    if (block[at + pairs * 24] !== 0) {
      this.#target = 'sparse';
      this.#metadata = Buffer.alloc(TAR_BLOCK);
      this.#metadataFill = 0;
      this.#content = TAR_BLOCK;
      return;
    }
    this.#startEntry('file', storedSize);
  }

  #startMetadata(target: Target, size: number): void {
    if (size > MAX_PAX_SIZE) throw limit(`an extended header has ${size} bytes`);
    this.#target = target;
    this.#metadata = target === 'skip' ? undefined : Buffer.allocUnsafe(size);
    this.#metadataFill = 0;
    this.#content = size;
    this.#padding = tarPadding(size);
    if (size === 0) this.#finishContent();
  }

  #startEntry(flagType: TarEntryType, headerSize: number): void {
    const block = this.#header;
    const pax: PaxRecords = { ...this.#global, ...this.#pax };
    const oldSparse = this.#oldSparse;
    this.#oldSparse = undefined;
    if (++this.#entries > this.#maxEntries) throw limit(`it has more than ${this.#maxEntries} entries`, 'TAR_TOO_MANY');
    const rawName = pax.sparse?.name ?? pax.path ?? this.#longName ?? this.#headerName(block);
    const linkname = pax.linkpath ?? this.#longLink ?? this.#cString(block, 157, 257);
    this.#pax = {};
    this.#longName = undefined;
    this.#longLink = undefined;
    if (rawName.length > this.#maxName || linkname.length > this.#maxName)
      throw limit(`a name is longer than ${this.#maxName} bytes`);
    if (rawName === '') throw malformed('an entry has no name');
    // v7 archives have no flags: a trailing slash says that it is a directory.
    const type = block[156] === 0 && rawName.endsWith('/') ? 'directory' : flagType;
    const name = rawName.length > 1 ? rawName.replace(/\/+$/, '') || '/' : rawName;
    const storedSize = type === 'file' ? (pax.size ?? headerSize) : 0;
    const sparse = oldSparse ?? sparseOf(pax, storedSize);
    if (sparse !== undefined && type !== 'file')
      throw malformed(`${JSON.stringify(textOf(name))} is sparse, but no file`);
    const size = sparse?.realSize ?? storedSize;
    this.#bytes += size;
    if (this.#bytes > this.#maxBytes)
      throw limit(`its content is larger than ${this.#maxBytes} bytes`, 'TAR_TOO_LARGE');
    const uid = pax.uid ?? number(block, 108, 8, 'uid');
    const gid = pax.gid ?? number(block, 116, 8, 'gid');
    if (uid > MAX_ID || gid > MAX_ID) throw malformed(`owner of ${JSON.stringify(textOf(name))} is out of range`);
    if ((type === 'symlink' || type === 'hardlink') && linkname === '')
      throw malformed(`link ${JSON.stringify(textOf(name))} has no target`);
    const isDevice = type === 'char' || type === 'block';
    this.#handler.entry({
      type,
      name,
      mode: number(block, 100, 8, 'mode') & 0o7777,
      uid,
      gid,
      size,
      mtime: pax.mtime ?? BigInt(signedNumber(block, 136, 12, 'mtime')) * NANO,
      ...(type === 'symlink' || type === 'hardlink' ? { linkname } : {}),
      ...(isDevice ? { devmajor: number(block, 329, 8, 'devmajor'), devminor: number(block, 337, 8, 'devminor') } : {}),
      ...(pax.xattrs === undefined ? {} : { xattrs: pax.xattrs }),
      ...(sparse === undefined ? {} : { sparse: true }),
    });
    if (sparse !== undefined) {
      const { data, hole } = this.#handler;
      const sink = { data: data?.bind(this.#handler) ?? nothing, hole: hole?.bind(this.#handler) ?? nothing };
      this.#sparse = new SparseContent(sink, sparse.realSize, storedSize, sparse.map);
    }
    this.#target = 'entry';
    this.#content = storedSize;
    this.#padding = tarPadding(storedSize);
    if (storedSize === 0) this.#finishContent();
  }

  /** Name field, with the prefix where the magic is that of POSIX (GNU uses those bytes otherwise). */
  #headerName(block: Buffer): ByteString {
    const name = this.#cString(block, 0, 100);
    if (block.toString('latin1', 257, 263) !== 'ustar\0') return name;
    const prefix = this.#cString(block, 345, 500);
    return prefix === '' ? name : `${prefix}/${name}`;
  }

  #cString(block: Buffer, from: number, to: number): ByteString {
    const nul = block.subarray(from, to).indexOf(0);
    return block.toString('latin1', from, nul < 0 ? to : from + nul);
  }
}

function nothing(): void {}

/** What extended headers say of a sparse file, with its map unless the content begins with it. */
function sparseOf(
  { sparse }: PaxRecords,
  storedSize: number,
): { readonly realSize: number; readonly map: SparseMap | undefined } | undefined {
  if (sparse === undefined) return undefined;
  const { major = 0, minor = 0, realSize = storedSize, map = [] } = sparse;
  if (major === 1 && minor === 0) return { realSize, map: undefined };
  if (major !== 0 || minor > 1)
    throw CodedError.of('TAR_SPARSE', `sparse members of format ${major}.${minor} cannot be read`);
  return { realSize, map };
}

function limit(why: string, reason: 'TAR_LIMIT' | 'TAR_TOO_LARGE' | 'TAR_TOO_MANY' = 'TAR_LIMIT'): CodedError {
  return CodedError.of(reason, `refusing tar archive: ${why}`);
}
