import { mkdirSync, realpathSync } from 'node:fs';
import { CodedError, type Logger, silentLogger } from '../../base/index.ts';
import {
  type CgroupLimits,
  CgroupMoves,
  type ChildProcess,
  cgroupLayout,
  lifeCgroup,
  ownPrivileges,
  type Pools,
  type Privileges,
  startGuardian,
} from '../../sys/index.ts';
import { type ContainerHost, OciContainer } from './container.ts';
import { type Networks, networksOf } from './network.ts';
import type { ContainerSpec, Executor } from './ports.ts';
import type { Runtime } from './runtime.ts';
import { SECCOMP_PROFILE } from './seccomp.ts';

export interface ExecutorOptions {
  /** Bundles and the runtime's state, this executor's alone; below the state directory, so that a sweep finds what is mounted there. */
  readonly directory: string;
  readonly stateId: string;
  /** The state directory: a path that steps are not told. */
  readonly stateRoot?: string;
  readonly pools: Pools;
  readonly runtime: Runtime;
  /** Those of mode `host` when absent. */
  readonly networks?: Networks;
  /** This process's when absent. */
  readonly privileges?: Privileges;
  readonly cgroupParent?: string;
  /** Of each container; none when absent. */
  readonly limits?: StepLimits;
  readonly seccompProfile?: string;
  readonly log?: Logger;
  /** Is told what each container used, once it is over. */
  readonly used?: ContainerHost['used'];
}

/** What a container may have at most, all its processes together; 0 is no limit. */
export type StepLimits = Pick<CgroupLimits, 'processes' | 'memory'>;

/** Containers of an OCI runtime (runc, crun). Made by `createExecutor`. */
export class OciExecutor implements Executor {
  readonly runtime: Runtime;
  readonly #directory: string;
  readonly #host: ContainerHost;
  readonly #guardian: ChildProcess;
  readonly #open = new Set<OciContainer>();

  constructor(options: ExecutorOptions) {
    const { runtime, stateId, stateRoot, pools, log = silentLogger, limits = { processes: 0, memory: 0 } } = options;
    this.runtime = runtime;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    // Mounts are found again by their real paths.
    this.#directory = realpathSync(options.directory);
    const stateDirectory = `${this.#directory}/${runtime.name}`;
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    const layout = cgroupLayout();
    const life = lifeCgroup(stateId, options.cgroupParent, layout);
    let told = false;
    this.#host = {
      ...{ runtime, stateId, stateDirectory, stateRoot, pools, log, layout, life, moves: new CgroupMoves(layout) },
      networks: options.networks ?? networksOf('host'),
      privileges: options.privileges ?? ownPrivileges(),
      seccompProfile: options.seccompProfile ?? SECCOMP_PROFILE,
      limitsOf: ({ resources, limits: ofBuild }) => ({
        processes: least(limits.processes, ofBuild?.stepProcesses?.most),
        memory: least(limits.memory, ofBuild?.stepMemory?.most, resources?.memory),
        memorySwap: resources?.memorySwap ?? 0,
        cpuMillis: ofBuild?.stepCpuMillis?.most ?? 0,
      }),
      unlimited: (unmet) => {
        if (!told) log.warn('steps are not limited: this machine has no cgroup controllers for it', { limits: unmet });
        told = true;
      },
      used: options.used,
      closed: (container) => this.#open.delete(container),
    };
    this.#guardian = startGuardian(life, stateId);
  }

  container(spec: ContainerSpec): OciContainer {
    if (!/^[A-Za-z0-9_-]+$/.test(spec.id)) throw new CodedError('internal', `invalid step id ${spec.id}`);
    const container = new OciContainer(spec, `${this.#directory}/${spec.id}`, this.#host);
    this.#open.add(container);
    return container;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#open].map((container) => container[Symbol.asyncDispose]()));
    await this.#guardian[Symbol.asyncDispose]();
    await this.#host.life.remove();
  }
}

/** The strictest of bounds of which 0 is none. */
function least(...bounds: readonly (number | undefined)[]): number {
  const set = bounds.filter((bound = 0) => bound > 0) as number[];
  return set.length === 0 ? 0 : Math.min(...set);
}
