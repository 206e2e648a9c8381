import { invalidArgument, type Platform } from '../../base/index.ts';
import { compareUtf8 } from '../codec/schema.ts';
import { EMPTY_INPUT, type ExecMeta, type ExecMount, SKIP_OUTPUT } from '../op.ts';
import {
  type BuiltStep,
  envelope,
  type FileSystem,
  type GraphNode,
  InputList,
  type MarshalContext,
  type Output,
  type StateValues,
} from './node.ts';
import { type StepOptions, stepMetadata } from './options.ts';

/** Where a builder does not set PATH itself, the client does. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface RunOptions extends StepOptions {
  readonly args: readonly string[];
  readonly mounts?: readonly MountOptions[];
  readonly secrets?: readonly SecretOptions[];
  readonly ssh?: readonly SshOptions[];
  /** The root is mounted read-only; the run then has no root output of its own. */
  readonly readonlyRoot?: boolean;
  /** Proxy variables, which are not part of cache keys. */
  readonly proxyEnv?: ExecMeta['proxyEnv'];
  /** Exit codes that count as success; 0 alone when left out. */
  readonly validExitCodes?: readonly number[];
  readonly cdiDevices?: readonly { readonly name: string; readonly optional?: boolean }[];
}

export interface MountOptions {
  readonly target: string;
  /** What is mounted; scratch when left out. */
  readonly source?: FileSystem;
  /** Path inside the source. */
  readonly selector?: string;
  readonly readonly?: boolean;
  /** Writable, but what is written is thrown away. */
  readonly noOutput?: boolean;
  readonly cache?: { readonly id: string; readonly sharing?: 'shared' | 'private' | 'locked' };
  readonly tmpfs?: { readonly size?: number };
  readonly contentCache?: 'default' | 'on' | 'off';
}

/** A secret as a file at `target`, as the environment variable `env`, or both. */
export interface SecretOptions {
  readonly id: string;
  readonly target?: string;
  readonly env?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly optional?: boolean;
}

export interface SshOptions {
  readonly id?: string;
  readonly target?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly optional?: boolean;
}

export class ExecNode implements GraphNode {
  readonly options: RunOptions;
  readonly #state: FileSystem;
  readonly #mounts: readonly MountOptions[];

