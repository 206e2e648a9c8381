import { digestOf } from '../base/index.ts';
import type { Observers } from './observer.ts';
import type {
  CacheRecord,
  ImportedCache,
  KeyReader,
  KeyStore,
  LossKind,
  OpContext,
  Result,
  ResultStore,
} from './ports.ts';

/** Keys of one edge, and answers to one question, that are taken of an imported cache. */
const MAX_KEYS = 100;
/** Results that an imported cache could not give now, each of which took as long as its place was tried: then it is gone on without. */
const MAX_AWAY = 3;

/** The builder's own cache, the only one that is written. */
export interface OwnCache {
  readonly keys: KeyStore;
  readonly results: ResultStore;
}

/** Where a vertex looks: in the own cache first, then in those that its builds import. */
export interface Caches {
  readonly own: OwnCache;
  readonly imports: readonly Import[];
}

/** An imported cache as the solver asks it: whatever it says or throws costs time only. */
export class Import {
  readonly id: string;
  readonly keys: KeyReader;
  readonly maxKeys = MAX_KEYS;
  /** How often it could not be read. */
  failures = 0;
  /** How often a result of it was not to be had, which another may be all the same. */
  #away = 0;
  readonly #cache: ImportedCache;
  readonly #observers: Observers;

  constructor(cache: ImportedCache, observers: Observers) {
    this.id = cache.id;
    this.#cache = cache;
    this.#observers = observers;
    const { keys } = cache;
    this.keys = {
      links: (id, link, scopes) =>
        this.#list(
          () => keys.links(id, link, scopes),
          (target) => typeof target === 'string',
        ),
      backlinks: (id, scopes) => this.#list(() => keys.backlinks(id, scopes)),
      results: (id, scopes) => this.#list(() => keys.results(id, scopes), isRecord),
    };
  }

  exists(record: string): boolean {
    try {
      return this.#cache.results.exists(record);
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  load(record: string, context: OpContext): Promise<Result | undefined> {
    return this.#cache.results.load(record, context);
  }

  /** One of its results was lost. */
  lost(kind: LossKind): void {
    if (kind !== 'gone') this.#away++;
    try {
      this.#cache.lost?.(kind);
    } catch (error) {
      this.#failed(error);
    }
  }

  get isAway(): boolean {
    return this.#away >= MAX_AWAY;
  }

  /**
   * What a linked key of this cache is called in the own store: nothing else there has that name, since of two keys that are reached alike one may have been
   * made of another content.
   */
  ownName(id: string): string {
    return digestOf(JSON.stringify([this.id, id]));
  }

  #list<T>(read: () => readonly T[], isOne: (each: T) => boolean = () => true): readonly T[] {
    try {
      return read().slice(0, MAX_KEYS).filter(isOne);
    } catch (error) {
      this.#failed(error);
      return [];
    }
  }

  #failed(error: unknown): void {
    this.failures++;
    this.#observers.failed({ cache: this.id, error });
  }
}

function isRecord({ resultId, createdAt }: CacheRecord): boolean {
  return typeof resultId === 'string' && Number.isFinite(createdAt);
}
