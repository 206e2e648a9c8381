import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { neverAborted } from '../../../base/index.ts';
import { runs } from '../../../base/testing/runs.ts';
import {
  type FileStat,
  type PacketStream,
  receiveTree,
  runTransfer,
  sendTree,
} from '../../../builder-api/fsutil/index.ts';
import { NotIndexable } from '../../../oci/layers/index.ts';
import { describeTree } from '../../../oci/layers/testing/trees.ts';
import { decodeName, lstat, mknod, mount, openRoot, setXattr, unmount } from '../../../sys/index.ts';
import { ImageIntake } from './image-intake.ts';

const signal = neverAborted;
type FsPacket = Parameters<PacketStream['send']>[0];

/** Packets in one direction. */
class Packets implements AsyncIterable<FsPacket> {
  readonly #waiting: FsPacket[] = [];
  #wake = () => {};
  #isOver = false;

  push(packet: FsPacket): void {
    this.#waiting.push(packet);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FsPacket> {
    for (;;) {
      const packet = this.#waiting.shift();
      if (packet !== undefined) yield packet;
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

type Client = (stream: PacketStream) => Promise<void>;

/** What a client sends: `intoDirectory` and `intoImage` each have a transfer of their own. */
async function transfer<T>(client: Client, receive: (stream: PacketStream) => Promise<T>): Promise<T> {
  const [up, down] = [new Packets(), new Packets()];
  const sending = client({ packets: down, send: (packet) => void up.push(packet) }).catch(() => {});
  try {
    return await receive({ packets: up, send: (packet) => void down.push(packet) });
  } finally {
    up.end();
    down.end();
    await sending;
  }
}

/** A listing, and then pieces of its files, whatever was asked for. */
const saying =
  (stats: readonly FileStat[], pieces: readonly (readonly [id: number, data: Uint8Array])[]): Client =>
  async (stream) => {
    for (const stat of stats) void stream.send({ type: 'stat', stat });
    void stream.send({ type: 'statEnd' });
    for (const [id, data] of pieces) void stream.send({ type: 'data', id, data });
    for await (const packet of stream.packets) if (packet.type === 'fin') void stream.send({ type: 'fin' });
  };

const stat = (path: string, more: Partial<FileStat> = {}): FileStat => ({
  ...{ path, mode: 0o644, uid: 0, gid: 0, size: 0, modTime: 1_600_000_000_123_456_789n, linkname: '' },
  ...{ devmajor: 0, devminor: 0, xattrs: {}, ...more },
});

/** What is seen of a transfer that came as files, and of the same as an image; undefined where there is no image. */
async function both<T>(client: Client, look: (root: string) => T) {
  const temp = mkdtempSync(join(tmpdir(), 'image-intake-'));
  const [directory, mounted, image] = ['directory', 'mounted', 'image'].map((name) => join(temp, name)) as [
    string,
    string,
    string,
  ];
  try {
    for (const one of [directory, mounted]) mkdirSync(one);
    using root = openRoot(directory);
    const files = await transfer(client, (stream) => receiveTree(stream, { root, differ: 'metadata', signal }));
    const told: string[] = [];
    try {
      const asImage = await transfer(client, async (stream) => {
        const request = (id: number) => stream.send({ type: 'request', id });
        const onEntry = ({ path }: FileStat) => void told.push(path);
        using intake = new ImageIntake(image, lstat(directory), request, { signal, onEntry });
        return await runTransfer(stream, intake, { signal });
      });
      expect(asImage).toMatchObject({ entries: files.entries, bytes: files.bytes, misstated: files.misstated });
      expect(told).toHaveLength(files.entries);
    } catch (error) {
      expect(existsSync(image)).toBe(false);
      if (error instanceof NotIndexable) return { files: look(directory), image: undefined };
      throw error;
    }
    mount({ type: 'erofs', source: image, options: ['ro'] }, mounted);
    try {
      return { files: look(directory), image: look(mounted) };
    } finally {
      unmount(mounted);
    }
  } finally {
    rmSync(temp, { recursive: true });
  }
}

test('an image shows what a directory does, in every respect', async () => {
  const source = mkdtempSync(join(tmpdir(), 'image-intake-'));
  const at = (...names: string[]) => join(source, ...names);
  try {
    mkdirSync(at('bin'));
    writeFileSync(at('bin/su'), 'setuid program');
    chownSync(at('bin/su'), 70_000, 12);
    chmodSync(at('bin/su'), 0o4755);
    setXattr(at('bin/su'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
    linkSync(at('bin/su'), at('bin/also'));
    linkSync(at('bin/su'), at('z'));
    mkdirSync(at('tmp'));
    chmodSync(at('tmp'), 0o1777);
    mkdirSync(at('tmp/empty'));
    chmodSync(at('tmp/empty'), 0o2700);
    writeFileSync(at('tmp', `ünï\u{1f6a2}`), Buffer.alloc(3_000_000, 'pattern'));
    writeFileSync(at('tmp/nothing'), '');
    setXattr(at('tmp/nothing'), 'user.binary', Buffer.from([0, 0xff, 0xfe, 0x0a]));
    setXattr(at('tmp/nothing'), 'user.nothing', Buffer.alloc(0));
    symlinkSync('../nowhere', at('bin/link'));
    symlinkSync('x'.repeat(3000), at('long'));
    mknod(at('null'), 0o020666, 1, 3);
    mknod(at('disk'), 0o060640, 259, 65_537);
    mknod(at('pipe'), 0o010600);
    mkdirSync(at('many'));
    for (let n = 0; n < 700; n++) writeFileSync(at('many', `${'n'.repeat(n % 250)}-${n}`), 'x'.repeat((n * 37) % 2000));
    utimesSync(at('many'), 0, 0);
    using root = openRoot(source);
    const seen = await both((stream) => sendTree(stream, { root, signal }), describeTree);
    expect(Object.keys(seen.files).length).toBeGreaterThan(700);
    expect(seen.image).toEqual(seen.files);
  } finally {
    rmSync(source, { recursive: true });
  }
});

test('contents are right in whatever pieces and order they come, and however long they become', async () => {
  const sizes = fc.oneof(
    fc.integer({ min: 1, max: 1500 }),
    fc.constantFrom(511, 512, 513, 4096, 65_536, 65_537, 200_000),
  );
  const file = fc.record({
    size: sizes,
    // What comes of it, more or less than was listed.
    pieces: fc.array(sizes, { maxLength: 5 }),
    order: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 6, maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 12 }), async (files) => {
      const stats = files.map(({ size }, id) => stat(`f${String(id).padStart(3, '0')}`, { size }));
      const all = files.flatMap(({ pieces, order }, id) => {
        const keys = order.toSorted((a, b) => a - b);
        const data = [...pieces.map((length, n) => Buffer.alloc(length, 1 + id * 6 + n)), Buffer.alloc(0)];
        return data.map((data, n) => ({ id, data, key: keys[n]! }));
      });
      const pieces = all.toSorted((a, b) => a.key - b.key).map(({ id, data }) => [id, data] as const);
      const seen = await both(saying(stats, pieces), describeTree);
      expect(seen.image).toEqual(seen.files);
    }),
    runs(40),
  );
});

test('small files whose pieces and ends come in turns, more than are written at once', async () => {
  const stats = Array.from({ length: 500 }, (_, n) => stat(`f${String(n).padStart(5, '0')}`, { size: 5000 }));
  const half = (n: number) => Buffer.alloc(2500, 1 + (n % 255));
  const pieces = [0, 1, 2].flatMap((turn) =>
    stats.map((_, n) => [n, turn === 2 ? Buffer.alloc(0) : half(n + turn)] as const),
  );
  const seen = await both(saying(stats, pieces), describeTree);
  expect(Object.keys(seen.files)).toHaveLength(500);
  expect(seen.image).toEqual(seen.files);
});

test('names of any bytes, in the order of their bytes', async () => {
  const names = [[0x21], [0x2d, 0xff, 0xfe], [0xc3, 0xa9], [0xff], [0xff, 0x80]].map((bytes) => Buffer.from(bytes));
  const stats = names.map((name) => stat(decodeName(name)));
  const look = (root: string) => readdirSync(root, { encoding: 'buffer' }).map((name) => name.toString('hex'));
  const seen = await both(saying(stats, []), (root) => look(root).sort());
  expect(seen.files).toEqual(names.map((name) => name.toString('hex')).sort());
  expect(seen.image).toEqual(seen.files);
});

const DIR = 2 ** 31;
const SYMLINK = 1 << 27;
const CHAR = (1 << 26) | (1 << 21);

test.each<[string, readonly FileStat[]]>([
  ['times before 1970', [stat('f', { modTime: -1_500_000_000n })]],
  ['names that mean deletions in layers', [stat('.wh.f')]],
  ['attributes of other kinds', [stat('d', { mode: DIR + 0o755 }), stat('d/f', { xattrs: ACL() })]],
  ['a device that overlays take for a deletion', [stat('f', { mode: CHAR | 0o600 })]],
])('%s are left to a directory', async (_what, stats) => {
  const seen = await both(saying(stats, []), describeTree);
  expect(seen.image).toBeUndefined();
  expect(Object.keys(seen.files)).toHaveLength(stats.length);
});

function ACL(): Record<string, Uint8Array> {
  // Version 2; user::rw-, user 1:r--, group::r--, mask::r--, other::r--.
  const entries = [
    [1, 6, -1],
    [2, 4, 1],
    [4, 4, -1],
    [16, 4, -1],
    [32, 4, -1],
  ];
  const value = Buffer.alloc(4 + entries.length * 8);
  value.writeUInt32LE(2);
  for (const [n, [tag, perm, id]] of entries.entries()) {
    value.writeUInt16LE(tag!, 4 + n * 8);
    value.writeUInt16LE(perm!, 6 + n * 8);
    value.writeInt32LE(id!, 8 + n * 8);
  }
  return { 'system.posix_acl_access': value };
}

test.each<[string, readonly FileStat[]]>([
  ['leads outside', [stat('../f')]],
  ['is in no directory that was listed', [stat('d/f')]],
  ['is below a file', [stat('f'), stat('f/g')]],
  ['is below a link', [stat('l', { mode: SYMLINK | 0o777, linkname: '/' }), stat('l/g')]],
  ['comes twice', [stat('f'), stat('f')]],
  ['is a link to what was not sent', [stat('f', { linkname: 'g' }), stat('g')]],
  ['is a link to a directory', [stat('d', { mode: DIR + 0o755 }), stat('f', { linkname: 'd' })]],
  ['is a link out of the directory', [stat('f', { linkname: '../../etc/passwd' })]],
])('an entry that %s is refused, and no image is left', async (_what, stats) => {
  const temp = mkdtempSync(join(tmpdir(), 'image-intake-'));
  const image = join(temp, 'image');
  try {
    const work = transfer(saying(stats, []), async (stream) => {
      using intake = new ImageIntake(image, lstat(temp), () => undefined, { signal });
      return await runTransfer(stream, intake, { signal });
    });
    await expect(work).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(existsSync(image)).toBe(false);
  } finally {
    rmSync(temp, { recursive: true });
  }
});
