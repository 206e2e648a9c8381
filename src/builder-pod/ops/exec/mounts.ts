import { posix } from 'node:path';
import { CodedError, invalidArgument } from '../../../base/index.ts';
import type {
  CacheMountUse,
  ExchangedMount,
  ImmutableRef,
  Mounted,
  MutableRef,
  RefManager,
  RefOptions,
  WritableRef,
} from '../../../cache/ports.ts';
import { EMPTY_INPUT, type ExecMount, type ExecOp, type LlbVertex, SKIP_OUTPUT } from '../../../llb/index.ts';
import type { MountSpec } from '../../../sys/index.ts';
import type { Step, StepMount } from '../../executor/index.ts';
import type { SourceSecrets } from '../../sources/index.ts';
import { type ExecContext, requireSecret } from './secrets.ts';

/** A result slot of an exec op: a ref still being written, or an input passed through. */
export type Output =
  | { readonly kind: 'written'; readonly ref: MutableRef }
  | { readonly kind: 'passed'; readonly ref: ImmutableRef };

/** Mounts once more what a mount has, to be read beside the step. */
type OpenView = (options: RefOptions) => Promise<Mounted>;

export interface PreparedMounts {
  readonly root: Step['root'];
  readonly mounts: readonly StepMount[];
  /** By output index; all are set. */
  readonly outputs: readonly Output[];
  /** By the op's mounts, what is written in them: outputs, and what is thrown away. */
  readonly written: ReadonlyMap<ExecMount, MutableRef>;
  /** By the op's mounts, of those that have files of their own. */
  readonly views: ReadonlyMap<ExecMount, OpenView>;
}

interface Bind {
  readonly root: Step['root'];
  readonly view: OpenView;
  readonly ref?: MutableRef;
}

const MAX_DESCRIPTION = 4096;

export interface MountEnvironment {
  readonly refs: RefManager;
  readonly secrets: SourceSecrets;
  readonly context: ExecContext;
  readonly refOptions: RefOptions;
  /** Of caches; absent, they begin empty and stay here. */
  readonly exchange?: ((mount: CacheMountUse) => Promise<ExchangedMount | undefined>) | undefined;
  /** The step is to run whatever is cached: its caches begin empty. */
  readonly uncached?: boolean | undefined;
  /** Owns everything that is opened, save outputs that are taken out of it by committing. */
  readonly stack: AsyncDisposableStack;
}

/**
 * Opens what the mounts of an exec op need: views of inputs, new refs on top of them for what is written, named refs for caches, secrets and agents. Root apart, in the
 * order of their destinations, so that outer ones come first.
 */
export async function prepareMounts(
  exec: ExecOp,
  inputs: readonly ImmutableRef[],
  env: MountEnvironment,
): Promise<PreparedMounts> {
  const absolute = (dest: string) => posix.join('/', dest.startsWith('/') ? dest : posix.join(exec.meta.cwd, dest));
  const rootMount = exec.mounts.find(({ dest, type }) => dest === '/' && type === 'bind');
  if (rootMount === undefined) throw invalidArgument('exec op has no mount at /');
  const over = exec.mounts.find(({ dest, type }) => dest === '/' && type !== 'bind');
  if (over !== undefined) throw invalidArgument(`invalid mount type ${over.type.toUpperCase()} for /`);
  const outputs: Output[] = [];
  const caches = new CacheMounts(env);
  // Locked caches are taken in one order by all steps, so that two steps never wait for each other.
  await caches.open(
    exec.mounts.filter(({ type }) => type === 'cache'),
    stepOf(exec),
    (mount) => inputOf(mount, inputs),
  );
  const views = new Map<ExecMount, OpenView>();
  const written = new Map<ExecMount, MutableRef>();
  const bind = async (mount: ExecMount) => {
    const { root, view, ref } = await bindOf(mount, inputs, env, exec, outputs);
    views.set(mount, view);
    if (ref !== undefined) written.set(mount, ref);
    return root;
  };
  const root = await bind(rootMount);
  if (posix.join('/', rootMount.selector) !== '/') {
    throw new CodedError('unimplemented', 'a selector on the root mount of a step is not supported', { fault: 'user' });
  }
  const prepared: { readonly dest: string; readonly mount: StepMount }[] = [];
  for (const mount of exec.mounts) {
    if (mount === rootMount) continue;
    const dest = absolute(mount.dest);
    if (mount.type === 'cache') views.set(mount, (options) => caches.refOf(mount).view(options));
    const step = mount.type === 'cache' ? caches.mountOf(mount, dest) : await otherMount(mount, dest, env, bind);
    if (step !== undefined) prepared.push({ dest, mount: step });
  }
  for (let index = 0; index < outputs.length; index++) {
    if (outputs[index] === undefined) throw invalidArgument(`exec op has no mount for its output ${index}`);
  }
  prepared.sort((a, b) => (a.dest < b.dest ? -1 : a.dest > b.dest ? 1 : 0));
  return { root, mounts: prepared.map(({ mount }) => mount), outputs, written, views };
}

