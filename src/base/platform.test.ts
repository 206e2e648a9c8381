import { expect, test } from 'vitest';
import { CodedError } from './errors.ts';
import { formatPlatform, hostPlatform, parsePlatform, platformRank } from './platform.ts';

/** What containerd's platforms library (v1.0.0-rc.5) makes of each text: parsed and normalised, and written again. */
test.each([
  ['linux/amd64', { architecture: 'amd64', os: 'linux' }, 'linux/amd64'],
  ['amd64', { architecture: 'amd64', os: 'linux' }, 'linux/amd64'],
  ['macos/arm64', { architecture: 'arm64', os: 'darwin' }, 'darwin/arm64'],
  ['Linux/X86_64', { architecture: 'amd64', os: 'linux' }, 'linux/amd64'],
  ['x86-64', { architecture: 'amd64', os: 'linux' }, 'linux/amd64'],
  ['aarch64', { architecture: 'arm64', os: 'linux' }, 'linux/arm64'],
  ['linux/arm', { architecture: 'arm', os: 'linux', variant: 'v7' }, 'linux/arm/v7'],
  ['arm', { architecture: 'arm', os: 'linux', variant: 'v7' }, 'linux/arm/v7'],
  ['armhf', { architecture: 'arm', os: 'linux', variant: 'v7' }, 'linux/arm/v7'],
  ['armel', { architecture: 'arm', os: 'linux', variant: 'v6' }, 'linux/arm/v6'],
  ['linux/arm/7', { architecture: 'arm', os: 'linux', variant: 'v7' }, 'linux/arm/v7'],
  ['linux/arm/v6', { architecture: 'arm', os: 'linux', variant: 'v6' }, 'linux/arm/v6'],
  ['linux/arm64/v8', { architecture: 'arm64', os: 'linux' }, 'linux/arm64'],
  ['linux/arm64/8', { architecture: 'arm64', os: 'linux' }, 'linux/arm64'],
  ['linux/arm64/v9', { architecture: 'arm64', os: 'linux', variant: 'v9' }, 'linux/arm64/v9'],
  ['linux/arm64/9.0', { architecture: 'arm64', os: 'linux', variant: 'v9' }, 'linux/arm64/v9'],
  ['linux/arm64/v8.1', { architecture: 'arm64', os: 'linux', variant: 'v8.1' }, 'linux/arm64/v8.1'],
  ['linux/amd64/v1', { architecture: 'amd64', os: 'linux' }, 'linux/amd64'],
  ['linux/amd64/v3', { architecture: 'amd64', os: 'linux', variant: 'v3' }, 'linux/amd64/v3'],
  ['i386', { architecture: '386', os: 'linux' }, 'linux/386'],
  ['linux/i386', { architecture: '386', os: 'linux' }, 'linux/386'],
  ['linux/386/sse2', { architecture: '386', os: 'linux', variant: 'sse2' }, 'linux/386/sse2'],
  ['linux/bogus', { architecture: 'bogus', os: 'linux' }, 'linux/bogus'],
  ['bogus/amd64', { architecture: 'amd64', os: 'bogus' }, 'bogus/amd64'],
  ['riscv64', { architecture: 'riscv64', os: 'linux' }, 'linux/riscv64'],
  ['wasm', { architecture: 'wasm', os: 'linux' }, 'linux/wasm'],
  ['js/wasm', { architecture: 'wasm', os: 'js' }, 'js/wasm'],
  [
    'windows(10.0.17763)/amd64',
    { architecture: 'amd64', os: 'windows', 'os.version': '10.0.17763' },
    'windows(10.0.17763)/amd64',
  ],
  [
    'windows(10.0.17763+win32k)/amd64',
    { architecture: 'amd64', os: 'windows', 'os.version': '10.0.17763', 'os.features': ['win32k'] },
    'windows(10.0.17763+win32k)/amd64',
  ],
  [
    'windows(+win32k)/amd64',
    { architecture: 'amd64', os: 'windows', 'os.features': ['win32k'] },
    'windows(+win32k)/amd64',
  ],
  ['windows(+b+a+a)/amd64', { architecture: 'amd64', os: 'windows', 'os.features': ['a', 'b'] }, 'windows(+a+b)/amd64'],
  ['linux(a%2Fb)/amd64', { architecture: 'amd64', os: 'linux', 'os.version': 'a/b' }, 'linux(a%2Fb)/amd64'],
  ['windows()/amd64', { architecture: 'amd64', os: 'windows' }, 'windows/amd64'],
  ['freebsd/arm64', { architecture: 'arm64', os: 'freebsd' }, 'freebsd/arm64'],
  ['wasi/wasm', { architecture: 'wasm', os: 'wasi' }, 'wasi/wasm'],
  ['linux(x)/arm64/v8', { architecture: 'arm64', os: 'linux', 'os.version': 'x' }, 'linux(x)/arm64'],
] as const)('%s is read as containerd reads it', (text, platform, written) => {
  expect(parsePlatform(text)).toEqual(platform);
  expect(formatPlatform(parsePlatform(text))).toBe(written);
  expect(parsePlatform(written)).toEqual(platform);
});

