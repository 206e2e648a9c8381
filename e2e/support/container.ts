import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { newId } from '../../src/base/index.ts';
import { must, type Ran, run } from './run.ts';
import { type Service, startService } from './service.ts';

/** As the kernel numbers them. */
const CAPABILITIES =
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'.split(
    ' ',
  );

interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
}

/** What of an OCI bundle's config.json is changed here. */
interface Bundle {
  process: {
    terminal: boolean;
    args: string[];
    env: string[];
    user: { uid: number; gid: number };
    capabilities?: Record<string, string[]>;
    noNewPrivileges: boolean;
    rlimits?: unknown;
  };
  root: { readonly?: boolean };
  mounts: Mount[];
  linux: {
    namespaces: { type: string }[];
    resources?: { devices?: unknown };
    maskedPaths?: string[];
    readonlyPaths?: string[];
  };
}

export interface ContainerOptions {
  /** Behind the image's entry point, as a pod's `args` are. */
  readonly args?: readonly string[];
  /** In place of the entry point, as a pod's `command` is. */
  readonly command?: readonly string[];
  /** As `privileged: true` of a pod; without, it has no capability, and its root is read-only. */
  readonly privileged?: boolean;
  /** Folders and files of this machine, by where they are to be. */
  readonly volumes?: Readonly<Record<string, string>>;
}

/** An image of an OCI layout, unpacked, to be run by runc in the network of this machine. */
export interface Unpacked {
  readonly user: { readonly uid: number; readonly gid: number };
  /** Runs it to its end. */
  run(options: ContainerOptions): Promise<Ran>;
  start(options: ContainerOptions): Container;
}

/** Disposing ends it, and all that is in it. */
export interface Container extends AsyncDisposable {
  readonly service: Service;
  /** Runs a program in it, as `kubectl exec` does. */
  exec(args: readonly string[]): Promise<Ran>;
  /** The command line that runs a program in it; the program's words follow. */
  readonly execCommand: readonly string[];
}

/** @param layout `folder:tag` */
export async function unpackImage(layout: string, folder: string): Promise<Unpacked> {
  const bundle = path.join(folder, `bundle-${newId()}`);
  await must('umoci', ['unpack', '--image', layout, bundle]);
  const file = path.join(bundle, 'config.json');
  const image = readFileSync(file, 'utf8');
  const write = (options: ContainerOptions): string => {
    const at = path.join(folder, `container-${newId()}`);
    mkdirSync(at);
    const config = JSON.parse(image) as Bundle;
    (config.root as { path?: string }).path = path.join(bundle, 'rootfs');
    writeFileSync(path.join(at, 'config.json'), JSON.stringify(configured(config, options)));
    return at;
  };
  return {
    user: (JSON.parse(image) as Bundle).process.user,
    run: (options) => run('runc', ['run', '--bundle', write(options), `slipway-e2e-${newId()}`]),
    start: (options) => {
      const at = write(options);
      const id = `slipway-e2e-${newId()}`;
      const service = startService('runc', ['run', '--bundle', at, id], { logFile: path.join(at, 'log') });
      const execCommand = ['runc', 'exec', id];
      return {
        service,
        execCommand,
        exec: (args) => run('runc', [...execCommand.slice(1), ...args]),
        [Symbol.asyncDispose]: async () => {
          await service.stop();
          await run('runc', ['delete', '--force', id]);
          rmSync(at, { recursive: true, force: true });
        },
      };
    },
  };
}

function configured(
  config: Bundle,
  { args = [], command, privileged = false, volumes = {} }: ContainerOptions,
): Bundle {
  const { process: main, linux } = config;
  main.terminal = false;
  delete main.rlimits;
  main.args = [...(command ?? main.args), ...args];
  main.noNewPrivileges = !privileged;
  const granted = privileged ? ownCapabilities() : [];
  main.capabilities = Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, granted]));
  config.root.readonly = !privileged;
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'network');
  const taken = new Set(Object.keys(volumes));
  config.mounts = config.mounts.filter(({ destination }) => !taken.has(destination));
  for (const [destination, source] of Object.entries(volumes))
    config.mounts.push({ destination, type: 'bind', source, options: ['rbind', 'rw'] });
  if (privileged) {
    linux.maskedPaths = [];
    linux.readonlyPaths = [];
    linux.resources = { ...linux.resources, devices: [{ allow: true, access: 'rwm' }] };
    for (const mount of config.mounts)
      mount.options = mount.options?.map((option) => (option === 'ro' ? 'rw' : option)) ?? [];
  }
  return config;
}

/** Nobody can give more than he has. */
function ownCapabilities(): string[] {
  const mask = BigInt(`0x${/^CapBnd:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);
  return CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n).map((name) => `CAP_${name.toUpperCase()}`);
}
