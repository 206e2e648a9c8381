import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import {
  byteString,
  encodeTarHeader,
  TAR_BLOCK,
  type TarEntry,
  type TarLimits,
  TarReader,
  TarWriter,
  textOf,
} from './index.ts';

interface Member {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

function pack(members: readonly Member[]): Buffer {
  const writer = new TarWriter();
  for (const { entry, content } of members) {
    writer.header(entry);
    if (entry.type === 'file' && entry.size > 0) writer.write(content);
  }
  writer.finish();
  const chunks: Buffer[] = [];
  for (let chunk = writer.take(); chunk !== undefined; chunk = writer.take()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function unpack(archive: Uint8Array, cuts: readonly number[] = [], limits?: TarLimits): Member[] {
  const members: { entry: TarEntry; content: Buffer }[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void members.push({ entry, content: Buffer.alloc(0) }),
      data: (chunk) => {
        const last = members.at(-1)!;
        last.content = Buffer.concat([last.content, chunk]);
      },
    },
    limits,
  );
  let at = 0;
  for (const cut of cuts) {
    reader.push(archive.subarray(at, at + cut));
    at = Math.min(archive.length, at + cut);
  }
  reader.push(archive.subarray(at));
  reader.close();
  return members;
}

const file = (name: string, extra: Partial<TarEntry> = {}): TarEntry => ({
  type: 'file',
  name,
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  ...extra,
});

const names = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 120 }), { minLength: 1, maxLength: 4 })
  .map((parts) =>
    parts.map((part) => Buffer.from(part).toString('latin1').replaceAll('\0', 'n').replaceAll('/', 's')).join('/'),
  );

const xattrs = fc
  .array(fc.tuple(fc.stringMatching(/^user\.[a-z=]{1,20}$/), fc.uint8Array({ maxLength: 60 })), { maxLength: 3 })
  .map((pairs) => new Map(pairs.filter(([key]) => !key.includes('='))));

const members: fc.Arbitrary<Member> = fc
  .record({
    type: fc.constantFrom('file', 'hardlink', 'symlink', 'char', 'block', 'directory', 'fifo') as fc.Arbitrary<
      TarEntry['type']
    >,
    name: names,
    linkname: names,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: fc.constantFrom(0, 1000, 0o7777777, 0o10000000, 3_000_000),
    mtime: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 20n }),
    devmajor: fc.integer({ min: 0, max: 0o7777777 }),
    devminor: fc.integer({ min: 0, max: 0o7777777 }),
    xattrs,
    content: fc.uint8Array({ maxLength: 1500 }),
  })
  .map(({ type, linkname, devmajor, devminor, xattrs: attributes, content, ...rest }) => ({
    entry: {
      type,
      ...rest,
      size: type === 'file' ? content.length : 0,
      ...(type === 'symlink' || type === 'hardlink' ? { linkname } : {}),
      ...(type === 'char' || type === 'block' ? { devmajor, devminor } : {}),
      ...(attributes.size === 0 ? {} : { xattrs: attributes }),
    },
    content: type === 'file' ? Buffer.from(content) : Buffer.alloc(0),
  }));

