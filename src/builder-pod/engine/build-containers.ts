import {
  type Afterwork,
  type BuildLimits,
  CodedError,
  invalidArgument,
  newId,
  type WorkOwner,
} from '../../base/index.ts';
import type { ImmutableRef, RefManager } from '../../cache/ports.ts';
import { EMPTY_INPUT, type ExecOp, SKIP_OUTPUT } from '../../llb/index.ts';
import type { Pools } from '../../sys/index.ts';
import type { Container, Executor, Process } from '../executor/index.ts';
import { EMPTY_META } from '../executor/index.ts';
import type {
  BridgeCall,
  BridgeContainer,
  BridgeContainerRequest,
  BridgeProcess,
  BridgeRange,
} from '../frontends/index.ts';
import { type PreparedMounts, prepareMounts, secretEnvironment } from '../ops/exec/index.ts';
import type { SourceSecrets } from '../sources/index.ts';
import { type ReadBelow, readDir, readFile, statFile } from './bridge-files.ts';
import { requireEntitlements } from './entitlements.ts';

/** What the builder has for containers. */
export interface ContainerServices {
  readonly executor: Executor;
  readonly refs: RefManager;
  readonly secrets: SourceSecrets;
  readonly pools: Pools;
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
  readonly #readings = new Set<Promise<unknown>>();

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
    if (this.#closing !== undefined) throw isReleased();
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

  async readFile(mount: number, path: string, range: BridgeRange | undefined, call: BridgeCall) {
    return await readFile(this.#below(mount, call), path, range);
  }

  async readDir(mount: number, path: string, includePattern: string | undefined, call: BridgeCall) {
    return await readDir(this.#below(mount, call), path, includePattern);
  }

  async statFile(mount: number, path: string, call: BridgeCall) {
    return await statFile(this.#below(mount, call), path);
  }

  /** Mounted anew for each: another mount does not see what changes in this one after it has looked. */
  #below(index: number, call: BridgeCall): ReadBelow {
    const { owner, sessions, limits, pools } = this.#context;
    const { mounts } = this.#exec;
    const mount = mounts[index];
    if (mount === undefined)
      throw invalidArgument(`mount index ${index} is out of bounds (${mounts.length} available)`);
    const open = this.#mounts.views.get(mount);
    if (open === undefined) throw invalidArgument(`${mount.dest} has no files that can be read from outside`);
    const options = { signal: AbortSignal.any([call.signal, this.#context.signal]), owner };
    return async (task, args) => {
      if (this.#closing !== undefined) throw isReleased();
      const reading = (async () => {
        await using view = await open({ ...options, sessions, limits: () => limits });
        // biome-ignore lint/suspicious/noExplicitAny: the root is what was left out of the task's arguments.
        return await pools.short.run(task, { ...args, root: view.root } as any, options);
      })();
      this.#readings.add(reading);
      return await reading.finally(() => this.#readings.delete(reading));
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#readings)
      .then(() => this.#stack.disposeAsync())
      .finally(this.#gone);
    return this.#closing;
  }
}

function isReleased(): CodedError {
  return new CodedError('failed_precondition', 'the container is released');
}
