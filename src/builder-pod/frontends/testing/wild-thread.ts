import { threadId } from 'node:worker_threads';
import { CodedError } from '../../../base/index.ts';
import type { LanePort } from '../../../sys/index.ts';
import { BridgeClient } from '../thread-client.ts';
import type { FromFrontend, ToFrontend } from '../thread-messages.ts';

/** A frontend that does what its option `do` says, `good` by asking for one solve; its result says in which thread it ran. */
export async function serve(port: LanePort<ToFrontend, FromFrontend>): Promise<void> {
  const bridge = new BridgeClient(port);
  const { options } = await bridge.begun;
  if (options.get('do') === 'turns') await turns(bridge, port.closed);
  const act = ACTS[options.get('do') ?? ''];
  if (act === undefined) return;
  bridge.warn({ vertex: 'sha256:0', level: 1, message: 'wild', detail: [], url: '', ranges: [] });
  await act();
  await bridge.call('solve', [{}], { signal: port.closed });
  bridge.done({ metadata: new Map([['thread', new TextEncoder().encode(String(threadId))]]) });
}

/** Asks and computes a little, without end. */
async function turns(bridge: BridgeClient, signal: AbortSignal): Promise<never> {
  for (;;) {
    const until = performance.now() + 10;
    while (performance.now() < until);
    await bridge.call('solve', [{}], { signal });
  }
}

const ACTS: Readonly<Record<string, () => unknown>> = {
  good: () => {},
  slow: async () => {
    for (let turn = 0; turn < 20; turn++) {
      const until = performance.now() + 10;
      while (performance.now() < until);
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  loop: () => {
    for (;;);
  },
  hang: () => new Promise(() => {}),
  hungry: () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(10_000).fill(kept.length).map((n) => ({ n })));
  },
  throw: () => {
    throw CodedError.of('BAD_PATTERN', 'no good');
  },
  'throw late': () => {
    setImmediate(() => {
      throw new Error('late');
    });
    return new Promise(() => {});
  },
  exit: () => process.exit(3),
};
