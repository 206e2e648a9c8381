import { type AbortOptions, type Digest, isTurnSpent, nextTurn } from '../../base/index.ts';
import type { Refs } from '../refs/index.ts';

export interface CollectOptions extends AbortOptions {
  readonly graceMs: number;
  /** When the oldest work began that may yet name what it took (ms since the epoch); infinite for none. */
  readonly busySince?: () => number;
}

/** The kernel's time of a file lags behind the clock. */
const SLACK_MS = 1_000;

/** Removes blobs older than `graceMs`, and than work under way, that no ref brought and no lease names; how many bytes. */
export async function collectBlobs(
  refs: Refs,
  { signal, graceMs, busySince = () => Number.POSITIVE_INFINITY }: CollectOptions,
): Promise<number> {
  const { db, content } = refs.records.options;
  const isNeeded = (digest: Digest) =>
    db.get(
      `SELECT 1 FROM ref_blobs WHERE digest = ? AND held = 1 UNION ALL SELECT 1 FROM lease_resources WHERE kind = 'blob' AND resource = ?`,
      ...[digest, digest],
    ) !== undefined;
  const until = () => Math.min(Date.now() - graceMs, busySince() - SLACK_MS);
  let freed = 0;
  for await (const { digest, size, writtenAt } of content.list()) {
    signal.throwIfAborted();
    if (isTurnSpent()) await nextTurn({ signal });
    const before = until();
    if (writtenAt > before || isNeeded(digest)) continue;
    if (!(await content.remove(digest, { before }))) continue;
    if (!content.has(digest)) refs.records.places.forgetDeliveries(digest);
    freed += size;
  }
  return freed;
}
