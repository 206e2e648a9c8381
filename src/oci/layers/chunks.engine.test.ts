import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import { createPools, fileSystemUsage, mount, unmountOrDetach } from '../../sys/index.ts';
import { DEFAULT_UNPACK_LIMITS, packDirectoryChunks, unpackDirectoryChunks } from './index.ts';

const MB = 1 << 20;
const work = { signal: neverAborted, owner: HOUSE };

test('a few bytes that unpack to more than there is room for stop before the disk is full', async () => {
  await using pools = createPools({ short: 1, bulk: 1 });
  using cleanup = new DisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-chunks-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [from, into, disk] = ['from', 'into', 'disk'].map((name) => join(folder, name)) as [string, string, string];
  for (const path of [from, into, disk]) mkdirSync(path);
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['size=100M'] }, disk);
  cleanup.defer(() => unmountOrDetach(disk));
  writeFileSync(join(from, 'ones'), Buffer.alloc(120 * MB, 1));
  const bounds = { maxBytes: 1e9, maxChunks: 4096 };
  const packed = await packDirectoryChunks(pools.bulk, { directory: from, into, known: new Set(), ...bounds, ...work });
  if (packed.kind !== 'packed') throw new Error(packed.kind);
  const { chunks, blobs, diffId, root } = packed;
  expect([...blobs.values()].reduce((sum, { size }) => sum + size, 0)).toBeLessThan(MB);
  const whole = { blobs: chunks.map(({ digest }) => blobs.get(digest)!.path), lowers: [], diffId, root };
  await expect(
    unpackDirectoryChunks(pools.bulk, {
      ...{ ...whole, directory: disk, limits: DEFAULT_UNPACK_LIMITS, keepFree: 20 * MB },
      ...work,
    }),
  ).rejects.toMatchObject({ reason: 'CACHE_DISK' });
  const { free } = fileSystemUsage(disk);
  expect(free).toBeGreaterThan(20 * MB);
  expect(free).toBeLessThan(50 * MB);
});
