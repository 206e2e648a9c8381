import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openRoot, type Root } from '../../sys/index.ts';
import { binaryPackages } from './binaries.ts';
import { readerOf } from './language-packages.ts';
import { spdxLicense } from './licenses.ts';
import { scanTree } from './scan-task.ts';
import { alpinePackages, debianPackages } from './system-packages.ts';
import { ScannedTree } from './tree.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'slipway-sbom-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string | Uint8Array>>, mode = 0o644): void {
  for (const [name, content] of Object.entries(files)) {
    const at = path.join(root, name);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, content, { mode });
    chmodSync(at, mode);
  }
}

interface Document {
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo?: string;
    readonly licenseDeclared: string;
    readonly sourceInfo?: string;
    readonly supplier?: string;
    readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  }[];
  readonly creationInfo: { readonly comment?: string; readonly created: string };
  readonly documentNamespace: string;
}

function scan(created = '2020-01-01T00:00:00Z'): Document & { readonly text: string } {
  const context = {
    aborted: () => false,
    throwIfAborted: () => {},
    isAlone: () => false,
    post: () => {},
    transfer: () => {},
  };
  const text = Buffer.from(scanTree({ root, name: 'sbom', created }, context)).toString();
  return { ...JSON.parse(text), text };
}

const purls = ({ packages }: Document) =>
  packages.flatMap(({ externalRefs = [] }) => externalRefs.map(({ referenceLocator }) => referenceLocator));

