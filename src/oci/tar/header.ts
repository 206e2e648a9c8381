import { invalidArgument } from '../../base/index.ts';
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
  const extended = records.length === 0 ? undefined : encodePax(name, records);
  const at = extended?.length ?? 0;
  const block = Buffer.alloc(at + TAR_BLOCK);
  extended?.copy(block);
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
  return block;
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

function encodePax(name: ByteString, records: [ByteString, ByteString][]): Buffer {
  records.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let body = '';
  for (const [key, value] of records) body += paxRecord(key, value);
  if (body.length > MAX_PAX_SIZE)
    throw invalidArgument(`the extended tar header of ${JSON.stringify(name)} would have ${body.length} bytes`, {
      reason: 'TAR_PAX_TOO_LARGE',
      hint: 'remove large extended attributes',
    });
  const block = Buffer.alloc(TAR_BLOCK + body.length + tarPadding(body.length));
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
  return block;
}

/** `<length> <key>=<value>\n`, the length counting itself. */
function paxRecord(key: ByteString, value: ByteString): ByteString {
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

/** Zero-padded octal digits and a NUL in `width` bytes. */
function writeOctal(block: Buffer, at: number, width: number, value: number): void {
  block.write(value.toString(8).padStart(width - 1, '0'), at, width - 1, 'latin1');
}

function writeMagic(block: Buffer, at: number): void {
  block.write('ustar\u000000', at + 257, 8, 'latin1');
}

function writeChecksum(block: Buffer, at: number): void {
  block.fill(0x20, at + 148, at + 156);
  let sum = 0;
  for (let i = at; i < at + TAR_BLOCK; i++) sum += block[i] ?? 0;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 8, 'latin1');
}
