import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cgroup, type CgroupLayout } from './cgroup.ts';
import { CgroupBounds, ProcessCounter } from './cgroup-bounds.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-bounds-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const read = (path: string) => readFileSync(join(directory, path), 'utf8');

describe('bounds of a group in one tree', () => {
  const layout = (): CgroupLayout => ({
    kind: 'v2',
    hierarchies: [{ version: 2, path: directory, controllers: [] }],
  });
  const bounds = (limits: Partial<ConstructorParameters<typeof CgroupBounds>[2]>) =>
    new CgroupBounds(new Cgroup('/a/b', layout()), layout(), { processes: 0, memory: 0, memorySwap: 0, ...limits });

  test('are written, once all groups above give their controllers', () => {
    using made = bounds({ processes: 10, memory: 1000, memorySwap: 1500 });
    expect(made.unmet).toEqual([]);
    expect([read('a/b/pids.max'), read('a/b/memory.max'), read('a/b/memory.swap.max')]).toEqual(['10', '1000', '500']);
    for (const above of ['', 'a']) expect(read(join(above, 'cgroup.subtree_control'))).toBe('+pids');
  });

  test('cores are a part of each tenth of a second', () => {
    using made = bounds({ cpuMillis: 1500 });
    expect(made.unmet).toEqual([]);
    expect(read('a/b/cpu.max')).toBe('150000 100000');
  });

  test('as much swap as there is', () => {
    using _made = bounds({ memory: 1000, memorySwap: -1 });
    expect(read('a/b/memory.swap.max')).toBe('max');
  });

  test('what the kernel counted is told', async () => {
    using made = bounds({ processes: 10, memory: 1000 });
    expect([made.outOfMemory(), await made.outOfProcesses()]).toEqual([false, false]);
    writeFileSync(join(directory, 'a/b/memory.events'), 'low 0\nmax 7\noom 1\noom_kill 1\n');
    writeFileSync(join(directory, 'a/b/pids.peak'), '10\n');
    expect([made.outOfMemory(), await made.outOfProcesses()]).toEqual([true, true]);
  });

  test('without a tree none is held, and that is told', () => {
    const none: CgroupLayout = { kind: 'none', hierarchies: [] };
    using made = new CgroupBounds(new Cgroup('/a', none), none, { processes: 1, memory: 1, memorySwap: 0 });
    expect(made.unmet).toEqual(['processes', 'memory']);
  });
});

test('without a peak, the failures of the group below are heard of while it is there', async () => {
  using counter = new ProcessCounter(directory);
  const made = mkdtempSync(join(tmpdir(), 'slipway-bounds-step-'));
  writeFileSync(join(made, 'pids.events'), 'max 0\n');
  mkdirSync(join(directory, 'other'));
  renameSync(made, join(directory, 'step'));
  expect(await counter.reached(5)).toBe(false);
  // Until the watch is set, which comes with an event of ours.
  for (let round = 1; !(await counter.reached(5)); round++) {
    writeFileSync(join(directory, 'step/pids.events'), `max ${round}\n`);
    await delay(5);
  }
  rmSync(join(directory, 'step'), { recursive: true });
  expect(await counter.reached(5)).toBe(true);
});
