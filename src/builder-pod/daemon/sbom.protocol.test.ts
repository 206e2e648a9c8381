import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { cache, tool } from '../../../test/tools.ts';
import { digestOf, newId } from '../../base/index.ts';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** SBOMs of builds: by scanner images as the real daemon runs them, and by the builder itself. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let registry: RegistryServer;
const daemons = new Map<string, TestDaemon>();

/** Tells what it was given, as an SPDX statement of a kind. */
const SCANNER = `set -eu
list() { for f in $(find "$1" -type f | sort); do printf '"%s",' "\${f#/run/src/}"; done; }
cat > "\${BUILDKIT_SCAN_DESTINATION}sbom.spdx.json" <<END
{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","subject":[],
"predicate":{"source":"$BUILDKIT_SCAN_SOURCE","extras":"\${BUILDKIT_SCAN_SOURCE_EXTRAS-none}","level":"\${BUILDKIT_SCAN_LEVEL-none}","own":"$OWN","in":"$PWD","files":[$(list /run/src) ""]}}
END
if [ -n "\${BUILDKIT_SCAN_BYTES-}" ]; then
  { printf '{"predicateType":"https://spdx.dev/Document","predicate":"'; head -c "$BUILDKIT_SCAN_BYTES" /dev/zero | tr '\\0' x; printf '"}'; } > "\${BUILDKIT_SCAN_DESTINATION}sbom.spdx.json"
  exit
fi
cp "\${BUILDKIT_SCAN_DESTINATION}sbom.spdx.json" "\${BUILDKIT_SCAN_DESTINATION}another.spdx.json"
`;
const DOCKERFILE = `ARG BUILDKIT_SBOM_SCAN_STAGE=true
FROM base AS first
COPY one /one
FROM base AS second
ARG BUILDKIT_SBOM_SCAN_STAGE=false
COPY two /two
FROM scratch AS third
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
COPY --from=first /one /
COPY --from=second /two /
`;

beforeAll(async () => {
  folder = stack.use(tempFolder('sbom')).path;
  registry = stack.use(await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false }));
  for (const [name, program] of Object.entries({ real: REAL, ours: OURS })) {
    const daemon = new TestDaemon(folder, name, program);
    stack.defer(async () => void (await daemon.stop()));
    daemons.set(name, await daemon.ready());
  }
  const base = `${registry.host}/base:1`;
  for (const [file, content] of Object.entries({
    'base/Dockerfile': 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
    'scanner/Dockerfile': `FROM ${base}\nENV OWN=mine\nCOPY scan.sh /\nWORKDIR /here\nENTRYPOINT ["/bin/sh"]\nCMD ["/scan.sh"]\n`,
    'scanner/scan.sh': SCANNER,
    'context/Dockerfile': DOCKERFILE.replaceAll('FROM base', `FROM ${base}`),
    'context/one': '1',
    'context/two': '2',
    'context/small': 'FROM scratch\nCOPY one /\n',
    'app/Dockerfile': `FROM scratch AS build\nCOPY lock/ /src/\nFROM scratch\nCOPY root/ /\nCOPY --from=build /src/Cargo.lock /made\n`,
    'app/lock/Cargo.lock': '[[package]]\nname = "serde"\nversion = "1.0.200"\n',
    'app/root/etc/os-release': 'ID=debian\nVERSION_ID="12"\n',
    'app/root/var/lib/dpkg/status':
      'Package: libc6\nStatus: install ok installed\nMaintainer: Some Team <team@example.com>\nArchitecture: amd64\nVersion: 2.36-9\n\n',
    'app/root/usr/share/doc/libc6/copyright':
      'Format: x\n\nFiles: *\nLicense: LGPL-2.1+\n\nFiles: a\nLicense: Own words\n',
    'app/root/app/node_modules/odd/package.json': '{"name":"odd","version":"1.0.0","license":"SEE LICENSE IN <x> (y)"}',
    'app/root/usr/lib/python3/x-1.dist-info/METADATA': 'Name: x\nVersion: 1\nLicense: MIT\n',
  })) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), content);
  }
  copyFileSync('/bin/busybox', path.join(folder, 'base/busybox'));
  copyFileSync(tool('buildctl'), path.join(folder, 'app/root/buildctl'));
  for (const name of ['base', 'scanner']) {
    const image = `type=image,name=${registry.host}/${name}:1,push=true,registry.insecure=true`;
    const ran = await build('real', { context: name, args: ['--output', image] });
    expect(ran).toMatchObject({ code: 0 });
  }
});

interface Case {
  readonly context?: string;
  readonly opts?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly input?: Uint8Array;
}

