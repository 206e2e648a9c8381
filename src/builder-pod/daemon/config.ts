import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import {
  annotate,
  CodedError,
  hostPlatform,
  invalidArgument,
  type Limit,
  normalizePlatform,
  type Platform,
  parseDuration,
  parsePlatform,
  parseSize,
} from '../../base/index.ts';
import { defaultGcPolicy, type GcRule } from '../../cache/gc/index.ts';
import { DEFAULT_UNPACK_LIMITS, type UnpackLimits } from '../../oci/layers/index.ts';
import type { RegistryHosts } from '../../oci/registry-client/index.ts';
import { checkTrustedRoot, type TrustedRepositories, VerifyingKey } from '../../oci/signature/index.ts';
import { openRoot, readGroups } from '../../sys/index.ts';
import { DEFAULT_OUTFLOW, type OutflowBounds } from '../builder/index.ts';
import { NETWORK_MODES, type NetworkMode, type StepLimits } from '../executor/index.ts';
import { DEFAULT_HISTORY, type HistoryLimits } from '../history/index.ts';
import { type ConfigFile, idleKeys, parseConfigFile } from './config-file.ts';
import type { Flags } from './flags.ts';

type OciConfig = NonNullable<NonNullable<ConfigFile['worker']>['oci']>;

export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Whose clients are let in. */
  readonly ca?: string;
}

export interface DaemonConfig {
  readonly root: string;
  readonly addresses: readonly ListenAddress[];
  readonly gid: number | undefined;
  /** What the files held when it was read. */
  readonly tls:
    | { readonly cert: string; readonly key: string; readonly ca?: string; readonly files: TlsFiles }
    | undefined;
  readonly entitlements: ReadonlySet<string>;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'text' | 'json';
  readonly platforms: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  readonly network: NetworkMode;
  readonly maxParallelism: number;
  readonly cgroupParent: string | undefined;
  readonly stepLimits: StepLimits;
  /** From the size of the disk; empty for no collection. */
  readonly gcPolicy: (diskBytes: number) => readonly GcRule[];
  readonly registries: RegistryHosts;
  readonly embeddedRegistry: { readonly host: string; readonly port: number } | undefined;
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly idleTimeoutMs: number | undefined;
  /** Solves of `slipway.builder.v1` at once; undefined for as many as steps. */
  readonly maxRuns: number | undefined;
  readonly unattachedMs: number;
  readonly sessionGraceMs: number;
  /** How long builds may go on once the daemon is to end; 0 for not at all. */
  readonly drainMs: number;
  /** How long a client may take to give credentials. */
  readonly sessionAuthMs: number;
  /** How long what a tag named is believed. */
  readonly tagMaxAgeMs: number;
  readonly history: HistoryLimits;
  /** Keys of the file that are set and have no effect. */
  readonly idleKeys: readonly string[];
  /** What one layer or archive may grow to when it is unpacked. */
  readonly unpackLimits: UnpackLimits;
  /** What the files of one directory that a client sends may come to. */
  readonly contextLimit: Limit | undefined;
  /** Caches of registries that are read with a signature only. */
  readonly trustedCaches: readonly TrustedRepositories[];
  /** Stores of caches that whoever names one reaches as the builder itself. */
  readonly ownIdentity: ReadonlySet<string>;
  /** Of what is sent while builds go on, of all of them together. */
  readonly outflow: OutflowBounds;
}

const DEFAULT_ROOT = '/var/lib/buildkit';
const DEFAULT_ADDRESS = 'unix:///run/buildkit/buildkitd.sock';
const DEFAULT_CONFIG = '/etc/buildkit/buildkitd.toml';
const DEFAULT_CNI_CONFIG = '/etc/buildkit/cni.json';
/** What goes out slowly must leave room for what builds wait for: stores of objects take sixteen blobs at once. */
const MAX_OUTFLOW_REQUESTS = 12;
const MAX_GRACE_MS = 14 * 24 * 3600 * 1000;
/** The names that a runtime may be asked for by; which of the two runs is the executor's choice. */
const RUNTIMES: ReadonlySet<string> = new Set(['', 'runc', 'buildkit-runc', 'crun']);
const REPOSITORY_PREFIX = /^(?:\*|[a-zA-Z0-9.:[\]-]+(?:\/[a-z0-9._-]+)*\/?)$/;
const ENTITLEMENTS: ReadonlySet<string> = new Set(['network.host', 'security.insecure']);

