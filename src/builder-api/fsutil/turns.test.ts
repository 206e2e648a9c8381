import { mkdirSync, mkdtempDisposableSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { runs } from '../../base/testing/runs.ts';
import { openRoot } from '../../sys/index.ts';
import type { RawCall } from '../grpc/channel.ts';
import { Metadata } from '../grpc/metadata.ts';
import { Listing, ListingKeeper, listedPackets, packetsUnlessSame } from './listing.ts';
import { comparePaths } from './order.ts';
import { encodePacket, type FsPacket } from './packets.ts';
import { receiveTree } from './receive.ts';

const signal = neverAborted;

const entry = (path: string, size = 1): Uint8Array => {
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, devmajor: 0, devminor: 0 };
  const stat = { path, mode: 0o644, size, modTime: 1n, linkname: '', xattrs: {}, ...ids };
  return encodePacket({ type: 'stat', stat });
};
const statEnd = encodePacket({ type: 'statEnd' });

const callOf = (messages: Iterable<Uint8Array>): RawCall => ({
  headers: Promise.resolve(new Metadata()),
  responses: (async function* () {
    yield* messages;
    yield* [statEnd, encodePacket({ type: 'fin' })];
  })(),
  write: () => undefined,
  end: () => {},
});

async function listingOf(messages: Iterable<Uint8Array>): Promise<Listing> {
  const keeper = new ListingKeeper();
  for await (const _ of listedPackets(callOf(messages), keeper).packets);
  return new Listing(keeper.finish()!);
}

async function marked(last: Listing, messages: Iterable<Uint8Array>): Promise<Map<string, boolean>> {
  const stream = await packetsUnlessSame(callOf(messages), last, new ListingKeeper(), { signal });
  const seen = new Map<string, boolean>();
  for await (const packet of stream?.packets ?? [])
    if (packet.type === 'stat') seen.set(packet.stat.path, packet.asLast === true);
  return seen;
}

test('an entry is marked where the last listing has it, just so, wherever others came or went', async () => {
  const tree = fc.dictionary(fc.stringMatching(/^[a-c](\/[a-c.é])?(\/[a-c])?$/), fc.integer({ min: 1, max: 2 }), {
    maxKeys: 12,
  });
  const messagesOf = (files: Record<string, number>) =>
    Object.entries(files)
      .sort(([a], [b]) => comparePaths(a, b))
      .map(([path, size]) => entry(path, size));
  await fc.assert(
    fc.asyncProperty(tree, tree, async (before, after) => {
      const seen = await marked(await listingOf(messagesOf(before)), messagesOf(after));
      for (const [path, asLast] of seen) expect([path, asLast]).toEqual([path, before[path] === after[path]]);
    }),
    runs(300),
  );
});

/** How often others had a turn. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  over = true;
  return turns;
}

test('others have their turns while a long listing is looked through, and while one like it is begun anew', async () => {
  const names = Array.from({ length: 60_000 }, (_, n) => String(n).padStart(6, '0'));
  const last = await listingOf(names.map((name) => entry(name)));
  let seen = new Map<string, boolean>();
  const skipping = async () => {
    seen = await marked(last, [entry('9')]);
  };
  expect(await turnsDuring(skipping)).toBeGreaterThan(5);
  expect([...seen]).toEqual([['9', false]]);
  const repeating = async () => {
    seen = await marked(
      last,
      [...names, 'new'].map((name) => entry(name)),
    );
  };
  expect(await turnsDuring(repeating)).toBeGreaterThan(5);
  expect([seen.get('059999'), seen.get('new'), seen.size]).toEqual([true, false, 60_001]);
});

test('others have their turns while a directory with many files is removed, and none stays', async () => {
  using dir = mkdtempDisposableSync(join(tmpdir(), 'turns-'));
  mkdirSync(join(dir.path, 'old/deep'), { recursive: true });
  for (let n = 0; n < 5000; n++) writeFileSync(join(dir.path, 'old/deep', `${n}`), '');
  using root = openRoot(dir.path);
  async function* packets(): AsyncGenerator<FsPacket> {
    yield { type: 'statEnd' };
    yield { type: 'fin' };
  }
  const receiving = () =>
    receiveTree({ packets: packets(), send: () => undefined }, { root, differ: 'metadata', signal });
  expect(await turnsDuring(receiving)).toBeGreaterThan(5);
  expect(readdirSync(dir.path)).toEqual([]);
});
