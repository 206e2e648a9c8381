import type { AbortOptions, Digest } from '../../base/index.ts';
import type { Refs } from '../refs/index.ts';

/** Removes blobs older than `graceMs` that no ref brought and no lease names; how many bytes. */
export async function collectBlobs(
  refs: Refs,
  { signal, graceMs }: AbortOptions & { readonly graceMs: number },
): Promise<number> {
  const { db, content } = refs.records.options;
  const isNeeded = (digest: Digest) =>
    db.get(
      `SELECT 1 FROM ref_blobs WHERE digest = ? AND held = 1 UNION ALL SELECT 1 FROM lease_resources WHERE kind = 'blob' AND resource = ?`,
      ...[digest, digest],
    ) !== undefined;
  const until = Date.now() - graceMs;
  let freed = 0;
  for await (const { digest, size, writtenAt } of content.list()) {
    signal.throwIfAborted();
    if (writtenAt > until || isNeeded(digest)) continue;
    await content.remove(digest);
    freed += size;
  }
  return freed;
}
