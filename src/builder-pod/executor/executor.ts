import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { type AbortOptions, CodedError, type Logger, neverAborted, silentLogger, sleep } from '../../base/index.ts';
import type { ExecMeta, ExecOp, LinuxResources } from '../../llb/index.ts';
import {
  Cgroup,
  CgroupBounds,
  type CgroupLayout,
  type CgroupLimits,
  type ChildProcess,
  cgroupLayout,
  type ExitStatus,
  lifeCgroup,
  type MountSpec,
  markEnvironment,
  type Pools,
  run,
  spawnProcess,
  startGuardian,
} from '../../sys/index.ts';
import { ExecError, type HitLimit } from './exec-error.ts';
import { isStepsFault, type Runtime, runArguments, runtimeError } from './runtime.ts';
import { SECCOMP_PROFILE } from './seccomp.ts';
import type { StepNetwork } from './spec.ts';
import { type PrepareArgs, type Prepared, type StepMount, stepTasks } from './step-task.ts';

export interface ExecutorOptions {
  /** Bundles and the runtime's state, this executor's alone; below the state directory, so that a sweep finds what is mounted there. */
  readonly directory: string;
  readonly stateId: string;
  readonly pools: Pools;
  readonly runtime: Runtime;
  /** Where a step's network mode is unset; `host` by default. */
  readonly defaultNetwork?: 'host' | 'none';
  readonly cgroupParent?: string;
  /** Of each step; none when absent. */
  readonly limits?: StepLimits;
  readonly seccompProfile?: string;
  readonly log?: Logger;
}

/** What a step may have at most, all its processes together; 0 is no limit. */
export type StepLimits = Pick<CgroupLimits, 'processes' | 'memory'>;

/** One step to run. */
export interface Step {
  /** Unique among all that run: letters, digits, `_`, `-`. */
  readonly id: string;
  readonly root: { readonly mounts: readonly MountSpec[]; readonly readonly: boolean };
  /** Mounted in this order. */
  readonly mounts: readonly StepMount[];
  readonly meta: ExecMeta;
  readonly network: ExecOp['network'];
  readonly security: ExecOp['security'];
  readonly resources?: LinuxResources;
  /** Output as it comes; a returned promise holds the step back until it resolves. The chunk is the callee's to keep. */
  readonly stdout: (chunk: Uint8Array) => void | Promise<void>;
  readonly stderr: (chunk: Uint8Array) => void | Promise<void>;
}

/** Runs steps in containers (OCI runtime-spec) on prepared mounts. Made by `createExecutor`. */
export class Executor implements AsyncDisposable {
  readonly runtime: Runtime;
  readonly #options: ExecutorOptions;
  readonly #directory: string;
  readonly #layout: CgroupLayout;
  readonly #guardian: ChildProcess;
  readonly #log: Logger;
  #told = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.runtime = options.runtime;
    this.#layout = cgroupLayout();
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    // Mounts are found again by their real paths.
    this.#directory = realpathSync(options.directory);
    mkdirSync(this.#stateDirectory, { recursive: true, mode: 0o700 });
    this.#guardian = startGuardian(lifeCgroup(options.stateId, options.cgroupParent), options.stateId);
  }

