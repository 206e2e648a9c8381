import { type AbortOptions, CodedError, type Digest, HOUSE, invalidArgument } from '../../base/index.ts';
import { type Filter, matchesFields, parseFilters } from '../../cache/gc/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';

const MOST_FILTERS = 100;
/** For all of a list. */
const TIMEOUT_MS = 2000;

const task = tasksOf<typeof import('./content-filter.ts')>(siblingModule(import.meta.url, './content-filter'));

/**
 * Filters on content, in containerd's syntax: any of them must match. As with containerd a digest is all that can be asked for: blobs here have no labels, and
 * nobody finds them by size.
 */
export class ContentFilter {
  readonly #filter: Filter;
  readonly #pool: WorkerPool;
  #leftMs = TIMEOUT_MS;

  /** @throws CodedError invalid_argument */
  constructor(filters: readonly string[], pool: WorkerPool) {
    if (filters.length > MOST_FILTERS) throw invalidArgument(`there are more than ${MOST_FILTERS} filters`);
    this.#filter = parseFilters(filters, 'content');
    this.#pool = pool;
  }

  /** Those that match. Patterns, which may take any time, are tried in a worker. @throws CodedError deadline_exceeded */
  async matching(digests: readonly Digest[], { signal }: AbortOptions): Promise<readonly Digest[]> {
    if (this.#filter.length === 0 || digests.length === 0) return digests;
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(this.#leftMs)));
    const begun = performance.now();
    try {
      return await this.#pool.run(
        task('matchDigests'),
        { filter: this.#filter, digests },
        { signal: AbortSignal.any([signal, timeout]), owner: HOUSE },
      );
    } catch (cause) {
      if (signal.aborted || !timeout.aborted) throw cause;
      throw new CodedError('deadline_exceeded', 'a pattern of the filter takes too long', { fault: 'user', cause });
    } finally {
      this.#leftMs -= performance.now() - begun;
    }
  }
}

/** Worker task. */
export function matchDigests(args: { readonly filter: Filter; readonly digests: readonly Digest[] }): Digest[] {
  const { filter, digests } = args;
  return digests.filter((digest) => matchesFields(filter, (field) => (field === 'digest' ? digest : undefined)));
}
