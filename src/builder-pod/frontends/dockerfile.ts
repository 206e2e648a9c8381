import type { Logger } from '../../base/index.ts';
import { siblingModule } from '../../sys/index.ts';
import type { Frontend } from './frontend.ts';
import { runInThread, ThreadStock } from './thread-host.ts';

export interface BuiltInOptions {
  /** MiB of heap for one run. */
  readonly heapMib?: number;
  /** Milliseconds that one run may compute without asking anything. */
  readonly silenceMs?: number;
  readonly log?: Logger;
  /** Keep a thread started ahead of the next run: some tens of MiB for some hundred milliseconds less a run. */
  readonly prewarm?: boolean;
}

/** `dockerfile.v0`, in a thread for each run. */
export function dockerfileFrontend(options: BuiltInOptions = {}): Frontend & AsyncDisposable {
  const name = 'dockerfile.v0';
  const thread = { ...options, module: siblingModule(import.meta.url, './dockerfile-thread'), name };
  const stock = options.prewarm ? new ThreadStock(thread) : undefined;
  stock?.refill();
  return {
    name,
    run: async (request, bridge, call) => {
      try {
        return await runInThread(thread, request, bridge, call, stock);
      } finally {
        stock?.refill();
      }
    },
    [Symbol.asyncDispose]: async () => await stock?.[Symbol.asyncDispose](),
  };
}
