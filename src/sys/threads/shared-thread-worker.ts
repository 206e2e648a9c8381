import { AsyncLocalStorage } from 'node:async_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { cancelledError } from '../../base/index.ts';
import { toPlainError } from './error-transfer.ts';
import { IdleMemory } from './idle-memory.ts';
import type { FromSharedThread, LanePort, SharedThreadData, ToSharedThread } from './shared-threads.ts';

/** What runs in a shared thread: loads its module and calls `serve(port)` for each lane. What a lane throws, now or later, ends the lane; what belongs to none ends the thread. */
if (parentPort === null) throw new Error('this module runs in a worker thread only');
const port = parentPort;
const { module, preload, warm, atWork: shared } = workerData as SharedThreadData;
const atWork = new Int32Array(shared);

interface InnerLane {
  readonly controller: AbortController;
  handler: ((message: unknown) => void) | undefined;
  readonly early: unknown[];
}

type Serve = (port: LanePort) => unknown;

const lanes = new Map<number, InnerLane>();
const memory = new IdleMemory();
/** Whose work it is that runs. */
const current = new AsyncLocalStorage<number>();
const send = (message: FromSharedThread, transfer: Parameters<LanePort['post']>[1] = []) =>
  port.postMessage(message, [...transfer]);

function crash(error: unknown): never {
  send({ t: 'crash', error: toPlainError(error) });
  // The message is delivered before the exit is.
  process.exit(1);
}

function uncaught(error: unknown): void {
  const id = current.getStore();
  if (id === undefined) crash(error);
  else end(id, error);
}

process.on('uncaughtException', uncaught);
process.on('unhandledRejection', uncaught);

function forget(id: number): void {
  lanes.delete(id);
  if (lanes.size === 0) memory.idle();
}

/** `failure` of a lane that has none is undefined. One that has ended already has no more to say. */
function end(id: number, failure: unknown): void {
  const lane = lanes.get(id);
  if (lane === undefined) return;
  forget(id);
  send({ t: 'ended', lane: id, error: failure === undefined ? undefined : toPlainError(failure) });
  lane.controller.abort(cancelledError());
}

async function open(id: number, serve: Serve): Promise<void> {
  const lane: InnerLane = { controller: new AbortController(), handler: undefined, early: [] };
  lanes.set(id, lane);
  memory.busy();
  try {
    await serve({
      post: (message, transfer) => {
        if (lanes.has(id)) send({ t: 'message', lane: id, message }, transfer);
      },
      onMessage: (next) => {
        lane.handler = next;
        for (const message of lane.early.splice(0)) next(message);
      },
      closed: lane.controller.signal,
    });
    end(id, undefined);
  } catch (error) {
    end(id, error);
  }
}

function deliver(lane: InnerLane, id: number, message: unknown): void {
  if (lane.handler === undefined) lane.early.push(message);
  else
    try {
      lane.handler(message);
    } catch (error) {
      end(id, error);
    }
}

try {
  const loaded = (await import(module)) as { serve?: Serve; warm?: () => Promise<void> };
  const { serve } = loaded;
  if (typeof serve !== 'function') throw new Error(`${module} exports no function serve`);
  port.on('message', (message: ToSharedThread) => {
    if (message.t === 'ping') {
      send({ t: 'pong' });
      return;
    }
    const { lane: id } = message;
    Atomics.store(atWork, 0, id);
    if (message.t === 'open') {
      void current.run(id, open, id, serve);
      return;
    }
    const lane = lanes.get(id);
    if (lane === undefined) return;
    if (message.t === 'message') current.run(id, deliver, lane, id, message.message);
    else {
      forget(id);
      lane.controller.abort(cancelledError());
    }
  });
  send({ t: 'ready' });
  // What cannot be loaded fails where it is used.
  for (const url of preload) void import(url).catch(() => {});
  if (warm) await loaded.warm?.();
  if (lanes.size === 0) memory.idle();
} catch (error) {
  crash(error);
}
