import { isIP } from 'node:net';
import { annotate, invalidArgument, type Platform, parsePlatform } from '../base/index.ts';
import type { LinuxResources } from '../llb/op.ts';
import type { CacheImport } from './frontend-interface.ts';
import { type LintOptions, parseLintOptions } from './lint.ts';
import { csvFields, cut, parseBoolean } from './text.ts';

/** The frontend options (research wire-facts 9), read and checked. */
export interface BuildOptions {
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly target: string;
  /** Empty: whatever the builder is. */
  readonly platforms: readonly Platform[];
  readonly multiPlatform: boolean;
  /** Stage names; empty list is every stage, undefined none. */
  readonly noCache: readonly string[] | undefined;
  readonly resolveMode: 'default' | 'pull' | 'local';
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[];
  readonly network: 'unset' | 'host' | 'none';
  readonly hostname: string;
  /** Bytes; 0 is the default. */
  readonly shmSize: number;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly cgroupParent: string;
  readonly linuxResources: LinuxResources | undefined;
  readonly cacheImports: readonly CacheImport[];
  readonly cacheNamespace: string;
  readonly lint: LintOptions | undefined;
  readonly keepGitDir: boolean;
}

/** @throws CodedError naming the option */
export function readOptions(options: ReadonlyMap<string, string>): BuildOptions {
  const platforms = (options.get('platform') ?? '')
    .split(',')
    .filter((text) => text !== '')
    .map(targetPlatform);
  const lint = options.get('build-arg:BUILDKIT_DOCKERFILE_CHECK');
  return {
    buildArgs: withPrefix(options, 'build-arg:'),
    labels: withPrefix(options, 'label:'),
    target: options.get('target') ?? '',
    platforms,
    multiPlatform: multiPlatformOf(options, platforms.length > 1),
    noCache: noCacheOf(options.get('no-cache')),
    resolveMode: resolveModeOf(options.get('image-resolve-mode') ?? ''),
    extraHosts: extraHostsOf(options.get('add-hosts') ?? ''),
    network: networkOf(options.get('force-network-mode') ?? ''),
    hostname: options.get('build-arg:BUILDKIT_SANDBOX_HOSTNAME') || (options.get('hostname') ?? ''),
    shmSize: integer(options, 'shm-size') ?? 0,
    ulimits: ulimitsOf(options.get('ulimit') ?? ''),
    cgroupParent: options.get('cgroup-parent') ?? '',
    linuxResources: linuxResourcesOf(options),
    cacheImports: cacheImportsOf(options),
    cacheNamespace: options.get('build-arg:BUILDKIT_CACHE_MOUNT_NS') ?? '',
    lint: lint === undefined ? undefined : parseLintOptions(lint),
    keepGitDir: parseBoolean(options.get('build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR') ?? '') ?? false,
  };
}

function targetPlatform(text: string): Platform {
  try {
    return parsePlatform(text);
  } catch (error) {
    throw annotate(error, `failed to parse target platform ${text}`);
  }
}

function withPrefix(options: ReadonlyMap<string, string>, prefix: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of options) if (key.startsWith(prefix)) found.set(key.slice(prefix.length), value);
  return found;
}

function multiPlatformOf(options: ReadonlyMap<string, string>, several: boolean): boolean {
  const text = options.get('build-arg:BUILDKIT_MULTI_PLATFORM') || options.get('multi-platform');
  if (text === undefined || text === '') return several;
  const asked = parseBoolean(text);
  if (asked === undefined) throw invalidArgument(`invalid boolean value for multi-platform: ${text}`);
  if (!asked && several)
    throw invalidArgument('conflicting config: returning multiple target platforms is not allowed');
  return asked;
}

function noCacheOf(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  return text === '' ? [] : text.split(',');
}

function resolveModeOf(text: string): 'default' | 'pull' | 'local' {
  if (text === '' || text === 'default') return 'default';
  if (text === 'pull' || text === 'local') return text;
  throw invalidArgument(`invalid image-resolve-mode: ${text}`);
}

