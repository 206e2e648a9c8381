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
  const [first = '', second, variant, more] = text.split('/', 4);
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

/** Whether an image for `candidate` runs where `wanted` is asked (equal after normalisation; arm variants downwards). */
export function platformMatches(wanted: Platform, candidate: Platform): boolean {
  const a = normalizePlatform(wanted);
  const b = normalizePlatform(candidate);
  if (a.os !== b.os || a.architecture !== b.architecture) return false;
  if (a.architecture === 'arm') return (b.variant ?? 'v7') <= (a.variant ?? 'v7');
  return (a.variant ?? '') === (b.variant ?? '') || b.variant === undefined;
}