/** The variables that stand in for flags, as BuildKit has them. */
const VARIABLES = {
  config: 'BUILDKITD_CONFIG',
  'log-level': 'BUILDKITD_LOG_LEVEL',
  debugaddr: 'BUILDKITD_DEBUGADDR',
} as const;

/** The flags with what the environment says where they are silent. */
export function flagsWithVariables(flags: Flags, env: Readonly<Record<string, string | undefined>>): Flags {
  const set = Object.entries(VARIABLES).flatMap(([flag, name]) => {
    const value = env[name];
    return value === undefined || value === '' ? [] : [[flag, value] as const];
  });
  return { ...Object.fromEntries(set), ...flags };
}

/**
 * What the daemon is to do, from its flags and its file; flags win. What is not built is refused by name where it would mislead.
 * @throws CodedError
 */
export function readConfig(flags: Flags, { cniConfig = DEFAULT_CNI_CONFIG } = {}): DaemonConfig {
  const path = flags.config ?? DEFAULT_CONFIG;
  if (flags.config !== undefined && !existsSync(path)) throw invalidArgument(`--config: ${path} is not there`);
  const file = existsSync(path) ? parseConfigFile(readFileSync(path, 'utf8'), path) : {};
  refuseUnbuilt(flags, file);
  refuseCni(flags, file.worker?.oci ?? {}, cniConfig);
  const oci = file.worker?.oci ?? {};
  const addresses = flags.addr ?? file.grpc?.address ?? [DEFAULT_ADDRESS];
  const debug = flags.debug === true || file.debug === true;
  const trace = flags.trace === true || file.trace === true;
  const platforms = (flags['oci-worker-platform'] ?? oci.platforms ?? []).flatMap((text) => text.split(','));
  return {
    root: flags.root ?? file.root ?? DEFAULT_ROOT,
    addresses: addresses.map(parseAddress),
    gid: flags.group === undefined ? file.grpc?.gid : groupId(flags.group),
    tls: readTls(flags, file),
    entitlements: new Set(
      (flags['allow-insecure-entitlement'] ?? file['insecure-entitlements'] ?? []).map(entitlement),
    ),
    logLevel: level(flags['log-level'] ?? file.log?.level ?? (trace ? 'trace' : debug ? 'debug' : 'info')),
    logFormat: (flags['log-format'] ?? file.log?.format) === 'json' ? 'json' : 'text',
    platforms:
      platforms.length > 0 ? platforms.map((text) => parsePlatform(text)) : [normalizePlatform(hostPlatform())],
    labels: { ...oci.labels, ...labels(flags['oci-worker-labels'] ?? []) },
    network: networkMode(flags['oci-worker-net'] ?? oci.networkMode ?? 'auto'),
    maxParallelism: parallelism(flags['oci-max-parallelism'] ?? oci['max-parallelism']),
    cgroupParent: oci.defaultCgroupParent,
    stepLimits: stepLimits(oci),
    gcPolicy: (disk) => gcPolicy(flags, oci, disk),
    registries: registryHosts(file),
    embeddedRegistry:
      flags['embedded-registry'] === undefined
        ? undefined
        : hostPort(flags['embedded-registry'], '--embedded-registry'),
    metrics: flags['metrics-addr'] === undefined ? undefined : hostPort(flags['metrics-addr'], '--metrics-addr'),
    idleTimeoutMs:
      flags['idle-timeout'] === undefined ? undefined : parseDuration(flags['idle-timeout'], '--idle-timeout'),
    maxRuns: maxRuns(flags['max-runs']),
    unattachedMs: grace(flags['unattached-timeout'] ?? '5m', '--unattached-timeout'),
    sessionGraceMs: grace(flags['session-grace'] ?? '2m', '--session-grace'),
    drainMs: /^0+[a-z]*$/.test(flags['drain-timeout'] ?? '0')
      ? 0
      : grace(flags['drain-timeout'] ?? '0', '--drain-timeout'),
    sessionAuthMs: grace(file.system?.sessionAuthTimeout ?? '1m', 'system.sessionAuthTimeout'),
    tagMaxAgeMs: tagMaxAge(file.system?.tagsCacheMaxAge ?? '30s'),
    history: historyLimits(file.history),
    idleKeys: idleKeys(file),
    unpackLimits: unpackLimits(flags, oci),
    contextLimit: contextLimit(flags['max-context-bytes'] ?? oci['max-context-bytes']),
    trustedCaches: (file['trusted-caches'] ?? []).map(trustedCaches),
    ownIdentity: new Set((file['own-identity']?.caches ?? []).map(ownStore)),
    outflow: outflow(file.outflow),
  };
}