  get #stateDirectory(): string {
    return `${this.#directory}/${this.runtime.name}`;
  }

  /**
   * Runs the step to its end: its exit code when it is a valid one.
   * @throws ExecError for any other; CodedError for bad input (unknown user, missing mount source); the signal's reason when aborted. In every case nothing of the
   * step is left, save what it wrote in its mounts.
   */
  async run(step: Step, { signal }: AbortOptions): Promise<{ readonly exitCode: number }> {
    signal.throwIfAborted();
    if (!/^[A-Za-z0-9_-]+$/.test(step.id)) throw new CodedError('internal', `invalid step id ${step.id}`);
    if (step.meta.args.length === 0) throw new CodedError('invalid_argument', 'a step has no arguments to run');
    const bundle = `${this.#directory}/${step.id}`;
    const group = this.#cgroupOf(step);
    const isV2 = this.#layout.kind === 'v2';
    const prepareArgs: PrepareArgs = {
      bundle,
      root: step.root,
      mounts: step.mounts,
      meta: step.meta,
      network: this.#networkOf(step),
      security: step.security,
      // The group above holds the bounds, and outlives the container: it tells which was hit.
      cgroupPath: `${group.name}/step`,
      cgroupNamespace: isV2,
      seccompProfile: this.#options.seccompProfile ?? SECCOMP_PROFILE,
      resources: step.resources,
    };
    const { short } = this.#options.pools;
    let stubs: Prepared['stubs'] = [];
    try {
      ({ stubs } = await short.run<Prepared>(stepTasks.prepare, prepareArgs, { signal }));
      signal.throwIfAborted();
      return await this.#runPrepared(step, bundle, group, signal);
    } finally {
      try {
        // A failure here is the step's: what it wrote may not be whole.
        await short.run(stepTasks.finish, { bundle, stubs }, { signal: neverAborted });
      } finally {
        await this.#removeGroup(group);
      }
    }
  }

  #networkOf({ network }: Step): StepNetwork {
    if (network !== 'unset') return network;
    return this.#options.defaultNetwork === 'none' ? 'none' : 'shared';
  }

  /** And what it may have asked for above it, as far as no other step is there. */
  async #removeGroup(group: Cgroup): Promise<void> {
    try {
      await group.remove();
      const life = this.#life.name;
      for (let name = posix.dirname(group.name); name.length > life.length; name = posix.dirname(name)) {
        if (!new Cgroup(name, this.#layout).removeEmpty()) break;
      }
    } catch (error) {
      this.#log.warn('a cgroup could not be removed', { err: error, cgroup: group.name });
    }
  }

  get #life(): Cgroup {
    return lifeCgroup(this.#options.stateId, this.#options.cgroupParent, this.#layout);
  }

  /** A parent that the step asks for is one below ours: it must not leave what bounds and ends it. */
  #cgroupOf({ id, meta }: Step): Cgroup {
    const parents = meta.cgroupParent.split('/').filter((part) => part !== '');
    return new Cgroup([this.#life.name, ...parents, id].join('/'), this.#layout);
  }

  #limitsOf({ resources }: Step): CgroupLimits {
    const { processes, memory } = this.#options.limits ?? { processes: 0, memory: 0 };
    const wanted = resources?.memory ?? 0;
    return {
      processes,
      memory: wanted > 0 && memory > 0 ? Math.min(wanted, memory) : Math.max(wanted, memory),
      memorySwap: resources?.memorySwap ?? 0,
    };
  }

  #bound(step: Step, group: Cgroup): CgroupBounds {
    const bounds = new CgroupBounds(group, this.#layout, this.#limitsOf(step));
    const unmet = bounds.unmet.filter((limit) => limit !== 'memorySwap');
    if (unmet.includes('memory') && (step.resources?.memory ?? 0) > 0) {
      bounds[Symbol.dispose]();
      throw new CodedError('failed_precondition', 'the memory of a step cannot be limited on this builder', {
        fault: 'infrastructure',
        reason: 'EXEC_NO_LIMITS',
        hint: 'give the builder a cgroup tree with the memory controller, or leave the limit out',
      });
    }
    if (unmet.length > 0 && !this.#told) {
      this.#told = true;
      this.#log.warn('steps are not limited: this machine has no cgroup controllers for it', { limits: unmet });
    }
    return bounds;
  }

  async #runPrepared(
    step: Step,
    bundle: string,
    group: Cgroup,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }> {
    using bounds = this.#bound(step, group);
    const child = this.#spawn(step, bundle);
    let needsDelete = false;
    let status: ExitStatus;
    try {
      try {
        const ended = Promise.all([
          child.exited,
          pump(child.stdout as Readable, step.stdout),
          pump(child.stderr as Readable, step.stderr),
        ]);
        using _killing = killOnAbort(signal, group, child);
        [status] = await ended;
      } finally {
        // Only after a failure of our own (or an abort that the runtime did not follow) is anything alive here.
        if (child.isRunning || signal.aborted) needsDelete = true;
        await endStep(group, child);
      }
    } finally {
      if (needsDelete) await this.#delete(step.id, group);
    }
    signal.throwIfAborted();
    const exitCode = status.code ?? 128 + (status.signal ?? 0);
    const { validExitCodes, args } = step.meta;
    if (validExitCodes.length === 0 ? exitCode === 0 : validExitCodes.includes(exitCode)) return { exitCode };
    const hit = await this.#hitLimit(step, bounds);
    const runtimeMessage = hit === undefined ? runtimeError(bundle) : undefined;
    if (runtimeMessage !== undefined && !isStepsFault(runtimeMessage)) {
      throw new CodedError('internal', `container of the step: ${runtimeMessage}`, { reason: 'EXEC_RUNTIME' });
    }
    throw new ExecError(args, exitCode, { hit, ...(runtimeMessage === undefined ? {} : { runtimeMessage }) });
  }

  async #hitLimit(step: Step, bounds: CgroupBounds): Promise<HitLimit | undefined> {
    const { memory, processes } = this.#limitsOf(step);
    if (bounds.outOfMemory()) return { kind: 'memory', limit: memory };
    return (await bounds.outOfProcesses()) ? { kind: 'processes', limit: processes } : undefined;
  }

  #spawn(step: Step, bundle: string): ChildProcess {
    // The step's own device: through a descriptor of ours it could change the mode of this machine's.
    const stdin = openSync(`${bundle}/dev/null`, 'r');
    try {
      return spawnProcess({
        path: this.runtime.path,
        args: runArguments(this.runtime, { state: this.#stateDirectory, bundle, id: step.id }),
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...markEnvironment(this.#options.stateId) },
        cwd: bundle,
        stdin,
        stdout: 'pipe',
        stderr: 'pipe',
        lead: 'session',
      });
    } finally {
      closeSync(stdin);
    }
  }

  /** Removes what a container that was killed left with the runtime. */
  async #delete(id: string, group: Cgroup): Promise<void> {
    try {
      await run(this.runtime.path, ['--root', this.#stateDirectory, 'delete', '--force', id], {
        signal: AbortSignal.timeout(30_000),
      });
      await group.killAll();
      await group.remove();
    } catch (error) {
      // The step's own end is what the caller must hear of; the next start sweeps.
      this.#log.warn('a container could not be deleted', { err: error, container: id });
    }
  }

  /** Call when no step runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#guardian[Symbol.asyncDispose]();
    await this.#life.remove();
  }
}

async function pump(stream: Readable, sink: Step['stdout']): Promise<void> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const wait = sink(chunk);
    if (wait !== undefined) await wait;
  }
}

/** How often a step that is being started is looked at again, and how long until its runtime is killed too. */
const KILL_AGAIN_MS = 10;
const KILL_RUNTIME_MS = 5000;

/** SIGKILLs the step's processes when the signal fires, again and again until the runtime has ended, since it may just be starting. */
function killOnAbort(signal: AbortSignal, group: Cgroup, child: ChildProcess): Disposable {
  const kill = () => {
    void endStep(group, child).catch(() => child.kill());
  };
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', kill) };
}

async function endStep(group: Cgroup, child: ChildProcess): Promise<void> {
  const end = performance.now() + KILL_RUNTIME_MS;
  while (child.isRunning) {
    if (performance.now() > end) {
      child.kill();
      await child.exited;
    } else {
      group.killOnce();
      await Promise.race([child.exited, sleep(KILL_AGAIN_MS, { signal: neverAborted })]);
    }
  }
}
