import { posix } from 'node:path';
import { invalidArgument, type Platform } from '../base/index.ts';
import { type ExecMount, type ExecOp, type InputIndex, type Output, rawStep, type SecretMount } from '../llb/index.ts';
import type { DispatchContext } from './dispatch-context.ts';
import { fileVertex } from './file-op.ts';
import { chompTabs, heredocMark, summarizeHeredoc } from './heredoc.ts';
import { addHistory } from './image-config.ts';
import type { RunCommand } from './instructions.ts';
import { placeIn } from './location.ts';
import type { Mount } from './mount.ts';
import { COMMAND, displayText, stepName } from './names.ts';
import { cleanPath, joinPath } from './paths.ts';
import { withShell } from './shell-form.ts';
import type { EnvLookup } from './shell-lex.ts';
import type { PlannedCommand, StageState } from './stage-state.ts';
import { isSystemAbsolute } from './system-path.ts';
import { quote } from './text.ts';

/** A mount with a place in the file system: bind, cache or tmpfs. */
interface PlaceMount {
  readonly target: string;
  readonly from: Output | undefined;
  readonly selector: string;
  readonly readonly: boolean;
  readonly noOutput: boolean;
  readonly cache?: NonNullable<ExecMount['cache']>;
  /** Bytes, for tmpfs. */
  readonly tmpfs?: number;
}

interface SecretUse extends SecretMount {
  readonly target: string | undefined;
  readonly env: string | undefined;
}

interface MountPlan {
  readonly places: PlaceMount[];
  readonly secrets: SecretUse[];
  readonly ssh: (SecretMount & { readonly target: string })[];
}

/** RUN */
export function dispatchRun(
  state: StageState,
  command: RunCommand,
  planned: PlannedCommand,
  context: DispatchContext,
): void {
  // A program may read anything.
  state.paths.add('/');
  const plan: MountPlan = { places: [], secrets: [], ssh: [] };
  const script = scriptOf(state, command, plan);
  const args = command.line.shell ? withShell(state.image, { ...command.line, args: script.args }) : [...script.args];
  if (args.length === 0) throw invalidArgument('failed to marshal LLB definition: arguments are required');
  const device = command.devices.find(({ required }) => required);
  if (device !== undefined)
    throw invalidArgument(`failed to load LLB: required device ${quote(device.name)} is not registered`, {
      hint: 'This builder has no devices to give to steps; without `required` the step runs without.',
    });
  for (const [i, mount] of command.mounts.entries())
    planMount(state, command, mount, planned.sources[i]!, plan, context);
  if (context.options.shmSize > 0)
    plan.places.push({ ...PLAIN, target: '/dev/shm', from: undefined, tmpfs: context.options.shmSize });

  const text = displayText(command.code + script.summary, withMaskedSecrets(state.env, command.mounts), {
    escape: context.escape,
    rawQuotes: true,
    rawEscapes: true,
    skipUnset: true,
  });
  const name = stepName(state, text, state.statePlatform, {
    onBuild: planned.onBuild,
    multiPlatform: context.options.multiPlatform,
  });
  const historyText = `RUN ${historyOf(args, state)} # buildkit`;
  state.output = execVertex(state, command, args, plan, name, context);
  addHistory(state.image, historyText, true, context.epoch);
}

const PLAIN = { selector: '', readonly: false, noOutput: false } as const;

