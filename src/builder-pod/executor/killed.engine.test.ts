import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOUSE, neverAborted, newId } from '../../base/index.ts';
import { createPools, lifeCgroup, mountsBelow, spawnProcess, sweep } from '../../sys/index.ts';
import { createExecutor, EMPTY_META, runStep } from './index.ts';
import { makeBusyboxRoot } from './testing/busybox.ts';

const launcher = fileURLToPath(new URL('../../../bin/slipway-launch', import.meta.url));
const daemon = fileURLToPath(new URL('./testing/daemon.ts', import.meta.url));

let directory: string;
let stateId: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-killed-'));
  stateId = `test-${newId()}`;
  makeBusyboxRoot(join(directory, 'root'));
});
afterEach(async () => {
  await sweep({ stateId, directory });
  expect(mountsBelow(directory)).toEqual([]);
  rmSync(directory, { recursive: true });
});

function start(withLauncher: boolean) {
  const command = [process.execPath, daemon, join(directory, 'exec'), stateId, join(directory, 'root')];
  const [path = '', ...args] = withLauncher ? ['sh', launcher, ...command] : command;
  return spawnProcess({ path, args, stdout: 'pipe', stderr: 'inherit' });
}

async function untilStarted(child: ReturnType<typeof start>): Promise<void> {
  let said = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    said += chunk.toString();
    if (said.includes('started')) return;
  }
  throw new Error('the step did not start');
}

test('a killed daemon takes its steps down with it, and its mounts were never seen outside', async () => {
  await using child = start(true);
  await untilStarted(child);
  expect(mountsBelow(directory)).toEqual([]);
  expect(lifeCgroup(stateId).pids().length).toBeGreaterThanOrEqual(3);
  process.kill(child.pid, 'SIGKILL');
  await child.exited;
  // By the guardian alone: nobody sweeps here.
  while (lifeCgroup(stateId).pids().length > 0) await delay(20);
});

test.each([0, 100, 200, 300, 400, 500])('after a kill at %i ms the next life is clean and works', async (ms) => {
  const child = start(false);
  await delay(ms);
  process.kill(child.pid, 'SIGKILL');
  await child.exited;
  child.stdout?.destroy();
  await sweep({ stateId, directory });
  expect(mountsBelow(directory)).toEqual([]);
  expect(lifeCgroup(stateId).directories.filter((path) => existsSync(path))).toEqual([]);
  await using pools = createPools({ short: 1, bulk: 1 });
  const executorDirectory = join(directory, 'exec');
  await using executor = await createExecutor(
    { directory: executorDirectory, stateId, pools },
    { signal: neverAborted },
  );
  expect(readdirSync(executorDirectory)).toEqual([executor.runtime.name]);
  let output = '';
  const print = (chunk: Uint8Array) => {
    output += Buffer.from(chunk).toString();
  };
  const root = {
    mounts: [{ type: 'bind', source: join(directory, 'root'), options: ['rbind', 'rw'] }],
    readonly: false,
  };
  const meta = { ...EMPTY_META, args: ['/bin/echo', 'again'], removeMountStubsRecursive: true };
  const step = { id: newId(), root, mounts: [], meta, stdout: print, stderr: print, owner: HOUSE };
  await runStep(executor, { ...step, network: 'none', security: 'sandbox' }, { signal: neverAborted });
  expect(output).toBe('again\n');
  expect(readFileSync(join(directory, 'root/etc/passwd'), 'utf8')).toContain('builder');
});
