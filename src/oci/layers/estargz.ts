import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CodedError, type Digest, goJson } from '../../base/index.ts';
import { encodeName } from '../../sys/index.ts';
import { gzipMember } from '../compression/index.ts';
import { encodeTarHeader, type TarEntry, TarReader, tarPadding, textOf } from '../tar/index.ts';

/** eStargz (stargz-snapshotter, docs/estargz.md): a gzip stream whose members can be found by a table of contents in the last of them. */

/** Annotations of the descriptor: the table's digest, and the bytes of all that it unpacks to. */
export const TOC_DIGEST = 'containerd.io/snapshot/stargz/toc.digest';
export const UNCOMPRESSED_SIZE = 'io.containers.estargz.uncompressed-size';
export const TOC_NAME = 'stargz.index.json';
/** Content of a file that lies in a member of its own. */
const CHUNK = 4 << 20;
/** What waits for the next file's content may be no more. */
const MOST_PENDING = 2 * CHUNK;
/** The table is made in memory, and as one string: parts of files count, and characters of names and attributes. */
const MAX_ENTRIES = 500_000;
const MAX_TEXT = 64 << 20;
const FOOTER_SIZE = 51;
const TYPE: Readonly<Record<TarEntry['type'], string>> = {
  file: 'reg',
  directory: 'dir',
  hardlink: 'hardlink',
  symlink: 'symlink',
  char: 'char',
  block: 'block',
  fifo: 'fifo',
};

/** In the order of the members that others write; zeros and what is empty are left out. */
interface TocEntry {
  readonly name: string;
  readonly type: string;
  readonly size?: number | undefined;
  readonly modtime?: string | undefined;
  readonly linkName?: string | undefined;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  offset?: number | undefined;
  readonly devMajor?: number | undefined;
  readonly devMinor?: number | undefined;
  readonly xattrs?: Readonly<Record<string, Uint8Array>> | undefined;
  digest?: string | undefined;
  readonly chunkOffset?: number | undefined;
  readonly chunkSize?: number | undefined;
  chunkDigest?: string | undefined;
}

/** A part of a file's content: where it begins in the tar, and its entry, which gets to know where its member begins. */
interface Cut {
  readonly at: number;
  readonly entry: TocEntry;
}

interface EstargzResult {
  /** Of all that the stream unpacks to. */
  readonly diffId: Digest;
  readonly diffSize: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Writes a tar as eStargz, byte for byte as it is: readers that know nothing of it stop at the end of the archive, before the table. The output depends on
 * the tar alone. @throws CodedError invalid_argument for a tar that cannot be written so
 */
export class EstargzWriter {
  readonly #level: number | undefined;
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #diff = createHash('sha256');
  readonly #entries: TocEntry[] = [];
  #text = 0;
  readonly #cuts: Cut[] = [];
  readonly #reader: TarReader;
  #pending: Uint8Array[] = [];
  #pendingSize = 0;
  /** Bytes of the tar that came, and of the blob that went. */
  #read = 0;
  #written = 0;
  /** Bytes that the blob unpacks to. */
  #total = 0;
  #file: FileDigests | undefined;

  constructor(level: number | undefined, sink: (bytes: Uint8Array) => void) {
    this.#level = level;
    this.#sink = sink;
    this.#reader = new TarReader(
      {
        entry: (entry) => this.#entry(entry),
        data: (chunk) => this.#file?.update(chunk),
        hole: () => {
          throw CodedError.of('TAR_SPARSE', 'a sparse member cannot be packed as estargz');
        },
        end: () => this.#file?.end(),
      },
      { maxEntries: MAX_ENTRIES },
    );
  }

  push(chunk: Uint8Array): void {
    const start = this.#read;
    this.#reader.push(chunk);
    let from = 0;
    for (let cut = this.#cuts[0]; cut !== undefined && cut.at <= start + chunk.length; cut = this.#cuts[0]) {
      this.#cuts.shift();
      this.#take(chunk.subarray(from, cut.at - start));
      from = cut.at - start;
      this.#flush();
      cut.entry.offset = this.#written;
    }
    this.#take(chunk.subarray(from));
    this.#read = start + chunk.length;
  }