describe('tar', () => {
  test('what is written is read back, wherever the input is cut', () => {
    fc.assert(
      fc.property(
        fc.array(members, { maxLength: 6 }),
        fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 10 }),
        (list, cuts) => {
          const archive = pack(list);
          expect(archive.length % TAR_BLOCK).toBe(0);
          const back = unpack(archive, cuts);
          expect(back.map(({ entry }) => entry)).toEqual(list.map(({ entry }) => entry));
          expect(back.map(({ content }) => content.toString('hex'))).toEqual(
            list.map(({ content }) => content.toString('hex')),
          );
        },
      ),
    );
  });

  test('plain entries have one header block and no extended header', () => {
    expect(encodeTarHeader(file('usr/bin/env', { uid: 1000, mtime: 1_700_000_000_000_000_000n }))).toHaveLength(512);
    const long = `${'d'.repeat(90)}/${'e'.repeat(60)}/${'f'.repeat(90)}`;
    const header = encodeTarHeader(file(long));
    expect(header).toHaveLength(512);
    expect(header.toString('latin1', 345, 345 + 151)).toBe(`${'d'.repeat(90)}/${'e'.repeat(60)}`);
  });

  test('directories end in a slash in the archive and not in the entry', () => {
    const archive = pack([{ entry: { ...file('etc'), type: 'directory', mode: 0o755 }, content: Buffer.alloc(0) }]);
    expect(archive.toString('latin1', 0, 5)).toBe('etc/\0');
    expect(unpack(archive)[0]?.entry.name).toBe('etc');
  });

  test('a trailing slash makes a directory of an entry without a type, not of a file', () => {
    for (const [flag, type] of [
      [0, 'directory'],
      [0x30, 'file'],
    ] as const) {
      const archive = pack([
        { entry: file('e', { size: 7 }), content: Buffer.from('content') },
        { entry: file('next'), content: Buffer.alloc(0) },
      ]);
      archive.write('e/', 0);
      archive[156] = flag;
      if (type === 'directory') archive.copyWithin(512, 1024);
      archive.write('        ', 148);
      const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      expect(unpack(archive).map(({ entry }) => `${entry.type} ${entry.name}`)).toEqual([`${type} e`, 'file next']);
    }
  });

  test('names are bytes: UTF-8 and invalid UTF-8 both survive', () => {
    const name = byteString('tést/ü\u{1f600}');
    expect(textOf(unpack(pack([{ entry: file(name), content: Buffer.alloc(0) }]))[0]!.entry.name)).toBe(
      'tést/ü\u{1f600}',
    );
    const invalid = 'a\xff\xfe';
    expect(unpack(pack([{ entry: file(invalid), content: Buffer.alloc(0) }]))[0]!.entry.name).toBe(invalid);
  });

  test("bytes are those that Go's archive/tar writes in its PAX format (golden)", () => {
    const mtime = 1_600_000_000_000_000_000n;
    const [d, f, p, q] = ['d', 'f', 'p', 'q'].map((letter) => (count: number) => letter.repeat(count)) as [
      (count: number) => string,
      (count: number) => string,
      (count: number) => string,
      (count: number) => string,
    ];
    const capability = Buffer.from([1, 0, 0, 2, 0xff, 0xfe]);
    const entries: TarEntry[] = [
      file('plain', { uid: 1000, gid: 1000, mtime, size: 5 }),
      file('dir', { type: 'directory', mode: 0o1777, mtime: mtime + 123_456_789n }),
      file(`${d(90)}/${f(90)}`, { mode: 0o4755, mtime, size: 1 }),
      file(`${d(90)}/${f(90)}`, { mode: 0o4755, mtime: mtime + 500_000_000n, size: 1 }),
      file('n'.repeat(150), { mtime }),
      file(`${p(99)}/${q(99)}`, { type: 'directory', mode: 0o755, mtime }),
      file(`${p(120)}/${q(120)}`, { type: 'directory', mode: 0o755, mtime }),
      file(byteString('tést/ü'), { mtime }),
      file('link', { type: 'symlink', linkname: 'l'.repeat(200), mode: 0o777, mtime }),
      file('hard', { type: 'hardlink', linkname: 'plain', mtime }),
      file('null', { type: 'char', mode: 0o666, devmajor: 1, devminor: 3, mtime }),
      file('pipe', { type: 'fifo', mode: 0o600, uid: 3_000_000, gid: 70_000, mtime }),
      file('xattrs', {
        mode: 0o755,
        mtime: -5_500_000_000n,
        xattrs: new Map([
          ['security.capability', capability],
          ['user.a', Buffer.alloc(0)],
        ]),
      }),
    ];
    const archive = pack(entries.map((entry) => ({ entry, content: Buffer.from(entry.size === 5 ? 'hello' : 'x') })));
    expect(archive).toHaveLength(17_408);
    expect(digestOf(archive)).toBe('sha256:54cd27f2e5e9cc88b652593b3f11edd22b1ac23a179528cfb0a19f39d8b5bf9b');
  });

  test('GNU long names and links are read', () => {
    const longName = `${'n'.repeat(300)}`;
    const longLink = `${'l'.repeat(299)}`;
    const raw = (flag: string, body: string) => {
      const block = encodeTarHeader({ ...file('././@LongLink'), size: body.length + 1 });
      block.write(flag, 156, 'latin1');
      return Buffer.concat([fixChecksum(block), pad(Buffer.from(`${body}\0`))]);
    };
    const archive = Buffer.concat([
      raw('K', longLink),
      raw('L', longName),
      encodeTarHeader({ ...file('short'), type: 'symlink', linkname: 'short' }),
      Buffer.alloc(1024),
    ]);
    expect(unpack(archive)[0]?.entry).toMatchObject({ name: longName, linkname: longLink, type: 'symlink' });
  });

  test('content of several chunks keeps its place', () => {
    const content = Buffer.alloc((3 << 20) + 17, 'abcdefg');
    const [first, second] = unpack(
      pack([
        { entry: file('big', { size: content.length }), content },
        { entry: file('after', { size: 1 }), content: Buffer.from('x') },
      ]),
    );
    expect(first?.content.equals(content)).toBe(true);
    expect(second?.content.toString()).toBe('x');
  });
});

