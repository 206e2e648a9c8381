import { isMainThread } from 'node:worker_threads';
import { libc } from '../libc.ts';

/** How a process ended: exactly one of the two is set. */
export interface ExitStatus {
  readonly code: number | undefined;
  /** Signal number. */
  readonly signal: number | undefined;
}

const WNOHANG = 1;
/** Catches what a lost signal would leave; where there are no signals (workers) it is the only way, and shorter. */
const POLL_MS = 1000;
const WORKER_POLL_MS = 5;

const waiting = new Map<number, (status: ExitStatus) => void>();
const status = new Int32Array(1);
let timer: NodeJS.Timeout | undefined;

/**
 * Resolves once the child is dead and reaped. Only pids given here are waited for, so children of node:child_process stay libuv's. The pid is free
 * for others as soon as this resolves: never signal it afterwards.
 */
export function reap(pid: number): Promise<ExitStatus> {
  const { promise, resolve } = Promise.withResolvers<ExitStatus>();
  waiting.set(pid, resolve);
  if (waiting.size === 1) start();
  // It may have died before we listened.
  collect(pid, resolve);
  if (waiting.size === 0) stop();
  return promise;
}

/** Whether the child has not been reaped yet, so that its pid is still its own. */
export function isUnreaped(pid: number): boolean {
  return waiting.has(pid);
}

function start(): void {
  if (isMainThread) process.on('SIGCHLD', collectAll);
  timer = setInterval(collectAll, isMainThread ? POLL_MS : WORKER_POLL_MS);
}

function stop(): void {
  process.off('SIGCHLD', collectAll);
  clearInterval(timer);
}

function collectAll(): void {
  for (const [pid, resolve] of waiting) collect(pid, resolve);
  if (waiting.size === 0) stop();
}

function collect(pid: number, resolve: (status: ExitStatus) => void): void {
  const result = libc.waitpid(pid, status, WNOHANG);
  if (result === 0) return;
  waiting.delete(pid);
  const value = status[0] as number;
  // ECHILD cannot be, unless someone ignores SIGCHLD: then the end is known and the reason is not.
  if (result < 0) resolve({ code: 255, signal: undefined });
  else if ((value & 0x7f) === 0) resolve({ code: (value >> 8) & 0xff, signal: undefined });
  else resolve({ code: undefined, signal: value & 0x7f });
}