/** What runs: the words, or the here-documents as a script for the shell, for another program, or put together again. */
function scriptOf(
  state: StageState,
  command: RunCommand,
  plan: MountPlan,
): { readonly args: readonly string[]; readonly summary: string } {
  const { args, heredocs } = command.line;
  const [first] = heredocs;
  if (first === undefined) return { args, summary: '' };
  if (args.length !== 1 || !command.line.shell)
    throw invalidArgument(`parsing produced an invalid run command: ${args.join(' ')}`);
  if (heredocMark(args[0]!) === undefined)
    return { args: [args[0]! + heredocs.map(({ name, data }) => `\n${data}${name}`).join('')], summary: '' };
  const data = first.chomp ? chompTabs(first.data) : first.data;
  const summary = ` (${summarizeHeredoc(first.data)})`;
  if (state.image.os === 'windows' || !data.startsWith('#!')) return { args: [data], summary };
  // A script with an interpreter of its own is a file, and that is what runs.
  const from = fileVertex(undefined, [{ kind: 'mkfile', path: first.name, mode: 0o755, data }], {
    name: '[internal] preparing inline document',
  });
  plan.places.push({ ...PLAIN, target: '/dev/pipes/', from, selector: '/', readonly: true });
  return { args: [joinPath('/dev/pipes/', first.name)], summary };
}

function planMount(
  state: StageState,
  command: RunCommand,
  mount: Mount,
  source: StageState,
  plan: MountPlan,
  context: DispatchContext,
): void {
  if (mount.type === 'secret') {
    plan.secrets.push(secretOf(state, command, mount));
    return;
  }
  if (mount.type === 'ssh') {
    plan.ssh.push(sshOf(state, command, mount));
    return;
  }
  const fromContext = mount.from === '' && mount.type !== 'cache';
  if (mount.from !== '' && !source.dispatched)
    throw invalidArgument(
      `cannot mount from stage ${quote(mount.from)} to ${quote(mount.target)}, stage needs to be defined before current command`,
    );
  const target = posix.isAbsolute(cleanPath(mount.target))
    ? mount.target
    : joinPath('/', state.directory, mount.target);
  if (target === '/') throw invalidArgument(`invalid mount target ${quote(target)}`);
  let from = fromContext ? context.buildContext : source.output;
  if (mount.type === 'tmpfs') from = undefined;
  let selector = posix.resolve('/', mount.source);
  if (selector === '/') {
    selector = '';
    if (mount.uid !== undefined || mount.gid !== undefined || mount.mode !== undefined) {
      from = cacheRoot(from, mount);
      selector = '/cache';
    }
  }
  plan.places.push({
    target,
    from,
    selector,
    readonly: mount.readonly,
    noOutput: mount.type === 'bind' && !mount.readonly,
    ...(mount.type === 'tmpfs' ? { tmpfs: mount.size } : {}),
    ...(mount.type === 'cache' ? { cache: cacheOf(mount, context) } : {}),
  });
  (fromContext ? state.contextPaths : source.paths).add(posix.resolve('/', mount.source));
}

function cacheOf(mount: Mount, context: DispatchContext): NonNullable<ExecMount['cache']> {
  const id = mount.id === '' ? cleanPath(mount.target) : mount.id;
  return { id: `${context.options.cacheNamespace}/${id}`, sharing: mount.sharing || 'shared' };
}

/** A directory with the owner and mode that a fresh cache shall have. */
function cacheRoot(base: Output | undefined, mount: Mount): Output {
  const owner = { user: mount.uid ?? 0, group: mount.gid ?? 0 };
  return fileVertex(base, [{ kind: 'mkdir', path: '/cache', mode: mount.mode ?? 0o755, parents: false, owner }], {
    name: '[internal] setting cache mount permissions',
  });
}

function secretOf(state: StageState, command: RunCommand, mount: Mount): SecretUse {
  const windows = state.platform?.os === 'windows';
  const given = windows ? mount.target.replaceAll('\\', '/') : mount.target;
  const id = mount.source || mount.id || posix.basename(given);
  const example = `e.g. --mount=type=secret,id=${id},target=C:/path/to/secret`;
  if (windows && given !== '' && !isSystemAbsolute(given, 'windows'))
    throw invalidArgument(
      `secret target ${quote(given)} must be an absolute path with forward slashes on Windows, ${example}`,
    );
  if (windows && given === '' && mount.env === undefined)
    throw invalidArgument(`secret target is required on Windows, ${example}`);
  const target = given || (mount.env === undefined ? `/run/secrets/${posix.basename(id)}` : undefined);
  if (!state.outline.secrets.has(id))
    state.outline.secrets.set(id, { location: command.location, required: mount.required });
  return { ...ownership(mount, 0o400), id, target, env: mount.env, optional: !mount.required };
}

