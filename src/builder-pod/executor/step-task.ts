import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { annotate, CodedError, goQuote, invalidArgument } from '../../base/index.ts';
import type { ExecOp, LinuxResources } from '../../llb/index.ts';
import {
  bind,
  Cgroup,
  type CgroupLayout,
  fstat,
  hasErrno,
  makeBoundedGroup,
  mountAll,
  mountsBelow,
  O_PATH,
  openRoot,
  type Privileges,
  type Root,
  type Stat,
  unmountBelow,
  unmountOrDetach,
} from '../../sys/index.ts';
import { fillDev, makeDev } from './dev.ts';
import { stepEnvironment } from './environment.ts';
import type { NetworkAccess } from './network.ts';
import { DEFAULT_HOSTNAME, hostsFile } from './network-files.ts';
import type { OciMount, OciSeccomp } from './oci-spec.ts';
import type { ContainerSpec, ProcessSpec, StepMount } from './ports.ts';
import { loadSeccomp } from './seccomp.ts';
import { buildProcess, buildSpec, sandboxCapabilities } from './spec.ts';
import { makeStubs, removeStubs, type Stub } from './stubs.ts';
import { lookupUser, type StepUser } from './user.ts';

export interface PrepareArgs {
  /** The bundle, made here. */
  readonly bundle: string;
  readonly root: ContainerSpec['root'];
  readonly mounts: readonly StepMount[];
  readonly meta: ContainerSpec['meta'] & ProcessSpec['meta'];
  readonly terminal: boolean;
  readonly network: NetworkAccess;
  readonly security: ExecOp['security'];
  readonly privileges: Privileges;
  readonly group: GroupArgs;
  readonly seccompProfile: string;
  readonly resources: LinuxResources | undefined;
}

/** The group that holds a container's bounds. The container's own is below it, which the runtime makes. */
interface GroupArgs {
  readonly name: string;
  readonly layout: CgroupLayout;
}

export interface Prepared {
  readonly stubs: readonly Stub[];
}

