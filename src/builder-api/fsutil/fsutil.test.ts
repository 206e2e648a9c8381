import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { runs } from '../../base/testing/runs.ts';
import { decodeName, lstat, openRoot } from '../../sys/index.ts';
import type { RawCall } from '../grpc/channel.ts';
import { MessageQueue } from '../grpc/messages.ts';
import { Metadata } from '../grpc/metadata.ts';
import { ownBytes } from './kept-bytes.ts';
import { Listing, ListingKeeper, listedPackets, packetsUnlessSame } from './listing.ts';
import { directoryMetadata, readDirectoryMetadata } from './metadata.ts';
import { fromGoMode, toGoMode } from './mode.ts';
import { assertCleanPath, comparePaths } from './order.ts';
import { decodePacket, encodePacket, type FileStat, type FsPacket, type PacketStream } from './packets.ts';
import { type ReceiveOptions, receiveTree } from './receive.ts';
import { type SendOptions, sendTree } from './send.ts';
import type { ReceiveProgress } from './transfer.ts';
import { walkTree } from './walk.ts';

const signal = neverAborted;
const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'fsutil-'));
  dirs.push(dir);
  return dir;
}

/** Two ends of one stream, through the encoding. */
function pair(): [PacketStream & { end(): void }, PacketStream & { end(): void }] {
  const flow = { pause: () => {}, resume: () => {} };
  const a = new MessageQueue<FsPacket>(flow);
  const b = new MessageQueue<FsPacket>(flow);
  const make = (from: MessageQueue<FsPacket>, to: MessageQueue<FsPacket>) => ({
    packets: from,
    send: (packet: FsPacket) => void to.push(decodePacket(encodePacket(packet)), 1),
    end: () => to.finish(),
  });
  return [make(a, b), make(b, a)];
}

const me = { ignoreOwners: process.getuid?.() !== 0 };

async function transfer(
  from: string,
  to: string,
  send: Partial<SendOptions> = {},
  receive: Partial<Omit<ReceiveOptions, 'root'>> = {},
): Promise<ReceiveProgress> {
  const [left, right] = pair();
  using source = openRoot(from);
  using target = openRoot(to);
  const sending = sendTree(left, { root: source, signal, ...send }).finally(() => left.end());
  const [progress] = await Promise.all([
    receiveTree(right, { root: target, differ: 'metadata', signal, ...me, ...receive }),
    sending,
  ]);
  return progress;
}

/** A transfer to a directory that has what was listed; the listing, or undefined when nothing was looked at. */
async function transferListed(from: string, to: string, last?: Uint8Array): Promise<Uint8Array | undefined> {
  const [left, right] = pair();
  using source = openRoot(from);
  using target = openRoot(to);
  const sending = sendTree(left, { root: source, signal }).finally(() => left.end());
  async function* encoded() {
    for await (const packet of right.packets) yield encodePacket(packet);
  }
  const call: RawCall = {
    headers: Promise.resolve(new Metadata()),
    responses: encoded(),
    write: (message) => right.send(decodePacket(message)),
    end: () => {},
  };
  const keeper = new ListingKeeper();
  const receiving = async () => {
    const stream =
      last === undefined
        ? listedPackets(call, keeper)
        : await packetsUnlessSame(call, new Listing(last), keeper, { signal });
    if (stream === undefined) return undefined;
    await receiveTree(stream, { toWrite: async () => target, differ: 'metadata', signal, ...me });
    return keeper.finish();
  };
  const [listing] = await Promise.all([receiving(), sending]);
  return listing;
}

/** Everything a user could tell apart. */
function snapshot(dir: string): Record<string, unknown> {
  using root = openRoot(dir);
  const out: Record<string, unknown> = {};
  for (const stat of walkTree({ root })) {
    const full = join(dir, stat.path);
    out[stat.path] = { ...stat, content: lstatSync(full).isFile() ? readFileSync(full, 'utf8') : undefined };
  }
  return out;
}

function write(dir: string, path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), content);
  chmodSync(join(dir, path), mode);
}

