import { threadId } from 'node:worker_threads';
import type { LanePort } from '../threads/shared-threads.ts';

/** Waits without computing until the first of these is set, after it has computed for the second milliseconds. */
export type Block = Int32Array<SharedArrayBuffer>;

/** Answers with what it is told and where; `fail`, `spin`, `exit` and `end` do so, and what it says after the other end is closed is not heard. */
export async function serve(port: LanePort<string | Block, string>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  port.closed.addEventListener('abort', () => port.post('too late'));
  port.onMessage((message) => {
    if (typeof message !== 'string') return block(message);
    if (message === 'throw') throw new Error('asked to throw');
    if (message === 'exit') process.exit(3);
    if (message === 'end') resolve();
    if (message === 'fail') reject(new Error('asked to fail'));
    if (message === 'spin') for (;;);
    port.post(`${message} ${threadId}`);
  });
  await promise;
}

function block(until: Block): void {
  const cpu = () => process.threadCpuUsage().user + process.threadCpuUsage().system;
  const end = cpu() + until[1]! * 1000;
  while (cpu() < end);
  Atomics.wait(until, 0, 0);
}
