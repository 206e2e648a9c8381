import type { ExecOp, LinuxResources } from '../../llb/index.ts';
import type { Privileges } from '../../sys/index.ts';
import type { NetworkAccess } from './network.ts';
import type { OciMount, OciProcess, OciResources, OciSeccomp, OciSpec } from './oci-spec.ts';

/** Capabilities of a sandboxed step. */
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

/** What a sandboxed process gets of what the daemon itself has. */
export function sandboxCapabilities(
  { rawSockets }: Pick<NetworkAccess, 'rawSockets'>,
  { capabilities }: Pick<Privileges, 'capabilities'>,
): readonly string[] {
  return SANDBOX_CAPABILITIES.filter((name) => capabilities.includes(name) && (rawSockets || name !== 'CAP_NET_RAW'));
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
interface ProcessInput {
  readonly terminal: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: OciProcess['user'];
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly network: NetworkAccess;
  readonly security: ExecOp['security'];
  readonly privileges: Pick<Privileges, 'capabilities'>;
}

interface SpecInput extends ProcessInput {
  readonly rootPath: string;
  readonly readonlyRoot: boolean;
  readonly hostname: string;
  /** In order, after the default ones; a default one with the same destination, or below it, is left out… */
  readonly mounts: readonly OciMount[];
  /** …but for these of them, which are empty file systems in memory: one takes the place of a default one, and those below stay. */
  readonly inMemory?: readonly string[];
  /** The step's /dev. */
  readonly dev: string;
  readonly cgroupPath: string;
  readonly cgroupNamespace: boolean;
  readonly seccomp: OciSeccomp | undefined;
  readonly resources: LinuxResources | undefined;
}

export function buildProcess(input: ProcessInput): OciProcess {
  const { terminal, user, args, env, cwd, ulimits, network, security, privileges } = input;
  const capabilities = security === 'insecure' ? privileges.capabilities : sandboxCapabilities(network, privileges);
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
  const inMemory = (destination: string) => input.inMemory?.includes(destination) ?? false;
  const isTaken = ({ destination }: OciMount) =>
    input.mounts.some(
      (own) =>
        destination === own.destination ||
        (destination.startsWith(`${own.destination}/`) && !inMemory(own.destination)),
    );
  const defaults = defaultMounts(input.security, input.dev);
  const inPlace = input.mounts.filter(
    ({ destination }) => inMemory(destination) && defaults.some((mount) => mount.destination === destination),
  );
  const mounts = [
    ...defaults.flatMap((mount) => {
      const own = inPlace.filter(({ destination }) => destination === mount.destination);
      return own.length > 0 ? own : isTaken(mount) ? [] : [mount];
    }),
    ...input.mounts.filter((mount) => !inPlace.includes(mount)),
  ];
  const { namespace } = input.network;
  const namespaces: OciSpec['linux']['namespaces'] = [
    ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    ...(namespace === undefined ? [] : [{ type: 'network', ...namespace }]),
    ...(input.cgroupNamespace ? [{ type: 'cgroup' }] : []),
  ];
  return {
    ociVersion: '1.0.2',
    process: buildProcess(input),
    root: { path: input.rootPath, readonly: input.readonlyRoot },
    hostname: input.hostname,
    mounts,
    linux: {
      cgroupsPath: input.cgroupPath,
      namespaces,
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
