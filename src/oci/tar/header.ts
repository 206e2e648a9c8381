import { CodedError } from '../../base/index.ts';
import { type ByteString, TAR_BLOCK, type TarEntry, type TarEntryType, tarPadding } from './entry.ts';

const TYPE_FLAG: Readonly<Record<TarEntryType, number>> = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
};

const PAX_FLAG = 0x78;
const NAME_SIZE = 100;
const PREFIX_SIZE = 155;
const OCTAL_7 = 0o7777777;
const OCTAL_11 = 0o77777777777;
const NANO = 1_000_000_000n;
/** Longest extended header that common readers take (Go's archive/tar: 1 MiB). */
export const MAX_PAX_SIZE = 1 << 20;

/**
 * The header blocks of an entry: USTAR where everything fits, else a PAX extended header with only the records that are needed, sorted
 * (POSIX.1-2017 pax; the choices are those of Go's archive/tar, so that layers look like the field's). Owner names stay empty.
 * @throws CodedError invalid_argument when the extended header would be larger than readers take
 */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const { block, length } = renderTarHeader(entry);
  return Buffer.from(block.subarray(0, length));
}

/** Headers of nearly all entries fit; it spares an allocation for each. */
const scratch = Buffer.alloc(8192);

/** {@link encodeTarHeader} into memory that the next call uses again. */
export function renderTarHeader(entry: TarEntry): { readonly block: Buffer; readonly length: number } {
  const name = entry.type === 'directory' && !entry.name.endsWith('/') ? `${entry.name}/` : entry.name;
  const link = entry.linkname ?? '';
  const seconds = floorDiv(entry.mtime, NANO);
  const timeFits = seconds >= 0n && seconds <= BigInt(OCTAL_11);
  const records = paxRecords(entry, link, seconds, timeFits);
  let prefix = '';
  let shortName = name;
  if (name.length > NAME_SIZE || !isPlain(name)) {
    const split = records.length === 0 ? splitUstar(name) : undefined;
    if (split === undefined) records.push(['path', name]);
    else ({ prefix, name: shortName } = split);
  }
  const body = records.length === 0 ? '' : paxBody(name, records);
  const at = body === '' ? 0 : TAR_BLOCK + body.length + tarPadding(body.length);
  const length = at + TAR_BLOCK;
  const block = length <= scratch.length ? scratch.fill(0, 0, length) : Buffer.alloc(length);
  if (body !== '') writePax(block, name, body);
  block.write(toAscii(shortName), at, NAME_SIZE, 'latin1');
  writeOctal(block, at + 100, 8, entry.mode & 0o7777);
  writeOctal(block, at + 108, 8, entry.uid > OCTAL_7 ? 0 : entry.uid);
  writeOctal(block, at + 116, 8, entry.gid > OCTAL_7 ? 0 : entry.gid);
  writeOctal(block, at + 124, 12, entry.size > OCTAL_11 ? 0 : entry.size);
  writeOctal(block, at + 136, 12, timeFits ? Number(seconds) : 0);
  block[at + 156] = TYPE_FLAG[entry.type];
  if (link !== '') block.write(toAscii(link), at + 157, NAME_SIZE, 'latin1');
  writeMagic(block, at);
  writeOctal(block, at + 329, 8, entry.devmajor ?? 0);
  writeOctal(block, at + 337, 8, entry.devminor ?? 0);
  if (prefix !== '') block.write(prefix, at + 345, PREFIX_SIZE, 'latin1');
  writeChecksum(block, at);
  return { block, length };
}