function exampleTree(): string {
  const dir = tempDir();
  write(dir, 'a/b', 'under a');
  write(dir, 'a-b', 'beside a');
  write(dir, 'empty', '');
  write(dir, 'big', 'x'.repeat(300_000), 0o600);
  write(dir, 'setuid', '#!', 0o4755);
  write(dir, 'ü/日本', 'names');
  symlinkSync('../outside', join(dir, 'a/link'));
  lutimesSync(join(dir, 'a/link'), 1000, 1000.25);
  linkSync(join(dir, 'a/b'), join(dir, 'hard'));
  utimesSync(join(dir, 'a/b'), 1_000_000_000, 1_000_000_000.123456);
  utimesSync(join(dir, 'a'), 5, 5);
  return dir;
}

describe('a transfer', () => {
  test('brings over content, modes, links, and times to the nanosecond; a second one sends nothing', async () => {
    const from = exampleTree();
    const to = tempDir();
    write(to, 'stale/file', 'goes');
    write(to, 'a', 'a file where a directory comes');
    const first = await transfer(from, to);
    expect(snapshot(to)).toEqual(snapshot(from));
    expect(lstat(join(to, 'hard')).ino).toBe(lstat(join(to, 'a/b')).ino);
    expect(first).toMatchObject({ requested: 6, removed: 1 });
    const second = await transfer(from, to);
    expect(second).toMatchObject({ requested: 0, bytes: 0, removed: 0, changes: 0 });
    expect(snapshot(to)).toEqual(snapshot(from));
  });

  test('asks only for what changed; a mode alone needs no content; what is gone goes', async () => {
    const from = exampleTree();
    const to = tempDir();
    await transfer(from, to);
    write(from, 'a-b', 'changed');
    chmodSync(join(from, 'big'), 0o755);
    rmSync(join(from, 'ü'), { recursive: true });
    const changes: [string, boolean][] = [];
    const removed: string[] = [];
    const progress = await transfer(
      from,
      to,
      {},
      {
        onEntry: (stat, unchanged) => {
          if (!unchanged) changes.push([stat.path, unchanged]);
        },
        onRemoved: (path) => removed.push(path),
      },
    );
    expect(progress).toMatchObject({ requested: 1, bytes: 7 });
    expect(changes.map(([path]) => path)).toEqual(['a-b', 'big']);
    expect(removed).toEqual(['ü']);
    expect(snapshot(to)).toEqual(snapshot(from));
    expect((await transfer(from, to, {}, { differ: 'none' })).requested).toBe(5);
  });

  test('without a differ all content is asked for, and changes nothing where it is the same', async () => {
    const from = exampleTree();
    const to = tempDir();
    await transfer(from, to);
    write(from, 'large', 'x'.repeat(200_000));
    utimesSync(join(from, 'large'), 7, 7);
    await transfer(from, to, {}, { differ: 'none' });
    const inode = lstat(join(to, 'large')).ino;
    const again = () => transfer(from, to, {}, { differ: 'none' });
    expect(await again()).toMatchObject({ changes: 0, requested: 7 });
    expect(lstat(join(to, 'large')).ino).toBe(inode);
    // Of its old size and time, so that only reading tells: in its first piece, and in its last.
    for (const text of [`y${'x'.repeat(199_999)}`, `${'x'.repeat(199_999)}y`]) {
      writeFileSync(join(from, 'large'), text);
      utimesSync(join(from, 'large'), 7, 7);
      expect(await again()).toMatchObject({ changes: 1 });
      expect(readFileSync(join(to, 'large'), 'utf8')).toBe(text);
      expect(snapshot(to)).toEqual(snapshot(from));
      expect(await again()).toMatchObject({ changes: 0 });
    }
  });

  test.each<[string, 'metadata' | 'none', (dir: string) => void]>([
    ['nothing', 'metadata', () => {}],
    ['nothing', 'none', () => {}],
    ['a file', 'metadata', (dir) => write(dir, 'a-b', 'changed')],
    ['a file', 'none', (dir) => write(dir, 'a-b', 'changed')],
    ['the end of a file, not its size and time', 'none', (dir) => rewrite(dir, `${'x'.repeat(299_999)}y`)],
    ['a mode', 'metadata', (dir) => chmodSync(join(dir, 'big'), 0o755)],
    ['a name that was there', 'metadata', (dir) => rmSync(join(dir, 'setuid'))],
    ['the last name of a directory', 'metadata', (dir) => rmSync(join(dir, 'a/link'))],
    ['a new name in a directory', 'metadata', (dir) => write(dir, 'a/new', 'new')],
    ['a new directory', 'none', (dir) => mkdirSync(join(dir, 'z/z'), { recursive: true })],
    ['a directory’s time', 'metadata', (dir) => utimesSync(join(dir, 'ü'), 5, 5)],
    ['a symlink', 'metadata', (dir) => lutimesSync(join(dir, 'a/link'), 7, 7)],
    [
      'a hard link',
      'none',
      (dir) => {
        rmSync(join(dir, 'hard'));
        linkSync(join(dir, 'setuid'), join(dir, 'hard'));
      },
    ],
  ])('a directory that is only read is compared; where to write is asked for when %s differs (%s)', async (what, differ, change) => {
    const from = exampleTree();
    utimesSync(join(from, 'big'), 7, 7);
    const last = tempDir();
    await transfer(from, last);
    const before = snapshot(last);
    const to = join(tempDir(), 'to');
    let asked = 0;
    const toWrite = async () => {
      asked++;
      execFileSync('cp', ['-a', last, to]);
      return openRoot(to);
    };
    const listed = tempDir();
    const listing = differ === 'metadata' ? await transferListed(from, listed) : undefined;
    change(from);
    await transfer(from, last, {}, { differ, toWrite });
    expect(asked).toBe(what === 'nothing' ? 0 : 1);
    if (what !== 'nothing') expect(snapshot(to)).toEqual(snapshot(from));
    expect(snapshot(last)).toEqual(before);
    if (listing === undefined) return;
    // By what was listed it is the same.
    const next = await transferListed(from, listed, listing);
    expect(next === undefined).toBe(what === 'nothing');
    expect(snapshot(listed)).toEqual(snapshot(from));
    expect(await transferListed(from, listed, next ?? listing)).toBeUndefined();
  });

  function rewrite(dir: string, content: string): void {
    writeFileSync(join(dir, 'big'), content);
    utimesSync(join(dir, 'big'), 7, 7);
  }

  test('a file that replaces another takes its place when it is whole; a transfer that is cut leaves the old one and nothing else', async () => {
    const target = tempDir();
    writeFileSync(join(target, 'big'), 'old');
    symlinkSync('/nowhere', join(target, 'link'));
    const file = (path: string): FileStat => ({
      ...{ path, mode: 0o644, uid: 0, gid: 0, size: 20, modTime: 1n, linkname: '' },
      ...{ devmajor: 0, devminor: 0, xattrs: {} },
    });
    const [left, right] = pair();
    using root = openRoot(target);
    const receiving = receiveTree(right, { root, differ: 'metadata', signal, ...me });
    left.send({ type: 'stat', stat: file('big') });
    left.send({ type: 'stat', stat: file('link') });
    left.send({ type: 'statEnd' });
    for (const id of [0, 1]) for (let n = 0; n < 2; n++) left.send({ type: 'data', id, data: Buffer.alloc(10, 'n') });
    left.send({ type: 'data', id: 1, data: new Uint8Array() });
    left.send({ type: 'error', message: 'cut' });
    await expect(receiving).rejects.toThrow('cut');
    expect(readdirSync(target).toSorted()).toEqual(['big', 'link']);
    expect(readFileSync(join(target, 'big'), 'utf8')).toBe('old');
    expect(lstatSync(join(target, 'link')).isFile()).toBe(true);
    expect(readFileSync(join(target, 'link'), 'utf8')).toBe('n'.repeat(20));
  });

  test('hashes what arrives', async () => {
    const from = exampleTree();
    const sizes = new Map<string, number>();
    await transfer(
      from,
      tempDir(),
      {},
      {
        hashFile: (stat) => {
          let size = 0;
          return {
            update: (data) => {
              size += data.length;
            },
            end: () => sizes.set(stat.path, size),
          };
        },
      },
    );
    expect(Object.fromEntries(sizes)).toMatchObject({ big: 300_000, empty: 0, 'a/b': 7 });
  });

  test('include, exclude and follow select; parents come along', async () => {
    const from = tempDir();
    write(from, 'src/lib/keep.ts', '1');
    write(from, 'src/lib/drop.js', '2');
    write(from, 'node_modules/x/y', '3');
    write(from, 'node_modules/keep/z', '4');
    write(from, 'real/Dockerfile', '5');
    symlinkSync('real/Dockerfile', join(from, 'Dockerfile'));
    const list = (options: Partial<SendOptions>) => {
      const to = tempDir();
      return transfer(from, to, options).then(() => Object.keys(snapshot(to)));
    };
    expect(await list({ includePatterns: ['src/**/*.ts'] })).toEqual(['src', 'src/lib', 'src/lib/keep.ts']);
    expect(
      await list({ excludePatterns: ['node_modules', '!node_modules/keep', '**/*.js', 'real', 'Dockerfile'] }),
    ).toEqual(['node_modules', 'node_modules/keep', 'node_modules/keep/z', 'src', 'src/lib', 'src/lib/keep.ts']);
    expect(await list({ followPaths: ['Dockerfile', 'missing'] })).toEqual(['Dockerfile', 'real', 'real/Dockerfile']);
  });

  test('a tree under a prefix merges with what is there', async () => {
    const from = exampleTree();
    const to = tempDir();
    write(to, 'mine', 'stays');
    const prefix: FileStat = {
      path: 'linux_amd64',
      mode: toGoMode(0o040755),
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      size: 0,
      modTime: 7n,
      linkname: '',
      devmajor: 0,
      devminor: 0,
      xattrs: {},
    };
    await transfer(from, to, { prefix }, { merge: true });
    expect(readFileSync(join(to, 'mine'), 'utf8')).toBe('stays');
    expect(readFileSync(join(to, 'linux_amd64/a-b'), 'utf8')).toBe('beside a');
    expect(lstat(join(to, 'linux_amd64')).mtimeNs).toBe(7n);
  });

  test('random trees arrive as they are, over whatever was there', async () => {
    const name = fc.stringMatching(/^[a-c.é😀-]{1,3}$/u).filter((n) => n !== '.' && n !== '..');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const tree = fc.dictionary(path, fc.oneof(fc.string({ maxLength: 5 }), fc.constant(undefined)), { maxKeys: 12 });
    const make = (entries: Record<string, string | undefined>, dir = tempDir()) => {
      for (const [at, content] of Object.entries(entries)) {
        try {
          if (content === undefined) mkdirSync(join(dir, at), { recursive: true });
          else write(dir, at, content);
        } catch {
          // A file where a directory is wanted: not this tree then.
        }
      }
      return dir;
    };
    await fc.assert(
      fc.asyncProperty(tree, tree, async (wanted, before) => {
        const from = make(wanted);
        const to = make(before);
        const last = snapshot(to);
        const copy = join(tempDir(), 'copy');
        const toWrite = async () => {
          execFileSync('cp', ['-a', to, copy]);
          return openRoot(copy);
        };
        const { changes } = await transfer(from, to, {}, { toWrite });
        expect(snapshot(to)).toEqual(last);
        if (changes > 0) expect(snapshot(copy)).toEqual(snapshot(from));
        await transfer(from, to);
        expect(snapshot(to)).toEqual(snapshot(from));
        expect((await transfer(from, to)).requested).toBe(0);
      }),
      runs(30),
    );
    await fc.assert(
      fc.asyncProperty(tree, tree, async (before, changes) => {
        const from = make(before);
        const to = tempDir();
        const listing = await transferListed(from, to);
        for (const at of Object.keys(changes)) rmSync(join(from, at), { recursive: true, force: true });
        make(changes, from);
        await transferListed(from, to, listing);
        expect(snapshot(to)).toEqual(snapshot(from));
      }),
      runs(30),
    );
  });
});

