import { type CodedError, invalidArgument } from './errors.ts';

/** OCI platform; empty members are left out. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

/** Names that stand alone (`--platform=arm64`), as the field's tools know them. */
const SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const ARCHITECTURES = new Set(
  (
    '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ' +
    'ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'
  ).split(' '),
);

/** Other names of an architecture, with the variant that some of them fix; an empty one is the default. */
const ARCHITECTURE_ALIASES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ['386', ''],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

/** Variants by architecture: other names, and the default, which is not written. */
const VARIANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  amd64: { v1: '' },
  arm64: { '8': '', v8: '', 'v8.0': '', '9': 'v9', '9.0': 'v9', 'v9.0': 'v9' },
  arm: { '': 'v7', '5': 'v5', '6': 'v6', '7': 'v7', '8': 'v8' },
};

/** Normal form as containerd has it: aliases resolved, arm64 v8 and amd64 v1 without variant, bare arm is v7, features sorted. */
export function normalizePlatform(platform: Platform): Platform {
  const given = platform.architecture.toLowerCase();
  const [architecture, fixed] = (Object.hasOwn(ARCHITECTURE_ALIASES, given) && ARCHITECTURE_ALIASES[given]) || [given];
  const named = fixed ?? platform.variant?.toLowerCase() ?? '';
  const known = Object.hasOwn(VARIANTS, architecture) ? VARIANTS[architecture] : undefined;
  const variant = known !== undefined && Object.hasOwn(known, named) ? known[named] : named;
  const os = platform.os.toLowerCase();
  const features = [...new Set(platform['os.features'] ?? [])].sort();
  return {
    architecture,
    os: os === 'macos' ? 'darwin' : os,
    ...(variant ? { variant } : {}),
    ...(platform['os.version'] ? { 'os.version': platform['os.version'] } : {}),
    ...(features.length > 0 ? { 'os.features': features } : {}),
  };
}

const SYSTEM_PART = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;
const PART = /^[A-Za-z0-9_.-]+$/;

/** `os[(version[+feature]…)]/arch[/variant]`, or one of os and arch alone. @throws CodedError invalid_argument */
export function parsePlatform(text: string): Platform {
  const [first = '', second, variant, ...beyond] = text.split('/');
  const more = beyond.length === 0 ? undefined : beyond.join('/');
  const system = SYSTEM_PART.exec(first);
  if (system === null)
    throw invalidPlatform(
      `${quoted(first)} is an invalid OS component of ${quoted(text)}: OSAndVersion specifier component must match ${quoted(SYSTEM_PART.source)}`,
    );
  for (const part of [second, variant, more])
    if (part !== undefined && !PART.test(part))
      throw invalidPlatform(
        `${quoted(part)} is an invalid component of ${quoted(text)}: platform specifier component must match ${quoted(PART.source)}`,
      );
  if (more !== undefined) throw invalidPlatform(`${quoted(text)}: cannot parse platform specifier`);
  const [, os = '', version = '', features = ''] = system;
  const options = {
    'os.version': decodeOption(version, text),
    'os.features': features
      .split('+')
      .filter((feature) => feature !== '')
      .map((feature) => decodeOption(feature, text)),
  };
  const host = hostPlatform();
  const named = normalizePlatform({ os, architecture: second ?? host.architecture, ...options });
  if (second !== undefined) return normalizePlatform({ ...named, architecture: second, variant: variant ?? '' });
  if (SYSTEMS.has(named.os)) return named;
  const bare = normalizePlatform({ os: host.os, architecture: first });
  if (ARCHITECTURES.has(bare.architecture)) return bare;
  throw invalidPlatform(`${quoted(text)}: unknown operating system or architecture`);
}

function invalidPlatform(why: string): CodedError {
  return invalidArgument(`${why}: invalid argument`, { hint: 'Write os/arch[/variant], e.g. linux/amd64.' });
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function decodeOption(text: string, platform: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalidArgument(`${quoted(platform)} has an invalid OS version ${quoted(text)}`, { cause });
  }
}

/** `os[(version[+feature]…)]/arch[/variant]`: what {@link parsePlatform} reads. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  if (os === '') return 'unknown';
  const features = [...new Set(platform['os.features'] ?? [])].filter((feature) => feature !== '').sort();
  const options = [platform['os.version'] ?? '', ...features].map(encodeOption).join('+');
  return [options === '' ? os : `${os}(${options})`, architecture, variant].filter(Boolean).join('/');
}

/** What the notation itself uses. */
function encodeOption(text: string): string {
  return text.replace(/[%+()/]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Architectures as Node names them. */
const HOST_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: 'linux', architecture: HOST_ARCHITECTURES[process.arch] ?? process.arch });
}

/** Arm64 versions that run what was made for this one, it first; 9.x has all of 8.(x+5). */
function arm64Variants(variant: string): string[] {
  const [, major, minor = '0'] = /^v([89])(?:\.(\d))?$/.exec(variant || 'v8') ?? [];
  if (major === undefined) return [variant];
  const down = (of: string, from: number) =>
    Array.from({ length: from + 1 }, (_, n) => (n === from ? `v${of}` : `v${of}.${from - n}`));
  return major === '9' ? [...down('9', Number(minor)), ...down('8', Number(minor) + 5)] : down('8', Number(minor));
}

/** Numbered variants from this one down to the least. */
function downwards(variant: string, least: number): string[] {
  const from = Number(/^v(\d+)$/.exec(variant)?.[1] ?? Number.NaN);
  if (!(from > least && from < 100)) return [variant];
  return Array.from({ length: from - least + 1 }, (_, n) => `v${from - n}`);
}

/** What runs where this platform is asked, best first: older variants, then the 32-bit architecture below (containerd's rules). */
function runnable({
  architecture,
  variant = '',
}: Platform): readonly (readonly [architecture: string, variant: string])[] {
  const of = (name: string, variants: readonly string[]) => variants.map((one) => [name, one] as const);
  switch (architecture) {
    case 'amd64':
      return [...of('amd64', downwards(variant, 1)), ['386', '']];
    case 'arm64':
      return [...of('arm64', arm64Variants(variant)), ...of('arm', downwards('v8', 5))];
    case 'arm':
      return of('arm', downwards(variant, 5));
    default:
      return [[architecture, variant]];
  }
}

/** How well an image for `candidate` runs where `wanted` is asked, 0 being best; undefined when not at all. */
export function platformRank(wanted: Platform, candidate: Platform): number | undefined {
  const host = normalizePlatform(wanted);
  const image = normalizePlatform({ ...candidate, os: candidate.os || 'linux' });
  const features = host['os.features'] ?? [];
  if (host.os !== image.os || !(image['os.features'] ?? []).every((feature) => features.includes(feature)))
    return undefined;
  if (host.os === 'windows' && !sameBuild(host['os.version'], image['os.version'])) return undefined;
  const rank = runnable(host).findIndex(([architecture, variant]) => {
    const one = normalizePlatform({ os: host.os, architecture, variant });
    return one.architecture === image.architecture && (one.variant ?? '') === (image.variant ?? '');
  });
  return rank < 0 ? undefined : rank;
}

/** Windows images run on the build that they were made for. */
function sameBuild(a: string | undefined, b: string | undefined): boolean {
  const build = (version: string) => version.split('.').slice(0, 3).join('.');
  return !a || !b || build(a) === build(b);
}
