import { createHash } from 'node:crypto';

/** A builder that a run could go to. */
export interface Candidate {
  readonly address: string;
  readonly capacity: number;
  /** Places that are taken. */
  readonly used: number;
  /** How much of what the run needs it holds, 0 to 1. */
  readonly holds: number;
}

/** A builder that holds less than this knows nothing of the run. */
const LEAST_HELD = 0.1;
/** What of a run's needs may be given up for a builder that is less busy. */
const SMALL_LOSS = 0.25;
/** How far above the mean a builder may be loaded for the sake of what it holds. */
const OVER_MEAN = 1.25;

/**
 * Of builders with a free place that a run may go to, the one that holds most of what it needs; where none knows of it, the one that `affinity` hashes to (rendezvous hashing: a new builder takes only its
 * share away). One that is past its share of the load makes way for another that holds nearly as much, or that nobody knows more of.
 */
export function choose<B extends Candidate>(affinity: string, candidates: readonly B[]): B {
  const score = new Map(
    candidates.map(({ address }) => [address, createHash('sha256').update(`${affinity}\0${address}`).digest('hex')]),
  );
  const known = candidates.some(({ holds }) => holds >= LEAST_HELD);
  const held = ({ holds }: B) => (known ? holds : 0);
  const ranked = [...candidates].sort(
    (a, b) => held(b) - held(a) || ((score.get(a.address) as string) > (score.get(b.address) as string) ? -1 : 1),
  );
  const best = ranked[0] as B;
  const isOver = overShare(candidates);
  if (!isOver(best)) return best;
  return ranked.find((one) => !isOver(one) && held(one) >= held(best) - SMALL_LOSS) ?? best;
}

/** Up to half of its places a builder has always; beyond that no more than the others, and a little. */
function overShare(all: readonly Candidate[]): (one: Candidate) => boolean {
  const used = all.reduce((sum, one) => sum + one.used, 1);
  const capacity = all.reduce((sum, one) => sum + one.capacity, 0);
  return (one) =>
    one.used + 1 > Math.max(Math.ceil(one.capacity / 2), Math.ceil((OVER_MEAN * used * one.capacity) / capacity));
}
