import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openState, type State, type StateOptions } from '../../builder-pod/state/index.ts';
import { createPools, type Pools, WorkerPool } from '../../sys/index.ts';

/** How long threads outlive the last state that had them: they are started for a test after the other, and each start takes more than most tests do. */
const LINGER_MS = 2000;

interface Threads {
  readonly pools: Pools;
  readonly background: WorkerPool;
  users: number;
  ending: NodeJS.Timeout | undefined;
}

let shared: Threads | undefined;

/** Those of all states that are open here. */
function takeThreads(): Disposable & Pick<Threads, 'pools' | 'background'> {
  shared ??= {
    pools: createPools({ short: 1, bulk: 1 }),
    background: new WorkerPool({ name: 'background', threads: 2 }),
    users: 0,
    ending: undefined,
  };
  const taken = shared;
  clearTimeout(taken.ending);
  taken.users++;
  const end = () => {
    shared = undefined;
    for (const pool of [taken.pools, taken.background]) void pool[Symbol.asyncDispose]();
  };
  let isTaken = true;
  return {
    ...{ pools: taken.pools, background: taken.background },
    [Symbol.dispose]: () => {
      if (isTaken && --taken.users === 0) taken.ending = setTimeout(end, LINGER_MS);
      isTaken = false;
    },
  };
}

/**
 * A real state directory for a test (root and overlayfs needed): `await using state = await openTestState()`. With a `root` of the caller's it is opened
 * there and left there, so that a test can close and reopen it.
 */
export async function openTestState(options: Partial<Omit<StateOptions, 'pools'>> = {}): Promise<State> {
  const own = options.root === undefined ? mkdtempSync(join(tmpdir(), 'slipway-state-')) : undefined;
  const taken = takeThreads();
  const { pools, background } = taken;
  const clean = () => {
    taken[Symbol.dispose]();
    if (own !== undefined) rmSync(own, { recursive: true, force: true });
  };
  try {
    const state = await openState({ background, ...options, root: own ?? (options.root as string), pools });
    return {
      ...state,
      [Symbol.asyncDispose]: async () => {
        await state[Symbol.asyncDispose]();
        clean();
      },
    };
  } catch (error) {
    clean();
    throw error;
  }
}