test('a listing is the same in whatever order attributes are told', async () => {
  const entry = (path: string, ...xattrs: readonly (readonly [string, string])[]) => {
    const values = Object.fromEntries(xattrs.map(([name, value]) => [name, Buffer.from(value)]));
    const own = { path, mode: 0o644, uid: 0, gid: 0, size: 1, modTime: 1n, linkname: '', devmajor: 0, devminor: 0 };
    return encodePacket({ type: 'stat', stat: { ...own, xattrs: values } });
  };
  const transferOf = (entries: readonly Uint8Array[]): RawCall => ({
    headers: Promise.resolve(new Metadata()),
    responses: (async function* () {
      yield* [...entries, encodePacket({ type: 'statEnd' }), encodePacket({ type: 'fin' })];
    })(),
    write: () => undefined,
    end: () => {},
  });
  const keeper = new ListingKeeper();
  const before = [
    entry('a', ['user.one', '1'], ['user.two', '2']),
    entry('b', ['user.two', '2'], ['user.one', '1']),
    entry('c'),
  ];
  for await (const _ of listedPackets(transferOf(before), keeper).packets);
  const last = new Listing(keeper.finish()!);
  const after = [
    entry('a', ['user.two', '2'], ['user.one', '1']),
    entry('b', ['user.one', '1'], ['user.two', '2']),
    entry('c'),
  ];
  for (const same of [before, after])
    expect(await packetsUnlessSame(transferOf(same), last, new ListingKeeper(), { signal })).toBeUndefined();
  // Nor where something else has changed.
  const changed = [entry('a', ['user.two', '1'], ['user.one', '2']), after[1]!, entry('d')];
  const stream = await packetsUnlessSame(transferOf(changed), last, new ListingKeeper(), { signal });
  const marked: string[] = [];
  for await (const packet of stream!.packets)
    if (packet.type === 'stat' && packet.asLast) marked.push(packet.stat.path);
  expect(marked).toEqual(['b']);
});

