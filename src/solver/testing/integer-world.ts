import { type BuildLimits, type Digest, digestOf, LargeMap, NO_LIMITS, neverAborted, newId } from '../../base/index.ts';
import type { Job } from '../job.ts';
import {
  type CacheMap,
  type CacheMapInput,
  type ImportedCache,
  type LossKind,
  LostResultError,
  type Op,
  type OpContext,
  type Result,
  type ResultStore,
  type SolverObserver,
  type Vertex,
} from '../ports.ts';
import { Solver } from '../solver.ts';
import { MemoryKeyStore } from './memory-key-store.ts';

/** Integer vertices: what tests of the solver build graphs from. */
export interface IntegerOp {
  /** The op cache digest's text; two vertices with the same one are the same op. */
  readonly cacheName: string;
  /** Further cache maps of a source. */
  readonly moreMaps?: readonly string[];
  readonly compute: (inputs: readonly number[], context: OpContext) => Promise<number> | number;
  /** Inputs whose value decides, as a content digest of value / divisor. */
  readonly contentOf?: readonly number[];
  readonly contentDivisor?: number;
  readonly selectors?: Readonly<Record<number, string>>;
  readonly outputs?: number;
}

export type IntegerVertex = Vertex<IntegerOp>;

/** How a result came to be. */
export interface Made {
  readonly op: IntegerOp;
  readonly output: number;
  readonly value: number;
  readonly inputs: readonly string[];
  readonly scope: string;
}

export function vertex(
  op: IntegerOp,
  inputs: readonly (IntegerVertex | { vertex: IntegerVertex; index: number })[] = [],
  options: { readonly ignoreCache?: boolean; readonly label?: string } = {},
): IntegerVertex {
  const edges = inputs.map((input) => ('digest' in input ? { vertex: input, index: 0 } : input));
  const digest = digestOf(
    JSON.stringify([options.label ?? op.cacheName, edges.map((edge) => [edge.vertex.digest, edge.index])]),
  );
  const name = options.label ?? op.cacheName;
  return { digest, name, inputs: edges, op, ignoreCache: options.ignoreCache ?? false };
}

export const constant = (value: number, name = `constant ${value}`): IntegerVertex =>
  vertex({ cacheName: name, compute: () => value });

export const sum = (name: string, inputs: readonly IntegerVertex[], more: Partial<IntegerOp> = {}): IntegerVertex =>
  vertex({ cacheName: name, compute: (values) => values.reduce((a, b) => a + b, 0), ...more }, inputs);

/** A world with one key store and one result store; several solvers may follow one another in it. */
export class IntegerWorld {
  readonly keys = new MemoryKeyStore();
  /** Executions by op cache name, in order. */
  readonly ran: string[] = [];
  /** Cache map calls by op cache name. */
  readonly mapped: string[] = [];
  readonly digested: string[] = [];
  readonly loaded: string[] = [];
  readonly stored = LargeMap.byText<string, number>();
  /** Handles given out and not yet released. */
  open = 0;
  running = 0;
  /** Results that look whole but cannot be used, unless by this session. */
  readonly #broken = new Map<string, { readonly kind: LossKind; readonly unless: string | undefined }>();
  /** What executions have made, by result id. */
  readonly made: LargeMap<string, Made>;
  /** Told of each execution that begins, with what it runs on. */
  began: (what: IntegerVertex, inputs: readonly Result[], context: OpContext) => void = () => {};
  /** Called at each op's call, to hold it up. */
  gate: (what: string) => Promise<void> = async () => {};
  /** Ops with inputs say at once by what they are known. */
  atOnce = false;
  #next = 0;
  #now = 0;
  readonly #name: string;

  /** Worlds that import from one another have names of their own, and may share what is known of what was made. */
  constructor(name = '', made = LargeMap.byText<string, Made>()) {
    this.#name = name;
    this.made = made;
  }

  readonly results: ResultStore<number> = {
    save: async (result) => {
      await this.gate(`save ${result.id}`);
      this.stored.set(result.id, result.value);
      return result.id;
    },
    load: async (id, { signal }) => {
      await this.gate(`load ${id}`);
      signal.throwIfAborted();
      this.loaded.push(id);
      const value = this.stored.get(id);
      return value === undefined ? undefined : this.result(value, id);
    },
    exists: (id) => this.stored.has(id),
  };

