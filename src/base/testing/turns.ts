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

/** Milliseconds that this thread computed in the longest turn of its event loop meanwhile: its own CPU time, which no other process takes from it. */
export async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  const cpu = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let longest = 0;
  let over = false;
  let began = cpu();
  const next = () => {
    longest = Math.max(longest, cpu() - began);
    if (!over) setImmediate(next);
    began = cpu();
  };
  setImmediate(next);
  await work();
  over = true;
  return Math.max(longest, cpu() - began);
}
