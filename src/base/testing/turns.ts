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
