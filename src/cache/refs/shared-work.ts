import {
  type AbortOptions,
  cancelledError,
  HOUSE,
  onAbort,
  type WorkOptions,
  type WorkOwner,
} from '../../base/index.ts';

/** For whom shared work is: who has taken part in it longest. The last of them may just have left. */
export function ownerOf(participants: ReadonlySet<WorkOptions>): WorkOwner {
  const [first] = participants;
  return first?.owner ?? HOUSE;
}

interface Entry<T, P> {
  readonly controller: AbortController;
  readonly participants: Set<P>;
  readonly settled: Promise<T>;
}

/**
 * Work that callers with the same key share: it runs once, is aborted when the last of them has gone, and knows who takes part. Whoever comes after an
 * abort waits for the end of the old work and starts anew.
 */
export class SharedWork<T, P = undefined> {
  readonly #entries = new Map<string, Entry<T, P>>();

  /** `participant` must be an own object per call. Rejects with the signal's reason when aborted, after the work ended if it was the last caller. */
  async run(
    key: string,
    participant: P,
    { signal }: AbortOptions,
    work: (context: { readonly signal: AbortSignal; readonly participants: ReadonlySet<P> }) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    let entry = this.#entries.get(key);
    while (entry?.controller.signal.aborted) {
      await entry.settled.catch(() => {});
      signal.throwIfAborted();
      entry = this.#entries.get(key);
    }
    if (entry === undefined) {
      const controller = new AbortController();
      const participants = new Set<P>();
      // A turn later, so that the first caller is among the participants when the work starts.
      const settled = Promise.resolve()
        .then(() => work({ signal: controller.signal, participants }))
        .finally(() => this.#entries.delete(key));
      settled.catch(() => {});
      entry = { controller, participants, settled };
      this.#entries.set(key, entry);
    }
    const { controller, participants, settled } = entry;
    participants.add(participant);
    using aborted = onAbort(signal);
    try {
      return await Promise.race([settled, aborted.promise]);
    } finally {
      participants.delete(participant);
      if (participants.size === 0 && signal.aborted) {
        controller.abort(cancelledError());
        await settled.catch(() => {});
      }
    }
  }
}