function refuseUnbuilt(flags: Flags, file: ConfigFile): void {
  const oci = file.worker?.oci ?? {};
  const refused: readonly (readonly [boolean, string])[] = [
    [flags['containerd-worker'] === 'true' || file.worker?.containerd?.enabled === true, 'the containerd worker'],
    [flags['oci-worker'] === 'false' || oci.enabled === false, 'running without the OCI worker'],
    [flags.rootless === true || flags['oci-worker-rootless'] === 'true' || oci.rootless === true, 'rootless mode'],
    [flags['oci-worker-no-process-sandbox'] === true || oci.noProcessSandbox === true, 'noProcessSandbox'],
    [flags['proxy-network'] === true || file.proxyNetwork === true, 'proxied networking'],
    [(flags['oci-worker-selinux'] ?? 'false') !== 'false' || oci.selinux === true, 'SELinux labels'],
    [((flags['oci-worker-apparmor-profile'] ?? oci['apparmor-profile']) || '') !== '', 'AppArmor profiles'],
    [(flags['oci-worker-proxy-snapshotter-path'] ?? oci.proxySnapshotterPath ?? '') !== '', 'proxy snapshotters'],
    [
      !['auto', 'overlayfs'].includes(flags['oci-worker-snapshotter'] ?? oci.snapshotter ?? 'auto'),
      'snapshotters other than overlayfs',
    ],
    [
      [file.dns?.nameservers, file.dns?.options, file.dns?.searchDomains].some((list) => (list ?? []).length > 0),
      'own name servers ([dns])',
    ],
    [!RUNTIMES.has(basename(flags['oci-worker-binary'] ?? oci.binary ?? '')), 'runtimes other than runc and crun'],
    [(oci.userRemapUnsupported ?? '') !== '', 'remapping of users'],
    [(file.grpc?.uid ?? 0) !== 0, 'a socket that belongs to another user than root'],
    [file.frontend?.['dockerfile.v0']?.enabled === false, 'switching the Dockerfile frontend off'],
    [(flags.debugaddr ?? file.grpc?.debugAddress ?? '') !== '', 'the debug address'],
  ];
  for (const [asked, what] of refused) {
    if (!asked) continue;
    throw CodedError.of('NOT_BUILT', `${what}: not supported by this builder yet`);
  }
}

/** In mode auto BuildKit takes CNI where its configuration is there: whoever wrote one must not get the builder's own network instead, without a word. */
function refuseCni(flags: Flags, oci: OciConfig, usual: string): void {
  const path = flags['oci-cni-config-path'] ?? oci.cniConfigPath ?? usual;
  if ((flags['oci-worker-net'] ?? oci.networkMode ?? 'auto') !== 'auto' || path === '' || !existsSync(path)) return;
  throw CodedError.of('NOT_BUILT', `CNI networks (${path} is there): not supported by this builder yet`, {
    hint: 'choose what steps get instead: networkMode = "host" (the builder\'s own network) or "none", also as --oci-worker-net',
  });
}

/** @throws CodedError invalid_argument */
function parseAddress(text: string): ListenAddress {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!path.startsWith('/')) throw invalidArgument(`--addr ${text}: the path of the socket must be absolute`);
    return { kind: 'unix', path };
  }
  if (text.startsWith('tcp://')) return { kind: 'tcp', ...hostPort(text.slice('tcp://'.length), '--addr') };
  throw invalidArgument(`--addr ${text}: expected unix:///path or tcp://host:port`);
}