describe('a hostile sender', () => {
  const stat = (path: string, more: Partial<FileStat> = {}): FsPacket => ({
    type: 'stat',
    stat: {
      path,
      mode: 0o644,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      size: 1,
      modTime: 0n,
      linkname: '',
      devmajor: 0,
      devminor: 0,
      xattrs: {},
      ...more,
    },
  });
  const directory = toGoMode(0o040755);
  const symlink = toGoMode(0o120777);

  async function receive(packets: FsPacket[]): Promise<string> {
    const to = tempDir();
    const [left, right] = pair();
    for (const packet of packets) void left.send(packet);
    left.end();
    using root = openRoot(to);
    await receiveTree(right, { root, differ: 'metadata', signal, ...me });
    return to;
  }

  test.each<[string, FsPacket[]]>([
    ['an absolute path', [stat('/etc/passwd')]],
    ['a path with ..', [stat('a', { mode: directory }), stat('a/../../x')]],
    ['an unclean path', [stat('a', { mode: directory }), stat('a//x')]],
    ['a path with NUL', [stat('a\0b')]],
    ['paths out of order', [stat('b'), stat('a')]],
    ['a path twice', [stat('b'), stat('b')]],
    ['a child before its parent', [stat('a/b')]],
    ['a child of a file', [stat('a'), stat('a/b')]],
    ['a child of a symlink', [stat('a', { mode: symlink, linkname: '/tmp' }), stat('a/b')]],
    ['a hard link to an unseen path', [stat('a', { linkname: 'z' })]],
    ['a hard link outside', [stat('a', { linkname: '../../etc/passwd' })]],
    ['content not asked for', [{ type: 'data', id: 5, data: Buffer.from('x') }]],
    ['an early end', [stat('a'), { type: 'fin' }]],
    ['two ends of the listing', [stat('a'), { type: 'statEnd' }, { type: 'statEnd' }]],
    ['its own failure', [{ type: 'error', message: 'no' }]],
    ['silence', []],
  ])('%s is refused', async (_name, packets) => {
    await expect(receive(packets)).rejects.toMatchObject({ name: 'CodedError' });
  });

  test('a symlink that points outside is kept as text and never followed', async () => {
    const outside = tempDir();
    const to = tempDir();
    symlinkSync(outside, join(to, 'a'));
    const from = tempDir();
    write(from, 'a/b', 'x');
    await transfer(from, to);
    expect(lstatSync(join(to, 'a')).isDirectory()).toBe(true);
    expect(lstatSync(join(outside)).isDirectory()).toBe(true);
    expect(() => lstatSync(join(outside, 'b'))).toThrow();
  });

  test('a directory that is served never shows what its symlinks point to', async () => {
    const from = tempDir();
    symlinkSync('/etc', join(from, 'etc'));
    const to = tempDir();
    await transfer(from, to);
    expect(readlinkSync(join(to, 'etc'))).toBe('/etc');
  });
});