  finish(): EstargzResult {
    this.#reader.close();
    this.#flush();
    const at = this.#written;
    const toc = Buffer.from(goJson({ version: 1, entries: this.#entries }, '\t'));
    const entry = { type: 'file', name: TOC_NAME, mode: 0, uid: 0, gid: 0, size: toc.length, mtime: 0n } as const;
    this.#append(encodeTarHeader(entry));
    this.#append(toc);
    this.#append(Buffer.alloc(tarPadding(toc.length) + 1024));
    const diffSize = this.#total;
    this.#flush();
    this.#sink(footer(at));
    return {
      diffId: `sha256:${this.#diff.digest('hex')}`,
      diffSize,
      annotations: {
        [TOC_DIGEST]: `sha256:${createHash('sha256').update(toc).digest('hex')}`,
        [UNCOMPRESSED_SIZE]: String(diffSize),
      },
    };
  }

  /** Of the tar: where a member ends is no matter of how it comes. */
  #take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + MOST_PENDING - this.#pendingSize);
      this.#append(part);
      at += part.length;
    }
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#diff.update(bytes);
    this.#total += bytes.length;
    // The chunk belongs to whoever gave it.
    this.#pending.push(new Uint8Array(bytes));
    this.#pendingSize += bytes.length;
    if (this.#pendingSize >= MOST_PENDING) this.#flush();
  }

  /** What is pending becomes a member. */
  #flush(): void {
    if (this.#pendingSize === 0) return;
    for (const bytes of gzipMember(Buffer.concat(this.#pending), this.#level)) {
      this.#sink(bytes);
      this.#written += bytes.length;
    }
    this.#pending = [];
    this.#pendingSize = 0;
  }

  #entry(entry: TarEntry): void {
    const { type, size, linkname, mtime } = entry;
    if (entry.name.replace(/^(?:\.?\/)+/, '') === TOC_NAME)
      throw CodedError.of('EXPORT_COMPRESSION', `a layer with a file ${TOC_NAME} cannot be packed as estargz`, {
        hint: 'remove the file, or choose another compression',
      });
    const count = Math.max(1, Math.ceil(size / CHUNK));
    this.#reserve(count, count * entry.name.length + (linkname ?? '').length + xattrSize(entry));
    const name = textOf(type === 'directory' ? `${entry.name}/` : entry.name);
    const seconds = (mtime + 500_000_000n) / 1_000_000_000n;
    const first: TocEntry = {
      ...{ name, type: TYPE[type] },
      size: size || undefined,
      modtime: seconds === 0n ? undefined : new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z'),
      linkName: linkname === undefined ? undefined : textOf(linkname),
      ...{ mode: entry.mode || undefined, uid: entry.uid || undefined, gid: entry.gid || undefined },
      offset: undefined,
      ...{ devMajor: entry.devmajor || undefined, devMinor: entry.devminor || undefined },
      xattrs: xattrsOf(entry),
      digest: undefined,
      chunkOffset: undefined,
      chunkSize: size >= CHUNK ? CHUNK : undefined,
      chunkDigest: undefined,
    };
    const parts = [first];
    for (let at = CHUNK; at < size; at += CHUNK)
      parts.push({
        ...{ name, type: 'chunk', offset: undefined, chunkOffset: at },
        chunkSize: size - at >= CHUNK ? CHUNK : undefined,
        chunkDigest: undefined,
      });
    for (const part of parts) this.#entries.push(part);
    this.#file = type === 'file' ? new FileDigests(parts) : undefined;
    if (size === 0) return;
    const begin = this.#reader.position;
    for (const [n, part] of parts.entries()) this.#cuts.push({ at: begin + n * CHUNK, entry: part });
  }

  /** Before anything is made of a header, which may say what never comes. */
  #reserve(entries: number, text: number): void {
    this.#text += text;
    if (this.#entries.length + entries <= MAX_ENTRIES && this.#text <= MAX_TEXT) return;
    throw CodedError.of('TAR_TOO_MANY', 'the table of contents of the layer as estargz is too large to be made', {
      hint: 'make layers of less content, or choose another compression',
    });
  }
}

/** Hashes the content of one file, as a whole and in parts. */
class FileDigests {
  readonly #parts: readonly TocEntry[];
  readonly #whole = createHash('sha256');
  #part = createHash('sha256');
  #at = 0;

  constructor(parts: readonly TocEntry[]) {
    this.#parts = parts;
  }

  update(chunk: Uint8Array): void {
    this.#whole.update(chunk);
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + CHUNK - (this.#at % CHUNK));
      this.#part.update(part);
      from += part.length;
      this.#at += part.length;
      if (this.#at % CHUNK === 0) this.#endPart();
    }
  }

  end(): void {
    if (this.#at % CHUNK !== 0) this.#endPart();
    this.#parts[0]!.digest = `sha256:${this.#whole.digest('hex')}`;
  }

  #endPart(): void {
    this.#parts[Math.ceil(this.#at / CHUNK) - 1]!.chunkDigest = `sha256:${this.#part.digest('hex')}`;
    this.#part = createHash('sha256');
  }
}

function xattrSize({ xattrs }: TarEntry): number {
  return [...(xattrs ?? [])].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

function xattrsOf({ xattrs }: TarEntry): Record<string, Uint8Array> | undefined {
  if (xattrs === undefined || xattrs.size === 0) return undefined;
  const named = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(named.map(([key, value]) => [textOf(key), value]));
}

const FOOTER_HEAD = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, 0x53, 0x47, 22, 0]);
/** An empty block that is not compressed, the checksum and the size of nothing. */
const FOOTER_TAIL = Buffer.from([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);

/** An empty member that tells where the table begins. */
function footer(at: number): Buffer {
  const field = Buffer.from(`${at.toString(16).padStart(16, '0')}STARGZ`, 'latin1');
  return Buffer.concat([FOOTER_HEAD, field, FOOTER_TAIL]);
}

/** Bytes of the file before its table of contents; undefined where it has none. */
export function contentEnd(path: string): number | undefined {
  const fd = openSync(encodeName(path), 'r');
  try {
    const { size } = fstatSync(fd);
    const end = Buffer.alloc(FOOTER_SIZE);
    if (size < FOOTER_SIZE || readSync(fd, end, 0, FOOTER_SIZE, size - FOOTER_SIZE) < FOOTER_SIZE) return undefined;
    const field = end.toString('latin1', FOOTER_HEAD.length, FOOTER_HEAD.length + 22);
    if (!/^[0-9a-f]{16}STARGZ$/.test(field)) return undefined;
    const at = Number.parseInt(field.slice(0, 16), 16);
    return at > 0 && at <= size - FOOTER_SIZE ? at : undefined;
  } finally {
    closeSync(fd);
  }
}
