import { PerformanceObserver } from 'node:perf_hooks';
import { vi } from 'vitest';

/** The clock as of a machine on which whatever is looked at has taken a slice's time, until disposed. */
export async function slowMachine(): Promise<Disposable> {
  await new Promise(setImmediate); // the turn before went by another clock
  let now = performance.now();
  return vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 10;
    return now;
  });
}

/** How many turns others had on the thread meanwhile. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const next = () => {
    turns++;
    if (!over) setImmediate(next);
  };
  setImmediate(next);
  await work();
  over = true;
  return turns;
}

/** Counts units of work that are done in one turn of the event loop. */
export class WorkInTurns {
  /** Of the turn that had most. */
  most = 0;
  #now = 0;

  count(): void {
    if (this.#now++ === 0)
      setImmediate(() => {
        this.#now = 0;
      });
    this.most = Math.max(this.most, this.#now);
  }
}

/** A turn of the event loop of which more was computed than of most. */
interface LongTurn {
  readonly beganAt: number;
  readonly endedAt: number;
  readonly cpuMs: number;
}

const LONG_MS = 5;

/**
 * Milliseconds that the program computed in the longest turn of this thread's event loop meanwhile: its own CPU time, which no other process takes from it, without the
 * pauses of the collector, which come when V8 wants them. Those are known by the clock alone, so on a busy machine less is told than it was, never more.
 */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  const pauses: { readonly startTime: number; readonly duration: number }[] = [];
  const collections = new PerformanceObserver((list) => void pauses.push(...list.getEntries()));
  collections.observe({ entryTypes: ['gc'] });
  const turns: LongTurn[] = [];
  let over = false;
  const mark = () => {
    const { user, system } = process.threadCpuUsage();
    return { at: performance.now(), cpu: (user + system) / 1000 };
  };
  let began = mark();
  const end = () => {
    const { at, cpu } = mark();
    if (cpu - began.cpu > LONG_MS) turns.push({ beganAt: began.at, endedAt: at, cpuMs: cpu - began.cpu });
  };
  const next = () => {
    end();
    if (!over) setImmediate(next);
    began = mark();
  };
  setImmediate(next);
  try {
    await work();
    end();
    over = true;
    // The last pauses are told in a later turn.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  } finally {
    over = true;
    collections.disconnect();
  }
  return Math.max(0, ...turns.map((turn) => ownMs(turn, pauses)));
}

function ownMs(
  { beganAt, endedAt, cpuMs }: LongTurn,
  pauses: readonly { readonly startTime: number; readonly duration: number }[],
): number {
  const within = pauses.filter(({ startTime }) => startTime >= beganAt && startTime <= endedAt);
  return cpuMs - within.reduce((sum, { duration }) => sum + duration, 0);
}

/**
 * The least {@link longestTurn} of a few rounds, as it were on the machine that bounds were set on: what a compiler or another process does in one of them is not in all,
 * and what always takes the same says how slow a machine is just now.
 */
export async function leastLongestTurn(round: () => Promise<() => Promise<unknown>>): Promise<number> {
  let least = Infinity;
  for (let rounds = 0; rounds < MOST_ROUNDS && least > ENOUGH_MS; rounds++) {
    const work = await round();
    const before = slowness();
    const longest = await longestTurn(work);
    least = Math.min(least, longest / Math.max(1, Math.min(before, slowness())));
  }
  return least;
}

/** How often as long as on that machine something takes that is computed as graphs are: names are made, found in a map and sorted. */
function slowness(): number {
  const before = process.threadCpuUsage();
  // So often that the kernel, which counts in ticks, has counted most of it.
  for (let rounds = 0; rounds < 20; rounds++) {
    const names = Array.from({ length: 5000 }, (_, n) => `${(n * 7919) % 5000} of them`);
    const places = new Map(names.map((name, at) => [name, at]));
    names.sort((a, b) => places.get(b)! - places.get(a)!);
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000 / USUAL_MS;
}

/** What that takes there. */
const USUAL_MS = 30;

const MOST_ROUNDS = 3;
const ENOUGH_MS = 15;
