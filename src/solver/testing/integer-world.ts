import { type Digest, digestOf, neverAborted } from '../../base/index.ts';
import type { Job } from '../job.ts';
import { MemoryKeyStore } from '../memory-key-store.ts';
import {
  type CacheMapInput,
  LostResultError,
  type Op,
  type OpContext,
  type Result,
  type ResultStore,
  type Vertex,
} from '../ports.ts';
import { Solver } from '../solver.ts';

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
  readonly stored = new Map<string, number>();
  /** Handles given out and not yet released. */
  open = 0;
  running = 0;
  /** Stored ids that look whole but cannot be used. */
  readonly broken = new Set<string>();
  /** Called at each op's call, to hold it up. */
  gate: (what: string) => Promise<void> = async () => {};
  #next = 0;
  #now = 0;

  readonly results: ResultStore<number> = {
    save: async (result) => {
      this.stored.set(result.id, result.value);
      return result.id;
    },
    load: async (id) => {
      await this.gate(`load ${id}`);
      this.loaded.push(id);
      const value = this.stored.get(id);
      return value === undefined ? undefined : this.result(value, id);
    },
    exists: (id) => this.stored.has(id),
  };

  solver(): Solver<IntegerOp, number> {
    return new Solver<IntegerOp, number>({
      resolver: { resolve: (each) => this.#op(each) },
      keys: this.keys,
      results: this.results,
      clock: { now: () => ++this.#now },
    });
  }

  result(value: number, id = `result-${this.#next++}`): Result<number> {
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

  #op({ op, inputs }: IntegerVertex): Op<number> {
    return {
      cacheMap: async (index, { signal }) => {
        this.mapped.push(op.cacheName);
        await this.gate(`map ${op.cacheName}`);
        signal.throwIfAborted();
        const names = [op.cacheName, ...(op.moreMaps ?? [])];
        const name = names[index]!;
        return {
          map: {
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
                        this.#use(result);
                        return digestOf(`content ${Math.floor((result.value as number) / (op.contentDivisor ?? 1))}`);
                      },
                    }
                  : {}),
              };
            }),
          },
          done: index === names.length - 1,
        };
      },
      exec: async (results, context) => {
        this.ran.push(op.cacheName);
        this.running++;
        try {
          await this.gate(`exec ${op.cacheName}`);
          context.signal.throwIfAborted();
          for (const result of results) this.#use(result);
          const value = await op.compute(
            results.map((result) => result.value),
            context,
          );
          return Array.from({ length: op.outputs ?? 1 }, (_, i) => this.result(value + i));
        } finally {
          this.running--;
        }
      },
    };
  }

  #use(result: Result): void {
    if (this.broken.has(result.id)) throw new LostResultError(result.id, `blob of ${result.id} is gone`);
  }

  use(result: Result): number {
    this.#use(result);
    return result.value as number;
  }
}

/** Builds one vertex in a job of its own and says what came out. */
export async function solveOnce(
  solver: Solver<IntegerOp, number>,
  target: IntegerVertex,
  options: { readonly scope?: string; readonly read?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<number> {
  await using job = newJob(solver, options.scope, options.read);
  const { result } = await job.build({ vertex: target, index: 0 }, { signal: options.signal ?? neverAborted });
  const { value } = result;
  await result.release();
  return value;
}

export function newJob(
  solver: Solver<IntegerOp, number>,
  scope = 'main',
  read: readonly string[] = [],
): Job<IntegerOp, number> {
  return solver.job({ id: 'job', sessions: () => [], scope: { write: scope, read } });
}
