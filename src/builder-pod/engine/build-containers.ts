import { type Afterwork, type BuildLimits, CodedError, newId, type WorkOwner } from '../../base/index.ts';
import type { ImmutableRef, RefManager } from '../../cache/ports.ts';
import { EMPTY_INPUT, type ExecOp, SKIP_OUTPUT } from '../../llb/index.ts';
import type { Container, Executor, Process } from '../executor/index.ts';
import { EMPTY_META } from '../executor/index.ts';
import type { BridgeCall, BridgeContainer, BridgeContainerRequest, BridgeProcess } from '../frontends/index.ts';
import { type PreparedMounts, prepareMounts, secretEnvironment } from '../ops/exec/index.ts';
import type { SourceSecrets } from '../sources/index.ts';
import { requireEntitlements } from './entitlements.ts';

/** What the builder has for containers. */
export interface ContainerServices {
  readonly executor: Executor;
  readonly refs: RefManager;
  readonly secrets: SourceSecrets;
}

interface ContainersContext extends ContainerServices {
  readonly afterwork: Afterwork;
  readonly entitlements: ReadonlySet<string>;
  readonly scope: string;
  readonly owner: WorkOwner;
  readonly sessions: () => readonly string[];
  readonly limits: BuildLimits;
  /** Of the build. */
  readonly signal: AbortSignal;
}

/** Each holds mounts and a cgroup: more at once in one build is a mistake, or meant badly. */
const MAX_CONTAINERS = 64;
/** How long the end of a build waits for theirs; what takes longer goes on by itself. */
const CLOSE_MS = 2000;

/** The containers that the frontends of one build have made, by the ids that these chose. */
export class BuildContainers {
  readonly #context: ContainersContext;
  readonly #open = new Map<string, BuildContainer>();
  /** Ids in use, also by those that are only being made. */
  readonly #ids = new Set<string>();

  constructor(context: ContainersContext) {
    this.#context = context;
  }

  /** Takes the id until the container is gone. @throws CodedError already_exists | resource_exhausted */
  reserve(id: string): Disposable {
    this.#context.signal.throwIfAborted();
    if (this.#ids.has(id)) throw new CodedError('already_exists', `Container ${id} already exists`, { fault: 'user' });
    if (this.#ids.size >= MAX_CONTAINERS) {
      throw new CodedError('resource_exhausted', `a build may have ${MAX_CONTAINERS} containers at once`, {
        fault: 'user',
      });
    }
    this.#ids.add(id);
    return {
      [Symbol.dispose]: () => {
        if (!this.#open.has(id)) this.#ids.delete(id);
      },
    };
  }

  /** `inputs`: the refs of the mounts, by their ids. */
  async open(request: BridgeContainerRequest, inputs: ReadonlyMap<string, ImmutableRef>): Promise<void> {
    await using stack = new AsyncDisposableStack();
    const { refs, secrets, scope, owner, sessions, limits, signal } = this.#context;
    const held = [...inputs].map(([id, ref]) => {
      const clone = ref.clone();
      stack.defer(() => clone.release());
      return { id, clone };
    });
    const mounts = request.mounts.map((mount) => ({
      ...mount,
      input: mount.resultId === '' ? EMPTY_INPUT : held.findIndex(({ id }) => id === mount.resultId),
      output: SKIP_OUTPUT,
    }));
    const { network, hostname, extraHosts } = request;
    const meta = { ...EMPTY_META, args: ['container'], hostname, extraHosts };
    const exec: ExecOp = { meta, mounts, network, security: 'sandbox', secretEnv: [], cdiDevices: [] };
    const refOptions = { signal, owner, sessions, limits: () => limits };
    const env = { refs, secrets, stack, context: { signal, owner, sessions, scope }, refOptions };
    const prepared = await prepareMounts(
      exec,
      held.map(({ clone }) => clone),
      env,
    );
    signal.throwIfAborted();
    const container = new BuildContainer(exec, prepared, this.#context, stack.move(), () => {
      this.#open.delete(request.id);
      this.#ids.delete(request.id);
    });
    this.#open.set(request.id, container);
  }

  find(id: string): BridgeContainer {
    const container = this.#open.get(id);
    if (container !== undefined) return container;
    throw new CodedError('not_found', `container details for ${id} not found`, { fault: 'user' });
  }

  /** Ends them all. */
  async close(): Promise<void> {
    if (this.#open.size === 0) return;
    await this.#context.afterwork.runAtMost(CLOSE_MS, async () => {
      await Promise.all([...this.#open.values()].map((container) => container[Symbol.asyncDispose]()));
    });
  }
}

class BuildContainer implements BridgeContainer {
  readonly #exec: ExecOp;
  readonly #mounts: PreparedMounts;
  readonly #context: ContainersContext;
  /** All that it holds. */
  readonly #stack: AsyncDisposableStack;
  readonly #gone: () => void;
  #container: Container | undefined;
  #first: Promise<Process> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    exec: ExecOp,
    mounts: PreparedMounts,
    context: ContainersContext,
    stack: AsyncDisposableStack,
    gone: () => void,
  ) {
    this.#exec = exec;
    this.#mounts = mounts;
    this.#context = context;
    this.#stack = stack;
    this.#gone = gone;
  }

  async start(process: BridgeProcess, call: BridgeCall): Promise<Process> {
    const { executor, secrets, entitlements, scope, owner, sessions, limits } = this.#context;
    const { network } = this.#exec;
    const { security, stdin } = process;
    requireEntitlements({ network, security }, entitlements);
    const signal = AbortSignal.any([call.signal, this.#context.signal]);
    const secretEnv = await secretEnvironment(process.secretEnv, secrets, { signal, owner, sessions, scope });
    const meta = { ...process.meta, env: [...process.meta.env, ...secretEnv] };
    const spec = { meta, stdin, ...(process.tty ? { tty: { rows: 0, columns: 0 } } : {}) };
    if (this.#closing !== undefined) throw new CodedError('failed_precondition', 'the container is released');
    if (this.#container === undefined) {
      const { root, mounts } = this.#mounts;
      this.#container = this.#stack.use(
        executor.container({ id: newId(), root, mounts, meta: this.#exec.meta, network, security, limits, owner }),
      );
      this.#first = this.#container.start(spec, { signal });
      return await this.#first;
    }
    await this.#first;
    return await this.#container.exec(spec, { signal });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#stack.disposeAsync().finally(this.#gone);
    return this.#closing;
  }
}
