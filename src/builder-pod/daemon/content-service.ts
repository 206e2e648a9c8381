import {
  type AbortOptions,
  CodedError,
  type Digest,
  invalidArgument,
  isDigest,
  isTurnSpent,
  nextTurn,
} from '../../base/index.ts';
import { Content, type GrpcServer, toNumber } from '../../builder-api/index.ts';
import type { FsContentStore } from '../../cache/content/index.ts';
import type { VisibleBlobs } from '../../cache/refs/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import type { Recorder } from '../history/index.ts';
import { ContentFilter } from './content-filter.ts';

/** Of one message. */
const MAX_DATA = 1 << 20;
/** Descriptions in one message, and blobs asked of the database at a time. */
const PAGE = 200;

interface ContentServiceOptions {
  readonly content: Pick<FsContentStore, 'info' | 'open'>;
  /** Of {@link scope}. */
  readonly visible: VisibleBlobs;
  readonly history: Recorder;
  /** Whose blobs are shown. */
  readonly scope: string;
  /** In which filters are tried. */
  readonly pool: WorkerPool;
}

interface Readable {
  readonly size: number;
  read(offset: number, options: AbortOptions): AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>;
}

/**
 * containerd's content service, to read only: layers, documents of results, and what belongs to the history of builds. What other scopes brought is not
 * there, whoever knows its digest.
 */
export function registerContent(server: GrpcServer, options: ContentServiceOptions): void {
  const { content, visible, history, scope, pool } = options;

  const stored = (digest: Digest): Readable | undefined => {
    const size = content.info(digest)?.size;
    if (size === undefined) return undefined;
    const descriptor = { digest, size, mediaType: 'application/octet-stream' };
    return {
      size,
      read: async (offset, { signal }) =>
        (await content.open(descriptor, { offset, signal })) as unknown as AsyncIterable<Uint8Array>,
    };
  };
  const find = (digest: string | null | undefined): Readable => {
    if (!isDigest(digest ?? '')) throw invalidArgument(`${JSON.stringify(digest ?? '')} is no digest`);
    const wanted = digest as Digest;
    const isShown = visible.has(wanted) || history.names(scope, wanted);
    const found = (isShown ? stored(wanted) : undefined) ?? history.blob(scope, wanted);
    if (found === undefined) throw CodedError.of('CONTENT_UNKNOWN', `content ${wanted}: not found`);
    return found;
  };

  server.register(Content, {
    info: ({ digest }) => ({ info: { digest: digest ?? '', size: find(digest).size } }),

    list: async function* ({ filters }, { signal }) {
      const filter = new ContentFilter(filters ?? [], pool);
      await history.ready(scope, { signal });
      for await (const page of pages(visible, history.digests(scope))) {
        if (isTurnSpent()) await nextTurn({ signal });
        const info = (await filter.matching(page, { signal })).flatMap((digest) => {
          const found = stored(digest) ?? history.blob(scope, digest);
          return found === undefined ? [] : [{ digest, size: found.size }];
        });
        if (info.length > 0) yield { info };
      }
    },

    read: async function* (request, { signal }) {
      const found = find(request.digest);
      const offset = toNumber(request.offset);
      const size = toNumber(request.size);
      if (offset < 0 || size < 0) throw invalidArgument('offset and size must not be negative');
      if (offset > found.size)
        throw new CodedError('out_of_range', `read past object length ${found.size} bytes`, { fault: 'user' });
      let at = offset;
      const end = size === 0 ? found.size : Math.min(found.size, offset + size);
      if (at === end) return;
      for await (const chunk of await found.read(offset, { signal }))
        for (let from = 0; from < chunk.length; from += MAX_DATA) {
          const data = chunk.subarray(from, from + Math.min(MAX_DATA, end - at));
          yield { offset: at, data };
          at += data.length;
          if (at >= end) return;
        }
    },

    status: ({ ref }) => {
      throw new CodedError('not_found', `ingest ${JSON.stringify(ref ?? '')}: not found`, { fault: 'user' });
    },
    listStatuses: () => ({}),

    write: readOnly,
    update: readOnly,
    delete: readOnly,
    abort: readOnly,
  });
}

function readOnly(): never {
  throw new CodedError('permission_denied', 'the content store of the builder is read-only', { fault: 'user' });
}

async function* pages(visible: VisibleBlobs, history: readonly Digest[]): AsyncGenerator<readonly Digest[]> {
  const own = new Set(history);
  for (let page = visible.after('', PAGE); page.length > 0; page = visible.after(page.at(-1)!, PAGE)) {
    for (const digest of page) own.delete(digest);
    yield page;
  }
  const rest = [...own];
  for (let at = 0; at < rest.length; at += PAGE) yield rest.slice(at, at + PAGE);
}