function networkOf(text: string): 'unset' | 'host' | 'none' {
  if (text === '' || text === 'sandbox') return 'unset';
  if (text === 'host' || text === 'none') return text;
  throw invalidArgument(`invalid netmode ${text}`);
}

function fieldsOf(text: string, option: string): string[] {
  if (text === '') return [];
  const fields = csvFields(text);
  if (fields === undefined) throw invalidArgument(`failed to parse ${option}: bad quoting in ${JSON.stringify(text)}`);
  return fields;
}

function extraHostsOf(text: string): { host: string; ip: string }[] {
  return fieldsOf(text, 'add-hosts').map((field) => {
    const [host, ip] = cut(field.toLowerCase(), '=');
    if (ip === undefined) throw invalidArgument(`failed to parse additional hosts: invalid key-value pair ${field}`);
    if (isIP(ip) === 0) throw invalidArgument(`failed to parse additional hosts: failed to parse IP ${ip}`);
    return { host, ip };
  });
}

function ulimitsOf(text: string): { name: string; soft: number; hard: number }[] {
  return fieldsOf(text, 'ulimit').map((field) => {
    const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(field);
    if (match === null) throw invalidArgument(`failed to parse ulimit: invalid ulimit argument: ${field}`);
    const soft = Number(match[2]);
    const hard = match[3] === undefined ? soft : Number(match[3]);
    if (hard !== -1 && (soft === -1 || soft > hard))
      throw invalidArgument(`failed to parse ulimit: the soft limit is above the hard one: ${field}`);
    return { name: match[1]!, soft, hard };
  });
}

function integer(options: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = options.get(key);
  if (text === undefined || text === '') return undefined;
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidArgument(`invalid ${key} value: ${text}`);
  return value;
}

function linuxResourcesOf(options: ReadonlyMap<string, string>): LinuxResources | undefined {
  const positive = (key: string): number => {
    const value = integer(options, key) ?? 0;
    if (value < 0 || options.get(key) === '0') throw invalidArgument(`invalid ${key} value: ${value}: must be > 0`);
    return value;
  };
  const memorySwap = integer(options, 'memswap') ?? 0;
  if (memorySwap < -1) throw invalidArgument(`invalid memswap value: ${memorySwap}: must be -1 (unlimited) or > 0`);
  const set = (key: string): string => {
    const value = options.get(key) ?? '';
    if (value !== '' && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(value))
      throw invalidArgument(`invalid ${key} value: ${value}`);
    return value;
  };
  const resources: LinuxResources = {
    memory: positive('memory'),
    memorySwap,
    cpuShares: positive('cpushares'),
    cpuPeriod: positive('cpuperiod'),
    cpuQuota: positive('cpuquota'),
    cpusetCpus: set('cpusetcpus'),
    cpusetMems: set('cpusetmems'),
  };
  return Object.values(resources).every((value) => value === 0 || value === '') ? undefined : resources;
}

function cacheImportsOf(options: ReadonlyMap<string, string>): CacheImport[] {
  const imports: CacheImport[] = [];
  const text = options.get('cache-imports') ?? '';
  if (text !== '') {
    let list: unknown;
    try {
      list = JSON.parse(text);
    } catch (error) {
      throw invalidArgument(`failed to unmarshal cache-imports: ${(error as Error).message}`, { cause: error });
    }
    for (const entry of Array.isArray(list) ? list : []) {
      const { Type, type, Attrs, attrs } = entry as Record<string, unknown>;
      imports.push({ type: String(Type ?? type), attrs: stringsOf(Attrs ?? attrs) });
    }
  }
  for (const ref of (options.get('cache-from') ?? '').split(','))
    if (ref !== '') imports.push({ type: 'registry', attrs: { ref } });
  return imports;
}

function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
}
