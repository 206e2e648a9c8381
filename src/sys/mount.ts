import { closeSync, constants as fsConstants, openSync } from 'node:fs';
import { AT_FDCWD, check, checkPath, hasErrno, libc, SYS, sysError } from './libc.ts';
import { tellStart } from './starts.ts';

/** A mount as mount(2) takes it; `options` as in /proc/mounts (`ro`, `rbind`, `lowerdir=…`). The shape of the cache room's `Mount`. */
export interface MountSpec {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const MS_RDONLY = 1;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;

/** Option names that are flags and not data (mount(2)). `0` turns a default on again and needs no flag. */
const FLAGS: Readonly<Record<string, number>> = {
  ro: MS_RDONLY,
  rw: 0,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  sync: 16,
  remount: MS_REMOUNT,
  dirsync: 128,
  noatime: 1024,
  nodiratime: 2048,
  bind: MS_BIND,
  rbind: MS_BIND | MS_REC,
  unbindable: 1 << 17,
  private: 1 << 18,
  rprivate: (1 << 18) | MS_REC,
  slave: 1 << 19,
  rslave: (1 << 19) | MS_REC,
  shared: 1 << 20,
  rshared: (1 << 20) | MS_REC,
  relatime: 1 << 21,
  strictatime: 1 << 24,
  suid: 0,
  dev: 0,
  exec: 0,
};

const PROPAGATION = 0b1111 << 17;
/** mount(2) copies one page of options. */
const MAX_DATA = 4095;

/** Mounts `spec` on `target`, both on this file system's view. Synchronous: microseconds, save for slow file systems. */
export function mount(spec: MountSpec, target: string): void {
  checkPath(target);
  tellStart('mount', target);
  let flags = 0;
  const data: string[] = [];
  for (const option of spec.options) {
    const flag = FLAGS[option];
    if (flag === undefined) data.push(option);
    else flags |= flag;
  }
  const isBind = spec.type === 'bind' || (flags & MS_BIND) !== 0;
  if (isBind) {
    bindMount(spec.source, target, {
      recursive: (flags & MS_REC) !== 0,
      flags: flags & ~(MS_BIND | MS_REC | PROPAGATION),
    });
  } else {
    const text = data.join(',');
    if (Buffer.byteLength(text) <= MAX_DATA) {
      const result = libc.mount(spec.source, target, spec.type, flags & ~PROPAGATION, text);
      check(result, `mount ${spec.type}`, target);
    } else mountLong(spec, data, flags & ~PROPAGATION, target);
  }
  if ((flags & PROPAGATION) !== 0) {
    check(libc.mount('none', target, null, flags & (PROPAGATION | MS_REC), null), 'mount propagation', target);
  }
}

/** Binds `source` on `target`; with `readonly` the new mount alone is read-only. */
export function bind(source: string, target: string, options: { readonly?: boolean; recursive?: boolean } = {}): void {
  tellStart('mount', target);
  bindMount(source, target, { recursive: options.recursive ?? false, flags: options.readonly ? MS_RDONLY : 0 });
}

function bindMount(source: string, target: string, { recursive, flags }: { recursive: boolean; flags: number }): void {
  checkPath(source);
  check(libc.mount(source, target, null, MS_BIND | (recursive ? MS_REC : 0), null), 'mount bind', target);
  if (flags === 0) return;
  // A bind takes no other flag at its birth: they need a remount of that mount alone.
  if (libc.mount('none', target, null, MS_BIND | MS_REMOUNT | flags, null) < 0) {
    const error = sysError('mount remount', target);
    libc.umount2(target, MNT_DETACH);
    throw error;
  }
}

const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_RDONLY = 1;

/**
 * An overlay with more layers than a page of options names: the new mount calls take one layer at a time (`lowerdir+`, Linux 6.5), and
 * older kernels get short names through descriptors.
 */
function mountLong(spec: MountSpec, data: readonly string[], flags: number, target: string): void {
  const lower = data.find((option) => option.startsWith('lowerdir='));
  if (spec.type !== 'overlay' || lower === undefined)
    throw sysError(`mount ${spec.type}: options too long`, target, 22);
  const layers = lower.slice('lowerdir='.length).split(':');
  const rest = data.filter((option) => option !== lower);
  if (!mountByLayers(spec, layers, rest, flags, target)) mountByDescriptors(spec, layers, rest, flags, target);
}

function mountByLayers(
  spec: MountSpec,
  layers: readonly string[],
  rest: readonly string[],
  flags: number,
  target: string,
): boolean {
  const fs = libc.syscall(SYS.fsopen, 'const char*', spec.type, 'unsigned int', 1);
  if (fs < 0) return false;
  const set = (command: number, key: string | null, value: string | null) =>
    libc.syscall(SYS.fsconfig, 'int', fs, 'unsigned int', command, 'const char*', key, 'const char*', value, 'int', 0);
  try {
    for (const layer of layers) if (set(FSCONFIG_SET_STRING, 'lowerdir+', layer) < 0) return false;
    for (const option of rest) {
      const at = option.indexOf('=');
      const result =
        at < 0
          ? set(FSCONFIG_SET_FLAG, option, null)
          : set(FSCONFIG_SET_STRING, option.slice(0, at), option.slice(at + 1));
      check(result, `fsconfig ${option}`, target);
    }
    if ((flags & MS_RDONLY) !== 0) check(set(FSCONFIG_SET_FLAG, 'ro', null), 'fsconfig ro', target);
    check(set(FSCONFIG_CMD_CREATE, null, null), 'fsconfig create', target);
    const attributes = (flags & MS_RDONLY) !== 0 ? MOUNT_ATTR_RDONLY : 0;
    const made = check(
      libc.syscall(SYS.fsmount, 'int', fs, 'unsigned int', 1, 'unsigned int', attributes),
      'fsmount',
      target,
    );
    try {
      check(
        libc.syscall(
          SYS.moveMount,
          ...['int', made, 'const char*', '', 'int', AT_FDCWD, 'const char*', target],
          ...['unsigned int', MOVE_MOUNT_F_EMPTY_PATH],
        ),
        'move_mount',
        target,
      );
    } finally {
      libc.close(made);
    }
    return true;
  } finally {
    libc.close(fs);
  }
}

function mountByDescriptors(
  spec: MountSpec,
  layers: readonly string[],
  rest: readonly string[],
  flags: number,
  target: string,
): void {
  const fds: number[] = [];
  try {
    for (const layer of layers) fds.push(openSync(layer, O_PATH | fsConstants.O_DIRECTORY));
    const data = [`lowerdir=${fds.map((fd) => `/proc/self/fd/${fd}`).join(':')}`, ...rest].join(',');
    if (Buffer.byteLength(data) > MAX_DATA) throw sysError('mount overlay: too many layers', target, 22);
    check(libc.mount(spec.source, target, spec.type, flags, data), 'mount overlay', target);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Linux's O_PATH, which Node does not name. */
export const O_PATH = 0o10000000;

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/**
 * Unmounts what is mounted on `target`; nothing mounted there is no error. `detach` takes it out of the tree even while in use. An overlay
 * syncs its file system here, so call this in a worker where much was written.
 */
export function unmount(target: string, options: { readonly detach?: boolean } = {}): void {
  const flags = UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0);
  if (libc.umount2(checkPath(target), flags) === 0) return;
  const error = sysError('umount', target);
  if (!hasErrno(error, 'EINVAL', 'ENOENT')) throw error;
}

/** Unmounts, and detaches what is still in use. */
export function unmountOrDetach(target: string): void {
  try {
    unmount(target);
  } catch (error) {
    if (!hasErrno(error, 'EBUSY')) throw error;
    unmount(target, { detach: true });
  }
}

/** Mounts several on top of each other at `target`; disposing unmounts them, last first. Undoes its part when one fails. */
export function mountAll(mounts: readonly MountSpec[], target: string): Disposable {
  let done = 0;
  const undo = () => {
    for (; done > 0; done--) unmountOrDetach(target);
  };
  try {
    for (const spec of mounts) {
      mount(spec, target);
      done++;
    }
  } catch (error) {
    undo();
    throw error;
  }
  return { [Symbol.dispose]: undo };
}
