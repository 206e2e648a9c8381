import { neverAborted } from '../../../base/index.ts';
import { findRuntime, type Runtime } from '../runtime.ts';
import { ExecutorWorld } from './executor-world.ts';

/** Those of this machine that an executor may be made of: runc, and a crun that comes through the trial. */
export async function usableRuntimes(): Promise<readonly Runtime[]> {
  await using world = await ExecutorWorld.start('runtimes');
  const { runtime: best } = world.executor;
  const runc = await findRuntime('runc', { signal: neverAborted });
  return best.name === 'runc' || runc === undefined ? [best] : [runc, best];
}
