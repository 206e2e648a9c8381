import { parentPort, workerData } from 'node:worker_threads';
import { toPlainError } from './error-transfer.ts';
import type { ThreadStart } from './native-gate.ts';
import type { DedicatedThreadData, ThreadFromWorker, ThreadPort, ThreadToWorker } from './thread.ts';

/** What runs in a dedicated thread: loads its module, calls `start(port, data)`, and delivers messages. */
if (parentPort === null) throw new Error('this module runs in a worker thread only');
const port = parentPort;
const { module, data } = (workerData as ThreadStart<DedicatedThreadData>).data;

const early: unknown[] = [];
let handler: ((message: unknown) => void) | undefined;
port.on('message', (message: ThreadToWorker) => {
  if (handler === undefined) early.push(message.message);
  else handler(message.message);
});

const send = (message: ThreadFromWorker, transfer: Parameters<ThreadPort['post']>[1] = []) =>
  port.postMessage(message, [...transfer]);

const threadPort: ThreadPort = {
  post: (message, transfer) => send({ kind: 'message', message }, transfer),
  onMessage: (next) => {
    handler = next;
    for (const message of early.splice(0)) next(message);
  },
  close: () => port.close(),
};

function fail(error: unknown): never {
  send({ kind: 'error', error: toPlainError(error) });
  // The message is delivered before the exit is.
  process.exit(1);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  const { start } = (await import(module)) as { start?: (port: ThreadPort, data: unknown) => unknown };
  if (typeof start !== 'function') throw new Error(`${module} exports no function start`);
  await start(threadPort, data);
} catch (error) {
  fail(error);
}
