import { CodedError } from '../../base/index.ts';
import type { ByteString } from './entry.ts';
import { extendMap, type SparseRecords } from './sparse.ts';

/** What extended headers say about the next entry (or, for global ones, all following). */
export interface PaxRecords {
  path?: ByteString;
  linkpath?: ByteString;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: bigint;
  xattrs?: Map<ByteString, Uint8Array>;
  sparse?: SparseRecords;
}

const SPARSE = 'GNU.sparse.';
const XATTR = 'SCHILY.xattr.';
const MAX_XATTR_KEY = 255;
const MAX_XATTR_VALUE = 65536;

/**
 * Parses the body of a PAX extended header (POSIX.1-2017 pax, "extended header"), bytes kept as bytes. Unknown keys are passed over; an
 * empty value takes a record back. @throws CodedError invalid_argument on malformed records, and on sparse ones of other writers than GNU tar
 */
export function parsePax(body: Buffer, into: PaxRecords): void {
  for (const { key, value } of readPaxRecords(body)) apply(key, value, into);
}

/** The records of a body, one after the other. @throws CodedError invalid_argument */
export function* readPaxRecords(
  body: Buffer,
): Generator<{ readonly key: ByteString; readonly value: Buffer; readonly bytes: Buffer }> {
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    if (space < 0 || space === at || space - at > 7) throw malformed('a record has no length');
    const digits = body.toString('latin1', at, space);
    const length = /^\d+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < space - at + 4 || end > body.length || body[end - 1] !== 0x0a)
      throw malformed('a record has a wrong length');
    const equals = body.indexOf(0x3d, space + 1);
    if (equals <= space + 1 || equals >= end) throw malformed('a record has no key');
    yield {
      key: body.toString('latin1', space + 1, equals),
      value: body.subarray(equals + 1, end - 1),
      bytes: body.subarray(at, end),
    };
    at = end;
  }
}

function apply(key: ByteString, value: Buffer, into: PaxRecords): void {
  switch (key) {
    case 'path':
    case 'linkpath': {
      const text = value.toString('latin1');
      if (text.includes('\0')) throw malformed(`${key} holds a NUL`);
      if (text === '') delete into[key];
      else into[key] = text;
      return;
    }
    case 'size':
    case 'uid':
    case 'gid': {
      const text = value.toString('latin1');
      if (text === '') {
        delete into[key];
        return;
      }
      into[key] = parseNumber(key, text);
      return;
    }
    case 'mtime': {
      const text = value.toString('latin1');
      if (text === '') delete into.mtime;
      else into.mtime = parsePaxTime(text);
      return;
    }
    default:
      if (key.startsWith(SPARSE)) {
        into.sparse ??= {};
        applySparse(key.slice(SPARSE.length), value.toString('latin1'), into.sparse);
      } else if (key === 'SCHILY.realsize' || key === 'SUN.holesdata')
        // Written by star: passing over it would give a file with other content.
        throw CodedError.of('TAR_SPARSE', `sparse members as ${JSON.stringify(key)} marks them cannot be read`, {
          hint: 'write the archive without sparse files, or with GNU tar',
        });
      if (key.startsWith(XATTR)) {
        const name = key.slice(XATTR.length);
        if (name === '' || name.length > MAX_XATTR_KEY || name.includes('\0') || value.length > MAX_XATTR_VALUE)
          throw malformed('an extended attribute is out of bounds');
        into.xattrs ??= new Map();
        // An empty value is a value here: attributes may be empty.
        into.xattrs.set(name, new Uint8Array(value));
      }
  }
}

function applySparse(key: string, value: string, into: SparseRecords): void {
  switch (key) {
    case 'major':
    case 'minor':
      into[key] = parseNumber(key, value);
      return;
    case 'name':
      if (value === '' || value.includes('\0')) throw malformed('GNU.sparse.name is no name');
      into.name = value;
      return;
    case 'size':
    case 'realsize':
      into.realSize = parseNumber(key, value);
      return;
    case 'map':
      into.map = [];
      if (value !== '')
        extendMap(
          into.map,
          value.split(',').map((text) => parseNumber(key, text)),
        );
      return;
    case 'offset':
    case 'numbytes': {
      into.map ??= [];
      if (into.map.length % 2 !== (key === 'offset' ? 0 : 1)) throw malformed('a sparse map is out of order');
      extendMap(into.map, [parseNumber(key, value)]);
      return;
    }
    case 'numblocks':
      return;
    default:
      throw malformed(`unknown record ${SPARSE}${key}`);
  }
}

function parseNumber(key: string, text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw malformed(`${key} is no number`);
  return number;
}

/** Decimal seconds, maybe negative, with any number of fraction digits (cut at nanoseconds). */
export function parsePaxTime(text: string): bigint {
  const match = /^(-?)(\d{1,12})(?:\.(\d{0,64}))?$/.exec(text);
  if (match === null) throw malformed('mtime is no time');
  const [, sign, seconds, fraction = ''] = match;
  const value = BigInt(seconds ?? '0') * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -value : value;
}

function malformed(why: string): Error {
  return CodedError.of('TAR_MALFORMED', `malformed tar archive: extended header: ${why}`);
}