function hostPort(text: string, name: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (at < 0 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalidArgument(`${name} ${text}: expected host:port`);
  }
  return { host: text.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port };
}

function readTls(flags: Flags, file: ConfigFile): DaemonConfig['tls'] {
  const cert = flags.tlscert ?? file.grpc?.tls?.cert;
  const key = flags.tlskey ?? file.grpc?.tls?.key;
  const ca = flags.tlscacert ?? file.grpc?.tls?.ca;
  if (!cert && !key && !ca) return undefined;
  if (!cert || !key) throw invalidArgument('TLS needs both --tlscert and --tlskey');
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw invalidArgument(`cannot read ${path}: ${(cause as Error).message}`, { cause });
    }
  };
  const files = { cert, key, ...(ca ? { ca } : {}) };
  return { cert: read(cert), key: read(key), ...(ca ? { ca: read(ca) } : {}), files };
}

function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  using host = openRoot('/');
  const gid = readGroups(host).find(({ name }) => name === group)?.gid;
  if (gid === undefined) throw invalidArgument(`--group: there is no group ${group}`);
  return gid;
}

function entitlement(name: string): string {
  if (!ENTITLEMENTS.has(name))
    throw invalidArgument(`invalid entitlement ${name}: there are ${[...ENTITLEMENTS].join(', ')}`);
  return name;
}

function level(text: string): DaemonConfig['logLevel'] {
  const known = {
    trace: 'trace',
    debug: 'debug',
    info: 'info',
    warn: 'warn',
    warning: 'warn',
    error: 'error',
  } as const;
  const found = Object.hasOwn(known, text) ? known[text as keyof typeof known] : undefined;
  if (found === undefined) throw invalidArgument(`unknown log level ${text}`);
  return found;
}

