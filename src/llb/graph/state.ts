import { posix } from 'node:path';
import { invalidArgument, type Platform } from '../../base/index.ts';
import type { Definition, ExecOp } from '../op.ts';
import { ExecNode, type RunOptions } from './exec.ts';
import { type FileActions, FileNode } from './file-actions.ts';
import { type MarshalOptions, marshalOutput } from './marshal.ts';
import { DiffNode, MergeNode, PassthroughNode } from './merge.ts';
import type { FileSystem, Output, StateValues } from './node.ts';
import type { StepOptions } from './options.ts';

const INITIAL: StateValues = {
  dir: '/',
  env: new Map(),
  user: '',
  hostname: '',
  network: 'unset',
  security: 'sandbox',
  extraHosts: [],
  ulimits: [],
  cgroupParent: '',
};

/** A file system that is to be made, with the settings that runs on it get. Immutable: every method returns another state. */
export class State implements FileSystem {
  /** Undefined for scratch. */
  readonly output: Output | undefined;
  readonly values: StateValues;

  constructor(output: Output | undefined, values: StateValues = INITIAL) {
    this.output = output;
    this.values = values;
  }

  /** The working directory; a relative path continues the present one. */
  dir(path: string): State {
    return this.#with({ dir: posix.isAbsolute(path) ? path : posix.join(this.values.dir || '/', path) });
  }

  /** Sets a variable; one set again moves to the end. */
  env(key: string, value: string): State {
    const env = new Map(this.values.env);
    env.delete(key);
    env.set(key, value);
    return this.#with({ env });
  }

  unsetEnv(key: string): State {
    const env = new Map(this.values.env);
    env.delete(key);
    return this.#with({ env });
  }

  /** Name or id, with an optional `:group`. */
  user(user: string): State {
    return this.#with({ user });
  }

  platform(platform: Platform): State {
    return this.#with({ platform });
  }

  hostname(hostname: string): State {
    return this.#with({ hostname });
  }

  network(network: ExecOp['network']): State {
    return this.#with({ network });
  }

  security(security: ExecOp['security']): State {
    return this.#with({ security });
  }

  extraHost(host: string, ip: string): State {
    return this.#with({ extraHosts: [...this.values.extraHosts, { host, ip }] });
  }

  ulimit(name: string, soft: number, hard: number): State {
    return this.#with({ ulimits: [...this.values.ulimits, { name, soft, hard }] });
  }

  cgroupParent(cgroupParent: string): State {
    return this.#with({ cgroupParent });
  }

  /** Runs a command with this file system as root. */
  run(options: RunOptions): ExecState {
    return new ExecState(this, new ExecNode(this, options));
  }

  /** Applies file operations; see `copy`, `mkdir`, `mkfile`, `rm`, `symlink`. */
  file(actions: FileActions, options: StepOptions = {}): State {
    const node = new FileNode(this, actions, options);
    return this.withOutput({ node, index: () => 0 });
  }

  /** This state, once the others are made too. */
  requires(id: string, others: readonly State[]): State {
    if (others.length === 0 || !this.output) return this;
    return this.withOutput({ node: new PassthroughNode(id, this, others), index: () => 0 });
  }

  /** The same settings on another file system. */
  withOutput(output: Output | undefined): State {
    return stateOf(output, this.values);
  }

  marshal(options?: MarshalOptions): Definition {
    return marshalOutput(this.output, options);
  }

  #with(values: Partial<StateValues>): State {
    return new State(this.output, { ...this.values, ...values });
  }
}

/** A state on an output, for whose platform what runs on it then runs. */
export function stateOf(output: Output | undefined, values: StateValues = INITIAL): State {
  return new State(output, output?.platform ? { ...values, platform: output.platform } : values);
}

/** What a run leaves: its root, and its writable mounts. */
export class ExecState {
  readonly #base: State;
  readonly #node: ExecNode;

  constructor(base: State, node: ExecNode) {
    this.#base = base;
    this.#node = node;
  }

  get root(): State {
    return this.#base.withOutput(this.#node.outputOf('/'));
  }

  /** @throws CodedError invalid_argument for a mount that is not there or keeps nothing. */
  mount(target: string): State {
    return stateOf(this.#node.outputOf(target));
  }
}

export function scratch(): State {
  return new State(undefined);
}

/** One file system over the other, low to high; scratch counts for nothing. */
export function merge(states: readonly State[], options: StepOptions = {}): State {
  const filled = states.filter((state) => state.output);
  const first = filled[0];
  if (!first) return scratch();
  if (filled.length === 1) return first;
  return first.withOutput({ node: new MergeNode(filled, options), index: () => 0 });
}

/** What `upper` has changed over `lower`, deletions included. */
export function diff(lower: State, upper: State, options: StepOptions = {}): State {
  if (!lower.output) return upper.output ? upper : scratch();
  return lower.withOutput({ node: new DiffNode(lower, upper, options), index: () => 0 });
}

/** The settings of an image's config (OCI image spec) applied to a state. */
export function withImageConfig(
  state: State,
  config: {
    readonly config?: { readonly Env?: readonly string[]; readonly WorkingDir?: string; readonly User?: string };
  },
): State {
  let result = state;
  for (const entry of config.config?.Env ?? []) {
    const equals = entry.indexOf('=');
    const key = equals < 0 ? entry : entry.slice(0, equals);
    if (key === '') throw invalidArgument(`invalid environment entry ${JSON.stringify(entry)} in the image config`);
    result = result.env(key, equals < 0 ? '' : entry.slice(equals + 1));
  }
  return result.dir(config.config?.WorkingDir || '/').user(config.config?.User ?? '');
}
