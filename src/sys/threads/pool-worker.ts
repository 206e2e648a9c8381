import { parentPort, type Transferable } from 'node:worker_threads';
import { cancelledError } from '../../base/index.ts';
import { Pacer } from './best-effort.ts';
import { toPlainError } from './error-transfer.ts';
import { IdleMemory } from './idle-memory.ts';
import { loadedModule } from './loaded-module.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import type { StreamContext } from './task.ts';

/** What runs in each thread of a pool: tasks, each a named function of a module. */
if (parentPort === null) throw new Error('this module runs in a worker thread only');
const port = parentPort;
const running = new Map<number, AbortController>();
const memory = new IdleMemory();

port.on('message', (message: ToWorker) => {
  if (message.kind === 'run') void runTask(message);
  else running.get(message.id)?.abort(cancelledError());
});

async function runTask(task: ToWorker & { kind: 'run' }): Promise<void> {
  const flag = new Int32Array(task.abortFlag);
  using pacer = task.bestEffort === undefined ? undefined : new Pacer(task.bestEffort);
  const controller = new AbortController();
  running.set(task.id, controller);
  memory.busy();
  const transfers: Transferable[] = [];
  const send = (message: FromWorker, transfer: readonly Transferable[] = []) =>
    port.postMessage(message, [...transfer]);
  const context: StreamContext = {
    signal: controller.signal,
    aborted: () => Atomics.load(flag, 0) !== 0,
    throwIfAborted: () => {
      pacer?.pace();
      if (Atomics.load(flag, 0) !== 0) throw cancelledError();
    },
    isAlone: () => pacer?.hurried === false,
    post: (message, transfer) => send({ kind: 'post', id: task.id, message }, transfer),
    transfer: (...values) => void transfers.push(...values),
  };
  try {
    const fn = (await loadedModule(task.module))[task.fn];
    if (typeof fn !== 'function') throw new Error(`${task.module} exports no function ${task.fn}`);
    const value: unknown = await fn(task.args, context);
    send({ kind: 'result', id: task.id, value }, transfers);
  } catch (error) {
    send({ kind: 'error', id: task.id, error: toPlainError(error) });
  } finally {
    running.delete(task.id);
    if (running.size === 0) memory.idle();
  }
}
