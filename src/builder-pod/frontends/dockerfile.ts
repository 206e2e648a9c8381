import type { Logger } from '../../base/index.ts';
import { siblingModule } from '../../sys/index.ts';
import type { Frontend } from './frontend.ts';
import { FrontendThreads } from './thread-host.ts';

interface BuiltInOptions {
  /** MiB of heap of a thread. */
  readonly heapMib?: number;
  /** Milliseconds that one run may compute without asking anything. */
  readonly silenceMs?: number;
  readonly log?: Logger;
  /** Threads at most; one by default, which is started when it is first needed or by `startAhead`. */
  readonly threads?: number;
}

/** A frontend whose threads are there before it is first run. */
interface BuiltInFrontend extends Frontend, AsyncDisposable {
  startAhead(): void;
  /** How many threads were started so far. */
  readonly threadsStarted: number;
}

/** `dockerfile.v0`, in threads that many runs share. */
export function dockerfileFrontend(options: BuiltInOptions = {}): BuiltInFrontend {
  const name = 'dockerfile.v0';
  const module = siblingModule(import.meta.url, './dockerfile-thread');
  const threads = new FrontendThreads({ threads: 1, ...options, module, name });
  return {
    name,
    run: (request, bridge, call) => threads.run(request, bridge, call),
    startAhead: () => threads.startAhead(),
    get threadsStarted() {
      return threads.started;
    },
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}