function sshOf(state: StageState, command: RunCommand, mount: Mount): SecretMount & { target: string } {
  if (mount.source !== '') throw invalidArgument('ssh does not support source');
  const shown = mount.id || 'default';
  if (!state.outline.ssh.has(shown))
    state.outline.ssh.set(shown, { location: command.location, required: mount.required });
  return { ...ownership(mount, 0o600), id: mount.id, target: mount.target, optional: !mount.required };
}

function ownership(mount: Mount, mode: number): { uid: number; gid: number; mode: number } {
  return { uid: mount.uid ?? 0, gid: mount.gid ?? 0, mode: mount.mode ?? mode };
}

/** Shows that a variable comes from a secret, whose value nobody here knows. */
function withMaskedSecrets(env: EnvLookup, mounts: readonly Mount[]): EnvLookup {
  const masked = new Set(
    mounts.flatMap(({ type, env: name }) => (type === 'secret' && name !== undefined ? [name] : [])),
  );
  if (masked.size === 0) return env;
  return { get: (name) => (masked.has(name) ? '****' : env.get(name)), keys: () => [...env.keys(), ...masked] };
}

/** `|2 A=1 B=2 /bin/sh -c …`: the arguments in force belong to what the history says. */
function historyOf(args: readonly string[], state: StageState): string {
  const shown = [...state.buildArgs].map(([key, value]) => `${key}=${state.env.get(key) ?? value ?? ''}`);
  return [...(shown.length > 0 ? [`|${shown.length}`, ...shown] : []), ...args].join(' ');
}

function execVertex(
  state: StageState,
  command: RunCommand,
  args: readonly string[],
  plan: MountPlan,
  name: string,
  context: DispatchContext,
): Output {
  const { options } = context;
  const root: PlaceMount = { ...PLAIN, target: '/', from: state.output };
  const places = [root, ...plan.places].sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0));
  const ssh = plan.ssh.map((socket, i) => ({ ...socket, target: socket.target || `/run/buildkit/ssh_agent.${i}` }));
  const env = state.env.clone();
  for (const key of env.keys()) checkVariable(key, env.get(key) ?? '');
  if (ssh.length > 0 && env.get('SSH_AUTH_SOCK') === undefined) env.set('SSH_AUTH_SOCK', ssh[0]!.target);
  const network = command.network === 'default' ? options.network : command.network;
  const meta: ExecOp['meta'] = {
    args,
    env: env.toList(),
    cwd: state.directory,
    user: state.user,
    ...(context.proxy === undefined ? {} : { proxyEnv: context.proxy }),
    extraHosts: options.extraHosts,
    hostname: state.hostname,
    ulimits: options.ulimits,
    cgroupParent: options.cgroupParent,
    removeMountStubsRecursive: true,
    validExitCodes: [],
  };
  const secretEnv = plan.secrets.flatMap(({ id, env: variable, optional }) =>
    variable === undefined ? [] : [{ id, name: variable, optional }],
  );
  const platform: Platform | undefined = state.statePlatform;
  const rootIndex = places.filter(hasOutput).indexOf(root);
  return rawStep(
    {
      inputs: places.map(({ from }) => from),
      caps: capsOf(command, places, plan, network, context),
      body: (indexOf) => ({
        kind: 'exec',
        exec: {
          meta,
          mounts: mountsOf(places, plan.secrets, ssh, indexOf),
          network,
          security: command.security,
          secretEnv,
          cdiDevices: [],
        },
      }),
    },
    {
      name,
      description: { [COMMAND]: command.code },
      locations: placeIn(context.source, command.location),
      ignoreCache: state.ignoreCache,
      ...(platform === undefined ? {} : { platform }),
      ...(options.linuxResources === undefined ? {} : { linuxResources: options.linuxResources }),
    },
    rootIndex,
  );
}