/** What an ELF file with these sections is. */
function elf(sections: Readonly<Record<string, Uint8Array>>): Buffer {
  const names = Buffer.from(`\0${Object.keys(sections).join('\0')}\0.shstrtab\0`);
  const bodies = [...Object.entries(sections), ['.shstrtab', names] as const];
  const table = Buffer.alloc(64 * (bodies.length + 1));
  let offset = 64;
  bodies.forEach(([name, bytes], n) => {
    const at = 64 * (n + 1);
    table.writeUInt32LE(names.indexOf(`\0${name}\0`) + 1, at);
    table.writeUInt32LE(1, at + 4);
    table.writeBigUInt64LE(BigInt(offset), at + 24);
    table.writeBigUInt64LE(BigInt(bytes.length), at + 32);
    offset += bytes.length;
  });
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header.set([2, 1, 1], 4);
  header.writeBigUInt64LE(BigInt(offset), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(bodies.length + 1, 60);
  header.writeUInt16LE(bodies.length, 62);
  return Buffer.concat([header, ...bodies.map(([, bytes]) => bytes), table, Buffer.alloc(1024)]);
}

function goInfo(version: string, modules: string): Buffer {
  const header = Buffer.alloc(32);
  header.write('\xff Go buildinf:', 'latin1');
  header[14] = 8;
  header[15] = 2;
  const text = (value: string) => {
    const bytes = Buffer.from(value, 'latin1');
    const length: number[] = [];
    for (let left = bytes.length; ; left >>= 7) {
      length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
      if (left <= 0x7f) break;
    }
    return Buffer.concat([Buffer.from(length), bytes]);
  };
  return Buffer.concat([header, text(version), text(`${'0'.repeat(16)}${modules}${'1'.repeat(16)}`)]);
}

const DEBIAN = {
  'etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
  'var/lib/dpkg/status': `Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Description: GNU C Library
 more
 Package: not-this

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
`,
  'usr/share/doc/libc6/copyright':
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: LGPL-2.1+\n\nFiles: x\nLicense: Expat or GPL-2\n\nLicense: Own-one\n text\n',
  'var/lib/dpkg/status.d/tzdata': 'Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n',
  'var/lib/dpkg/status.d/tzdata.md5sums': 'Package: no\nVersion: 1\n',
};
const ALPINE = {
  'etc/os-release': "ID=alpine\nVERSION_ID='3.20.1'\n",
  'lib/apk/db/installed':
    'C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nm:Timo <timo@example.com>\nF:lib\n\nP:libssl3\nV:3.3.1-r0\nA:x86_64\nL:Apache-2.0\no:openssl\n\n',
};
const LANGUAGES = {
  'app/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0","license":"WTFPL"}',
  'app/node_modules/@scope/a/package.json': '\uFEFF{"name":"@scope/a","version":"2.0.0","license":{"type":"MIT"}}',
  'app/node_modules/left-pad/test/package.json': '{"name":"no","version":"1.0.0"}',
  'app/package.json': '{"name":"app","version":"1.0.0"}',
  'app/package-lock.json':
    '{"lockfileVersion":3,"packages":{"":{"name":"app"},"node_modules/left-pad":{"version":"1.3.0"},"node_modules/b":{"version":"1.0.0","license":"ISC"},"node_modules/l":{"link":true}}}',
  'old/package-lock.json':
    '{"lockfileVersion":1,"dependencies":{"c":{"version":"3.0.0","dependencies":{"d":{"version":"4.0.0"}}},"e":{"version":"file:../e"}}}',
  'usr/lib/python3/site-packages/Flask_Thing-2.0.dist-info/METADATA':
    'Metadata-Version: 2.1\nName: Flask_Thing\nVersion: 2.0\nLicense: BSD-3-Clause\nAuthor: A Person\n\nName: not this\n',
  'usr/lib/python3/x.egg-info/PKG-INFO': 'Name: x\nVersion: 1\nClassifier: License :: OSI Approved :: MIT License\n',
  'usr/lib/python3/y.egg-info': 'Name: y\nVersion: 2\nLicense: UNKNOWN\n',
  'src/Cargo.lock':
    'version = 3\n\n[[package]]\nname = "serde"\nversion = "1.0.200"\nsource = "registry+x"\n\n[[package]]\nname = "app"\nversion = "0.1.0"\ndependencies = [\n "serde",\n]\n',
};
const BINARIES = {
  'usr/bin/tool': elf({
    '.text': Buffer.alloc(100),
    '.go.buildinfo': goInfo(
      'go1.22.3',
      'path\texample.com/tool\nmod\texample.com/tool\t(devel)\t\ndep\tgithub.com/a/b\tv1.2.3\th1:x\ndep\tgithub.com/old/c\tv1.0.0\n=>\tgithub.com/new/c\tv1.1.0\th1:y\nbuild\t-compiler=gc\n',
    ),
  }),
  'usr/bin/rusty': elf({
    '.dep-v0': deflateSync(
      Buffer.from(
        '{"packages":[{"name":"ring","version":"0.17.8"},{"name":"cc","version":"1.0.0","kind":"build"},{"name":"app","version":"0.1.0","root":true}]}',
      ),
    ),
  }),
};

describe('packages', () => {
  test('of Debian, and of images that have a file a package', () => {
    write(DEBIAN);
    const found = scan();
    expect(purls(found)).toEqual([
      'pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc%402.36-9',
      'pkg:deb/debian/tzdata@2024a-0?arch=all&distro=debian-12',
    ]);
    expect(found.packages.find(({ name }) => name === 'libc6')).toMatchObject({
      versionInfo: '2.36-9+deb12u4',
      supplier: 'Organization: GNU Libc Maintainers (debian-glibc@lists.debian.org)',
      licenseDeclared: expect.stringMatching(
        /^\(MIT OR GPL-2\.0-only\) AND LGPL-2\.1-or-later AND LicenseRef-Own-one-[0-9a-f]{8}$/,
      ),
      sourceInfo: 'found in /var/lib/dpkg/status',
    });
    expect(found.packages.find(({ name }) => name === 'debian')).toMatchObject({ versionInfo: '12' });
  });

  test('of Alpine', () => {
    write(ALPINE);
    const found = scan();
    expect(purls(found)).toEqual([
      'pkg:apk/alpine/libssl3@3.3.1-r0?arch=x86_64&distro=alpine-3.20.1&upstream=openssl',
      'pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1',
    ]);
    expect(found.packages.map(({ licenseDeclared }) => licenseDeclared).slice(-2)).toEqual(['Apache-2.0', 'MIT']);
  });

  test('of npm, PyPI and Cargo', () => {
    write(LANGUAGES);
    expect(purls(scan())).toEqual([
      'pkg:cargo/app@0.1.0',
      'pkg:cargo/serde@1.0.200',
      'pkg:npm/%40scope/a@2.0.0',
      'pkg:npm/b@1.0.0',
      'pkg:npm/c@3.0.0',
      'pkg:npm/d@4.0.0',
      'pkg:npm/left-pad@1.3.0',
      'pkg:pypi/flask-thing@2.0',
      'pkg:pypi/x@1',
      'pkg:pypi/y@2',
    ]);
  });

  test('built into executables', () => {
    write(BINARIES, 0o755);
    expect(purls(scan())).toEqual([
      'pkg:cargo/app@0.1.0',
      'pkg:cargo/ring@0.17.8',
      'pkg:golang/example.com/tool',
      'pkg:golang/github.com/a/b@v1.2.3',
      'pkg:golang/github.com/new/c@v1.1.0',
      'pkg:golang/stdlib@1.22.3',
    ]);
  });
});

test('the same files give the same bytes but for the time', () => {
  write({ ...DEBIAN, ...LANGUAGES });
  write(BINARIES, 0o755);
  const [first, second, later] = [scan(), scan(), scan('2021-01-01T00:00:00Z')];
  expect(second.text).toBe(first.text);
  expect(later.documentNamespace).toBe(first.documentNamespace);
  expect(later.text).toBe(first.text.replace('2020-01-01', '2021-01-01'));
});

describe('what is hostile', () => {
  test('names that every object has, and a version that is cut in the middle of a letter', () => {
    write({
      ...DEBIAN,
      'etc/os-release': `ID=debian\nVERSION_ID="${'1'.repeat(99)}\u{1f600}"\n`,
      'node_modules/constructor/package.json': '{"name":"constructor","version":"1.0.0","license":"constructor"}',
      'node_modules/x/package.json': '{"name":"x","version":"1.0.0","license":"toString","licenses":["__proto__"]}',
    });
    const found = scan();
    expect(found.packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['constructor', 'libc6', 'tzdata', 'x']),
    );
  });

  test('links lead nowhere outside, and what is no file is not opened', () => {
    write({ 'var/lib/dpkg/x': '' });
    symlinkSync('/etc/os-release', path.join(root, 'os-release'));
    mkdirSync(path.join(root, 'etc'));
    symlinkSync('../../../../../../../../etc/os-release', path.join(root, 'etc/os-release'));
    symlinkSync('../../../../../../../../../var/lib/dpkg/status', path.join(root, 'var/lib/dpkg/status'));
    execFileSync('mkfifo', [path.join(root, 'Cargo.lock')]);
    symlinkSync('/', path.join(root, 'loop'));
    expect(purls(scan())).toEqual([]);
  });

  test('broken metadata is passed by, and said to be', () => {
    write({
      'a/node_modules/a/package.json': '{"name":',
      'b/node_modules/b/package.json': '[1]',
      'c/node_modules/c/package.json': '{"name":"../x","version":"1.0.0"}',
      'd/node_modules/d/package.json': '{"name":"d","version":"1.0.0\\u0000"}',
      'e/package-lock.json': '{"packages":{"node_modules/e":7}}',
      'f/package-lock.json': '{"packages":[],"dependencies":{"f":{"version":{}}}}',
      'g/Cargo.lock': '[[package]]\nname = "\n[[package]]',
      'var/lib/dpkg/status': ':\n\n\nPackage\n: x\nPackage: \u0001\nVersion: 1\n',
      'lib/apk/db/installed': '\n\n\nP:\nV:1\n\nP:x y\u0000\n',
    });
    const found = scan();
    expect(purls(found)).toEqual([]);
    expect(found.creationInfo.comment).toContain('/a/node_modules/a/package.json');
  });

  test('executables that lie', () => {
    const whole = BINARIES['usr/bin/tool'];
    write({ short: whole.subarray(0, 1100), bomb: elf({ '.dep-v0': deflateSync(Buffer.alloc(40 << 20)) }) }, 0o755);
    for (const at of [32, 40, 41, 44, 47, 58, 60, 62, 63]) {
      const bent = Buffer.from(whole);
      bent[at] = 0xff;
      write({ [`bent${at}`]: bent }, 0o755);
    }
    const cut = goInfo('go1.22', 'dep\tx.y/z\tv1');
    write(
      {
        strings: elf({ '.go.buildinfo': cut.subarray(0, 40) }),
        varint: elf({ '.go.buildinfo': Buffer.concat([cut.subarray(0, 32), Buffer.alloc(50, 0xff)]) }),
      },
      0o755,
    );
    const found = scan();
    expect(found.creationInfo.comment).toContain('/bomb: its list of crates cannot be read');
  });

  test('huge files are said to be passed by', () => {
    write({ 'var/lib/dpkg/status': '' });
    truncateSync(path.join(root, 'var/lib/dpkg/status'), 2 ** 40);
    expect(scan().creationInfo.comment).toMatch(/status: larger than/);
  });
});

