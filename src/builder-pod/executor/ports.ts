import type { Readable, Writable } from 'node:stream';
import type { AbortOptions, BuildLimits, Places, WorkOwner } from '../../base/index.ts';
import type { ExecMeta, ExecOp, LinuxResources } from '../../llb/index.ts';
import type { MountSpec } from '../../sys/index.ts';
import type { HitLimit } from './exec-error.ts';

/** Makes containers on prepared mounts. Disposing ends those that are left. */
export interface Executor extends AsyncDisposable {
  /** One that is not started yet: until then it is nothing but its description. @throws CodedError for a bad id */
  container(spec: ContainerSpec): Container;
}

export interface ContainerSpec {
  /** Unique among all that are there: letters, digits, `_`, `-`. */
  readonly id: string;
  readonly root: { readonly mounts: readonly MountSpec[]; readonly readonly: boolean };
  /** Mounted in this order. */
  readonly mounts: readonly StepMount[];
  readonly meta: Pick<ExecMeta, 'hostname' | 'extraHosts' | 'cgroupParent' | 'removeMountStubsRecursive'>;
  readonly network: ExecOp['network'];
  readonly security: ExecOp['security'];
  readonly resources?: LinuxResources;
  /** Of those who want it, beside the executor's own. */
  readonly limits?: BuildLimits;
  /** For whom it is. */
  readonly owner: WorkOwner;
}

export interface StartOptions extends AbortOptions {
  /** The first process has one of these for as long as it runs, and nothing before or after it has. */
  readonly places?: Places | undefined;
}

/** What is mounted into a step beside its root. `dest` is absolute, or relative to the step's directory. */
export type StepMount =
  | {
      readonly kind: 'mounts';
      readonly dest: string;
      readonly mounts: readonly MountSpec[];
      readonly readonly: boolean;
      /** A path inside what is mounted; empty or `/` is the whole. */
      readonly selector: string;
    }
  | {
      /** A file in memory, e.g. a secret: it is never written to a disk. */
      readonly kind: 'file';
      readonly dest: string;
      readonly data: Uint8Array;
      readonly uid: number;
      readonly gid: number;
      readonly mode: number;
    }
  | {
      /** A file or directory of the daemon's own, e.g. a socket. */
      readonly kind: 'path';
      readonly dest: string;
      readonly source: string;
      readonly readonly: boolean;
      /** Given to the source before it is mounted. */
      readonly owner?: { readonly uid: number; readonly gid: number; readonly mode: number };
    };

/**
 * Processes in one set of namespaces on one set of mounts. Dispose it on every path: that ends what runs and leaves nothing but what was written in the mounts; it is over
 * only when all that is so, which a process that cannot be killed may hold up for a minute.
 */
export interface Container extends AsyncDisposable {
  /**
   * Prepares the mounts and, as soon as there is a place where it takes one, starts the first process, with whose end all others end.
   * @throws CodedError for bad input (unknown user, missing mount source)
   */
  start(spec: ProcessSpec, options: StartOptions): Promise<Process>;
  /** Starts another one beside the first. @throws CodedError failed_precondition where that does not run */
  exec(spec: ProcessSpec, options: AbortOptions): Promise<Process>;
}

export interface ProcessSpec {
  readonly meta: Pick<ExecMeta, 'args' | 'env' | 'cwd' | 'user' | 'ulimits' | 'proxyEnv'>;
  /** Whether its standard input is a pipe of ours; else it is the container's null device. */
  readonly stdin: boolean;
  /** All three are one terminal, of this size at first. */
  readonly tty?: TerminalSize;
}

interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface Process {
  /** Where it was asked for. */
  readonly stdin: Writable | undefined;
  /** A process whose output is not read is held back. With a terminal this is all that it says. */
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  /** Nothing where there is no terminal. */
  resize(size: TerminalSize): void;
  /** Resolves when it was sent, or the process has ended; one that is only just starting is waited for. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** Never rejects. Output may still be in the streams. */
  readonly exited: Promise<ProcessEnd>;
}

export interface ProcessEnd {
  /** 128 and the signal's number where one ended it. */
  readonly exitCode: number;
  /** A bound of the container that it ran into; looked for when it failed. */
  readonly hit?: HitLimit | undefined;
  /** Why it could not be run, where that is so. */
  readonly runtimeMessage?: string | undefined;
}
