import { AsyncLocalStorage } from 'node:async_hooks';
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { cancelledError, FairQueue, type WorkOwner } from '../../base/index.ts';
import { type PlainError, toPlainError } from './error-transfer.ts';
import { IdleMemory } from './idle-memory.ts';
import type { ThreadStart } from './native-gate.ts';
import {
  type FromSharedThread,
  type SharedThreadData,
  spentError,
  ThreadState,
  type ToSharedThread,
} from './shared-thread-messages.ts';
import type { LanePort } from './shared-threads.ts';

/** What runs in a shared thread: loads its module and calls `serve(port)` for each lane. What a lane throws, now or later, ends the lane; what belongs to none ends the thread. */
if (parentPort === null) throw new Error('this module runs in a worker thread only');
const port = parentPort;
const { module, preload, warm, cpuMs, state: memoryOfState } = (workerData as ThreadStart<SharedThreadData>).data;
const state = new ThreadState(memoryOfState);
state.thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));

interface InnerLane {
  readonly owner: WorkOwner;
  readonly controller: AbortController;
  handler: ((message: unknown) => void) | undefined;
  readonly early: unknown[];
  /** Milliseconds of CPU time of its turns that are over. */
  spent: number;
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
  else fail(id, error);
}

process.on('uncaughtException', uncaught);
process.on('unhandledRejection', uncaught);

function forget(id: number): void {
  lanes.delete(id);
  if (lanes.size === 0) memory.idle();
}

/** One that has ended already has no more to say. */
function end(id: number, error?: PlainError): void {
  const lane = lanes.get(id);
  if (lane === undefined) return;
  forget(id);
  send({ t: 'ended', lane: id, error });
  lane.controller.abort(cancelledError());
}

const fail = (id: number, error: unknown) => end(id, toPlainError(error));

async function open(id: number, lane: InnerLane, serve: Serve): Promise<void> {
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
    end(id);
  } catch (error) {
    fail(id, error);
  }
}

function deliver(lane: InnerLane, id: number, message: unknown): void {
  if (lane.handler === undefined) lane.early.push(message);
  else
    try {
      lane.handler(message);
    } catch (error) {
      fail(id, error);
    }
}

const cpu = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
let turnBegan = cpu();

/** Whatever was computed since the last turn began was for its lane: what comes of a message comes before the next one is delivered. */
function beginTurn(id: number): void {
  if (cpuMs !== undefined) {
    const now = cpu();
    const last = lanes.get(state.lane);
    if (last !== undefined) last.spent += now - turnBegan;
    turnBegan = now;
    if (last !== undefined && last.spent > cpuMs) fail(state.lane, spentError(cpuMs));
  }
  state.turn(id, lanes.get(id)?.spent ?? 0);
}

/** What was said to lanes: tenants take turns, and the lanes of each. */
const turns = new FairQueue<() => void>();
let turning = false;

function enqueue(lane: InnerLane, id: number, turn: () => void): void {
  turns.push({ tenant: lane.owner.tenant, build: `${id}` }, () => {
    beginTurn(id);
    // It may have ended while it waited.
    if (lanes.get(id) === lane) current.run(id, turn);
  });
  if (turning) return;
  turning = true;
  setImmediate(nextTurn);
}

/** One at a time, for all that comes of one is done when the next begins. */
function nextTurn(): void {
  const turn = turns.shift();
  turning = turns.size > 0;
  if (turning) setImmediate(nextTurn);
  turn?.();
}

function receive(message: ToSharedThread, serve: Serve): void {
  if (message.t === 'ping') {
    state.answer();
    return;
  }
  const { lane: id } = message;
  if (message.t === 'open') {
    const opened: InnerLane = {
      owner: message.owner,
      controller: new AbortController(),
      handler: undefined,
      early: [],
      spent: 0,
    };
    lanes.set(id, opened);
    memory.busy();
    enqueue(opened, id, () => void open(id, opened, serve));
    return;
  }
  const lane = lanes.get(id);
  if (lane === undefined) return;
  if (message.t === 'message') enqueue(lane, id, () => deliver(lane, id, message.message));
  else {
    beginTurn(id);
    forget(id);
    current.run(id, () => lane.controller.abort(cancelledError()));
  }
}

try {
  const loaded = (await import(module)) as { serve?: Serve; warm?: () => Promise<void> };
  const { serve } = loaded;
  if (typeof serve !== 'function') throw new Error(`${module} exports no function serve`);
  port.on('message', (message: ToSharedThread) => receive(message, serve));
  send({ t: 'ready' });
  // What cannot be loaded fails where it is used.
  for (const url of preload) void import(url).catch(() => {});
  if (warm) await loaded.warm?.();
  if (lanes.size === 0) memory.idle();
} catch (error) {
  crash(error);
}
