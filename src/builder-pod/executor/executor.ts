import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { type AbortOptions, CodedError, type Logger, neverAborted, silentLogger, sleep } from '../../base/index.ts';
import type { ExecMeta, ExecOp, LinuxResources } from '../../llb/index.ts';
import {
  Cgroup,
  type CgroupLayout,
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
import { ExecError } from './exec-error.ts';
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
  readonly seccompProfile?: string;
  readonly log?: Logger;
}

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
    // In a v2 tree the group above outlives the container and counts what was killed below it.
    const inner = isV2 ? `${group.name}/step` : group.name;
    const prepareArgs: PrepareArgs = {
      bundle,
      root: step.root,
      mounts: step.mounts,
      meta: step.meta,
      network: this.#networkOf(step),
      security: step.security,
      cgroupPath: inner,
      cgroupNamespace: isV2,
      seccompProfile: this.#options.seccompProfile ?? SECCOMP_PROFILE,
      resources: step.resources,
    };
    const { short } = this.#options.pools;
    let stubs: Prepared['stubs'] = [];
    try {
      ({ stubs } = await short.run<Prepared>(stepTasks.prepare, prepareArgs, { signal }));
      signal.throwIfAborted();
      if (isV2) group.create();
      return await this.#runPrepared(step, bundle, group, signal);
    } finally {
      // A failure here is the step's: what it wrote may not be whole.
      await short.run(stepTasks.finish, { bundle, stubs }, { signal: neverAborted });
      if (isV2) await this.#removeGroup(group);
    }
  }

  #networkOf({ network }: Step): StepNetwork {
    if (network !== 'unset') return network;
    return this.#options.defaultNetwork === 'none' ? 'none' : 'shared';
  }

  async #removeGroup(group: Cgroup): Promise<void> {
    try {
      await group.remove();
    } catch (error) {
      this.#log.warn('a cgroup could not be removed', { err: error, cgroup: group.name });
    }
  }

  #cgroupOf(step: Step): Cgroup {
    const life = lifeCgroup(this.#options.stateId, this.#options.cgroupParent, this.#layout);
    const { cgroupParent } = step.meta;
    if (cgroupParent === '') return new Cgroup(`${life.name}/${step.id}`, this.#layout);
    return new Cgroup(`/${cgroupParent.replace(/^\/+|\/+$/g, '')}${life.name}/${step.id}`, this.#layout);
  }

  async #runPrepared(
    step: Step,
    bundle: string,
    group: Cgroup,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }> {
    // A v1 group counts for itself alone and is gone with the container, which therefore is kept where memory is bounded.
    const keep = this.#layout.kind !== 'v2' && (step.resources?.memory ?? 0) > 0;
    const child = this.#spawn(step, bundle, keep);
    let outOfMemory = false;
    let needsDelete = keep;
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
        outOfMemory = (group.oomKills() ?? 0) > 0;
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
    const runtimeMessage = outOfMemory ? undefined : runtimeError(bundle);
    if (runtimeMessage !== undefined && !isStepsFault(runtimeMessage)) {
      throw new CodedError('internal', `container of the step: ${runtimeMessage}`, { reason: 'EXEC_RUNTIME' });
    }
    throw new ExecError(args, exitCode, { outOfMemory, ...(runtimeMessage === undefined ? {} : { runtimeMessage }) });
  }

  #spawn(step: Step, bundle: string, keep: boolean): ChildProcess {
    // The step's own device: through a descriptor of ours it could change the mode of this machine's.
    const stdin = openSync(`${bundle}/dev/null`, 'r');
    try {
      return spawnProcess({
        path: this.runtime.path,
        args: runArguments(this.runtime, { state: this.#stateDirectory, bundle, id: step.id, keep }),
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

  /** Removes what a container that was kept or killed left with the runtime. */
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
    await lifeCgroup(this.#options.stateId, this.#options.cgroupParent).remove();
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