function labels(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at <= 0) throw invalidArgument(`label ${JSON.stringify(pair)}: expected key=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Generous, but such that one step cannot take the machine from all others: a tenth of the memory, and half of all processes, stay for these. */
function stepLimits(oci: OciConfig): StepLimits {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
  const all = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  return {
    processes: oci['max-step-processes'] ?? Math.min(32_768, Math.floor(all / 2)),
    memory: parseSize(oci['max-step-memory'] ?? '90%', 'max-step-memory', memory),
  };
}

function networkMode(text: string): NetworkMode {
  const wanted = text === 'auto' ? 'host' : text;
  const mode = NETWORK_MODES.find((known) => known === wanted);
  if (mode !== undefined) return mode;
  throw CodedError.of('NOT_BUILT', `network mode ${text} is not supported by this builder yet`, {
    hint: `modes are auto, ${NETWORK_MODES.join(' and ')}`,
  });
}

function parallelism(value: string | number | undefined): number {
  if (value === undefined) return 0;
  const count = value === 'num-cpu' ? availableParallelism() : Number(value);
  if (!Number.isInteger(count) || count < 0)
    throw invalidArgument(`max-parallelism: ${JSON.stringify(value)} is no number`);
  return count;
}

function maxRuns(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1)
    throw invalidArgument(`--max-runs ${JSON.stringify(value)}: expected a number from 1`);
  return count;
}

function unpackLimits(flags: Flags, oci: OciConfig): UnpackLimits {
  const read = (name: 'max-unpacked-bytes' | 'max-unpacked-entries', usual: number) => {
    const given = flags[name] ?? oci[name];
    const value = given === undefined ? usual : parseSize(given, name, 0);
    if (!(value >= 1)) throw invalidArgument(`${name} ${given}: expected more than nothing`);
    return value;
  };
  return {
    maxUnpackedBytes: read('max-unpacked-bytes', DEFAULT_UNPACK_LIMITS.maxUnpackedBytes),
    maxUnpackedEntries: read('max-unpacked-entries', DEFAULT_UNPACK_LIMITS.maxUnpackedEntries),
  };
}

function contextLimit(given: string | number | undefined): Limit | undefined {
  if (given === undefined) return undefined;
  const name = 'max-context-bytes';
  const most = parseSize(given, name, 0);
  if (!(most >= 1)) throw invalidArgument(`${name} ${given}: expected more than nothing`);
  return { most, name };
}

/** A duration that a timer can hold. */
function grace(value: string | number, name: string): number {
  const ms = parseDuration(value, name);
  if (!(ms > 0 && ms <= MAX_GRACE_MS))
    throw invalidArgument(`${name} ${value}: expected more than nothing and at most 14 days`);
  return ms;
}

function tagMaxAge(value: string | number): number {
  const ms = parseDuration(value, 'system.tagsCacheMaxAge');
  if (!(ms >= 0 && ms <= MAX_GRACE_MS))
    throw invalidArgument(`system.tagsCacheMaxAge ${value}: expected nothing (0) to 14 days`);
  return ms;
}

function historyLimits({ maxEntries, maxAge, maxLogSize }: NonNullable<ConfigFile['history']> = {}): HistoryLimits {
  const logSize =
    maxLogSize === undefined ? DEFAULT_HISTORY.maxLogSize : parseSize(maxLogSize, 'history.maxLogSize', 0);
  if (!(logSize >= 1)) throw invalidArgument(`history.maxLogSize ${maxLogSize}: expected a size such as 256MB`);
  return {
    maxLogSize: logSize,
    maxEntries: maxEntries ?? DEFAULT_HISTORY.maxEntries,
    maxAgeMs: maxAge === undefined ? DEFAULT_HISTORY.maxAgeMs : parseDuration(maxAge, 'history.maxAge'),
  };
}

function outflow({ bandwidth, requests }: NonNullable<ConfigFile['outflow']> = {}): OutflowBounds {
  const bytes = bandwidth === undefined ? DEFAULT_OUTFLOW.bytesPerSecond : parseSize(bandwidth, 'outflow.bandwidth', 0);
  if (!(bytes >= 0) || (typeof bandwidth === 'string' && bandwidth.endsWith('%')))
    throw invalidArgument(`outflow.bandwidth ${bandwidth}: expected bytes a second such as 64MiB, or 0 for no bound`);
  const most = requests ?? DEFAULT_OUTFLOW.requests;
  if (!(most >= 1 && most <= MAX_OUTFLOW_REQUESTS))
    throw invalidArgument(`outflow.requests ${requests}: expected a number from 1 to ${MAX_OUTFLOW_REQUESTS}`);
  return { bytesPerSecond: bytes === 0 ? Number.POSITIVE_INFINITY : bytes, requests: most };
}

function gcPolicy(flags: Flags, oci: OciConfig, disk: number): readonly GcRule[] {
  if (flags['oci-worker-gc'] === 'false' || (flags['oci-worker-gc'] === undefined && oci.gc === false)) return [];
  const bytes = (name: string, value: string | number | undefined) =>
    value === undefined || value === '' ? undefined : parseSize(value, name, disk);
  if (oci.gcpolicy !== undefined) {
    return oci.gcpolicy.map((rule) => ({
      ...(rule.all === undefined ? {} : { all: rule.all }),
      ...(rule.filters === undefined ? {} : { filters: rule.filters }),
      ...(rule.keepDuration === undefined ? {} : { keepDurationMs: parseDuration(rule.keepDuration, 'keepDuration') }),
      ...limit('reservedSpace', bytes('reservedSpace', rule.reservedSpace ?? rule.keepBytes)),
      ...limit('maxUsedSpace', bytes('maxUsedSpace', rule.maxUsedSpace)),
      ...limit('minFreeSpace', bytes('minFreeSpace', rule.minFreeSpace)),
    }));
  }
  const reserved =
    flags['oci-worker-gc-reserved-space'] ??
    flags['oci-worker-gc-keepstorage'] ??
    oci.reservedSpace ??
    oci.gckeepstorage;
  const limits = {
    ...limit('reservedSpace', megabytes(bytes('reservedSpace', reserved), flags['oci-worker-gc-keepstorage'])),
    ...limit('maxUsedSpace', bytes('maxUsedSpace', flags['oci-worker-gc-max-used-space'] ?? oci.maxUsedSpace)),
    ...limit('minFreeSpace', bytes('minFreeSpace', flags['oci-worker-gc-min-free-space'] ?? oci.minFreeSpace)),
  };
  return defaultGcPolicy({ total: disk }).map((rule, i) => (i === 0 ? rule : { ...rule, ...limits }));
}

/** The old keepstorage flag counts in megabytes when it is a bare number. */
function megabytes(bytes: number | undefined, keepStorage: string | undefined): number | undefined {
  return bytes !== undefined && keepStorage !== undefined && /^\d+$/.test(keepStorage)
    ? Number(keepStorage) * 1e6
    : bytes;
}

function limit<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: number };
}

function registryHosts(file: ConfigFile): RegistryHosts {
  const concurrency = file.system?.maxRegistryConcurrency;
  return Object.fromEntries(
    Object.entries(file.registry ?? {}).map(([host, options]) => {
      const found = (options.tlsconfigdir ?? []).map(tlsDirectory);
      const ca = [...(options.ca ?? []), ...found.flatMap((one) => one.ca)];
      const pairs = [...(options.keypair ?? []), ...found.flatMap((one) => one.pairs)];
      const read = (path: string) => readFileSync(path, 'utf8');
      return [
        host,
        {
          ...(options.http === undefined ? {} : { plainHttp: options.http }),
          ...(options.insecure === undefined ? {} : { insecure: options.insecure }),
          ...(ca.length === 0 ? {} : { ca: ca.map(read) }),
          ...(pairs.length === 0
            ? {}
            : { client: pairs.map(({ cert, key }) => ({ cert: read(cert), key: read(key) })) }),
          ...(options.mirrors === undefined ? {} : { mirrors: options.mirrors }),
          ...(concurrency === undefined ? {} : { concurrency }),
        },
      ];
    }),
  );
}

/** A table that cannot be read as it stands keeps the daemon from starting: left out, it would demand nothing. */
function trustedCaches({
  repository,
  keys = [],
  identities = [],
  'trusted-root': root,
}: NonNullable<ConfigFile['trusted-caches']>[number]): TrustedRepositories {
  const name = `trusted-caches: ${repository}`;
  if (!REPOSITORY_PREFIX.test(repository))
    throw invalidArgument(`${name}: expected a registry's host, a repository below it, or *`);
  if (keys.length + identities.length === 0) throw invalidArgument(`${name}: expected keys, or identities`);
  if (identities.length > 0 !== (root !== undefined))
    throw invalidArgument(`${name}: identities and trusted-root are given together`);
  const read = <T>(path: string, parse: (bytes: Uint8Array) => T): T => {
    try {
      return parse(readFileSync(path));
    } catch (error) {
      throw annotate(error, `${name}: ${path}`);
    }
  };
  const parsed = keys.flatMap((path) => read(path, (bytes) => VerifyingKey.parse(bytes)));
  if (root === undefined) return { repository, keys: parsed, identities: [] };
  const bytes = read(root, (found) => {
    checkTrustedRoot(found);
    return found;
  });
  return { repository, keys: parsed, identities: identities.map((one) => ({ ...one, root: bytes })) };
}

