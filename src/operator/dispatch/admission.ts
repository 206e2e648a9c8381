/** Memory in bytes, and cores, that a run takes while it runs; each undefined where nobody knows. */
export interface Use {
  readonly memory?: number | undefined;
  readonly cpus?: number | undefined;
}

/** What the runs on a builder take together, those of whom nobody knows counted apart. */
export interface Taken {
  readonly runs: number;
  readonly memory: number;
  readonly memoryUnknown: number;
  readonly cpus: number;
  readonly cpusUnknown: number;
}

export const NOTHING_TAKEN: Taken = { runs: 0, memory: 0, memoryUnknown: 0, cpus: 0, cpusUnknown: 0 };

/** Limits of a builder's pod, where it tells them. */
export interface Room {
  readonly capacity: number;
  readonly memory?: number | undefined;
  readonly cpus?: number | undefined;
}

export function withUse(taken: Taken, { memory, cpus }: Use, sign: 1 | -1 = 1): Taken {
  return {
    runs: taken.runs + sign,
    memory: taken.memory + sign * (memory ?? 0),
    memoryUnknown: taken.memoryUnknown + (memory === undefined ? sign : 0),
    cpus: taken.cpus + sign * (cpus ?? 0),
    cpusUnknown: taken.cpusUnknown + (cpus === undefined ? sign : 0),
  };
}

/**
 * By how much a builder would be overrun, as a share of what it has: 0 where the run fits. A run of which nobody knows counts as its share of the builder by places, so that as many of them fit as there
 * are places. On a builder that is empty every run fits: one that is too large for all still runs.
 */
export function overrun(room: Room, taken: Taken, use: Use): number {
  if (taken.runs === 0) return 0;
  const after = withUse(taken, use);
  const over = (limit: number | undefined, known: number, unknown: number) =>
    // What unknown runs alone come to is what places are for; the rest forgives what floating point adds up to.
    limit === undefined || known === 0 ? 0 : Math.max(0, known / limit + unknown / room.capacity - 1 - 1e-9);
  return Math.max(over(room.memory, after.memory, after.memoryUnknown), over(room.cpus, after.cpus, after.cpusUnknown));
}
