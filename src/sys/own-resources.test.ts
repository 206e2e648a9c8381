import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CgroupLayout } from './cgroup.ts';
import { ownResources } from './own-resources.ts';

const MiB = 1 << 20;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-own-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const group = (path: string, files: Readonly<Record<string, string>>) => {
  mkdirSync(join(directory, path), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, path, name), `${text}\n`);
};
const v2 = (): CgroupLayout => ({ kind: 'v2', hierarchies: [{ version: 2, path: directory, controllers: [] }] });

test('the bounds of a container count, though its processes are in a group below', () => {
  group('', {
    'memory.max': String(512 * MiB),
    'memory.current': String(300 * MiB),
    'memory.stat': `anon 1\ninactive_file ${100 * MiB}\nactive_file 5`,
    'cpu.max': '150000 100000',
  });
  group('init', { 'memory.max': 'max', 'memory.current': String(MiB), 'cpu.max': 'max 100000' });
  expect(ownResources(v2(), '0::/init')).toEqual({
    memoryLimit: 512 * MiB,
    memoryUsed: 200 * MiB,
    cpuMillis: Math.min(1500, availableParallelism() * 1000),
  });
});

test('the least of several bounds counts, with what is taken of it', () => {
  group('', { 'memory.max': String(512 * MiB), 'memory.current': String(300 * MiB) });
  group('a/b', { 'memory.max': String(64 * MiB), 'memory.current': String(30 * MiB), 'cpu.max': '25000 100000' });
  expect(ownResources(v2(), '0::/a/b')).toEqual({ memoryLimit: 64 * MiB, memoryUsed: 30 * MiB, cpuMillis: 250 });
});

test('in trees by controller', () => {
  group('memory/pod', {
    'memory.limit_in_bytes': String(256 * MiB),
    'memory.usage_in_bytes': String(90 * MiB),
    'memory.stat': `inactive_file 7\ntotal_inactive_file ${40 * MiB}`,
  });
  group('memory', { 'memory.limit_in_bytes': '9223372036854771712' });
  group('cpu', { 'cpu.cfs_quota_us': '-1', 'cpu.cfs_period_us': '100000' });
  group('cpu/pod', { 'cpu.cfs_quota_us': '50000', 'cpu.cfs_period_us': '100000' });
  const layout: CgroupLayout = {
    kind: 'v1',
    hierarchies: ['memory', 'cpu'].map((name) => ({ version: 1, path: join(directory, name), controllers: [name] })),
  };
  expect(ownResources(layout, '4:memory:/pod\n1:cpu,cpuacct:/pod\n0::/')).toEqual({
    memoryLimit: 256 * MiB,
    memoryUsed: 50 * MiB,
    cpuMillis: 500,
  });
});

test('where nothing is set, or our group is not to be seen, it is the machine’s', () => {
  const all = { memoryLimit: totalmem(), cpuMillis: availableParallelism() * 1000 };
  expect(ownResources(v2(), '0::/kubepods/elsewhere')).toMatchObject(all);
  const { memoryUsed } = ownResources({ kind: 'none', hierarchies: [] }, '');
  expect(memoryUsed).toBeGreaterThan(0);
  expect(memoryUsed).toBeLessThan(totalmem());
});

test('of this very process', () => {
  const { memoryLimit, memoryUsed, cpuMillis } = ownResources();
  expect(memoryLimit).toBeLessThanOrEqual(totalmem());
  expect(memoryUsed).toBeGreaterThan(0);
  expect(cpuMillis).toBeGreaterThan(0);
});