describe('hostile archives', () => {
  const one = () => pack([{ entry: file('a', { size: 600 }), content: Buffer.alloc(600, 1) }]);

  test('random bytes never do anything but fail with a coded error or parse', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 0, max: 1535 }),
        fc.nat(255),
        (noise, at, byte) => {
          for (const input of [Buffer.from(noise), Buffer.from(one()).fill(byte, at, at + 1)]) {
            try {
              unpack(input);
            } catch (error) {
              expect(error).toMatchObject({ code: 'invalid_argument' });
            }
          }
        },
      ),
    );
  });

  test.each([
    ['cut inside a header', (archive: Buffer) => archive.subarray(0, 300), 'TAR_MALFORMED'],
    ['cut inside content', (archive: Buffer) => archive.subarray(0, 700), 'TAR_MALFORMED'],
    ['a wrong checksum', (archive: Buffer) => Buffer.from(archive).fill(0x37, 148, 149), 'TAR_MALFORMED'],
    ['an unknown type', (archive: Buffer) => retype(archive, 'Q'), 'TAR_TYPE'],
    ['a later volume', (archive: Buffer) => retype(archive, 'M'), 'TAR_TYPE'],
    ['a sparse member without a map', (archive: Buffer) => retype(archive, 'S'), 'TAR_MALFORMED'],
    ['an endless extended header', (archive: Buffer) => retype(resize(archive, '77777777777'), 'x'), 'TAR_LIMIT'],
    ['an endless long name', (archive: Buffer) => retype(resize(archive, '77777777777'), 'L'), 'TAR_LIMIT'],
  ])('%s is refused', (_, spoil, reason) => {
    expect(() => unpack(spoil(one()))).toThrow(expect.objectContaining({ reason }));
  });

  test.each([
    ['too many entries', { maxEntries: 1 }, 'TAR_TOO_MANY'],
    ['too much content', { maxBytes: 500 }, 'TAR_TOO_LARGE'],
    ['too long a name', { maxName: 10 }, 'TAR_LIMIT'],
  ])('%s are refused', (_, limits, reason) => {
    const archive = pack([
      { entry: file('first', { size: 300 }), content: Buffer.alloc(300) },
      { entry: file('second-with-a-name', { size: 300 }), content: Buffer.alloc(300) },
    ]);
    expect(() => unpack(archive, [], limits)).toThrow(expect.objectContaining({ reason }));
    expect(unpack(archive)).toHaveLength(2);
  });

  const extended = (...records: string[]) => {
    const body = records.map((record) => `${String(record.length + 4).padStart(2, '0')} ${record}\n`).join('');
    return Buffer.concat([
      fixChecksum(retype(encodeTarHeader(file('p', { size: body.length })), 'x')),
      pad(Buffer.from(body)),
    ]);
  };
  const oneZero = ['GNU.sparse.major=1', 'GNU.sparse.minor=0', 'GNU.sparse.realsize=9000'];

  test.each([
    ['of an unknown version', ['GNU.sparse.major=2', 'GNU.sparse.minor=0'], '', 'TAR_SPARSE'],
    ['of star', ['SCHILY.realsize=9'], '', 'TAR_SPARSE'],
    ['whose map overlaps', ['GNU.sparse.size=900', 'GNU.sparse.map=0,400,300,200'], '', 'TAR_MALFORMED'],
    ['whose map goes beyond its size', ['GNU.sparse.size=500', 'GNU.sparse.map=0,600'], '', 'TAR_MALFORMED'],
    ['whose map names less than there is', ['GNU.sparse.size=900', 'GNU.sparse.map=0,500'], '', 'TAR_MALFORMED'],
    ['whose map has half a pair', ['GNU.sparse.size=900', 'GNU.sparse.map=0,600,700'], '', 'TAR_MALFORMED'],
    ['whose records are out of order', ['GNU.sparse.numbytes=600', 'GNU.sparse.offset=0'], '', 'TAR_MALFORMED'],
    ['with a negative number', ['GNU.sparse.map=-1,600'], '', 'TAR_MALFORMED'],
    ['whose map in the content is text', oneZero, 'text\n', 'TAR_MALFORMED'],
    ['whose map in the content is endless', oneZero, '9999999999\n', 'TAR_MALFORMED'],
    ['whose map in the content is cut off', oneZero, '9000\n', 'TAR_MALFORMED'],
    ['whose map in the content names too much', oneZero, '1\n0\n600\n', 'TAR_MALFORMED'],
  ])('a sparse member %s is refused', (_, records, content, reason) => {
    const body = Buffer.alloc(600, 1);
    body.write(content, 0, 'latin1');
    const archive = pack([{ entry: file('a', { size: 600 }), content: body }]);
    expect(() => unpack(Buffer.concat([extended(...records), archive]))).toThrow(expect.objectContaining({ reason }));
  });

  test('what fills up the last block may be missing, content not', () => {
    const archive = one();
    expect(unpack(archive.subarray(0, 512 + 600))[0]?.content).toHaveLength(600);
    expect(() => unpack(archive.subarray(0, 512 + 599))).toThrow(expect.objectContaining({ reason: 'TAR_MALFORMED' }));
    expect(() => unpack(extended('path=b'))).toThrow(expect.objectContaining({ reason: 'TAR_MALFORMED' }));
  });

  test.each([
    '5 a\n',
    '99 path=x\n',
    '9 path\0x=\n',
    'x',
    '9 uid=-1\n\n',
    '12 path=a\0b\n',
    '0 path=\n',
  ])('malformed extended record %j is refused', (body) => {
    const pax = fixChecksum(retype(encodeTarHeader(file('p', { size: body.length })), 'x'));
    expect(() => unpack(Buffer.concat([pax, pad(Buffer.from(body)), one()]))).toThrow(
      expect.objectContaining({ reason: 'TAR_MALFORMED' }),
    );
  });
});

function retype(archive: Buffer, flag: string): Buffer {
  const copy = Buffer.from(archive);
  copy.write(flag, 156, 'latin1');
  return fixChecksum(copy);
}

function resize(archive: Buffer, octal: string): Buffer {
  const copy = Buffer.from(archive);
  copy.write(octal, 124, 'latin1');
  return copy;
}

function fixChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (let i = 0; i < 512; i++) sum += block[i] ?? 0;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function pad(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & 511)]);
}