test('the order of a listing: a directory’s entries follow it at once; bytes decide', () => {
  const sorted = ['a', 'a/b', 'a/b/c', 'a-b', 'a.b', 'b', '\uffee', '😀'];
  expect([...sorted].reverse().sort(comparePaths)).toEqual(sorted);
});

test('paths outside are refused', () => {
  for (const bad of ['', '/', '/a', '..', 'a/..', './a', 'a/', 'a//b', 'a\0'])
    expect(() => assertCleanPath(bad)).toThrow();
  for (const good of ['a', '..a', 'a/b..', 'a b/ü']) assertCleanPath(good);
});

test('every mode survives Go’s layout', () => {
  for (const type of [0o100000, 0o040000, 0o120000, 0o020000, 0o060000, 0o010000])
    for (const bits of [0, 0o644, 0o777, 0o4755, 0o2755, 0o1777, 0o7777])
      expect(fromGoMode(toGoMode(type | bits))).toBe(type | bits);
});

test('names and patterns outside ASCII survive metadata', () => {
  const request = {
    name: 'kontext ü',
    includePatterns: ['日本/*', 'a b+c%'],
    excludePatterns: ['plain %41'],
    followPaths: [],
  };
  const metadata = directoryMetadata(request);
  expect(metadata.get('include-patterns-encoded')).toBe('1');
  expect(metadata.get('exclude-patterns-encoded')).toBeUndefined();
  expect(readDirectoryMetadata(Metadata.fromPairs(metadata.pairs()))).toEqual(request);
});

