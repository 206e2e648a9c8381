import { RecentMap, type WorkOwner } from '../../base/index.ts';

/** What one container used, from its start to its end in ms; undefined where the machine does not count. */
export interface ContainerUse {
  readonly from: number;
  readonly to: number;
  readonly memory: number | undefined;
  readonly cpuMs: number | undefined;
}

interface BuildUse {
  /** Bytes of all containers that ran at once, at most. */
  readonly peakMemory: number;
  readonly cpuMs: number;
}

/** Builds that nobody asks about are forgotten, and of one with more containers the memory of the others. */
const MOST_BUILDS = 1000;
const MOST_CONTAINERS = 4096;

interface Noted {
  readonly containers: ContainerUse[];
  cpuMs: number;
}

/** What the containers of builds used, until it is asked for. */
export class StepsUsed {
  readonly #builds = new RecentMap<string, Noted>(MOST_BUILDS);

  readonly note = (owner: WorkOwner, use: ContainerUse): void => {
    const noted = this.#builds.getOrMake(nameOf(owner), () => ({ containers: [], cpuMs: 0 }));
    noted.cpuMs += use.cpuMs ?? 0;
    if (use.memory !== undefined && noted.containers.length < MOST_CONTAINERS) noted.containers.push(use);
  };

  /** Of a build that is over; it is forgotten. */
  take(owner: WorkOwner): BuildUse | undefined {
    const noted = this.#builds.get(nameOf(owner));
    this.#builds.delete(nameOf(owner));
    return noted === undefined ? undefined : { peakMemory: peakOf(noted.containers), cpuMs: noted.cpuMs };
  }
}

/** The peaks of those that ran at the same time, added up: no less than what they had together. */
function peakOf(containers: readonly ContainerUse[]): number {
  const changes = containers.flatMap(({ from, to, memory = 0 }) => [
    { at: from, by: memory },
    { at: Math.max(from, to), by: -memory },
  ]);
  // One that ends makes room for one that starts then.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  let peak = 0;
  for (const { by } of changes) {
    now += by;
    peak = Math.max(peak, now);
  }
  return peak;
}

const nameOf = ({ tenant, build }: WorkOwner): string => `${tenant}\0${build}`;
