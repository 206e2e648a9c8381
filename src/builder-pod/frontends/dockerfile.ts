import type { Logger } from '../../base/index.ts';
import { siblingModule } from '../../sys/index.ts';
import type { Frontend } from './frontend.ts';
import { runInThread } from './thread-host.ts';

export interface BuiltInOptions {
  /** MiB of heap for one run. */
  readonly heapMib?: number;
  /** Milliseconds that one run may compute without asking anything. */
  readonly silenceMs?: number;
  readonly log?: Logger;
}

/** `dockerfile.v0`, in a thread for each run. */
export function dockerfileFrontend(options: BuiltInOptions = {}): Frontend {
  const name = 'dockerfile.v0';
  const module = siblingModule(import.meta.url, './dockerfile-thread');
  return {
    name,
    run: (request, bridge, call) => runInThread({ ...options, module, name }, request, bridge, call),
  };
}