test('names and link targets of any bytes are transferred as they are', async () => {
  const [from, to] = [tempDir(), tempDir()];
  const at = (dir: string, name: string) => Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name, 'latin1')]);
  mkdirSync(at(from, 'd\xe9'));
  writeFileSync(at(from, 'd\xe9/x\xff\xc3'), 'odd');
  linkSync(at(from, 'd\xe9/x\xff\xc3'), at(from, 'twin\xe9'));
  symlinkSync(Buffer.from('d\xe9', 'latin1'), at(from, 'l\xfe'));
  writeFileSync(join(from, 'é'), 'text');
  await transfer(from, to);
  const names = (dir: string) =>
    readdirSync(dir, { encoding: 'buffer' })
      .map((name) => name.toString('latin1'))
      .sort();
  expect(names(to)).toEqual(['d\xe9', 'l\xfe', 'twin\xe9', '\xc3\xa9']);
  expect(readFileSync(at(to, 'd\xe9/x\xff\xc3'), 'utf8')).toBe('odd');
  expect(readlinkSync(at(to, 'l\xfe'), { encoding: 'latin1' })).toBe('d\xe9');
});

test('paths are in the order of their bytes, whatever these are', () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 4 })
    .map((bytes) => Buffer.from(bytes.map((byte) => byte || 1)));
  const mixed = fc.oneof(
    name,
    fc.string({ minLength: 1, unit: 'binary' }).map((text) => Buffer.from(text)),
  );
  const key = (bytes: Buffer) => Buffer.from(bytes.map((byte) => (byte === 0x2f ? 0 : byte)));
  fc.assert(
    fc.property(mixed, mixed, (a, b) => {
      const found = Math.sign(comparePaths(decodeName(a), decodeName(b)));
      expect(found).toBe(Math.sign(Buffer.compare(key(a), key(b))));
    }),
  );
});

test('a small piece that is kept does not keep the buffer that it came in', () => {
  const buffer = new Uint8Array(65_536);
  const piece = buffer.subarray(100, 110).fill(7);
  const kept = ownBytes(piece);
  expect(kept).toEqual(piece);
  expect(kept.buffer.byteLength).toBe(10);
  const large = buffer.subarray(0, 40_000);
  expect(ownBytes(large)).toBe(large);
});
