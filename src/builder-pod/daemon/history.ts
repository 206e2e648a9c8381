import { CodedError } from '../../base/index.ts';
import { millisecondsOf, timestampOf, wire } from '../../builder-api/index.ts';
import type { Build } from '../engine/index.ts';

const v1 = wire.moby.buildkit.v1;
type Record_ = wire.moby.buildkit.v1.BuildHistoryRecord.$Properties;
type Event = wire.moby.buildkit.v1.BuildHistoryEvent.$Properties;

export interface HistoryLimits {
  /** Records beyond this number go… */
  readonly maxEntries: number;
  /** …once they are so old. */
  readonly maxAgeMs: number;
}

export const DEFAULT_HISTORY: HistoryLimits = { maxEntries: 50, maxAgeMs: 48 * 3600 * 1000 };
/** Records that are kept in memory however young they are. */
const MOST_RECORDS = 1000;
const MOST_PINNED = 200;
/** Characters of a record's attributes, which are as clients send them. */
const MOST_ATTRIBUTES = 16 << 10;
const { STARTED, COMPLETE, DELETED } = v1.BuildHistoryEventType;

export type StepCounts = Required<
  Pick<Record_, 'numTotalSteps' | 'numCompletedSteps' | 'numCachedSteps' | 'numWarnings'>
>;

/** How the steps of a build stand, those of frontends and exporters among them. */
export function countSteps({ job, warnings }: Pick<Build, 'job' | 'warnings'>): StepCounts {
  const states = job.progress.states();
  return {
    numTotalSteps: states.length,
    numCompletedSteps: states.filter(({ completed, error }) => completed !== undefined && error === undefined).length,
    numCachedSteps: states.filter(({ cached }) => cached).length,
    numWarnings: warnings,
  };
}

/** Builds of this life of the daemon (research wire-facts 13), kept in memory within its limits; what is pinned stays. */
export class BuildHistory {
  readonly #limits: HistoryLimits;
  readonly #records = new Map<string, Record_>();
  readonly #listeners = new Set<(event: Event) => void>();

  constructor(limits: HistoryLimits = DEFAULT_HISTORY) {
    this.#limits = limits;
  }

  start(record: Record_ & { readonly ref: string }): void {
    const frontendAttrs = bounded(record.frontendAttrs ?? {});
    this.#records.set(record.ref, { ...record, frontendAttrs, createdAt: timestampOf(Date.now()), generation: 1 });
    this.#tell(STARTED, record.ref);
  }

  complete(ref: string, outcome: Record_): void {
    const record = this.#records.get(ref);
    if (record === undefined) return;
    this.#update(ref, { ...outcome, completedAt: timestampOf(Date.now()) });
    this.#tell(COMPLETE, ref);
    const { maxEntries, maxAgeMs } = this.#limits;
    const over = [...this.#records.values()].filter((one) => one.completedAt != null && one.pinned !== true);
    const now = Date.now();
    for (const [i, old] of over.slice(0, Math.max(0, this.#records.size - maxEntries)).entries()) {
      const age = now - (millisecondsOf(old.completedAt) ?? now);
      if (age >= maxAgeMs || this.#records.size - i > MOST_RECORDS) this.delete(old.ref ?? '');
    }
  }

  /** @throws CodedError resource_exhausted when too many are pinned */
  pin(ref: string, pinned: boolean): void {
    const record = this.#records.get(ref);
    if (record === undefined) return;
    const kept = [...this.#records.values()].filter((one) => one.pinned === true).length;
    if (pinned && record.pinned !== true && kept >= MOST_PINNED)
      throw new CodedError('resource_exhausted', `${MOST_PINNED} builds are pinned already`, {
        fault: 'user',
        hint: 'unpin or delete some of them',
      });
    this.#update(ref, { pinned });
    this.#tell(COMPLETE, ref);
  }

  delete(ref: string): void {
    if (this.#records.get(ref)?.completedAt == null) return;
    this.#records.delete(ref);
    for (const listener of this.#listeners) listener({ type: DELETED, record: { ref } });
  }

  /** What is active, then what is over, newest first when limited. */
  list(options: { readonly activeOnly: boolean; readonly ref: string; readonly limit: number }): readonly Event[] {
    const all = [...this.#records.values()].filter((record) => options.ref === '' || record.ref === options.ref);
    const active = all.filter((record) => record.completedAt == null).map((record) => ({ type: STARTED, record }));
    if (options.activeOnly) return active;
    const done = all.filter((record) => record.completedAt != null).map((record) => ({ type: COMPLETE, record }));
    return [...active, ...(options.limit > 0 ? done.reverse().slice(0, options.limit) : done)];
  }

  listen(listener: (event: Event) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #update(ref: string, change: Record_): void {
    const record = this.#records.get(ref)!;
    this.#records.set(ref, { ...record, ...change, generation: (record.generation ?? 0) + 1 });
  }

  #tell(type: number, ref: string): void {
    const record = this.#records.get(ref)!;
    for (const listener of this.#listeners) listener({ type, record } as Event);
  }
}

/** The short ones, as many as there is room for. */
function bounded(attributes: Readonly<Record<string, string>>): Record<string, string> {
  let room = MOST_ATTRIBUTES;
  const size = ([name, value]: [string, string]) => name.length + value.length;
  const shortFirst = Object.entries(attributes).sort((a, b) => size(a) - size(b));
  return Object.fromEntries(
    shortFirst.filter((entry) => {
      room -= size(entry);
      return room >= 0;
    }),
  );
}
