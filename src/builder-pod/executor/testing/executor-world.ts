import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { neverAborted, newId } from '../../../base/index.ts';
import { createPools, lifeCgroup, mountsBelow, type Pools, sweep } from '../../../sys/index.ts';
import { createExecutor, type OciExecutor, type Step, type StepLimits } from '../index.ts';
import type { Runtime } from '../runtime.ts';
import { makeBusyboxRoot } from './busybox.ts';

/** An executor in a directory of its own, with a busybox root at `base`. */
export class ExecutorWorld implements AsyncDisposable {
  readonly directory: string;
  readonly stateId: string;
  readonly pools: Pools;
  readonly executor: OciExecutor;

  private constructor(directory: string, stateId: string, pools: Pools, executor: OciExecutor) {
    this.directory = directory;
    this.stateId = stateId;
    this.pools = pools;
    this.executor = executor;
  }

  static async start(name: string, limits?: StepLimits, runtime?: Runtime): Promise<ExecutorWorld> {
    const directory = mkdtempSync(join(tmpdir(), `slipway-${name}-`));
    makeBusyboxRoot(join(directory, 'base'));
    const stateId = `test-${newId()}`;
    const pools = createPools({ short: 2, bulk: 1 });
    const options = {
      directory: join(directory, 'exec'),
      stateId,
      pools,
      ...(limits === undefined ? {} : { limits }),
      ...(runtime === undefined ? {} : { runtime }),
    };
    return new ExecutorWorld(directory, stateId, pools, await createExecutor(options, { signal: neverAborted }));
  }

  /** A fresh overlay on the busybox root, and where what is written to it lands. */
  overlay(): { readonly mounts: Step['root']['mounts']; readonly upper: string } {
    const snapshot = mkdtempSync(join(this.directory, 'snapshot-'));
    for (const name of ['upper', 'work']) mkdirSync(join(snapshot, name));
    const upper = join(snapshot, 'upper');
    const options = [`lowerdir=${this.directory}/base`, `upperdir=${upper}`, `workdir=${snapshot}/work`];
    return { mounts: [{ type: 'overlay', source: 'overlay', options }], upper };
  }

  /** Nothing is left by any step, however it ended. */
  expectNothingLeft(): void {
    expect(mountsBelow(this.directory)).toEqual([]);
    expect(lifeCgroup(this.stateId).pids()).toEqual([]);
    expect(lifeCgroup(this.stateId).children()).toEqual([]);
    expect(readdirSync(join(this.directory, 'exec'))).toEqual([this.executor.runtime.name]);
    expect(readdirSync(join(this.directory, 'exec', this.executor.runtime.name))).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor[Symbol.asyncDispose]();
    await this.pools[Symbol.asyncDispose]();
    await sweep({ stateId: this.stateId, directory: this.directory });
    rmSync(this.directory, { recursive: true, force: true });
  }
}
