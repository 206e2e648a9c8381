import { readFileSync } from 'node:fs';

/** What a daemon may do on its machine, as plain data: snapshots, layers and containers are made accordingly, in worker threads, too. */
export interface Privileges {
  /** Before the names of overlayfs's own attributes. Those of the other kind are files' own, and mean nothing. */
  readonly overlayXattrs: 'trusted.overlay.' | 'user.overlay.';
  /** What every overlay mount is given so that it takes these attributes, and its upper directory alone tells what changed: nothing is a link into a lower one. */
  readonly overlayOptions: readonly string[];
  /** All that it has: an insecure step gets them, no other gets more. */
  readonly capabilities: readonly string[];
}

/** By bit number (capabilities(7)). */
const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** Of root in the machine's own user namespace. */
export const ROOT: Privileges = {
  overlayXattrs: 'trusted.overlay.',
  overlayOptions: ['redirect_dir=off', 'metacopy=off'],
  capabilities: CAPABILITIES,
};

/** Of root in a user namespace: there the kernel takes attributes that every owner of a file may set, where a mount says so; then links are off. */
export function inUserNamespace(capabilities: readonly string[]): Privileges {
  return { overlayXattrs: 'user.overlay.', overlayOptions: ['userxattr'], capabilities };
}

/** Of this process. */
export function ownPrivileges(): Privileges {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const bits = BigInt(`0x${bounding}`);
  const capabilities = CAPABILITIES.filter((_, bit) => (bits >> BigInt(bit)) & 1n);
  const isMachines = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
  return isMachines ? { ...ROOT, capabilities } : inUserNamespace(capabilities);
}