function paxRecords(
  entry: TarEntry,
  link: ByteString,
  seconds: bigint,
  timeFits: boolean,
): [key: ByteString, value: ByteString][] {
  const records: [ByteString, ByteString][] = [];
  if (link.length > NAME_SIZE || !isPlain(link)) records.push(['linkpath', link]);
  if (entry.size > OCTAL_11) records.push(['size', String(entry.size)]);
  if (entry.uid > OCTAL_7) records.push(['uid', String(entry.uid)]);
  if (entry.gid > OCTAL_7) records.push(['gid', String(entry.gid)]);
  if (!timeFits || entry.mtime !== seconds * NANO) records.push(['mtime', formatPaxTime(entry.mtime)]);
  if (entry.xattrs !== undefined)
    for (const [key, value] of entry.xattrs)
      records.push([
        `SCHILY.xattr.${key}`,
        Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1'),
      ]);
  return records;
}

function paxBody(name: ByteString, records: [ByteString, ByteString][]): ByteString {
  records.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let body = '';
  for (const [key, value] of records) body += paxRecord(key, value);
  if (body.length > MAX_PAX_SIZE)
    throw CodedError.of(
      'TAR_PAX_TOO_LARGE',
      `the extended tar header of ${JSON.stringify(name)} would have ${body.length} bytes`,
    );
  return body;
}

/** An extended header at the start of a zeroed block. */
function writePax(block: Buffer, name: ByteString, body: ByteString): void {
  block.write(toAscii(paxHeaderName(name)).slice(0, NAME_SIZE).replace(/\/+$/, ''), 0, NAME_SIZE, 'latin1');
  writeOctal(block, 100, 8, 0);
  writeOctal(block, 108, 8, 0);
  writeOctal(block, 116, 8, 0);
  writeOctal(block, 124, 12, body.length);
  writeOctal(block, 136, 12, 0);
  block[156] = PAX_FLAG;
  writeMagic(block, 0);
  writeChecksum(block, 0);
  block.write(body, TAR_BLOCK, 'latin1');
}

/** `<length> <key>=<value>\n`, the length counting itself. */
export function paxRecord(key: ByteString, value: ByteString): ByteString {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function paxHeaderName(name: ByteString): ByteString {
  const slash = name.lastIndexOf('/');
  const file = name.slice(slash + 1);
  return `${name.slice(0, slash + 1)}PaxHeaders.0${file === '' ? '' : `/${file}`}`;
}

/** USTAR prefix and name of a long ASCII name, when a slash lies right for it. */
function splitUstar(name: ByteString): { prefix: string; name: string } | undefined {
  if (!isPlain(name)) return undefined;
  let length = Math.min(name.length, PREFIX_SIZE + 1);
  if (length === name.length && name.endsWith('/')) length--;
  const at = name.lastIndexOf('/', length - 1);
  const rest = name.length - at - 1;
  if (at <= 0 || rest > NAME_SIZE || rest === 0) return undefined;
  return { prefix: name.slice(0, at), name: name.slice(at + 1) };
}

/** Decimal seconds with up to nine digits of fraction, without trailing zeros. */
function formatPaxTime(time: bigint): string {
  const sign = time < 0n ? '-' : '';
  const absolute = time < 0n ? -time : time;
  const fraction = (absolute % NANO).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${absolute / NANO}${fraction === '' ? '' : `.${fraction}`}`;
}

function floorDiv(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

const PLAIN = /^[\x01-\x7f]*$/;

function isPlain(text: ByteString): boolean {
  return PLAIN.test(text);
}

function toAscii(text: ByteString): string {
  return isPlain(text) ? text : text.replace(/[^\x01-\x7f]/g, '');
}

/** Zero-padded octal digits in `width` bytes, the last of them NUL already. */
export function writeOctal(block: Buffer, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = at + width - 2; i >= at; i--) {
    const next = Math.floor(rest / 8);
    block[i] = 0x30 + rest - next * 8;
    rest = next;
  }
}

function writeMagic(block: Buffer, at: number): void {
  block.write('ustar\u000000', at + 257, 8, 'latin1');
}

export function writeChecksum(block: Buffer, at: number): void {
  block.fill(0, at + 148, at + 156);
  let sum = 8 * 0x20;
  for (let i = at; i < at + TAR_BLOCK; i++) sum += block[i] as number;
  writeOctal(block, at + 148, 7, sum);
  block[at + 155] = 0x20;
}
