import { invalidArgument } from './errors.ts';

/** OCI platform; empty members are left out. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

const ARCHITECTURE_ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  x64: 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
  ia32: '386',
};

/** Normal form as containerd has it: aliases resolved, arm64 v8 and amd64 v1 without variant, bare arm is v7. */
export function normalizePlatform(platform: Platform): Platform {
  const lower = platform.architecture.toLowerCase();
  const architecture = ARCHITECTURE_ALIASES[lower] ?? lower;
  let variant: string | undefined = platform.variant?.toLowerCase();
  if (lower === 'armel') variant = variant || 'v6';
  if (architecture === 'arm64' && (variant === '8' || variant === 'v8')) variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (architecture === 'arm') {
    if (!variant) variant = 'v7';
    else if (/^[5678]$/.test(variant)) variant = `v${variant}`;
  }
  return {
    architecture,
    os: platform.os.toLowerCase(),
    ...(variant ? { variant } : {}),
    ...(platform['os.version'] ? { 'os.version': platform['os.version'] } : {}),
    ...(platform['os.features']?.length ? { 'os.features': platform['os.features'] } : {}),
  };
}

/** `os/arch[/variant]`, e.g. `linux/arm/v7`. @throws CodedError invalid_argument */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.some((part) => !/^[A-Za-z0-9_.()-]+$/.test(part)) || parts.length > 3)
    throw invalidArgument(`invalid platform ${JSON.stringify(text)}: expected os/arch[/variant], e.g. linux/amd64`);
  const [first, second, third] = parts as [string, string?, string?];
  if (second === undefined) {
    const architecture = ARCHITECTURE_ALIASES[first.toLowerCase()] ?? first.toLowerCase();
    if (['linux', 'windows', 'darwin', 'freebsd'].includes(architecture))
      return normalizePlatform({ os: architecture, architecture: hostPlatform().architecture });
    return normalizePlatform({ os: 'linux', architecture });
  }
  return normalizePlatform({ os: first, architecture: second, ...(third ? { variant: third } : {}) });
}

/** `os/arch[/variant]`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: 'linux', architecture: process.arch });
}

/** Whether an image for `candidate` runs where `wanted` is asked (equal after normalisation; arm variants downwards). */
export function platformMatches(wanted: Platform, candidate: Platform): boolean {
  const a = normalizePlatform(wanted);
  const b = normalizePlatform(candidate);
  if (a.os !== b.os || a.architecture !== b.architecture) return false;
  if (a.architecture === 'arm') return (b.variant ?? 'v7') <= (a.variant ?? 'v7');
  return (a.variant ?? '') === (b.variant ?? '') || b.variant === undefined;
}