/** One form for each store, in which it is asked for. */
function ownStore(text: string): string {
  if (/^s3:\/\/[^\s?#]+$/.test(text)) return text;
  const { protocol = '', origin, pathname = '', search, hash } = URL.parse(text) ?? {};
  if (!/^https?:$/.test(protocol) || search !== '' || hash !== '' || !/^\/[^/]*\/?$/.test(pathname))
    throw invalidArgument(
      `own-identity.caches ${JSON.stringify(text)}: expected s3://BUCKET, https://HOST/BUCKET or https://ACCOUNT.blob.core.windows.net`,
    );
  return `${origin}${pathname.replace(/\/$/, '')}`;
}

/** A directory as Docker keeps one for each registry: authorities in `*.crt`, certificates of a client in `*.cert` with their `*.key`. */
function tlsDirectory(directory: string): {
  readonly ca: readonly string[];
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
} {
  if (!existsSync(directory)) throw invalidArgument(`tlsconfigdir: ${directory} is not there`);
  const names = readdirSync(directory).sort();
  const pairs = names
    .filter((name) => name.endsWith('.cert'))
    .map((name) => ({ cert: join(directory, name), key: join(directory, name.replace(/cert$/, 'key')) }));
  return { ca: names.filter((name) => name.endsWith('.crt')).map((name) => join(directory, name)), pairs };
}
