import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { constants as os } from 'node:os';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  type AbortOptions,
  CodedError,
  type Computation,
  invalidArgument,
  type Limit,
  type Logger,
  NO_LIMITS,
  neverAborted,
  onAbort,
  sleep,
  type WorkOwner,
} from '../../base/index.ts';
import {
  Cgroup,
  CgroupBounds,
  type CgroupLayout,
  type CgroupLimits,
  type CgroupMoves,
  type ChildProcess,
  isCgroupName,
  markEnvironment,
  openTerminal,
  type Pools,
  type Privileges,
  run,
  siblingModule,
  spawnProcess,
  type Terminal,
  tasksOf,
} from '../../sys/index.ts';
import type { HitLimit } from './exec-error.ts';
import type { Network, NetworkAccess, Networks } from './network.ts';
import type { Container, ContainerSpec, Process, ProcessEnd, ProcessSpec, StartOptions } from './ports.ts';
import {
  execArguments,
  hidden,
  type OwnPaths,
  type Runtime,
  type RuntimeCall,
  runArguments,
  runtimeError,
  withoutBundle,
} from './runtime.ts';
import type { PrepareArgs, Prepared, PrepareProcessArgs } from './step-task.ts';
import type { ContainerUse } from './steps-used.ts';

/** Disk and mount work around a step, for the short pool. */
const task = tasksOf<typeof import('./step-task.ts')>(siblingModule(import.meta.url, './step-task'));

/** What a container needs of the executor that made it. */
export interface ContainerHost {
  readonly runtime: Runtime;
  /** The runtime's. */
  readonly stateDirectory: string;
  readonly stateId: string;
  /** The builder's own folder, whose path is nobody else's business. */
  readonly stateRoot?: string | undefined;
  readonly pools: Pools;
  readonly layout: CgroupLayout;
  readonly moves: CgroupMoves;
  /** The group that all groups of this life are below. */
  readonly life: Cgroup;
  readonly seccompProfile: string;
  readonly privileges: Privileges;
  readonly networks: Networks;
  readonly log: Logger;
  limitsOf(spec: ContainerSpec): CgroupLimits;
  /** Called once for each container whose bounds cannot be held here. */
  unlimited(limits: readonly string[]): void;
  closed(container: OciContainer): void;
  used?: ((owner: WorkOwner, use: ContainerUse) => void) | undefined;
}

/** How long the runtime may take to start what was killed, and what was killed to end. */
const LOOK_AGAIN_MS = 10;
const KILL_RUNTIME_MS = 5000;
const DELETE_MS = 30_000;
const DEFAULT_TERMINAL = { rows: 24, columns: 80 };

/** A container of an OCI runtime: its first process is a foreground `run`, others are `exec`. */
export class OciContainer implements Container {
  readonly #host: ContainerHost;
  readonly #spec: ContainerSpec;
  readonly #bundle: string;
  readonly #group: Cgroup;
  /** Those that run, or whose output is not all read; and the first. */
  readonly #processes = new Set<OciProcess>();
  #first: OciProcess | undefined;
  #count = 0;
  #startedAt = 0;
  #network: Network | undefined;
  /** Work in the bundle for further processes. */
  readonly #preparing = new Set<Promise<void>>();
  #bounds: CgroupBounds | undefined;
  #starting: Promise<unknown> | undefined;
  #stubs: Prepared['stubs'] = [];
  #closing: Promise<void> | undefined;
  /** Nothing is to begin any more. */
  readonly #over = new AbortController();

  constructor(spec: ContainerSpec, bundle: string, host: ContainerHost) {
    this.#host = host;
    this.#spec = spec;
    this.#bundle = bundle;
    // A parent that is asked for is one below ours: it must not leave what bounds and ends it.
    const parents = spec.meta.cgroupParent.split('/').filter((part) => part !== '');
    // What of it makes no name is told as the step has it: where ours lies is not told to who builds.
    if (!parents.every(isCgroupName))
      throw invalidArgument(`invalid cgroup parent ${JSON.stringify(spec.meta.cgroupParent)}`);
    this.#group = new Cgroup([host.life.name, ...parents, spec.id].join('/'), host.layout);
  }