async function otherMount(
  mount: ExecMount,
  dest: string,
  env: MountEnvironment,
  bind: (mount: ExecMount) => Promise<Step['root']>,
): Promise<StepMount | undefined> {
  switch (mount.type) {
    case 'bind': {
      const { mounts, readonly } = await bind(mount);
      return { kind: 'mounts', dest, mounts, readonly, selector: mount.selector };
    }
    case 'tmpfs':
      return {
        ...{ kind: 'mounts', dest, mounts: [tmpfs(mount.tmpfs?.size ?? 0)] },
        ...{ readonly: mount.readonly, selector: mount.selector },
      };
    case 'secret': {
      const { secret } = mount;
      if (secret === undefined) throw invalidArgument(`secret mount at ${mount.dest} names no secret`);
      const data = await requireSecret(secret, env.secrets, env.context);
      if (data === undefined) return undefined;
      return { kind: 'file', dest, data, uid: secret.uid, gid: secret.gid, mode: secret.mode };
    }
    case 'ssh': {
      const { ssh } = mount;
      if (ssh === undefined) throw invalidArgument(`ssh mount at ${mount.dest} names no agent`);
      const { context, secrets, stack } = env;
      const agent = await secrets.sshAgent(ssh.id, context.sessions(), context);
      if (agent === undefined) {
        if (ssh.optional) return undefined;
        throw CodedError.of('EXEC_SSH_MISSING', `no SSH key ${JSON.stringify(ssh.id)} forwarded from the client`, {
          hint: `pass --ssh ${ssh.id || 'default'} to the build`,
        });
      }
      stack.use(agent);
      return { kind: 'path', dest, source: agent.path, readonly: false, owner: ssh };
    }
    default:
      throw new CodedError('unimplemented', `mounts of the type ${JSON.stringify(mount.type)} are not supported`);
  }
}

function tmpfs(size: number): MountSpec {
  return { type: 'tmpfs', source: 'tmpfs', options: ['nosuid', ...(size > 0 ? [`size=${size}`] : [])] };
}

function inputOf(mount: ExecMount, inputs: readonly ImmutableRef[]): ImmutableRef | undefined {
  if (mount.input === EMPTY_INPUT) return undefined;
  const input = inputs[mount.input];
  if (input === undefined) throw invalidArgument(`mount at ${mount.dest}: the op has no input ${mount.input}`);
  return input;
}