/** What no process can have in its environment; base images bring such variables, as instructions cannot. @throws CodedError */
function checkVariable(key: string, value: string): void {
  if (key !== '' && !key.includes('\0') && !value.includes('\0')) return;
  throw invalidArgument(
    `invalid environment variable ${quote(`${key}=${value}`)}: ${key === '' ? 'it has no name' : 'it holds a null character'}`,
    { hint: 'The base image sets it: take another one, or build it anew without that variable.' },
  );
}

function hasOutput(place: PlaceMount): boolean {
  return !place.noOutput && !place.readonly && place.cache === undefined && place.tmpfs === undefined;
}

const MOUNT: Omit<ExecMount, 'dest' | 'type' | 'input' | 'output'> = {
  selector: '',
  readonly: false,
  resultId: '',
  contentCache: 'default',
};

function mountsOf(
  places: readonly PlaceMount[],
  secrets: readonly SecretUse[],
  ssh: readonly (SecretMount & { readonly target: string })[],
  indexOf: InputIndex,
): ExecMount[] {
  let outputs = 0;
  const mounts = places.map((place): ExecMount => {
    const output = hasOutput(place) ? outputs++ : -1;
    return {
      ...MOUNT,
      input: indexOf(place.from),
      dest: place.target,
      selector: place.selector,
      readonly: place.readonly,
      output,
      type: place.cache !== undefined ? 'cache' : place.tmpfs !== undefined ? 'tmpfs' : 'bind',
      ...(place.cache === undefined ? {} : { cache: place.cache }),
      ...(place.tmpfs === undefined ? {} : { tmpfs: { size: place.tmpfs } }),
    };
  });
  // Those without input and output carry output 0, as the field's clients write them.
  for (const { id, uid, gid, mode, optional, target } of secrets)
    if (target !== undefined)
      mounts.push({
        ...MOUNT,
        input: -1,
        output: 0,
        dest: target,
        type: 'secret',
        secret: { id, uid, gid, mode, optional },
      });
  for (const { id, uid, gid, mode, optional, target } of ssh)
    mounts.push({ ...MOUNT, input: -1, output: 0, dest: target, type: 'ssh', ssh: { id, uid, gid, mode, optional } });
  return mounts;
}

function capsOf(
  command: RunCommand,
  places: readonly PlaceMount[],
  plan: MountPlan,
  network: string,
  { options, proxy, llbCaps }: DispatchContext,
): string[] {
  const caps = new Set(['exec.meta.base']);
  if (llbCaps.has('exec.meta.setsdefaultpath')) caps.add('exec.meta.setsdefaultpath');
  if (network !== 'unset') caps.add('exec.meta.network');
  if (command.security === 'insecure') caps.add('exec.meta.security');
  if (proxy !== undefined) caps.add('exec.meta.proxyenv');
  if (options.ulimits.length > 0) caps.add('exec.meta.ulimit');
  if (options.linuxResources !== undefined) caps.add('exec.meta.linux.resources');
  for (const place of places) {
    if (place.selector !== '') caps.add('exec.mount.selector');
    if (place.cache !== undefined) {
      caps.add('exec.mount.cache');
      caps.add('exec.mount.cache.sharing');
    } else if (place.tmpfs !== undefined) {
      caps.add('exec.mount.tmpfs');
      if (place.tmpfs > 0) caps.add('exec.mount.tmpfs.size');
    } else if (place.from !== undefined) caps.add('exec.mount.bind');
  }
  if (plan.secrets.length > 0) caps.add('exec.mount.secret');
  if (plan.secrets.some(({ env }) => env !== undefined)) caps.add('exec.secretenv');
  if (plan.ssh.length > 0) caps.add('exec.mount.ssh');
  return [...caps];
}
