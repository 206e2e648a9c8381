import { PerformanceObserver } from 'node:perf_hooks';

/** How far this thread is: by the clock, and what it has computed. */
interface Mark {
  readonly atUs: number;
  readonly cpuUs: number;
}

/** A turn of the event loop: how long it computed and how long it took by the clock (of a machine that others use, too). */
export interface Turn {
  readonly beganUs: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

function mark(): Mark {
  const { user, system } = process.threadCpuUsage();
  return { atUs: Number(process.hrtime.bigint() / 1000n), cpuUs: user + system };
}

/**
 * Tells of each turn of this thread's event loop that takes a millisecond or longer: a timer of a millisecond fires once in each, and what the thread has computed
 * since it last fired is that turn, however busy the machine is. What is returned begins the turn anew, for who has done other work in it.
 */
export function meterTurns(tell: (turn: Turn) => void): () => void {
  let began = mark();
  setInterval(() => {
    const now = mark();
    const [wallMs, cpuMs] = [(now.atUs - began.atUs) / 1000, (now.cpuUs - began.cpuUs) / 1000];
    tell({ beganUs: began.atUs, wallMs, cpuMs });
    began = now;
  }, 1).unref();
  return () => {
    began = mark();
  };
}

/** Pauses of the collector are told in a later turn than they were in: so long after it they are known… */
export const TOLD_MS = 50;
/** …and for so long. */
const KEPT_MS = 10_000;

/** How much of a turn of this thread the collector took, in milliseconds by the clock: ask {@link TOLD_MS} after it. */
export function meterPauses(): (turn: Turn) => number {
  let pauses: { readonly startTime: number; readonly duration: number }[] = [];
  new PerformanceObserver((list) => {
    const since = performance.now() - KEPT_MS;
    pauses = [...pauses.filter(({ startTime }) => startTime > since), ...list.getEntries()];
  }).observe({ entryTypes: ['gc'] });
  const origin = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();
  return ({ beganUs, wallMs }) => {
    const at = beganUs / 1000 - origin;
    const within = pauses.filter(({ startTime }) => startTime >= at && startTime <= at + wallMs);
    return within.reduce((sum, { duration }) => sum + duration, 0);
  };
}
