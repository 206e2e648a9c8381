import { readFileSync } from 'node:fs';
import { CodedError } from '../../base/index.ts';
import type { OciSeccomp, OciSyscall } from './oci-spec.ts';

/** Where Debian's golang-github-containers-common (and podman everywhere) puts the field's default profile. */
export const SECCOMP_PROFILE = '/usr/share/containers/seccomp.json';

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly syscalls: readonly (OciSyscall & { readonly includes?: Condition; readonly excludes?: Condition })[];
}

/**
 * Architectures of the filter: the machine's own and its 32-bit mode, so that 32-bit programs run. x32 is left out: nothing uses it, and each
 * architecture costs the runtime milliseconds a step.
 */
const ARCHITECTURES: Readonly<Record<string, { readonly names: readonly string[]; readonly goArch: string }>> = {
  x64: { names: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], goArch: 'amd64' },
  arm64: { names: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'], goArch: 'arm64' },
};

/** What a step may beyond the ordinary. */
interface Grants {
  readonly capabilities: readonly string[];
  /** Sockets to the machine's hypervisor and to others on it: they belong to no network namespace. */
  readonly vsock: boolean;
}

/** The profile reduced to this machine and these grants. @throws CodedError failed_precondition when it is not installed. */
export function loadSeccomp(grants: Grants, path = SECCOMP_PROFILE): OciSeccomp {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw CodedError.of('EXEC_NO_SECCOMP_PROFILE', `no seccomp profile at ${path}`, {
      cause,
      hint: 'install golang-github-containers-common (Debian, Ubuntu) or containers-common',
    });
  }
  return reduceSeccomp(JSON.parse(text) as Profile, grants, process.arch);
}

/**
 * Calls that make or join namespaces, change mounts, or reach what no namespace holds (keyrings, the kernel's log). The profile file leaves some of them open for
 * nested containers; a step has no CAP_SYS_ADMIN and gets none of them, so that kernel bugs behind user namespaces stay out of its reach.
 */
const ADMIN_CALLS: ReadonlySet<string> = new Set([
  ...['unshare', 'setns', 'mount', 'umount', 'umount2', 'pivot_root', 'mount_setattr', 'move_mount', 'open_tree'],
  ...[
    'fsopen',
    'fsconfig',
    'fsmount',
    'fspick',
    'bpf',
    'perf_event_open',
    'fanotify_init',
    'lookup_dcookie',
    'quotactl',
  ],
  ...['keyctl', 'add_key', 'request_key', 'syslog', 'reboot', 'sethostname', 'setdomainname'],
]);
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2)). */
const CLONE_NAMESPACES = 0x7e02_0000;
const EPERM = 1;
const ENOSYS = 38;

/** Rules without {@link ADMIN_CALLS}: clone makes processes and threads only; clone3, whose flags a filter cannot see, is answered as unknown, so that libc falls back. */
function withoutNamespaces(syscalls: readonly OciSyscall[]): OciSyscall[] {
  const isTaken = (name: string) => ADMIN_CALLS.has(name) || name === 'clone' || name === 'clone3';
  const kept = syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !isTaken(name)) }))
    .filter(({ names }) => names.length > 0);
  const noNamespaces = { index: 0, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
  return [
    ...kept,
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [noNamespaces] },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    { names: [...ADMIN_CALLS], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
  ];
}

const AF_VSOCK = 40;
const EAFNOSUPPORT = 97;

/**
 * Rules by which a socket of this family is one that the kernel does not know. Where a rule that allows sockets looks at arguments it stands for other families. The one
 * call by which old 32-bit programs do all with sockets hides its arguments from filters, and stays.
 */
function withoutVsock(syscalls: readonly OciSyscall[]): OciSyscall[] {
  const isPlain = ({ args, names }: OciSyscall) => args === undefined && names.includes('socket');
  const vsock = (op: string) => [{ index: 0, value: AF_VSOCK, valueTwo: 0, op }];
  return [
    ...syscalls.map((rule) => (isPlain(rule) ? { ...rule, names: rule.names.filter((n) => n !== 'socket') } : rule)),
    ...syscalls.filter(isPlain).map((rule) => ({ ...rule, names: ['socket'], args: vsock('SCMP_CMP_NE') })),
    { names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: EAFNOSUPPORT, args: vsock('SCMP_CMP_EQ') },
  ].filter(({ names }) => names.length > 0);
}

export function reduceSeccomp(profile: Profile, { capabilities, vsock }: Grants, machine: string): OciSeccomp {
  const architecture = ARCHITECTURES[machine];
  if (architecture === undefined) throw new CodedError('unimplemented', `no seccomp architecture for ${machine}`);
  const syscalls: OciSyscall[] = [];
  for (const rule of profile.syscalls) {
    const { includes = {}, excludes = {} } = rule;
    if (includes.caps?.some((cap) => !capabilities.includes(cap))) continue;
    if (includes.arches?.length && !includes.arches.includes(architecture.goArch)) continue;
    if (excludes.caps?.some((cap) => capabilities.includes(cap))) continue;
    if (excludes.arches?.includes(architecture.goArch)) continue;
    syscalls.push({
      names: rule.names,
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(rule.args?.length ? { args: rule.args } : {}),
    });
  }
  const reduced = vsock ? syscalls : withoutVsock(syscalls);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: architecture.names,
    syscalls: capabilities.includes('CAP_SYS_ADMIN') ? reduced : withoutNamespaces(reduced),
  };
}
