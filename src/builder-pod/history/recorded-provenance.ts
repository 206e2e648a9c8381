import { join } from 'node:path';
import { type AbortOptions, HOUSE, type Logger, neverAborted, onAbort, type WorkOwner } from '../../base/index.ts';
import type { KeyedVertex } from '../../solver/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import {
  type BuiltProvenance,
  keptProvenance,
  RECORDED_PREDICATE,
  type StepLayerStores,
  writeProvenance,
} from '../engine/index.ts';
import { logTask } from './log-writer.ts';
import { fileOf, type HistoryStore, type RecordedAttestation } from './store.ts';

/** Whether all of it is there to be read. */
export function isMade(attested: readonly RecordedAttestation[]): boolean {
  return attested.every(({ digest }) => digest !== undefined);
}

/** Parts of one result whose provenance is kept. */
const MOST_PARTS = 64;

interface RecordedProvenanceOptions {
  readonly store: HistoryStore;
  /** Beside the logs. */
  readonly directory: string;
  readonly pool: WorkerPool;
  /** For what takes its time. */
  readonly bulk: WorkerPool;
  /** Where layers of steps are found. */
  readonly stores: StepLayerStores;
  readonly log: Logger;
}

/** A build that is over. */
interface EndedBuild {
  readonly provenance: BuiltProvenance;
  readonly keyed: readonly KeyedVertex[];
  /** That it could read. */
  readonly scopes: readonly string[];
  readonly owner: WorkOwner;
}

/**
 * What each part of a recorded result was made of. When a build ends a file gets what is known of it, the graph as it came, and by what the layers of its steps are found; the predicate is made of that,
 * in the same place, once somebody looks at the record, which of most records nobody ever does.
 */
export class RecordedProvenance {
  readonly #options: RecordedProvenanceOptions;
  /** By record. */
  readonly #making = new Map<number, Promise<void>>();

  constructor(options: RecordedProvenanceOptions) {
    this.#options = options;
  }

  /** The record is right without, where it cannot be kept. */
  async keep(id: number, { provenance, owner, ...build }: EndedBuild): Promise<void> {
    const { store, pool, log } = this.#options;
    const parts = provenance.parts.slice(0, MOST_PARTS);
    const paths = parts.map((_, place) => this.#path(id, place));
    try {
      const attested: RecordedAttestation[] = [];
      for (const [place, part] of parts.entries()) {
        const kept = await keptProvenance(part, build, provenance, { signal: neverAborted });
        await pool.run(logTask('keep'), { path: paths[place]!, pieces: kept }, { signal: neverAborted, owner });
        const size = kept.reduce((sum, { length }) => sum + length, 0);
        attested.push({ part: part.id, size, predicateType: RECORDED_PREDICATE });
      }
      if (attested.length > 0) store.setAttested(id, attested);
    } catch (error) {
      log.error('the provenance of a build was not recorded', { err: error });
      await pool.run(logTask('remove'), { paths }, { signal: neverAborted, owner: HOUSE });
    }
  }

  /** Has made what a record tells and is not made yet, by whoever was first. */
  async make(id: number, { signal }: AbortOptions): Promise<void> {
    signal.throwIfAborted();
    let making = this.#making.get(id);
    if (making === undefined) {
      making = this.#make(id).finally(() => this.#making.delete(id));
      this.#making.set(id, making);
    }
    using aborted = onAbort(signal);
    await Promise.race([making, aborted.promise]);
  }

  /** Resolves when nothing is being made. */
  async settled(): Promise<void> {
    await Promise.all(this.#making.values());
  }

  async #make(id: number): Promise<void> {
    const { store, bulk: pool, stores, log } = this.#options;
    // As it is now: whoever was before may have made it since the record was listed.
    const attested = store.byId(id)?.attested ?? [];
    if (isMade(attested)) return;
    const made: RecordedAttestation[] = [];
    for (const [place, one] of attested.entries()) {
      const path = this.#path(id, place);
      try {
        const written =
          one.digest === undefined
            ? await writeProvenance(path, { pool, stores, signal: neverAborted, owner: HOUSE })
            : undefined;
        made.push({ ...one, ...written });
      } catch (error) {
        log.error('the provenance of a recorded build was not made', { path, err: error });
        made.push(one);
      }
    }
    if (store.has(id)) store.setAttested(id, made);
    else await this.#remove(attested.map((_, place) => this.#path(id, place)));
  }

  /** Of a record that went meanwhile. */
  async #remove(paths: readonly string[]): Promise<void> {
    const { pool, log } = this.#options;
    await pool
      .run(logTask('remove'), { paths }, { signal: neverAborted, owner: HOUSE })
      .catch((error: unknown) => log.error('what a record had was not removed', { err: error }));
  }

  #path(id: number, place: number): string {
    return join(this.#options.directory, fileOf(id, place));
  }
}
