import {
  type AbortOptions,
  CodedError,
  digestOf,
  type Logger,
  onAbort,
  toCodedError,
  type WorkOptions,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { ImportedCache, LossKind, VertexProgress, VertexWarning } from '../../solver/ports.ts';
import type { BridgeCacheImport } from '../frontends/index.ts';
import type { EngineJob } from './build-ref.ts';
import { importedFrom, importName, type UnmetRequests, unknownType } from './unmet-requests.ts';

/** Opens caches of one type, as their attributes name them: several where one name stands for several images. Whatever it throws costs the build time and nothing else. */
export interface CacheImporter {
  /** None where there is none yet; nothing where caches of the type hold no records of steps. */
  open(attrs: BridgeCacheImport['attrs'], context: CacheImportContext): Promise<readonly OpenedCache[] | undefined>;
}

interface OpenedCache extends ImportedCache<ImmutableRef> {
  /** What is wrong with what nobody can use of it. */
  readonly dropped?: string;
}

/** Who asks for a cache. */
export interface CacheAsker {
  /** A client that the builder serves by itself: neither an operator's build nor a frontend that some build runs. */
  readonly direct: boolean;
}

interface CacheImportContext extends WorkOptions, CacheAsker {
  /** Whose credentials may be used. */
  readonly sessions: () => readonly string[];
  /** What the build writes, and refs of the cache belong to. */
  readonly scope: string;
  /** What it may read, that among it and first. */
  readonly readScopes: readonly string[];
  readonly progress: VertexProgress;
  /** Fires when the build is over. */
  readonly until: AbortSignal;
}

/** A cache that a build was to read and does not, or not as a whole. */
export interface UnreadCache {
  /** As it was asked for, for people. */
  readonly cache: string;
  readonly why: string;
}

/** By type. */
export type CacheImporters = ReadonlyMap<string, CacheImporter>;

/** Caches that one build reads: every look-up asks each of them. */
const MAX_IMPORTS = 32;
/** What the keys of attributes begin with that name a secret of the client: `secret.NAME=ID`, Slipway's own. The value of NAME is that secret's, so that it stands in no request. */
export const SECRET_ATTRIBUTE = 'secret.';
/** A cache that takes longer to open is gone on without. */
const OPEN_MS = 20_000;
/** Characters of what a registry, or a cache, may say in a warning. */
const MAX_WARNING = 1000;

/** The caches that one build asks to read: each is opened once, and none of its graphs is looked at before all asked for until then are there, or have failed. */
export class CacheImports {
  readonly #job: EngineJob;
  readonly #importers: CacheImporters;
  readonly #unmet: UnmetRequests;
  readonly #signal: AbortSignal;
  readonly #log: Logger;
  readonly #direct: boolean;
  readonly #opening = new Map<string, Promise<readonly ImportedCache<ImmutableRef>[]>>();
  readonly #unread: UnreadCache[] = [];

  constructor(
    job: EngineJob,
    importers: CacheImporters,
    unmet: UnmetRequests,
    { signal, log, direct }: AbortOptions & CacheAsker & { readonly log: Logger },
  ) {
    this.#job = job;
    this.#importers = importers;
    this.#unmet = unmet;
    this.#signal = signal;
    this.#log = log;
    this.#direct = direct;
  }

  /**
   * Begins to open those that are new; of a type that this builder does not know the user is told. What a frontend asks for is given no secret of the client, and not opened as the builder: those that the client has named itself
   * are open already.
   */
  open(imports: readonly BridgeCacheImport[], asker: 'client' | 'frontend'): void {
    for (const one of imports) {
      const importer = this.#importers.get(one.type);
      const sorted = Object.entries(one.attrs).sort(([a], [b]) => (a < b ? -1 : 1));
      const key = JSON.stringify([one.type, sorted]);
      if (this.#opening.has(key)) continue;
      const isFull = this.#opening.size >= MAX_IMPORTS;
      if (importer === undefined || isFull) {
        const why = importer === undefined ? unknownType(one) : `a build reads ${MAX_IMPORTS} caches at most`;
        this.#note(one, why);
        this.#unmet.tellImport(one, why);
      } else if (asker === 'frontend' && Object.keys(one.attrs).some((name) => name.startsWith(SECRET_ATTRIBUTE))) {
        this.#note(one, 'a frontend may not open it with secrets of the client');
        this.#unmet.tellSecrets(one);
      } else this.#opening.set(key, this.#open(importer, one, key, { direct: this.#direct && asker === 'client' }));
    }
  }

  /** What was asked for until now and cannot be read, as far as is known. */
  get unread(): readonly UnreadCache[] {
    return this.#unread;
  }

  /** From now on the build reads what has been opened. */
  async ready({ signal }: AbortOptions): Promise<void> {
    if (this.#opening.size === 0) return;
    using aborted = onAbort(signal);
    const opened = await Promise.race([Promise.all(this.#opening.values()), aborted.promise]);
    // A name may stand for many images.
    this.#job.read(opened.flat().slice(0, MAX_IMPORTS));
  }

  async #open(
    importer: CacheImporter,
    one: BridgeCacheImport,
    id: string,
    { direct }: CacheAsker,
  ): Promise<readonly ImportedCache<ImmutableRef>[]> {
    const { sessions, scope, owner } = this.#job;
    const late = AbortSignal.timeout(OPEN_MS);
    const signal = AbortSignal.any([this.#signal, late]);
    try {
      const opened = await this.#job.inVertex({ name: importName(one), id }, async (progress) => {
        try {
          using aborted = onAbort(signal);
          const opening = importer.open(one.attrs, {
            ...{ signal, owner, sessions, scope: scope.write, readScopes: scope.read, progress, direct },
            until: this.#signal,
          });
          opening.catch(() => {});
          return await Promise.race([opening, aborted.promise]);
        } catch (cause) {
          this.#signal.throwIfAborted();
          const error = late.aborted ? tookTooLong(cause) : toCodedError(cause);
          progress.warn(notUsed(one, error));
          this.#note(one, error.message);
          throw error;
        }
      });
      if (opened === undefined) return [];
      const dropped = opened.find((cache) => cache.dropped !== undefined)?.dropped;
      if (dropped !== undefined) this.#note(one, dropped);
      else if (opened.length === 0) this.#note(one, 'there is none yet');
      const lost = this.#tellOfLoss(one, id, dropped);
      return opened.map(({ id: named, keys, results }) => ({ id: named, keys, results, lost }));
    } catch (error) {
      if (!this.#signal.aborted) this.#log.info('a cache could not be opened', { type: one.type, err: error });
      return [];
    }
  }

  #note(one: BridgeCacheImport, why: string): void {
    const cache = importedFrom(one).slice(0, MAX_WARNING);
    if (this.#unread.length < MAX_IMPORTS && !this.#unread.some((noted) => noted.cache === cache))
      this.#unread.push({ cache, why: why.slice(0, MAX_WARNING) });
  }

  /** Tells once that a cache is not used as a whole: of its records that were dropped as it was opened, or of the first result that was not to be had. */
  #tellOfLoss(one: BridgeCacheImport, id: string, dropped: string | undefined): (kind: LossKind) => void {
    let isTold = false;
    const tell = (what: string, why: string) => {
      if (isTold || this.#signal.aborted) return;
      isTold = true;
      this.#job.warn(digestOf(id), {
        level: 1,
        short: `the cache ${importedFrom(one)} is not used as a whole: ${what}`.slice(0, MAX_WARNING),
        detail: [why, 'What they were of is built anew.'],
      });
    };
    if (dropped !== undefined) tell(dropped, 'No step can use them.');
    return (kind) => tell('results of it are lost', LOST[kind]);
  }
}

const LOST: Readonly<Record<LossKind, string>> = {
  gone: 'Layers of it are missing, or are not what is said of them.',
  refused: 'Layers of it may not be read.',
  unavailable: 'Layers of it cannot be read for now.',
};

function tookTooLong(cause: unknown): CodedError {
  return new CodedError('deadline_exceeded', `it could not be opened in ${OPEN_MS / 1000} s`, { cause, fault: 'user' });
}

function notUsed(one: BridgeCacheImport, { message, hint }: CodedError): VertexWarning {
  return {
    level: 1,
    short: `the cache ${importedFrom(one)} is not used: ${message}`.slice(0, MAX_WARNING),
    detail: ['The build goes on without it.', ...(hint === undefined ? [] : [hint])],
  };
}