describe('a scan ends', () => {
  /** A scan of so many bytes, which is aborted as soon as it has looked so many times, and says what it opened. */
  function scanning(mostWork?: number, looks = Number.POSITIVE_INFINITY) {
    const opened: string[] = [];
    let left = looks;
    const context = {
      throwIfAborted: () => {
        if (left-- <= 0) throw new Error('aborted');
      },
    };
    const handle = openRoot(root);
    const counted = {
      readdir: (at: string) => handle.readdir(at),
      lstatIfAny: (at: string) => handle.lstatIfAny(at),
      open: (at: string, flags: number) => {
        opened.push(at);
        return handle.open(at, flags);
      },
    } as unknown as Root;
    const tree = new ScannedTree(counted, context, mostWork);
    return { tree, opened, [Symbol.dispose]: () => handle[Symbol.dispose]() };
  }
  const copyright = { 'usr/share/doc/a/copyright': 'Format: x\nLicense: MIT\n' };

  test('a copyright file is read once a name, and not for what is no package', () => {
    const entries = (version: string) => `Package: a\nVersion: ${version}\n\n`;
    write({ ...copyright, 'var/lib/dpkg/status': entries('\u0001').repeat(1000) });
    using refused = scanning();
    expect([...debianPackages(refused.tree, undefined)]).toEqual([]);
    expect(refused.opened).toEqual(['/var/lib/dpkg/status']);

    write({ 'var/lib/dpkg/status': entries('1').repeat(1000) });
    using repeated = scanning();
    const found = [...debianPackages(repeated.tree, undefined)];
    expect(found).toHaveLength(1000);
    expect(found.at(-1)).toMatchObject({ license: 'MIT' });
    expect(repeated.opened).toEqual(['/var/lib/dpkg/status', '/usr/share/doc/a/copyright']);
  });

  test.each([
    ['dpkg', 'var/lib/dpkg/status', 'Status: x\n\n'],
    ['apk', 'lib/apk/db/installed', 'A:x\n\n'],
    ['npm', 'package-lock.json', undefined],
    ['cargo', 'Cargo.lock', '[[package]]\n'],
  ])('an abort is heeded within a file of %s', (_, file, entry) => {
    const names = Array.from({ length: 1000 }, (_, n) => `"${n}":1`);
    write({ [file]: entry?.repeat(1000) ?? `{"packages":{${names}}}` });
    using aborted = scanning(undefined, 100);
    expect(() => [
      ...debianPackages(aborted.tree, undefined),
      ...alpinePackages(aborted.tree, undefined),
      ...(readerOf(file)?.(aborted.tree, `/${file}`) ?? []),
    ]).toThrow('aborted');
  });

  test('a scan reads so much, keeps what it found and says where it ended', () => {
    const stanza = 'Package: a\nVersion: 1\n\n';
    const padding = `X: ${'y'.repeat(3000)}\n`.repeat(10);
    for (let n = 0; n < 50; n++) write({ [`var/lib/dpkg/status.d/${String(n).padStart(2, '0')}`]: stanza + padding });
    using bounded = scanning(100_000);
    expect([...debianPackages(bounded.tree, undefined)]).toHaveLength(3);
    expect(bounded.opened.filter((at) => at.includes('status.d'))).toHaveLength(4);
    expect(bounded.tree.notes).toEqual([expect.stringMatching(/^\/var\/lib\/dpkg\/status\.d\/03: the scan has read/)]);
    expect([...bounded.tree.walk()]).toEqual([]);
  });

  test('many notes do not hide that there are more', () => {
    for (let n = 0; n < 150; n++) write({ [`a/${n}/package-lock.json`]: '{' });
    const { comment } = scan().creationInfo;
    expect(comment?.split('; ')).toHaveLength(101);
    expect(comment).toMatch(/; \/: and more, of which there is no note$/);
  });

  test('entries count, however short they are, and end no build', () => {
    write({ 'lib/apk/db/installed': `P:a\nV:1\n\n${'A:\n\n'.repeat(10_000)}` });
    using bounded = scanning(1_000_000);
    expect([...alpinePackages(bounded.tree, undefined)]).toHaveLength(1);
    expect(bounded.tree.notes).toEqual([expect.stringContaining('the scan has read')]);
  });

  test('an empty line is no entry', () => {
    write({ 'lib/apk/db/installed': `${'\n'.repeat(1 << 20)}P:a\nV:1` });
    using idle = scanning(2 << 20, 100);
    expect([...alpinePackages(idle.tree, undefined)]).toMatchObject([{ name: 'a', version: '1' }]);
    expect(idle.tree.notes).toEqual([]);
  });

  test('no more of an executable is read than of its sections is to be told', () => {
    const sparse = elf({ '.go.buildinfo': goInfo('go1.22.3', '') });
    sparse.writeUInt16LE(65_535, 58);
    sparse.writeUInt16LE(10_000, 60);
    write({ sparse });
    truncateSync(path.join(root, 'sparse'), 700_000_000);
    using bounded = scanning(1 << 20);
    expect([...binaryPackages(bounded.tree, '/sparse')]).toEqual([]);
    expect(bounded.tree.notes).toEqual([]);
  });

  test('names of sections have an end where the table of them has none', () => {
    const [sections, names] = [1000, 1 << 20];
    const header = elf({}).subarray(0, 64);
    header.writeBigUInt64LE(64n, 40);
    header.writeUInt16LE(sections, 60);
    header.writeUInt16LE(0, 62);
    const table = Buffer.alloc(64 * sections);
    table.writeBigUInt64LE(BigInt(64 + table.length), 24);
    table.writeBigUInt64LE(BigInt(names), 32);
    write({ endless: Buffer.concat([header, table, Buffer.alloc(names, 'x')]) });
    using whole = scanning();
    const looked = vi.spyOn(Buffer.prototype, 'indexOf');
    try {
      expect([...binaryPackages(whole.tree, '/endless')]).toEqual([]);
      const most = looked.mock.contexts.reduce((sum, bytes) => sum + (bytes as Buffer).length, 0);
      expect(looked).toHaveBeenCalledTimes(sections);
      expect(most).toBeLessThanOrEqual(100 * sections);
    } finally {
      looked.mockRestore();
    }
  });

  test.each(['package-lock.json', 'Cargo.lock'])('a %s that nothing writes is passed by', (file) => {
    write({ [file]: '' });
    truncateSync(path.join(root, file), 20 << 20);
    using passed = scanning();
    expect([...readerOf(file)!(passed.tree, `/${file}`)]).toEqual([]);
    expect(passed.tree.notes).toEqual([expect.stringContaining('larger than 16777216 bytes')]);
  });

  test('lists of crates count inflated, those that fail too', () => {
    const bomb = elf({ '.dep-v0': deflateSync(Buffer.alloc(40 << 20)) });
    write({ bomb });
    using bounded = scanning(40 << 20);
    expect([...bounded.tree.readable('/bomb', binaryPackages(bounded.tree, '/bomb'))]).toEqual([]);
    expect([...bounded.tree.readable('/bomb', binaryPackages(bounded.tree, '/bomb'))]).toEqual([]);
    expect([...bounded.tree.walk()]).toEqual([]);
  });
});

