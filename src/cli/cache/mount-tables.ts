import type { Digest } from '../../base/index.ts';
import type { readMount } from '../../cache/mounts/index.ts';
import { formatBytes, printable } from '../progress/text.ts';
import { formatAge, table } from './table.ts';

type InspectedMount = NonNullable<Awaited<ReturnType<typeof readMount>>>;

/** Tags of others, by the blobs that they need, too. */
type Sharers = ReadonlyMap<Digest, readonly string[]>;

/** A saved cache mount, and the chunks that it is made of. */
export function mountTable({ manifest, id, savedAt, diffSize, chunks }: InspectedMount, shared: Sharers): string {
  const rows = chunks.map(({ size, blob }, at) => [
    `${at}`,
    blob.digest.slice(0, 19),
    formatBytes(size),
    formatBytes(blob.size),
    (shared.get(blob.digest) ?? []).map(printable).join(', ') || '-',
  ]);
  const age = formatAge(Date.now() - savedAt);
  return [
    `${manifest.digest}: cache mount ${printable(id)}, ${formatBytes(diffSize)} in ${chunks.length} chunks, saved ${age} ago\n\n`,
    table(['CHUNK', 'DIGEST', 'SIZE', 'PACKED', 'SHARED WITH'], rows),
  ].join('');
}

/** The same for programs. */
export function mountJson({ manifest, id, key, savedAt, diffId, diffSize, chunks }: InspectedMount, shared: Sharers) {
  return {
    ...{ digest: manifest.digest, kind: 'mounts', id, key, savedAt: new Date(savedAt).toISOString() },
    ...{ diffId, size: diffSize },
    chunks: chunks.map(({ size, blob }) => ({
      ...{ digest: blob.digest, size, packed: blob.size },
      sharedWith: shared.get(blob.digest) ?? [],
    })),
  };
}