function build(name: string, { context = 'context', opts = {}, args = [], input }: Case) {
  const at = path.join(folder, context);
  const dockerfile = ['--frontend=dockerfile.v0', '--local', `context=${at}`, '--local', `dockerfile=${at}`];
  return daemons
    .get(name)!
    .run(
      [
        ...['build', '--progress=plain', ...(input === undefined ? dockerfile : [])],
        ...Object.entries(opts).flatMap(([key, value]) => ['--opt', `${key}=${value}`]),
        ...args,
      ],
      input === undefined ? {} : { input },
    );
}

/** The statements that lie beside exported files. */
async function statements(name: string, given: Case): Promise<Readonly<Record<string, { predicate: unknown }>>> {
  const dest = path.join(folder, newId());
  const ran = await build(name, { ...given, args: ['--output', `type=local,dest=${dest}`, ...(given.args ?? [])] });
  if (ran.code !== 0) throw new Error(ran.text);
  const files = readdirSync(dest, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.spdx.json'));
  return Object.fromEntries(
    files.sort().map((file) => [file, JSON.parse(readFileSync(path.join(dest, file), 'utf8'))]),
  );
}

describe('a scanner image', () => {
  const sbom = () => `generator=${registry.host}/scanner:1,LEVEL=3`;
  const CASES: Record<string, () => Case> = {
    'with stages and the context': () => ({ opts: { 'attest:sbom': sbom() } }),
    'of a stage by its name': () => ({
      opts: { 'attest:sbom': sbom(), 'build-arg:BUILDKIT_SBOM_SCAN_STAGE': 'second,nobody' },
    }),
    'of two platforms': () => ({
      opts: { 'attest:sbom': sbom(), filename: 'small', platform: 'linux/amd64,linux/arm64' },
    }),
    'of a graph': () => ({
      opts: { 'attest:sbom': sbom() },
      input: encodeDefinition(
        scratch()
          .file(new FileActions().mkfile('/f', 0o644, Buffer.from('x')))
          .marshal(),
      ),
    }),
    'without the cache': () => ({ opts: { 'attest:sbom': sbom(), filename: 'small', 'no-cache': '' } }),
  };
  test.each(Object.keys(CASES))('%s', async (name) => {
    const given = CASES[name]!();
    const [real, ours] = [await statements('real', given), await statements('ours', given)];
    expect(Object.keys(real).length).toBeGreaterThan(1);
    expect(ours).toEqual(real);
  });

  test('that tells 79 MiB is taken, into images, archives and files; one that tells more is refused', async () => {
    const given = (bytes: number, output: string) => ({
      opts: { filename: 'small', 'attest:sbom': `generator=${registry.host}/scanner:1,BYTES=${bytes}` },
      args: ['--output', output],
    });
    const most = 79 << 20;
    const dest = path.join(folder, newId());
    mkdirSync(dest);
    const image = `type=image,name=${registry.host}/large:1,push=true,registry.insecure=true`;
    for (const output of [image, `type=oci,dest=${dest}/layout.tar`, `type=local,dest=${dest}/files`])
      expect(await build('ours', given(most, output))).toMatchObject({ code: 0 });
    const get = async (what: string) =>
      (await (await fetch(`${registry.url}/v2/large/manifests/${what}`)).json()) as {
        manifests: { digest: string }[];
        layers: { digest: string; size: number }[];
      };
    const { layers } = await get((await get('1')).manifests[1]!.digest);
    expect(layers[0]!.size).toBeGreaterThan(most);
    const blob = await fetch(`${registry.url}/v2/large/blobs/${layers[0]!.digest}`);
    expect(digestOf(new Uint8Array(await blob.arrayBuffer()))).toBe(layers[0]!.digest);
    const listed = execFileSync('tar', ['-tvf', path.join(dest, 'layout.tar')], { encoding: 'utf8' });
    expect(listed).toMatch(/ 828\d{5} .*blobs\/sha256\//);
    expect(statSync(path.join(dest, 'files/sbom.spdx.json')).size).toBeGreaterThan(most);
    expect((await build('ours', given(81 << 20, image))).text).toContain('exceeds 83886080 bytes');
  });

  test('that has nothing to run, and one that there is not, fail the build', async () => {
    const nothing = { opts: { 'attest:sbom': `generator=${registry.host}/base:1`, filename: 'small' } };
    expect((await build('ours', nothing)).text).toContain('does not have cmd');
    const absent = { opts: { 'attest:sbom': `generator=${registry.host}/absent:1`, filename: 'small' } };
    expect((await build('ours', absent)).text).toContain('/absent:1');
    expect((await build('ours', { opts: { 'attest:sbom': 'generator=' } })).text).toContain(
      'generator cannot be empty',
    );
  });
});

describe('the builder itself', () => {
  const app = { context: 'app', opts: { 'attest:sbom': '', 'build-arg:SOURCE_DATE_EPOCH': '1700000000' } };
  const purls = (predicate: unknown) =>
    (predicate as { packages: { externalRefs?: { referenceLocator: string }[] }[] }).packages.flatMap(
      ({ externalRefs = [] }) => externalRefs.map(({ referenceLocator }) => referenceLocator),
    );

  test('tells what is installed, and what it was told to look at', async () => {
    const asked = {
      ...app,
      opts: {
        ...app.opts,
        'build-arg:BUILDKIT_SBOM_SCAN_STAGE': 'true',
        'build-arg:BUILDKIT_SBOM_SCAN_CONTEXT': 'true',
      },
    };
    // Only declared arguments count.
    const file = path.join(folder, 'app/Dockerfile');
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      path.join(folder, 'app/declared'),
      `ARG BUILDKIT_SBOM_SCAN_STAGE\nARG BUILDKIT_SBOM_SCAN_CONTEXT\n${text}`,
    );
    const found = await statements('ours', { ...asked, opts: { ...asked.opts, filename: 'declared' } });
    expect(Object.keys(found)).toEqual(['sbom-build.spdx.json', 'sbom-context.spdx.json', 'sbom.spdx.json']);
    expect(purls(found['sbom-build.spdx.json']!.predicate)).toEqual(['pkg:cargo/serde@1.0.200']);
    const core = purls(found['sbom.spdx.json']!.predicate);
    expect(core).toContain('pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12');
    expect(core).toContain('pkg:npm/odd@1.0.0');
    expect(core).toContain('pkg:pypi/x@1');
    // As go itself tells of the program.
    const told = execFileSync('go', ['version', '-m', tool('buildctl')], { encoding: 'utf8' });
    const modules = [...told.matchAll(/^\tdep\t(\S+)\t(\S+)/gm)];
    expect(modules.length).toBeGreaterThan(20);
    for (const [, name, version] of modules)
      expect(core).toContain(`pkg:golang/${name}@${version!.replaceAll('+', '%2B')}`);
  });

  test('its documents are valid to the reference tools, and the same whenever they are made', async () => {
    const [first, again] = [await statements('ours', app), await statements('ours', app)];
    expect(again).toEqual(first);
    const validator = path.join(cache, 'spdx-tools');
    if (!existsSync(validator)) throw new Error('run scripts/setup.sh');
    const file = path.join(folder, 'document.spdx.json');
    writeFileSync(file, JSON.stringify(first['sbom.spdx.json']!.predicate));
    const script = `
import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
for message in validate_full_spdx_document(parse_file(sys.argv[1])): print(message.validation_message)
`;
    const env = { ...process.env, PYTHONPATH: validator };
    expect(execFileSync('python3', ['-c', script, file], { env, encoding: 'utf8' })).toBe('');
  });

  test('is in the index of what is pushed, beside the provenance', async () => {
    const name = `${registry.host}/app:1`;
    const output = ['--output', `type=image,name=${name},push=true,registry.insecure=true`];
    const pushed = await build('ours', {
      ...app,
      opts: { ...app.opts, 'attest:provenance': 'mode=min' },
      args: output,
    });
    expect(pushed).toMatchObject({ code: 0 });
    expect(pushed.text).toContain('[linux/amd64] generating sbom');
    const get = async (what: string) => (await fetch(`${registry.url}/v2/app/${what}`)).json();
    const index = (await get('manifests/1')) as {
      manifests: { digest: string; annotations?: Record<string, string> }[];
    };
    expect(index.manifests).toHaveLength(2);
    const [image, beside] = index.manifests;
    expect(beside!.annotations).toEqual({
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image!.digest,
    });
    const { layers } = (await get(`manifests/${beside!.digest}`)) as {
      layers: { digest: string; mediaType: string; annotations: Record<string, string> }[];
    };
    expect(layers.map(({ annotations }) => annotations['in-toto.io/predicate-type'])).toEqual([
      'https://spdx.dev/Document',
      'https://slsa.dev/provenance/v1',
    ]);
    for (const { digest, mediaType } of layers) {
      expect(mediaType).toBe('application/vnd.in-toto+json');
      expect(await get(`blobs/${digest}`)).toMatchObject({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ digest: { sha256: image!.digest.slice('sha256:'.length) } }],
      });
    }
  });
});
