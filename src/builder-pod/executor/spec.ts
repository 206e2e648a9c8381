import { readFileSync } from 'node:fs';
import type { ExecOp, LinuxResources } from '../../llb/index.ts';
import type { OciMount, OciProcess, OciResources, OciSeccomp, OciSpec } from './oci-spec.ts';

/**
 * Whose network a step has: none but its own loopback, the builder's together with the steps of others, or the builder's because the builder's operator allows it to
 * whoever builds (the entitlement `network.host`).
 */
export type StepNetwork = 'none' | 'shared' | 'host';

/** Capabilities of a sandboxed step (research wire-facts 16). */
const SANDBOX_CAPABILITIES: readonly string[] = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID'],
  ...[
    'CAP_SETUID',
    'CAP_SETFCAP',
    'CAP_SETPCAP',
    'CAP_NET_BIND_SERVICE',
    'CAP_SYS_CHROOT',
    'CAP_KILL',
    'CAP_AUDIT_WRITE',
  ],
];

/** In a network that others share, raw sockets would show what these send. */
export function sandboxCapabilities(network: StepNetwork): readonly string[] {
  return network === 'shared' ? SANDBOX_CAPABILITIES.filter((name) => name !== 'CAP_NET_RAW') : SANDBOX_CAPABILITIES;
}

const MASKED_PATHS = [
  ...['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/sys/firmware'],
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Mounts that every step has, by destination. */
function defaultMounts(security: ExecOp['security'], dev: string): OciMount[] {
  const access = security === 'insecure' ? 'rw' : 'ro';
  const quiet = ['nosuid', 'noexec', 'nodev'];
  const mount = (destination: string, type: string, source: string, options: readonly string[]) => ({
    destination,
    type,
    source,
    options,
  });
  return [
    mount('/proc', 'proc', 'proc', quiet),
    // A bind: the runtime then leaves its inside alone.
    mount('/dev', 'bind', dev, ['rbind', 'nosuid', 'strictatime']),
    mount('/dev/pts', 'devpts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/dev/shm', 'tmpfs', 'shm', [...quiet, 'mode=1777', 'size=65536k']),
    mount('/dev/mqueue', 'mqueue', 'mqueue', quiet),
    mount('/sys', 'sysfs', 'sysfs', [...quiet, access]),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [...quiet, 'relatime', access]),
  ];
}

/** What a process of a container is. */
export interface ProcessInput {
  readonly terminal: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: OciProcess['user'];
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly network: StepNetwork;
  readonly security: ExecOp['security'];
}

export interface SpecInput extends ProcessInput {
  readonly rootPath: string;
  readonly readonlyRoot: boolean;
  readonly hostname: string;
  /** In order, after the default ones; a default one with the same destination, or below it, is left out. */
  readonly mounts: readonly OciMount[];
  /** The step's /dev. */
  readonly dev: string;
  readonly cgroupPath: string;
  readonly cgroupNamespace: boolean;
  readonly seccomp: OciSeccomp | undefined;
  readonly resources: LinuxResources | undefined;
}

export function buildProcess({ terminal, user, args, env, cwd, ulimits, network, security }: ProcessInput): OciProcess {
  const capabilities = security === 'insecure' ? ownCapabilities() : sandboxCapabilities(network);
  return {
    ...{ terminal, user, args, env, cwd },
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: ulimits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard })),
    // Builds use setuid programs.
    noNewPrivileges: false,
  };
}

export function buildSpec(input: SpecInput): OciSpec {
  const insecure = input.security === 'insecure';
  const isTaken = ({ destination }: OciMount) =>
    input.mounts.some((own) => destination === own.destination || destination.startsWith(`${own.destination}/`));
  const namespaces = ['pid', 'ipc', 'uts', 'mount'];
  if (input.network === 'none') namespaces.push('network');
  if (input.cgroupNamespace) namespaces.push('cgroup');
  return {
    ociVersion: '1.0.2',
    process: buildProcess(input),
    root: { path: input.rootPath, readonly: input.readonlyRoot },
    hostname: input.hostname,
    mounts: [...defaultMounts(input.security, input.dev).filter((mount) => !isTaken(mount)), ...input.mounts],
    linux: {
      cgroupsPath: input.cgroupPath,
      namespaces: namespaces.map((type) => ({ type })),
      resources: resourcesOf(input.resources, insecure),
      ...(insecure || input.seccomp === undefined ? {} : { seccomp: input.seccomp }),
      maskedPaths: insecure ? [] : MASKED_PATHS,
      readonlyPaths: insecure ? [] : READONLY_PATHS,
    },
  };
}

/** Zero and empty mean unset, as in LLB. Memory and processes are bounded by the group above. */
function resourcesOf(resources: LinuxResources | undefined, insecure: boolean): OciResources {
  const devices = [{ allow: insecure, access: 'rwm' }];
  if (resources === undefined) return { devices };
  const { cpuShares, cpuPeriod, cpuQuota, cpusetCpus, cpusetMems } = resources;
  return {
    devices,
    cpu: {
      ...(cpuShares === 0 ? {} : { shares: cpuShares }),
      ...(cpuPeriod === 0 ? {} : { period: cpuPeriod }),
      ...(cpuQuota === 0 ? {} : { quota: cpuQuota }),
      ...(cpusetCpus === '' ? {} : { cpus: cpusetCpus }),
      ...(cpusetMems === '' ? {} : { mems: cpusetMems }),
    },
  };
}

const CAPABILITY_NAMES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
];

/** What the daemon itself may: an insecure step gets all of it. Bit numbers as in capabilities(7). */
function ownCapabilities(): string[] {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const bits = BigInt(`0x${bounding}`);
  return CAPABILITY_NAMES.filter((_, bit) => (bits >> BigInt(bit)) & 1n).map((name) => `CAP_${name}`);
}
