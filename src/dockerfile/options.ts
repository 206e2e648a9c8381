import { isIP } from 'node:net';
import { annotate, invalidArgument, type Platform, parsePlatform } from '../base/index.ts';
import type { LinuxResources } from '../llb/op.ts';
import type { CacheImport } from './frontend-interface.ts';
import { type LintOptions, parseLintOptions } from './lint.ts';
import { csvFields, cut, parseBoolean } from './text.ts';

/** The frontend options, read and checked. */
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

const LINT_OPTION = 'build-arg:BUILDKIT_DOCKERFILE_CHECK';

/** @throws CodedError naming the option */
export function readOptions(options: ReadonlyMap<string, string>): BuildOptions {
  const wanted = options.get('platform') ?? '';
  const platforms = wanted === '' ? [] : wanted.split(',').map(targetPlatform);
  const lint = options.get(LINT_OPTION);
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
    shmSize: shmSizeOf(options.get('shm-size') ?? ''),
    ulimits: inContext('failed to parse ulimit', () => ulimitsOf(options.get('ulimit') ?? '')),
    cgroupParent: options.get('cgroup-parent') ?? '',
    linuxResources: inContext('failed to parse resource limits', () => linuxResourcesOf(options)),
    cacheImports: cacheImportsOf(options),
    cacheNamespace: options.get('build-arg:BUILDKIT_CACHE_MOUNT_NS') ?? '',
    lint: lint === undefined ? undefined : inContext(`failed to parse ${LINT_OPTION}`, () => parseLintOptions(lint)),
    keepGitDir: parseBoolean(options.get('build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR') ?? '') ?? false,
  };
}

function targetPlatform(text: string): Platform {
  return inContext(`failed to parse target platform ${text}`, () => parsePlatform(text));
}

function inContext<T>(context: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw annotate(error, context);
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

/** Resources that a process can be limited in, as the field's clients name them. */
const ULIMITS = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

function ulimitsOf(text: string): { name: string; soft: number; hard: number }[] {
  return fieldsOf(text, 'ulimit').map((field) => {
    const [name, values] = cut(field, '=');
    if (values === undefined) throw invalidArgument(`invalid ulimit argument: ${field}`);
    if (!ULIMITS.has(name)) throw invalidArgument(`invalid ulimit type: ${name}`);
    const [first = '', second, third] = values.split(':');
    if (third !== undefined)
      throw invalidArgument(`too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``);
    const soft = integer(first);
    const hard = second === undefined ? soft : integer(second);
    if (hard !== -1 && soft > hard)
      throw invalidArgument(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
    if (hard !== -1 && soft === -1)
      throw invalidArgument(
        `ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: ${hard}`,
      );
    return { name, soft, hard };
  });
}

function shmSizeOf(text: string): number {
  return text === '' ? 0 : inContext('failed to parse shm size', () => integer(text));
}

/** A whole number, in the words of the field's programs when it is none. @throws CodedError */
function integer(text: string, kind: 'Int' | 'Uint' = 'Int'): number {
  const value = (kind === 'Int' ? /^[+-]?\d{1,16}$/ : /^\d{1,16}$/).test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw invalidArgument(`strconv.Parse${kind}: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function linuxResourcesOf(options: ReadonlyMap<string, string>): LinuxResources | undefined {
  const given = (key: string): string => options.get(key) ?? '';
  const number = (key: string, kind: 'Int' | 'Uint', allowed: (value: number) => boolean, range: string): number => {
    const text = given(key);
    if (text === '') return 0;
    const value = inContext(`invalid ${key} value: ${text}`, () => integer(text, kind));
    if (!allowed(value)) throw invalidArgument(`invalid ${key} value: ${text}: must be ${range}`);
    return value;
  };
  const positive = (key: string, kind: 'Int' | 'Uint') => number(key, kind, (value) => value > 0, '> 0');
  const set = (key: string): string => {
    const value = given(key);
    const wrong = value === '' ? undefined : value.split(',').find((element) => !/^\d+(-\d+)?$/.test(element));
    if (wrong !== undefined)
      throw invalidArgument(`invalid ${key} value: ${value}: invalid cpuset element ${JSON.stringify(wrong)}`);
    return value;
  };
  const resources: LinuxResources = {
    memory: positive('memory', 'Int'),
    memorySwap: number('memswap', 'Int', (value) => value === -1 || value > 0, '-1 (unlimited) or > 0'),
    cpuShares: positive('cpushares', 'Uint'),
    cpuPeriod: positive('cpuperiod', 'Uint'),
    cpuQuota: positive('cpuquota', 'Int'),
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
    } catch {
      // It may hold credentials, of which the parser's error quotes some too.
      throw invalidArgument('failed to unmarshal cache-imports: it is not valid JSON');
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