  async start(spec: ProcessSpec, options: StartOptions): Promise<Process> {
    if (this.#starting !== undefined) throw new CodedError('internal', 'the container has been started already');
    if (this.#closing !== undefined) throw isOver();
    const starting = this.#start(spec, options);
    this.#starting = starting;
    return await starting;
  }

  async exec(spec: ProcessSpec, { signal }: AbortOptions): Promise<Process> {
    signal.throwIfAborted();
    const first = this.#first;
    using aborted = onAbort(signal);
    const pid = first === undefined ? undefined : await Promise.race([first.pid(), aborted.promise]);
    if (pid === undefined || this.#closing !== undefined) throw isOver();
    const name = this.#nextName();
    const { bundle, security } = { bundle: this.#bundle, security: this.#spec.security };
    const args: PrepareProcessArgs = {
      ...{ bundle, name, security, meta: spec.meta, network: (this.#network as Network).access },
      privileges: this.#host.privileges,
      terminal: spec.tty !== undefined,
    };
    const preparing = this.#host.pools.short.run(task('prepareProcess'), args, {
      signal,
      owner: this.#spec.owner,
    });
    this.#preparing.add(preparing);
    await preparing.finally(() => this.#preparing.delete(preparing));
    signal.throwIfAborted();
    // The first process may have ended meanwhile; a runtime that is called for nothing only fails.
    if (this.#closing !== undefined) throw isOver();
    return this.#spawn(spec, name, execArguments);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(isOver());
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #start(spec: ProcessSpec, { signal, places }: StartOptions): Promise<Process> {
    signal.throwIfAborted();
    if (spec.meta.args.length === 0) throw new CodedError('invalid_argument', 'a step has no arguments to run');
    const { id, root, mounts, security, resources, owner } = this.#spec;
    const { hostname, extraHosts, cgroupParent, removeMountStubsRecursive } = this.#spec.meta;
    this.#network = await this.#host.networks[this.#spec.network].acquire({ id }, { signal });
    const network: NetworkAccess = this.#network.access;
    const args: PrepareArgs = {
      ...{ bundle: this.#bundle, root, mounts, security, resources },
      meta: { ...spec.meta, hostname, extraHosts, cgroupParent, removeMountStubsRecursive },
      terminal: spec.tty !== undefined,
      network,
      privileges: this.#host.privileges,
      group: this.#groupArgs(),
      seccompProfile: this.#host.seccompProfile,
    };
    const { stubs } = await this.#host.pools.short.run(task('prepareStep'), args, { signal, owner });
    this.#stubs = stubs;
    const begin = () => {
      signal.throwIfAborted();
      this.#startedAt = performance.now();
      this.#bounds = this.#bound();
      return this.#spawn(spec, this.#nextName(), runArguments);
    };
    const unlessOver = AbortSignal.any([signal, this.#over.signal]);
    this.#first = places === undefined ? begin() : await places.start({ signal: unlessOver, owner }, begin);
    return this.#first;
  }

  #groupArgs(): PrepareArgs['group'] {
    return { name: this.#group.name, layout: this.#host.layout };
  }

  #nextName(): string {
    return `process-${this.#count++}`;
  }

  #bound(): CgroupBounds {
    const { resources } = this.#spec;
    const bounds = new CgroupBounds(this.#group, this.#host.layout, this.#host.limitsOf(this.#spec));
    const unmet = bounds.unmet.filter((limit) => limit !== 'memorySwap');
    if (unmet.includes('memory') && (resources?.memory ?? 0) > 0) {
      bounds[Symbol.dispose]();
      throw CodedError.of('EXEC_NO_LIMITS', 'the memory of a step cannot be limited on this builder', {
        hint: 'give the builder a cgroup tree with the memory controller, or leave the limit out',
      });
    }
    if (unmet.length > 0) this.#host.unlimited(unmet);
    return bounds;
  }

  #spawn(
    { stdin, tty }: ProcessSpec,
    name: string,
    argumentsOf: (runtime: Runtime, call: RuntimeCall) => string[],
  ): OciProcess {
    const { runtime, stateDirectory, stateId } = this.#host;
    const bundle = this.#bundle;
    const terminal = tty === undefined ? undefined : openTerminal();
    // The container's own device: through a descriptor of ours it could change the mode of this machine's.
    const nothing = terminal === undefined && !stdin ? openSync(`${bundle}/dev/null`, 'r') : undefined;
    try {
      const input = terminal?.child ?? nothing ?? 'pipe';
      const output = terminal?.child ?? 'pipe';
      const { rows, columns } = tty === undefined || tty.rows === 0 ? DEFAULT_TERMINAL : tty;
      terminal?.resize(rows, columns);
      this.#host.moves.expect();
      const child = spawnProcess({
        path: runtime.path,
        args: argumentsOf(runtime, { state: stateDirectory, bundle, id: this.#spec.id, name }),
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...markEnvironment(stateId) },
        cwd: bundle,
        ...{ stdin: input, stdout: output, stderr: output },
        lead: 'session',
      });
      const { stateRoot } = this.#host;
      const ownPaths = { hide: withoutBundle(bundle, stateRoot), needle: stateRoot ?? bundle };
      const files = `${bundle}/${name}`;
      const process = new OciProcess(child, terminal, files, this.#group, ownPaths, () => this.#hitLimit());
      this.#processes.add(process);
      void process.closed.then(() => {
        process[Symbol.dispose]();
        if (process !== this.#first) this.#processes.delete(process);
      });
      return process;
    } catch (error) {
      terminal?.[Symbol.dispose]();
      throw error;
    } finally {
      if (nothing !== undefined) closeSync(nothing);
      terminal?.closeChild();
    }
  }

  async #hitLimit(): Promise<HitLimit | undefined> {
    const { memory, processes } = this.#host.limitsOf(this.#spec);
    const { stepMemory, stepProcesses } = this.#spec.limits ?? NO_LIMITS;
    const hit = (kind: HitLimit['kind'], limit: number, ofBuild: Limit | undefined): HitLimit =>
      ofBuild?.most === limit ? { kind, limit, name: ofBuild.name } : { kind, limit };
    if (this.#bounds?.outOfMemory()) return hit('memory', memory, stepMemory);
    return (await this.#bounds?.outOfProcesses()) ? hit('processes', processes, stepProcesses) : undefined;
  }

  async #close(): Promise<void> {
    try {
      if (this.#starting === undefined) return;
      await Promise.allSettled([this.#starting, ...this.#preparing]);
      // Only after a failure of our own, or where it is to end, is anything alive here.
      const isAlive = [...this.#processes].some(({ isRunning }) => isRunning);
      try {
        await this.#end();
        if (isAlive) await this.#delete();
      } finally {
        await Promise.all([...this.#processes].map(({ exited }) => exited));
        this.#bounds?.[Symbol.dispose]();
        for (const process of this.#processes) process[Symbol.dispose]();
        let isGroupGone = false;
        try {
          // A failure here is the step's: what it wrote may not be whole.
          const runtimeState = `${this.#host.stateDirectory}/${this.#spec.id}`;
          const args = { bundle: this.#bundle, stubs: this.#stubs, runtimeState, group: this.#groupArgs() };
          const { owner } = this.#spec;
          const finished = await this.#host.pools.short.run(task('finishStep'), args, { signal: neverAborted, owner });
          isGroupGone = finished.isGroupGone;
          this.#host.used?.(owner, { ...finished.used, from: this.#startedAt, to: performance.now() });
        } finally {
          await this.#removeGroups(isGroupGone);
          await this.#network?.[Symbol.asyncDispose]();
        }
      }
    } finally {
      this.#host.closed(this);
    }
  }

  /** SIGKILLs again and again until the runtime has ended, since it may just be starting something. */
  async #end(): Promise<void> {
    const end = performance.now() + KILL_RUNTIME_MS;
    for (
      let running = [...this.#processes].filter(({ isRunning }) => isRunning);
      running.length > 0;
      running = running.filter(({ isRunning }) => isRunning)
    ) {
      if (performance.now() > end) for (const process of running) process.killRuntime();
      else this.#group.killOnce();
      await Promise.race([
        Promise.all(running.map(({ ended }) => ended)),
        sleep(LOOK_AGAIN_MS, { signal: neverAborted }),
      ]);
    }
  }

  /** Removes what a container that was killed left with the runtime. */
  async #delete(): Promise<void> {
    const { runtime, stateDirectory, log } = this.#host;
    try {
      await run(runtime.path, ['--root', stateDirectory, 'delete', '--force', this.#spec.id], {
        signal: AbortSignal.timeout(DELETE_MS),
      });
      await this.#group.killAll();
    } catch (error) {
      // The step's own end is what the caller must hear of; the next start sweeps.
      log.warn('a container could not be deleted', { err: error, container: this.#spec.id });
    }
  }

  /** And what it may have asked for above it, as far as nothing else is there. */
  async #removeGroups(isOwnGone: boolean): Promise<void> {
    const { life, layout, log } = this.#host;
    try {
      if (!isOwnGone) await this.#group.remove();
      for (let name = posix.dirname(this.#group.name); name.length > life.name.length; name = posix.dirname(name)) {
        if (!new Cgroup(name, layout).removeEmpty()) break;
      }
    } catch (error) {
      log.warn('a cgroup could not be removed', { err: error, cgroup: this.#group.name });
    }
  }
}

function isOver(): CodedError {
  return new CodedError('failed_precondition', 'the container does not run', { fault: 'user' });
}

/** A process of a container, through the runtime's call that stands for it. */
class OciProcess implements Process, Computation, Disposable {
  readonly computes = true;
  readonly stdin: Process['stdin'];
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  readonly exited: Promise<ProcessEnd>;
  /** Without what is found out about it afterwards. */
  readonly ended: Promise<unknown>;
  /** It has ended, and its output is read to the end or given up. */
  readonly closed: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #terminal: Terminal | undefined;
  /** Of its log and pid. */
  readonly #files: string;
  readonly #group: Cgroup;

  constructor(
    child: ChildProcess,
    terminal: Terminal | undefined,
    files: string,
    group: Cgroup,
    { hide, needle }: { readonly hide: OwnPaths; readonly needle: string },
    hitLimit: () => Promise<HitLimit | undefined>,
  ) {
    this.#child = child;
    this.#terminal = terminal;
    this.#files = files;
    this.#group = group;
    this.stdin = terminal?.input ?? child.stdin;
    this.stdout = terminal?.output ?? (child.stdout as Readable);
    this.stderr = terminal === undefined ? hidden(child.stderr as Readable, needle, hide) : undefined;
    this.ended = child.exited;
    this.exited = child.exited.then(async (status) => {
      const exitCode = status.code ?? 128 + (status.signal ?? 0);
      if (exitCode === 0) return { exitCode };
      const hit = await hitLimit();
      const message = hit === undefined ? runtimeError(files) : undefined;
      return { exitCode, hit, runtimeMessage: message === undefined ? undefined : hide(message) };
    });
    const outputs = [this.stdout, this.stderr].map((stream) => (stream === undefined ? undefined : finished(stream)));
    this.closed = Promise.allSettled([this.exited, ...outputs]);
  }

  get isRunning(): boolean {
    return this.#child.isRunning;
  }

  resize({ rows, columns }: { readonly rows: number; readonly columns: number }): void {
    if (this.#terminal === undefined || !this.isRunning) return;
    this.#terminal.resize(rows, columns);
    // The runtime stands between this terminal and the container's.
    this.#child.kill('SIGWINCH');
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    const pid = await this.pid();
    if (pid !== undefined) this.#group.signal(pid, os.signals[name]);
  }

  /** On this machine, once it runs; undefined when it has ended. */
  async pid(): Promise<number | undefined> {
    while (this.isRunning) {
      if (existsSync(`${this.#files}.pid`)) return Number(readFileSync(`${this.#files}.pid`, 'utf8'));
      await Promise.race([this.ended, sleep(LOOK_AGAIN_MS, { signal: neverAborted })]);
    }
    return undefined;
  }

  killRuntime(): void {
    this.#child.kill();
  }

  [Symbol.dispose](): void {
    this.#terminal?.[Symbol.dispose]();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream?.destroy();
    for (const kind of ['json', 'log', 'pid']) rmSync(`${this.#files}.${kind}`, { force: true });
  }
}