test.each([
  ['MIT', 'MIT'],
  ['mit', 'MIT'],
  ['MIT OR Apache-2.0', 'MIT OR Apache-2.0'],
  ['MIT AND Expat AND ISC', 'MIT AND ISC'],
  ['(MIT and ISC) or GPL-2+', '(MIT AND ISC) OR GPL-2.0-or-later'],
  ['GPL-3.0', 'GPL-3.0-only'],
  ['LGPL-2.1+', 'LGPL-2.1-or-later'],
  ['BSD License', /^LicenseRef-BSD-License-[0-9a-f]{8}$/],
  ['MIT OR', /^LicenseRef-MIT-OR-[0-9a-f]{8}$/],
  ['((MIT)', /^LicenseRef-MIT-[0-9a-f]{8}$/],
  ['constructor', /^LicenseRef-constructor-/],
  ['__proto__ OR hasOwnProperty', /^LicenseRef-proto-[0-9a-f]{8} OR LicenseRef-hasOwnProperty-/],
  ['GPL-2.0 WITH Classpath-exception-2.0', /^LicenseRef-GPL-2\.0-WITH-/],
])('the license %s', (text, expected) => {
  const { expression } = spdxLicense(text)!;
  if (typeof expected === 'string') expect(expression).toBe(expected);
  else expect(expression).toMatch(expected);
});
