import { existsSync, mkdirSync, statSync } from 'node:fs';
import { mountAll, openRoot } from '../../sys/index.ts';

interface Device {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
}

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** What every step finds (OCI runtime-spec, config-linux.md "Default Devices"). */
const DEFAULT_DEVICES: readonly Device[] = (
  [
    ['null', 1, 3],
    ['zero', 1, 5],
    ['full', 1, 7],
    ['random', 1, 8],
    ['urandom', 1, 9],
    ['tty', 5, 0],
  ] as const
).map(([path, major, minor]) => ({ path, type: 'c', major, minor, mode: 0o666 }));

const LINKS: Readonly<Record<string, string>> = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  ptmx: 'pts/ptmx',
  ...(existsSync('/proc/kcore') ? { core: '/proc/kcore' } : {}),
};

/**
 * Makes a step's /dev: a file system of its own, whole before the runtime starts. A runtime that makes nodes and links itself does so by paths below the root, after
 * all else is mounted there; whatever the step's root or its mounts hold instead of /dev then decides where on this machine it writes.
 */
export function makeDev(directory: string, { insecure }: { readonly insecure: boolean }): void {
  mkdirSync(directory);
  const options = ['nosuid', 'strictatime', 'mode=755', 'size=65536k'];
  mountAll([{ type: 'tmpfs', source: 'tmpfs', options }], directory);
  fillDev(directory, { insecure });
}

/** What a step finds in an empty /dev, with the mount points of what is mounted below it. */
export function fillDev(directory: string, { insecure }: { readonly insecure: boolean }): void {
  using dev = openRoot(directory);
  for (const { path, type, major, minor, mode } of [...DEFAULT_DEVICES, ...(insecure ? insecureDevices() : [])]) {
    dev.mknod(path, (type === 'c' ? S_IFCHR : S_IFBLK) | mode, major, minor);
  }
  for (const [path, target] of Object.entries(LINKS)) dev.symlink(target, path);
  for (const path of ['pts', 'mqueue']) dev.mkdir(path, 0o755);
  dev.mkdir('shm', 0o1777);
}

/** Device nodes that insecure steps are used to finding, where the machine has them. */
function insecureDevices(): Device[] {
  const names = ['fuse', 'kvm', 'loop-control', ...Array.from({ length: 8 }, (_, at) => `loop${at}`)];
  const devices: Device[] = [];
  for (const path of names) {
    const stat = statSync(`/dev/${path}`, { throwIfNoEntry: false });
    if (stat === undefined || !(stat.isBlockDevice() || stat.isCharacterDevice())) continue;
    const major = Number(((BigInt(stat.rdev) >> 8n) & 0xfffn) | ((BigInt(stat.rdev) >> 32n) & ~0xfffn));
    const minor = Number((BigInt(stat.rdev) & 0xffn) | ((BigInt(stat.rdev) >> 12n) & 0xffffff00n));
    devices.push({ path, type: stat.isBlockDevice() ? 'b' : 'c', major, minor, mode: stat.mode & 0o7777 });
  }
  return devices;
}
