import { type AbortOptions, type Digest, newId } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { Definition, LlbEdge, LlbGraph, VertexOp } from '../../llb/index.ts';
import type { Job } from '../../solver/index.ts';
import type { Pools, Task } from '../../sys/index.ts';
import type { KeptView } from './kept-view.ts';
import type { ReadArgs } from './read-task.ts';

export type EngineJob = Job<VertexOp, ImmutableRef>;

interface RefContext {
  readonly job: EngineJob;
  readonly pools: Pools;
  readonly view: KeptView;
  readonly sessions: () => readonly string[];
  /** Adds to an error what the build knows of where it came from. */
  readonly explain: (error: unknown) => unknown;
}

/** A graph that a frontend has asked to solve: solved once something of it is asked for. */
export class BuildRef {
  readonly id = newId();
  /** The graph as it came, encoded; undefined where it came decoded. */
  readonly definition: Uint8Array | undefined;
  readonly graph: Definition;
  /** Something of it was computed. */
  evaluated = false;
  readonly edge: LlbEdge;
  /** Vertex digests of its ops, by their digests as they came. */
  readonly digests: ReadonlyMap<Digest, Digest>;
  readonly #context: RefContext;

  constructor(
    definition: Uint8Array | undefined,
    graph: Definition,
    { root, digests }: Pick<LlbGraph, 'root' | 'digests'>,
    context: RefContext,
  ) {
    this.definition = definition;
    this.graph = graph;
    this.edge = root;
    this.digests = digests;
    this.#context = context;
  }

  /** Solves now, so that failures show. */
  async evaluate(options: AbortOptions): Promise<void> {
    await this.#use(options, async () => {});
  }

  /** Has a worker read something of its files. */
  read<A extends ReadArgs, R>(task: Task<A, R>, args: Omit<A, 'root'>, options: AbortOptions): Promise<R> {
    const { job, pools, sessions, view } = this.#context;
    return this.#use(options, (ref) =>
      view.use(ref, { ...options, owner: job.owner, sessions, limits: () => job.limits }, (root) =>
        pools.short.run(task, { ...args, root } as A, { ...options, owner: job.owner }),
      ),
    );
  }

  async #use<T>(options: AbortOptions, work: (ref: ImmutableRef) => Promise<T>): Promise<T> {
    try {
      return await this.#context.job.use(
        [this.edge],
        ([built]) => {
          this.evaluated = true;
          return work(built!.result.value);
        },
        options,
      );
    } catch (error) {
      throw this.#context.explain(error);
    }
  }
}
