import { type AbortOptions, newId } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { LlbEdge, VertexOp } from '../../llb/index.ts';
import type { Edge, Job } from '../../solver/index.ts';
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
  /** The graph, encoded; of one that came with the request itself nobody asks. */
  readonly definition: Uint8Array | undefined;
  readonly edge: Edge<VertexOp>;
  readonly #context: RefContext;

  constructor(definition: Uint8Array | undefined, edge: LlbEdge, context: RefContext) {
    this.definition = definition;
    this.edge = edge;
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
      return await this.#context.job.use([this.edge], ([built]) => work(built!.result.value), options);
    } catch (error) {
      throw this.#context.explain(error);
    }
  }
}