/** Mounts the root, makes what the step finds there, writes the bundle. Whatever comes of it, {@link finishStep} undoes it. */
export function prepareStep(args: PrepareArgs): Prepared {
  const { name: group, layout } = args.group;
  makeBoundedGroup(new Cgroup(group, layout), layout);
  mkdirSync(args.bundle, { recursive: true, mode: 0o700 });
  // In memory: the configuration holds secret environment variables, and the bundle secret files.
  mountAll([{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=700'] }], args.bundle);
  const { bundle, meta, security } = args;
  const rootPath = `${bundle}/rootfs`;
  mkdirSync(rootPath);
  mountAll(args.root.mounts, rootPath);
  using root = openRoot(rootPath);
  refuseLinks(root);
  const dev = `${bundle}/dev`;
  makeDev(dev, { insecure: security === 'insecure' });
  const user = userOf(root, meta);
  const cwd = posix.join('/', meta.cwd);
  makeWorkingDirectory(root, cwd);
  const hostname = meta.hostname === '' ? DEFAULT_HOSTNAME : meta.hostname;
  writeFileSync(`${bundle}/hosts`, hostsFile(hostname, meta.extraHosts), { mode: 0o644 });
  writeFileSync(`${bundle}/resolv.conf`, hostResolvConf(), { mode: 0o644 });
  const targets: { destination: string; isDirectory: boolean }[] = [];
  const mounts: OciMount[] = [];
  const isInRoot = (destination: string) =>
    !targets.some((other) => destination.startsWith(`${other.destination}/`)) &&
    !DEFAULT_MOUNTS.some((path) => destination.startsWith(`${path}/`));
  const add = (destination: string, { isDirectory, ...mount }: PreparedMount) => {
    const above = DEFAULT_MOUNTS.find((path) => destination.startsWith(`${path}/`));
    if (isInRoot(destination)) targets.push({ destination, isDirectory });
    // As with BuildKit: a mount below one of them takes that one's mount point along when it goes.
    else if (above !== undefined && meta.removeMountStubsRecursive)
      targets.push({ destination: above, isDirectory: true });
    mounts.push({ destination, ...mount });
  };
  const own = (name: string): PreparedMount => ({
    isDirectory: false,
    type: 'bind',
    source: `${bundle}/${name}`,
    options: ['rbind', 'ro', 'nosuid', 'nodev', 'noexec'],
  });
  const placed = args.mounts.map((mount) => ({
    mount,
    destination: posix.resolve('/', cwd, mount.dest),
  }));
  for (const name of ['hosts', 'resolv.conf'])
    if (!placed.some(({ destination }) => destination === `/etc/${name}`)) add(`/etc/${name}`, own(name));
  const inMemory: string[] = [];
  for (const [index, { mount, destination }] of placed.entries()) {
    try {
      const resolved = root.resolveMissing(destination);
      if (resolved === '/') throw invalidArgument(`a second mount at / of a step: ${mount.dest}`);
      const covered = isInRoot(destination) ? (root.lstatIfAny(resolved) ?? 'nothing') : undefined;
      add(destination, prepareMount(bundle, index, mount, { destination, covered }));
    } catch (error) {
      throw misplaced(error, mount, meta);
    }
    if (!isMemory(mount)) continue;
    inMemory.push(destination);
    // The runtime does so only for a file system that it mounts itself.
    if (destination === '/dev') fillDev(`${bundle}/mount-${index}`, { insecure: security === 'insecure' });
  }
  const stubs = makeStubs(root, targets, meta.removeMountStubsRecursive);
  const spec = buildSpec({
    rootPath,
    readonlyRoot: args.root.readonly,
    hostname,
    terminal: args.terminal,
    args: meta.args,
    env: stepEnvironment(meta, args),
    cwd,
    user,
    ulimits: meta.ulimits,
    mounts,
    inMemory,
    dev,
    network: args.network,
    security,
    privileges: args.privileges,
    // The group above outlives the container: it tells which bound was hit.
    cgroupPath: `${group}/step`,
    cgroupNamespace: layout.kind === 'v2',
    seccomp: security === 'insecure' ? undefined : sandboxSeccomp(args),
    resources: args.resources,
  });
  writeFileSync(`${bundle}/config.json`, JSON.stringify(spec), { mode: 0o600 });
  return { stubs };
}

export interface PrepareProcessArgs {
  /** Of the container, which runs. */
  readonly bundle: string;
  readonly name: string;
  readonly meta: ProcessSpec['meta'];
  readonly terminal: boolean;
  readonly network: NetworkAccess;
  readonly security: ExecOp['security'];
  readonly privileges: Privileges;
}

/** Describes another process of a container to the runtime. */
export function prepareProcess(process: PrepareProcessArgs): void {
  const { bundle, name, meta, network, security, privileges, terminal } = process;
  using root = openRoot(`${bundle}/rootfs`);
  const user = userOf(root, meta);
  const { args, ulimits } = meta;
  const cwd = posix.join('/', meta.cwd);
  const spec = buildProcess({
    ...{ terminal, args, ulimits, cwd, user, network, security, privileges },
    env: stepEnvironment(meta, process),
  });
  writeFileSync(`${bundle}/${name}.json`, JSON.stringify(spec), { mode: 0o600 });
}

/**
 * What the runtime mounts on by name must be a directory, or missing: where a link stands instead, it would follow it on this machine.
 * @throws CodedError invalid_argument
 */
function refuseLinks(root: Root): void {
  for (const path of DEFAULT_MOUNTS) {
    const type = root.lstatIfAny(path)?.type;
    if (type !== undefined && type !== 'dir')
      throw CodedError.of('EXEC_MOUNT_POINT', `${path} of the step's root is no directory (${type})`, {
        hint: `every step has a file system mounted there: remove ${path} from the image, or make it a directory`,
      });
  }
}

/** Mount points of their own that every step has: what is below them is not in the root. */
const DEFAULT_MOUNTS = ['/dev', '/proc', '/sys'];

function makeWorkingDirectory(root: Root, cwd: string): void {
  try {
    root.mkdirAll(cwd);
  } catch (error) {
    if (!hasErrno(error, 'ENOTDIR', 'ELOOP')) throw error;
    throw invalidArgument(`working directory ${cwd} of the step is not a directory`, { cause: error });
  }
}

/** Why a mount cannot be where it is wanted. @returns a CodedError that names the process, where the fault is the step's */
function misplaced(error: unknown, mount: StepMount, meta: ProcessSpec['meta']): unknown {
  if (hasErrno(error, 'ENOTDIR', 'ELOOP')) {
    const why = hasErrno(error, 'ELOOP') ? 'too many levels of symbolic links' : 'not a directory';
    return notRun(CodedError.of('EXEC_MOUNT_POINT', `mount at ${mount.dest}: ${why}`, { cause: error }), meta);
  }
  return error instanceof CodedError ? notRun(error, meta) : error;
}

function isMemory(mount: StepMount): boolean {
  return mount.kind === 'mounts' && mount.mounts.length === 1 && mount.mounts[0]?.type === 'tmpfs';
}

type PreparedMount = Omit<OciMount, 'destination'> & { readonly isDirectory: boolean };

/** Where a mount goes, and what it covers there; undefined where that is in another mount. */
interface Place {
  readonly destination: string;
  readonly covered: Stat | 'nothing' | undefined;
}

function prepareMount(bundle: string, index: number, mount: StepMount, place: Place): PreparedMount {
  if (mount.kind === 'file') return memoryFile(bundle, index, mount);
  if (mount.kind === 'path') {
    const access = mount.readonly ? 'ro' : 'rw';
    if (mount.owner !== undefined) {
      chownSync(mount.source, mount.owner.uid, mount.owner.gid);
      chmodSync(mount.source, mount.owner.mode & 0o777);
    }
    return { isDirectory: false, type: 'bind', source: mount.source, options: ['rbind', access] };
  }
  const { mounts, readonly } = mount;
  const selector = posix.join('/', mount.selector);
  const only = mounts[0];
  if (only === undefined) throw invalidArgument(`mount at ${mount.dest} has no content`);
  const text = only.options.join(',');
  const { destination, covered } = place;
  // What replaces /dev is bound like our own. A file system in memory has the mode of what it covers, and the runtime would take our stub for that.
  const isOurs = destination === '/dev' || (only.type === 'tmpfs' && covered !== undefined);
  if (
    mounts.length === 1 &&
    selector === '/' &&
    !isOurs &&
    (only.type !== 'overlay' || Buffer.byteLength(text) < 3500)
  ) {
    // The runtime mounts it in the step's own namespace: it ends with the step.
    const options = readonly && !only.options.includes('ro') ? [...only.options, 'ro'] : only.options;
    return { isDirectory: true, type: only.type, source: only.source, options };
  }
  const whole = `${bundle}/mount-${index}`;
  mkdirSync(whole);
  const mode =
    destination === '/dev' ? 0o755 : covered === undefined || covered === 'nothing' ? 0o1777 : covered.mode & 0o7777;
  mountAll(
    only.type === 'tmpfs' ? [{ ...only, options: [...only.options, `mode=${mode.toString(8)}`] }] : mounts,
    whole,
  );
  using root = openRoot(whole);
  const selected = openSelected(root, selector);
  try {
    const isDirectory = fstat(selected).type === 'dir';
    const source = `${bundle}/selected-${index}`;
    if (isDirectory) mkdirSync(source);
    else writeFileSync(source, '');
    // Through the descriptor: whoever may write there cannot swap the path for a symlink in between.
    bind(`/proc/self/fd/${selected}`, source, { readonly });
    return { isDirectory, type: 'bind', source, options: ['rbind', readonly ? 'ro' : 'rw'] };
  } finally {
    closeSync(selected);
  }
}

function openSelected(root: Root, selector: string): number {
  try {
    return root.open(selector, O_PATH);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    const why = hasErrno(error, 'ENOENT')
      ? `open ${selector}: no such file or directory`
      : `lstat ${selector}: ${hasErrno(error, 'ENOTDIR') ? 'not a directory' : 'too many levels of symbolic links'}`;
    throw CodedError.of('EXEC_MOUNT_SOURCE_MISSING', why, { cause: error });
  }
}

function memoryFile(bundle: string, index: number, mount: StepMount & { kind: 'file' }) {
  const source = `${bundle}/memory-${index}`;
  writeFileSync(source, mount.data, { mode: 0o600 });
  chownSync(source, mount.uid, mount.gid);
  chmodSync(source, mount.mode & 0o777);
  const options = ['rbind', 'ro', 'nosuid', 'nodev', ...((mount.mode & 0o111) === 0 ? ['noexec'] : [])];
  return { isDirectory: false, type: 'bind', source, options };
}

const profiles = new Map<string, OciSeccomp>();

function sandboxSeccomp({ seccompProfile, network, privileges }: PrepareArgs): OciSeccomp {
  const { vsock } = network;
  const capabilities = sandboxCapabilities(network, privileges);
  const key = JSON.stringify([seccompProfile, vsock, capabilities]);
  let profile = profiles.get(key);
  if (profile === undefined) {
    profile = loadSeccomp({ capabilities, vsock }, seccompProfile);
    profiles.set(key, profile);
  }
  return profile;
}

/** Who runs the step. @throws CodedError that names the process, as all that keeps it from running does */
function userOf(root: Root, { user, args }: { readonly user: string; readonly args: readonly string[] }): StepUser {
  try {
    return lookupUser(root, user);
  } catch (error) {
    throw notRun(error, { args });
  }
}

function notRun(error: unknown, { args }: { readonly args: readonly string[] }): CodedError {
  return annotate(error, `process ${goQuote(args.join(' '))} did not complete successfully`);
}

function hostResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

interface FinishArgs {
  readonly bundle: string;
  /** What the runtime keeps of the container while it is there. */
  readonly runtimeState: string;
  readonly stubs: readonly Stub[];
  readonly group: GroupArgs;
}

interface FinishedStep {
  readonly isGroupGone: boolean;
  readonly used: ReturnType<Cgroup['used']>;
}

/** Takes the stubs away, unmounts, removes the bundle, what a runtime that was killed left of its own, and the group. Works on what a failed preparation left, too. @returns whether the group is gone (one that is still dying is not), and what it had used */
export function finishStep({ bundle, stubs, runtimeState, group }: FinishArgs): FinishedStep {
  const cgroup = new Cgroup(group.name, group.layout);
  const used = cgroup.used();
  try {
    if (existsSync(bundle)) removeBundle(bundle, stubs);
  } finally {
    if (existsSync(runtimeState)) removeRuntimeState(runtimeState);
  }
  try {
    return { isGroupGone: cgroup.removeEmpty(), used };
  } catch {
    return { isGroupGone: false, used };
  }
}

/** runc mounts its own program there for a moment, and leaves that mount where it is killed just then. */
function removeRuntimeState(directory: string): void {
  unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true });
}

function removeBundle(bundle: string, stubs: readonly Stub[]): void {
  try {
    if (stubs.length > 0) {
      using root = openRoot(`${bundle}/rootfs`);
      removeStubs(root, stubs);
    }
  } finally {
    unmountBelow(bundle);
    unmountOrDetach(bundle);
    // The bundle was the mount: what is left is an empty directory, and nothing else is ever removed here.
    rmdirSync(bundle);
  }
}

/** Forgets what an earlier life left in an executor's directory; its processes and mounts were swept before. */
export function clearDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const real = realpathSync(directory);
  unmountBelow(real);
  // Removing a tree goes through mounts, and what is mounted here are snapshots.
  const left = mountsBelow(real);
  if (left.length > 0) throw new CodedError('failed_precondition', `${left[0]?.target} cannot be unmounted`);
  rmSync(real, { recursive: true });
}
