import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openState, type State, type StateOptions } from '../../builder-pod/state/index.ts';
import { createPools } from '../../sys/index.ts';

/**
 * A real state directory for a test (root and overlayfs needed): `await using state = await openTestState()`. With a `root` of the caller's it is opened
 * there and left there, so that a test can close and reopen it.
 */
export async function openTestState(options: Partial<Omit<StateOptions, 'pools'>> = {}): Promise<State> {
  const own = options.root === undefined ? mkdtempSync(join(tmpdir(), 'slipway-state-')) : undefined;
  const pools = createPools({ short: 1, bulk: 1 });
  const clean = async () => {
    await pools[Symbol.asyncDispose]();
    if (own !== undefined) rmSync(own, { recursive: true, force: true });
  };
  try {
    const state = await openState({ ...options, root: own ?? (options.root as string), pools });
    return {
      ...state,
      [Symbol.asyncDispose]: async () => {
        await state[Symbol.asyncDispose]();
        await clean();
      },
    };
  } catch (error) {
    await clean();
    throw error;
  }
}