  solver(observers: readonly SolverObserver<IntegerOp, number>[] = []): Solver<IntegerOp, number> {
    return new Solver<IntegerOp, number>({
      resolver: { resolve: (each) => this.#op(each) },
      keys: this.keys,
      results: this.results,
      observers,
      clock: { now: () => ++this.#now },
    });
  }

  result(value: number, id = `${this.#name}result-${this.#next++}`): Result<number> {
    this.open++;
    let released = false;
    return {
      id,
      value,
      clone: () => {
        if (released) throw new Error(`clone of released ${id}`);
        return this.result(value, id);
      },
      release: async () => {
        if (released) throw new Error(`second release of ${id}`);
        released = true;
        this.open--;
      },
    };
  }

  #map({ op, inputs }: IntegerVertex, index: number): CacheMap {
    const name = [op.cacheName, ...(op.moreMaps ?? [])][index]!;
    return {
      digest: name.startsWith('random:') ? (name as Digest) : digestOf(name),
      inputs: inputs.map((_, i): CacheMapInput => {
        const selector = op.selectors?.[i];
        return {
          ...(selector === undefined ? {} : { selector: digestOf(selector) }),
          ...(op.contentOf?.includes(i)
            ? {
                contentDigest: async (result: Result, context: OpContext) => {
                  this.digested.push(op.cacheName);
                  await this.gate(`digest ${op.cacheName}`);
                  context.signal.throwIfAborted();
                  this.use(result, context.sessions());
                  return digestOf(`content ${Math.floor((result.value as number) / (op.contentDivisor ?? 1))}`);
                },
              }
            : {}),
        };
      }),
    };
  }

  #op(each: IntegerVertex): Op<number> {
    const { op } = each;
    const definitionMap = () => {
      this.mapped.push(op.cacheName);
      return this.#map(each, 0);
    };
    return {
      ...(this.atOnce ? { definitionMap } : {}),
      cacheMap: async (index, { signal }) => {
        this.mapped.push(op.cacheName);
        await this.gate(`map ${op.cacheName}`);
        signal.throwIfAborted();
        return { map: this.#map(each, index), done: index === (op.moreMaps ?? []).length };
      },
      exec: async (results, context) => {
        this.ran.push(op.cacheName);
        this.running++;
        try {
          await this.gate(`exec ${op.cacheName}`);
          context.signal.throwIfAborted();
          this.began(each, results, context);
          for (const result of results) this.use(result, context.sessions());
          const value = await op.compute(
            results.map((result) => result.value),
            context,
          );
          return Array.from({ length: op.outputs ?? 1 }, (_, output) => {
            const result = this.result(value + output);
            const inputs = results.map(({ id }) => id);
            this.made.set(result.id, { op, output, value: result.value, inputs, scope: context.scope });
            return result;
          });
        } finally {
          this.running--;
        }
      },
    };
  }

  /** What another world has cached in a scope, as this one imports it. */
  importOf(other: IntegerWorld, id: string, scope = 'main'): ImportedCache<number> {
    const { keys } = other;
    return {
      id,
      keys: {
        links: (from, link) => keys.links(from, link, [scope]),
        backlinks: (of) => keys.backlinks(of, [scope]),
        results: (of) => keys.results(of, [scope]),
      },
      results: {
        load: async (record, { signal }) => {
          await this.gate(`import ${record}`);
          signal.throwIfAborted();
          const value = other.stored.get(record);
          return value === undefined ? undefined : this.result(value, record);
        },
        exists: (record) => other.stored.has(record),
      },
    };
  }

  /** From now on a result cannot be used, unless by a session. */
  lose(id: string, kind: LossKind = 'gone', unless?: string): void {
    this.#broken.set(id, { kind, unless });
  }

  mend(id: string): void {
    this.#broken.delete(id);
  }

  /** Its record and content are removed, as by GC. */
  prune(id: string): void {
    this.keys.dropResult(id);
    this.stored.delete(id);
  }

  use(result: Result, sessions: readonly string[] = []): number {
    const broken = this.#broken.get(result.id);
    if (broken !== undefined && (broken.unless === undefined || !sessions.includes(broken.unless)))
      throw new LostResultError(result.id, `blob of ${result.id} is ${broken.kind}`, { kind: broken.kind });
    return result.value as number;
  }
}

/** Builds one vertex in a job of its own and says what came out. */
export async function solveOnce(
  solver: Solver<IntegerOp, number>,
  target: IntegerVertex,
  options: JobSettings & { readonly signal?: AbortSignal } = {},
): Promise<number> {
  await using job = newJob(solver, options);
  const { result } = await job.build({ vertex: target, index: 0 }, { signal: options.signal ?? neverAborted });
  const { value } = result;
  await result.release();
  return value;
}

export interface JobSettings {
  readonly scope?: string;
  readonly read?: readonly string[];
  readonly sessions?: readonly string[];
  readonly caches?: readonly ImportedCache<number>[];
  readonly limits?: BuildLimits;
}

export function newJob(
  solver: Solver<IntegerOp, number>,
  { scope = 'main', read = [], sessions = [], caches = [], limits = NO_LIMITS }: JobSettings = {},
): Job<IntegerOp, number> {
  return solver.job({ id: newId(), sessions: () => sessions, limits, scope: { write: scope, read }, caches });
}
