import type { Logger } from '../../base/index.ts';
import { siblingModule } from '../../sys/index.ts';
import type { Frontend } from './frontend.ts';
import { frontendThreads, runInThread } from './thread-host.ts';

export interface BuiltInOptions {
  /** MiB of heap for one run. */
  readonly heapMib?: number;
  /** Milliseconds that one run may compute without asking anything. */
  readonly silenceMs?: number;
  readonly log?: Logger;
  /** Threads kept started ahead of the next runs: some tens of MiB each for some hundred milliseconds less a run. */
  readonly spares?: number;
}

/** `dockerfile.v0`, in a thread for each run. */
export function dockerfileFrontend(options: BuiltInOptions = {}): Frontend & AsyncDisposable {
  const name = 'dockerfile.v0';
  const thread = { ...options, module: siblingModule(import.meta.url, './dockerfile-thread'), name };
  const threads = frontendThreads(thread, options.spares ?? 0);
  threads.refill();
  return {
    name,
    run: async (request, bridge, call) => {
      try {
        return await runInThread(thread, request, bridge, call, threads);
      } finally {
        threads.refill();
      }
    },
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}