/** A bind mount: with an output, a ref on top of the input that is committed; else a read-only view, or a writable one that is thrown away. */
async function bindOf(
  mount: ExecMount,
  inputs: readonly ImmutableRef[],
  { refs, context, refOptions, stack }: MountEnvironment,
  exec: ExecOp,
  outputs: Output[],
): Promise<Bind> {
  const input = inputOf(mount, inputs);
  const hasOutput = mount.output !== SKIP_OUTPUT;
  if (hasOutput && outputs[mount.output] !== undefined) {
    throw invalidArgument(`two mounts of an exec op have the output ${mount.output}`);
  }
  // The runtime makes mount points in the root, so that is always writable: what comes of it is thrown away, and the step sees it read-only.
  if (input !== undefined && mount.readonly && mount.dest !== '/') {
    if (hasOutput) outputs[mount.output] = { kind: 'passed', ref: input };
    return {
      root: { mounts: await input.mounts(refOptions), readonly: true },
      view: (options) => input.mount(options),
    };
  }
  // What is lazy is pulled here, with the sessions of this step; create would find it unpacked.
  if (input?.lazy) await input.mounts(refOptions);
  const ref = await refs.create(input, {
    signal: context.signal,
    owner: refOptions.owner,
    description: `mount ${mount.dest} from ${stepOf(exec)}`.slice(0, MAX_DESCRIPTION),
    scope: context.scope,
  });
  stack.defer(() => ref.release());
  if (hasOutput) outputs[mount.output] = { kind: 'written', ref };
  return { root: { mounts: ref.mounts(), readonly: mount.readonly }, view: (options) => ref.view(options), ref };
}

function stepOf({ meta }: ExecOp): string {
  return `exec ${meta.args.join(' ')}`;
}

/** Of all instances of a cache mount; those on top of an input go on from it with a colon. */
function cacheMountKey(mount: ExecMount): string {
  return `cache-dir:${mount.cache?.id ?? mount.dest}`;
}

/** The cache mounts of steps that are to run whatever is cached: they start empty. */
export function uncachedMounts({ op }: LlbVertex): readonly string[] {
  const { body } = op.op;
  if (body.kind !== 'exec' || !op.metadata.ignoreCache) return [];
  return body.exec.mounts.filter(({ type }) => type === 'cache').map(cacheMountKey);
}

/** The cache mounts of one step: one named ref for all mounts of one key, except private ones. */
class CacheMounts {
  readonly #env: MountEnvironment;
  readonly #opened = new Map<ExecMount, WritableRef>();

  constructor(env: MountEnvironment) {
    this.#env = env;
  }

  async open(
    mounts: readonly ExecMount[],
    step: string,
    inputOf: (mount: ExecMount) => ImmutableRef | undefined,
  ): Promise<void> {
    const wanted = mounts.map((mount) => {
      const parent = inputOf(mount);
      const key = `${cacheMountKey(mount)}${parent === undefined ? '' : `:${parent.id}`}`;
      return { mount, parent, key, sharing: mount.cache?.sharing ?? 'shared' };
    });
    wanted.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const { refs, context, refOptions, stack, exchange, uncached = false } = this.#env;
    const byKey = new Map<string, WritableRef>();
    for (const { mount, parent, key, sharing } of wanted) {
      let ref = sharing === 'private' ? undefined : byKey.get(key);
      if (ref === undefined) {
        if (parent?.lazy) await parent.mounts(refOptions);
        const use = { key, id: mount.cache?.id ?? mount.dest, seed: parent };
        const exchanged = await exchange?.(use);
        const named = await refs.openNamed(
          { scope: context.scope, key, sharing },
          {
            signal: context.signal,
            owner: refOptions.owner,
            description: describe(mount, step),
            recordType: 'exec.cachemount',
            ...(parent === undefined ? {} : { parent }),
            fill: uncached ? undefined : exchanged?.fill,
          },
        );
        stack.defer(async () => {
          await named.release();
          exchanged?.used();
        });
        await named.keep();
        ref = named;
        byKey.set(key, ref);
      }
      this.#opened.set(mount, ref);
    }
  }

  refOf(mount: ExecMount): WritableRef {
    return this.#opened.get(mount) as WritableRef;
  }

  mountOf(mount: ExecMount, dest: string): StepMount {
    const ref = this.refOf(mount);
    return { kind: 'mounts', dest, mounts: ref.mounts(), readonly: mount.readonly, selector: mount.selector };
  }
}

/** As whoever looks for it in disk usage knows it: by the step that made it, and the id where that is a name of its own. */
function describe({ dest, cache }: ExecMount, step: string): string {
  const id = cache === undefined || cache.id === dest ? '' : ` with id ${JSON.stringify(cache.id)}`;
  return `cached mount ${dest} from ${step}`.slice(0, MAX_DESCRIPTION) + id;
}