test.each(['linux', 'windows', 'darwin', 'hurd', 'windows(10.0.17763)'])('%s alone is of this architecture', (text) => {
  const { architecture, variant } = hostPlatform();
  expect(formatPlatform(parsePlatform(text))).toBe([text, architecture, variant].filter(Boolean).join('/'));
});

test.each([
  ['bogus', '"bogus": unknown operating system or architecture: invalid argument'],
  ['x64', '"x64": unknown operating system or architecture: invalid argument'],
  ['ia32', '"ia32": unknown operating system or architecture: invalid argument'],
  [
    'linux/',
    '"" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
  ],
  ['linux/amd64/v1/x', '"linux/amd64/v1/x": cannot parse platform specifier: invalid argument'],
  [
    'linux/$A',
    '"$A" is an invalid component of "linux/$A": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
  ],
  [
    'linux/amd64/',
    '"" is an invalid component of "linux/amd64/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
  ],
] as const)('%j is refused in the words of the field', (text, message) => {
  expect(() => parsePlatform(text)).toThrow(message);
});

test.each(['linux(a%zz)/amd64', '/amd64', '', 'li nux', 'windows(/amd64', '*'])('%j is a fault of the user', (text) => {
  const parse = () => parsePlatform(text);
  expect(parse).toThrow(CodedError);
  expect(parse).toThrow(expect.objectContaining({ code: 'invalid_argument', fault: 'user' }));
});

/** Candidates in the order in which the real daemon prefers them (containerd's platforms.Only); none other fits. */
test.each([
  ['linux/amd64', ['linux/amd64', 'linux/386']],
  ['linux/amd64/v3', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64', 'linux/386']],
  ['linux/arm/v7', ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
  ['linux/arm/v6', ['linux/arm/v6', 'linux/arm/v5']],
  ['linux/arm64', ['linux/arm64', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
  [
    'linux/arm64/v8.1',
    ['linux/arm64/v8.1', 'linux/arm64', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'],
  ],
  ['linux/s390x', ['linux/s390x']],
  ['linux/386', ['linux/386']],
  ['windows(10.0.17763.1)/amd64', ['windows(10.0.17763.2)/amd64', 'windows/386']],
] as const)('what runs on %s, best first', (wanted, best) => {
  const others =
    'linux/amd64 linux/amd64/v2 linux/amd64/v3 linux/amd64/v4 linux/386 linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/arm64 linux/arm64/v8.1 linux/arm64/v9 linux/s390x windows(10.0.20348.1)/amd64 windows(10.0.17763.2)/amd64 windows/386 linux(+x)/amd64';
  const fits = others
    .split(' ')
    .map((text) => ({ text, rank: platformRank(parsePlatform(wanted), parsePlatform(text)) }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => a.rank! - b.rank!);
  expect(fits.map(({ text }) => text)).toEqual(best);
});

test('an image that names no system is for Linux; variants of 9 run those of 8', () => {
  expect(platformRank({ os: 'linux', architecture: 'amd64' }, { os: '', architecture: 'amd64' })).toBe(0);
  const v9 = { os: 'linux', architecture: 'arm64', variant: 'v9.1' };
  const ranks = ['v9.1', 'v9', 'v8.6', 'v8.5', 'v8', 'v8.7'].map((variant) => platformRank(v9, { ...v9, variant }));
  expect(ranks).toEqual([0, 1, 2, 3, 8, undefined]);
});