  constructor(state: FileSystem, options: RunOptions) {
    if (options.args.length === 0) throw invalidArgument('arguments are required');
    this.options = options;
    this.#state = state;
    const root: MountOptions = { target: '/', source: state, readonly: options.readonlyRoot ?? false };
    this.#mounts = [root, ...(options.mounts ?? [])].toSorted((a, b) => compareUtf8(a.target, b.target));
    for (const { target, source, tmpfs } of this.#mounts)
      if (tmpfs && source?.output) throw invalidArgument(`tmpfs mount ${target} must use scratch`);
  }

  inputs(): readonly Output[] {
    return this.#mounts.flatMap((mount) => mount.source?.output ?? []);
  }

  /** What a mount holds after the run. @throws CodedError invalid_argument for one that keeps nothing. */
  outputOf(target: string): Output | undefined {
    const mount = this.#mounts.find((each) => each.target === target);
    if (!mount) throw invalidArgument(`invalid mount: ${target}`);
    if (mount.readonly) return mount.source?.output;
    if (!hasOutput(mount)) throw invalidArgument(`mount ${target} has no output and can't be used as a parent`);
    const index = this.#mounts.filter(hasOutput).indexOf(mount);
    const platform: Platform | undefined = this.options.platform;
    return { node: this, index: () => index, ...(platform ? { platform } : {}) };
  }

  build(context: MarshalContext): BuiltStep {
    const { options } = this;
    const state = this.#state.values;
    const caps = new Set(['exec.meta.base']);
    const ssh = (options.ssh ?? []).map((socket, i) => ({
      ...socket,
      target: socket.target || `/run/buildkit/ssh_agent.${i}`,
    }));
    const env = new Map(state.env);
    if (ssh[0] && !env.has('SSH_AUTH_SOCK')) env.set('SSH_AUTH_SOCK', ssh[0].target);
    if (context.caps?.has('exec.meta.setsdefaultpath')) caps.add('exec.meta.setsdefaultpath');
    else if (context.caps && !env.has('PATH')) env.set('PATH', DEFAULT_PATH);

    const inputs = new InputList(context);
    const mounts: ExecMount[] = [];
    let outputs = 0;
    for (const mount of this.#mounts) {
      addMountCaps(mount, caps);
      mounts.push({
        ...PLAIN_MOUNT,
        input: inputs.add(mount.source?.output),
        selector: mount.selector ?? '',
        dest: mount.target,
        output: hasOutput(mount) ? outputs++ : SKIP_OUTPUT,
        readonly: mount.readonly ?? false,
        contentCache: mount.contentCache ?? 'default',
        ...(mount.cache
          ? { type: 'cache', cache: { id: mount.cache.id, sharing: mount.cache.sharing ?? 'shared' } }
          : mount.tmpfs
            ? { type: 'tmpfs', tmpfs: { size: mount.tmpfs.size ?? 0 } }
            : {}),
      });
    }
    const secrets = options.secrets ?? [];
    for (const secret of secrets) {
      caps.add('exec.mount.secret');
      if (secret.env !== undefined) caps.add('exec.secretenv');
      if (secret.target !== undefined)
        mounts.push({ ...PLAIN_MOUNT, dest: secret.target, type: 'secret', secret: secretMount(secret, 0o400) });
    }
    for (const socket of ssh) {
      caps.add('exec.mount.ssh');
      mounts.push({
        ...PLAIN_MOUNT,
        dest: socket.target,
        type: 'ssh',
        ssh: secretMount({ id: socket.id ?? '', ...socket }, 0o600),
      });
    }
    addMetaCaps(state, options, caps);
    const meta: ExecMeta = {
      args: options.args,
      env: Array.from(env, ([key, value]) => `${key}=${value}`),
      cwd: state.dir,
      user: state.user,
      ...(options.proxyEnv ? { proxyEnv: options.proxyEnv } : {}),
      extraHosts: state.extraHosts,
      hostname: state.hostname,
      ulimits: state.ulimits,
      cgroupParent: state.cgroupParent,
      removeMountStubsRecursive: true,
      validExitCodes: options.validExitCodes ?? [],
    };
    return {
      op: {
        inputs: inputs.list,
        ...envelope(context, options, state.platform),
        body: {
          kind: 'exec',
          exec: {
            meta,
            mounts,
            network: state.network,
            security: state.security,
            secretEnv: secrets.flatMap(({ id, env: name, optional }) =>
              name === undefined ? [] : { id, name, optional: optional ?? false },
            ),
            cdiDevices: (options.cdiDevices ?? []).map(({ name, optional }) => ({ name, optional: optional ?? false })),
          },
        },
      },
      metadata: stepMetadata(options, caps),
    };
  }
}

/** Secret and ssh mounts carry output 0 on the wire though they have none: Go clients never set it. */
const PLAIN_MOUNT: ExecMount = {
  input: EMPTY_INPUT,
  selector: '',
  dest: '',
  output: 0,
  readonly: false,
  type: 'bind',
  resultId: '',
  contentCache: 'default',
};

function hasOutput(mount: MountOptions): boolean {
  return !mount.noOutput && !mount.readonly && !mount.cache && !mount.tmpfs;
}

function secretMount(secret: SecretOptions, defaultMode: number) {
  const { id, uid = 0, gid = 0, mode = defaultMode, optional = false } = secret;
  return { id, uid, gid, mode, optional };
}

function addMountCaps(mount: MountOptions, caps: Set<string>): void {
  if (mount.selector) caps.add('exec.mount.selector');
  if (mount.cache) caps.add('exec.mount.cache').add('exec.mount.cache.sharing');
  else if (mount.tmpfs) {
    caps.add('exec.mount.tmpfs');
    if (mount.tmpfs.size) caps.add('exec.mount.tmpfs.size');
  } else if (mount.source?.output) caps.add('exec.mount.bind');
  if (mount.contentCache && mount.contentCache !== 'default') caps.add('exec.mount.cache.content');
}

function addMetaCaps(state: StateValues, options: RunOptions, caps: Set<string>): void {
  if (options.validExitCodes) caps.add('exec.validexitcode');
  if (state.ulimits.length > 0) caps.add('exec.meta.ulimit');
  if (options.linuxResources) caps.add('exec.meta.linux.resources');
  if (state.network !== 'unset') caps.add('exec.meta.network');
  if (state.security === 'insecure') caps.add('exec.meta.security');
  if (options.proxyEnv) caps.add('exec.meta.proxyenv');
  if (options.cdiDevices?.length) caps.add('exec.meta.cdi');
}
