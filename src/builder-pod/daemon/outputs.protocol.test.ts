import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../../e2e/support/git-server.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { TarReader } from '../../oci/tar/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** Outputs with every kind of attribute, through the real daemon and through ours: documents, annotations, times and files are the same, only bytes of layers are not. */
const EPOCH = 1_600_000_000;
const OLD = 1_500_000_000;
const temp = mkdtempSync(join(tmpdir(), 'slipway-outputs-'));
const context = join(temp, 'context');
let registry: RegistryServer;
let both: readonly [real: TestDaemon, ours: TestDaemon];

beforeAll(async () => {
  mkdirSync(join(context, 'd'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  for (const name of ['f', 'd/g']) writeFileSync(join(context, name), name);
  for (const name of ['f', 'd/g', 'd', 'busybox', '.']) utimesSync(join(context, name), OLD, OLD);
  registry = await RegistryServer.start({ root: join(temp, 'registry'), durable: false });
  both = [new TestDaemon(temp, 'real', REAL), new TestDaemon(temp, 'ours', OURS)];
  await Promise.all(both.map((daemon) => daemon.ready()));
});

afterAll(async () => {
  await Promise.all(both.map((daemon) => daemon.stop()));
  await registry[Symbol.asyncDispose]();
  rmSync(temp, { recursive: true, force: true });
});

interface Case {
  readonly dockerfile: string;
  /** After `--output`, without the destination. */
  readonly output: string;
  readonly args?: readonly string[];
}

interface Manifest {
  readonly mediaType: string;
  readonly layers: readonly Descriptor[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Builds, and tells all that came out, each descriptor with its content in the place of digest and size; an error as its text. */
async function built(daemon: TestDaemon, { dockerfile, output, args = [] }: Case): Promise<unknown> {
  const dest = mkdtempSync(join(temp, `${daemon.name}-`));
  writeFileSync(join(dest, 'Dockerfile'), dockerfile);
  const { code, text } = await daemon.run([
    ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--local', `context=${context}`],
    ...['--local', `dockerfile=${dest}`, ...args, '--output', `${output},tar=false,dest=${join(dest, 'out')}`],
  ]);
  if (code !== 0) return { error: failureOf(text) };
  const { manifests } = JSON.parse(readFileSync(join(dest, 'out/index.json'), 'utf8')) as { manifests: Descriptor[] };
  return manifests.map((one) => resolved(join(dest, 'out'), one));
}

function failureOf(text: string): string {
  const line = text.split('\n').findLast((each) => each.startsWith('error: ')) ?? text;
  // The real daemon says whose failure it is where it hears of it by the frontend first.
  return line
    .replace(/^error: (?:failed to solve: )?(?:failed to run Build function: )?/, '')
    .replace(/rpc error: code = \w+ desc = /g, '');
}

/** The time of a build that pins none: the two are built one after the other. */
const isOfNow = (key: string, value: string) =>
  key === 'org.opencontainers.image.created' && Date.now() - Date.parse(value) < 3_600_000;

function resolved(layout: string, { digest, size: _, ...descriptor }: Descriptor): unknown {
  const bytes = readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  const annotations = Object.fromEntries(
    Object.entries(descriptor.annotations ?? {}).map(([key, value]) => [
      key,
      isOfBytes(key) ? '…' : isOfNow(key, value) ? 'now' : value,
    ]),
  );
  if (descriptor.mediaType.includes('layer') || descriptor.mediaType.includes('diff'))
    return { ...descriptor, annotations, entries: entriesOf(unpack(descriptor.mediaType, bytes)) };
  const { manifests, config, layers, rootfs, ...document } = JSON.parse(bytes.toString());
  return {
    ...{ ...descriptor, annotations, document },
    ...(rootfs === undefined ? {} : { layers: rootfs.diff_ids?.length }),
    ...(config === undefined || config.digest === undefined ? { config } : { config: resolved(layout, config) }),
    manifests: manifests?.map((one: Descriptor) => resolved(layout, one)),
    content: layers?.map((one: Descriptor) => resolved(layout, one)),
  };
}

const isOfBytes = (annotation: string) => /digest|size$/.test(annotation);

function unpack(mediaType: string, bytes: Buffer): Buffer {
  if (mediaType.endsWith('gzip')) return gunzipSync(bytes);
  return mediaType.endsWith('zstd') ? zstdDecompressSync(bytes) : bytes;
}

function entriesOf(tar: Buffer): string[] {
  const lines: string[] = [];
  const hashes: ReturnType<typeof createHash>[] = [];
  const reader = new TarReader({
    entry: ({ type, name, mode, uid, gid, linkname = '', mtime }) => {
      const seconds = Number(mtime / 1_000_000_000n);
      const time = seconds > EPOCH + 100_000_000 ? 'now' : seconds;
      lines.push([name, type, mode.toString(8), `${uid}:${gid}`, linkname, time].join(' '));
      hashes.push(createHash('sha256'));
    },
    data: (chunk) => void hashes.at(-1)!.update(chunk),
  });
  reader.push(tar);
  reader.close();
  return lines.map((line, i) => `${line} ${hashes[i]!.digest('hex').slice(0, 8)}`);
}

const BASE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
`;
const APP = `${BASE}FROM base
RUN mkdir /made && echo 1 > /made/f && touch -d @${OLD} /made/old && ln /made/f /made/link && ln -s f /made/symlink
RUN rm /made/old
COPY f d /copied/
LABEL a=b
`;
const epoch = ['--opt', `build-arg:SOURCE_DATE_EPOCH=${EPOCH}`];
const times: Record<string, Case> = {
  'an epoch alone': { dockerfile: APP, output: 'type=oci', args: epoch },
  rewritten: { dockerfile: APP, output: 'type=oci,rewrite-timestamp=true', args: epoch },
  'an epoch of the output': {
    dockerfile: APP,
    output: `type=oci,rewrite-timestamp=true,source-date-epoch=${EPOCH}`,
  },
  'an epoch of the output beats the argument': {
    dockerfile: APP,
    output: `type=oci,rewrite-timestamp=true,source-date-epoch=${OLD}`,
    args: epoch,
  },
  'an epoch of the Dockerfile': {
    dockerfile: `ARG SOURCE_DATE_EPOCH=${EPOCH}\n${APP}`,
    output: 'type=oci,rewrite-timestamp=true',
  },
  'in Docker’s types': { dockerfile: APP, output: 'type=oci,oci-mediatypes=false,rewrite-timestamp=true', args: epoch },
  uncompressed: { dockerfile: APP, output: 'type=oci,compression=uncompressed,rewrite-timestamp=true', args: epoch },
  zstd: {
    dockerfile: APP,
    output: 'type=oci,compression=zstd,force-compression=true,rewrite-timestamp=true',
    args: epoch,
  },
  'several platforms': {
    dockerfile: 'FROM scratch\nCOPY f /\n',
    output: 'type=oci,rewrite-timestamp=true',
    args: [...epoch, '--opt', 'platform=linux/amd64,linux/arm64'],
  },
  'linked layers': {
    dockerfile: `${BASE}FROM base\nRUN echo 1 > /x\nCOPY --link --from=base /bin/busybox /linked/\n`,
    output: 'type=oci,rewrite-timestamp=true',
    args: epoch,
  },
};

describe('times', () => {
  test.each(Object.entries(times))('%s', same);
});

/** What SOURCE_DATE_EPOCH may name beside a number. */
describe('where an epoch comes from', () => {
  let git: GitServer;
  let web: Server;
  let url: string;
  const LABELLED = 'ARG SOURCE_DATE_EPOCH\nLABEL epoch=$SOURCE_DATE_EPOCH\n';
  const APPLICATION = `FROM scratch\nCOPY f /\n${LABELLED}`;
  const remote = (stage: string) => `FROM scratch AS src\n${stage}\nFROM scratch\nCOPY f /\n${LABELLED}`;

  beforeAll(async () => {
    const folder = join(temp, 'git');
    mkdirSync(join(folder, 'app'), { recursive: true });
    writeFileSync(join(folder, 'app/f'), 'f');
    writeFileSync(join(folder, 'app/Dockerfile'), APPLICATION);
    writeFileSync(join(folder, 'app/global'), `ARG SOURCE_DATE_EPOCH=context\n${APPLICATION}`);
    git = await startGitServer(folder);
    await git.create('app', join(folder, 'app'));
    const env = { ...process.env, GIT_COMMITTER_DATE: '1234567890 +0000', GIT_AUTHOR_DATE: '1000000000 +0000' };
    const run = (...args: readonly string[]) =>
      execFileSync('git', ['-c', 'user.name=a > b', '-c', 'user.email=a@b', ...args], {
        cwd: join(folder, 'worktrees/app'),
        env,
      });
    run('commit', '-q', '--allow-empty', '-m', 'committer x <y> 1 +0000\n\ncommitter x <y> 2 +0000');
    run('tag', '-a', 'v1', '-m', 'tagged');
    run('push', '-q', '--tags', join(folder, 'repositories/app.git'), 'main');
    execFileSync('tar', ['-czf', join(temp, 'app.tgz'), '--mtime=@1400000000', '-C', join(folder, 'app'), '.']);
    web = createServer((request, response) => {
      const dated = request.url?.startsWith('/dated') ? { 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' } : {};
      response.writeHead(200, { etag: `"${request.url}"`, ...dated });
      response.end(request.url?.endsWith('.tgz') ? readFileSync(join(temp, 'app.tgz')) : 'plain');
    });
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
    url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await git[Symbol.asyncDispose]();
    web.close();
  });

  const opt = (...options: readonly string[]) => options.flatMap((one) => ['--opt', one]);
  const by = (value: string) => `build-arg:SOURCE_DATE_EPOCH=${value}`;
  test.each<
    [string, () => { readonly dockerfile?: string; readonly args: readonly string[]; readonly fixed?: boolean }]
  >([
    ['the commit of the context', () => ({ args: opt(`context=${git.url}/app.git`, by('context')) })],
    ['that of a tag', () => ({ args: opt(`context=${git.url}/app.git#v1`, by('context')) })],
    ['the Dockerfile says so', () => ({ args: opt(`context=${git.url}/app.git`, 'filename=global') })],
    ['a number beats the Dockerfile', () => ({ args: opt(`context=${git.url}/app.git`, 'filename=global', by('5')) })],
    ['a directory has none', () => ({ args: opt(by('context')), fixed: true })],
    ['the newest file of an archive', () => ({ args: opt(`context=${url}/app.tgz`, by('context')) })],
    ['the date that a server gives', () => ({ args: opt(`context=${url}/dated/app.tgz`, by('context')) })],
    ['a named context', () => ({ args: opt(`context:src=${git.url}/app.git`, by('src')) })],
    ['a stage with a dated file', () => ({ dockerfile: remote(`ADD ${url}/dated/x /`), args: opt(by('SRC')) })],
    ['a stage with an archive', () => ({ dockerfile: remote(`ADD ${url}/app.tgz /`), args: opt(by('src')) })],
    ['a stage with a repository', () => ({ dockerfile: remote(`ADD ${git.url}/app.git /`), args: opt(by('src')) })],
    [
      'a stage with arguments',
      () => ({ dockerfile: remote(`ARG U=${url}\nARG N\nADD $U/$N /`), args: opt(by('src'), 'build-arg:N=dated/x') }),
    ],
    ['a file without a date', () => ({ dockerfile: remote(`ADD ${url}/x /`), args: opt(by('src')), fixed: true })],
    ['a stage that runs', () => ({ dockerfile: remote('RUN true'), args: opt(by('src')) })],
    ['a stage that adds twice', () => ({ dockerfile: remote(`ADD ${url}/x /\nADD ${url}/y /`), args: opt(by('src')) })],
    ['a stage that adds a local file', () => ({ dockerfile: remote('ADD f /'), args: opt(by('src')) })],
    ['a stage that adds nothing', () => ({ dockerfile: remote(''), args: opt(by('src')) })],
    ['a stage on another', () => ({ dockerfile: `FROM scratch AS a\nFROM a AS b\nCOPY f /\n`, args: opt(by('b')) })],
    ['nothing of that name', () => ({ args: opt(by('nosuch')) })],
  ])('%s', async (name, given) => {
    const { dockerfile = APPLICATION, args, fixed = false } = given();
    const output = `type=oci,rewrite-timestamp=true${fixed ? `,source-date-epoch=${EPOCH}` : ''}`;
    await same(name, { dockerfile, args, output });
  });
});

const multi = ['--opt', 'platform=linux/amd64,linux/arm64'];
const annotations: Record<string, Case> = {};
for (const [attributes, ...args] of [
  ['annotation.a=b,annotation-manifest.c=<&>'],
  ['annotation-manifest-descriptor.a=b'],
  ['annotation-index.a=b'],
  ['annotation-index-descriptor.a=b'],
  ['annotation.a=b,annotation-manifest-descriptor.c=d,annotation-index.e=f,annotation-index-descriptor.g=h', ...multi],
  ['annotation[linux/arm64].a=b,annotation.a=all', ...multi],
  ['annotation-manifest-descriptor[linux/amd64].a=b', ...multi],
  ['annotation-index[linux/amd64].a=b', ...multi],
  ['annotation.=b'],
  ['annotation.a=b,oci-mediatypes=false'],
  ['annotation-manifest-descriptor.a=b,oci-mediatypes=false'],
  ['annotation-index.a=b,oci-mediatypes=false', ...multi],
  ['name=example.com/a:1'],
  ['"name=example.com/a:1,example.com/b,c"'],
  ['name=*'],
  ['unknown=x'],
] as const)
  annotations[attributes + (args.length > 0 ? ' of two platforms' : '')] = {
    dockerfile: 'FROM scratch\nCOPY f /\n',
    output: `type=oci,${attributes}`,
    args: [...epoch, ...args],
  };

describe('names and annotations', () => {
  test.each(Object.entries(annotations))('%s', same);
});

describe('layers that are to be had elsewhere', () => {
  test.each([
    ['', ''],
    ['prefer-nondist-layers=true', ''],
    ['prefer-nondist-layers=true,oci-mediatypes=false', ''],
    ['prefer-nondist-layers=true,rewrite-timestamp=true', ''],
    ['prefer-nondist-layers=true', 'zstd'],
    ['prefer-nondist-layers=true,oci-mediatypes=false', 'zstd'],
    ['prefer-nondist-layers=true', 'uncompressed'],
  ])('%s %s', async (attributes, compression) => {
    // A layer of its own in each, which neither daemon has; ours makes it, since the real one knows what it made by its bytes.
    const repository = `foreign-${compression}-${attributes.length}`;
    const name = `${registry.host}/${repository}`;
    const folder = mkdtempSync(join(temp, 'file-'));
    writeFileSync(join(folder, 'Dockerfile'), `FROM scratch\nCOPY f /${repository}\n`);
    const { code, text } = await both[1].run([
      ...['build', '--frontend=dockerfile.v0', '--local', `context=${context}`, '--local', `dockerfile=${folder}`],
      ...[
        '--output',
        `type=image,name=${name}:base,push=true,force-compression=true,compression=${compression || 'gzip'}`,
      ],
    ]);
    expect(code, text).toBe(0);
    const url = `${registry.url}/v2/${repository}/manifests`;
    const manifest = (await (await fetch(`${url}/base`)).json()) as Manifest;
    const layers = manifest.layers.map((layer) => ({
      ...layer,
      mediaType: layer.mediaType.replace('layer.v1', 'layer.nondistributable.v1'),
      urls: [`${registry.url}/v2/${repository}/blobs/${layer.digest}`],
    }));
    await fetch(`${url}/foreign`, {
      method: 'PUT',
      headers: { 'content-type': manifest.mediaType },
      body: JSON.stringify({ ...manifest, layers }),
    });
    await same('', { dockerfile: `FROM ${name}:foreign\nCOPY d /d/\n`, output: `type=oci,${attributes}`, args: epoch });
    const pushed = await Promise.all(
      both.map(async (daemon) => {
        const folder = mkdtempSync(join(temp, 'file-'));
        writeFileSync(join(folder, 'Dockerfile'), `FROM ${name}:foreign\nCOPY d /d/\n`);
        const { code, text } = await daemon.run([
          ...['build', '--frontend=dockerfile.v0', '--local', `context=${context}`, '--local', `dockerfile=${folder}`],
          ...['--output', `type=image,name=${name}:${daemon.name},push=true${attributes && ','}${attributes}`],
        ]);
        expect(code, text).toBe(0);
        const { layers } = (await (await fetch(`${url}/${daemon.name}`)).json()) as { layers: Descriptor[] };
        return layers.map(({ mediaType }) => mediaType);
      }),
    );
    expect(pushed[1]).toEqual(pushed[0]);
  });
});

/** All files of a folder, with what is in them, their modes and times. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const stat = lstatSync(join(folder, name));
      const content = stat.isFile() ? readFileSync(join(folder, name), 'utf8') : '';
      const seconds = Math.floor(stat.mtimeMs / 1000);
      return [name, stat.mode.toString(8), seconds > EPOCH + 100_000_000 ? 'now' : seconds, content].join(' ');
    })
    .sort();
}

const TREE = 'FROM scratch\nCOPY f /top\nCOPY d /d/\nCOPY f /e/deep/f\nARG TARGETARCH\nCOPY f /$TARGETARCH/f\n';
const ONE = 'FROM scratch AS one\nARG TARGETARCH\nCOPY f /d/$TARGETARCH\n';

async function exported(daemon: TestDaemon, attributes: string, args: readonly string[]) {
  const folder = mkdtempSync(join(temp, 'file-'));
  writeFileSync(join(folder, 'Dockerfile'), args.includes('target=one') ? ONE : TREE);
  const dest = join(folder, 'out');
  // Folders that are not empty are too much for this client.
  for (const name of ['d', 'empty', 'linux_amd64', 'linux_arm64/d']) mkdirSync(join(dest, name), { recursive: true });
  for (const name of ['old', 'd/old', 'd/g']) writeFileSync(join(dest, name), 'old');
  const { code, text } = await daemon.run([
    ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--local', `context=${context}`],
    ...['--local', `dockerfile=${folder}`, ...args],
    ...['--output', `type=local,dest=${dest}${attributes && ','}${attributes}`],
  ]);
  return { error: code === 0 ? undefined : failureOf(text), files: filesOf(dest) };
}

describe('directories of the client', () => {
  test.each<[string, readonly string[]]>([
    ['', []],
    ['mode=copy', []],
    ['mode=delete', []],
    ['mode= Delete ', []],
    ['mode=mirror', []],
    ['mode=delete', multi],
    ['mode=delete,platform-split=true', []],
    ['mode=copy,platform-split=false', [...multi, '--opt', 'target=one']],
    ['src=/e', []],
    ['src=/nosuch', []],
    [`source-date-epoch=${EPOCH}`, []],
    [`mode=delete,source-date-epoch=${EPOCH}`, multi],
  ])('%s %s', async (attributes, args) => {
    const [real, ours] = await Promise.all(both.map((daemon) => exported(daemon, attributes, args)));
    expect(ours).toEqual(real);
  });

  // Of the first file the real daemon sends the name alone.
  test('one directory for several platforms is the files of all, and nothing else', async () => {
    const args = [...multi, '--opt', 'target=one'];
    const { error, files } = await exported(both[1], 'mode=delete,platform-split=false', args);
    expect(error).toBeUndefined();
    expect(files).toEqual(['d 40755 now ', `d/amd64 100644 ${OLD} f`, `d/arm64 100644 ${OLD} f`]);
  });
});

async function same(_name: string, given: Case): Promise<void> {
  const [real, ours] = await Promise.all(both.map((daemon) => built(daemon, given)));
  expect(ours).toEqual(real);
}

const compressions: Record<string, Case> = {};
for (const type of ['gzip', 'estargz', 'zstd', 'uncompressed'])
  for (const more of ['', ',force-compression=true', ',compression-level=9', ',compression-level=0,force-compression='])
    compressions[`${type}${more}`] = {
      // A layer that nobody has packed yet, where none is forced into another form.
      dockerfile: more.includes('force') ? APP : `FROM scratch\nCOPY f d /${type}${more.replace(/\W/g, '-')}/\n`,
      output: `type=oci,compression=${type}${more}`,
      args: epoch,
    };
for (const attributes of [
  'compression=zstd,force-compression=true,oci-mediatypes=false',
  'compression=gzip,force-compression=true,oci-mediatypes=false',
  'source-date-epoch=',
])
  compressions[attributes] = { dockerfile: APP, output: `type=oci,${attributes}`, args: epoch };

/** Before anything is built. The client waits for seconds then, with either daemon, so they wait beside one another. */
describe.concurrent('refused in the same words', () => {
  test.each<readonly string[]>([
    ['annotation-bogus.a=b'],
    ['annotation[bogus/].a=b', ...multi],
    ['name=UPPER'],
    ['name=a:b:c'],
    ['compression=nydus'],
    ['compression=none'],
    ['compression=estargz,oci-mediatypes=false'],
    ['compression=gzip,compression-level=x'],
    ['force-compression=x'],
    ['oci-mediatypes=x'],
    ['oci-artifact=x'],
    ['oci-artifact=true,oci-mediatypes=false'],
    ['prefer-nondist-layers=x'],
    ['rewrite-timestamp=x'],
    ['rewrite-timestamp='],
    ['attestation-inline=x'],
  ])('an image, %s', async (attributes = '', ...args) => {
    const given = { dockerfile: APP, output: `type=oci,${attributes}`, args: [...epoch, ...args] };
    const [real, ours] = await Promise.all(both.map((daemon) => built(daemon, given)));
    expect(real).toEqual({ error: expect.any(String) });
    expect(ours).toEqual(real);
  });

  test.each(['platform-split=x', 'src='])('a directory, %s', async (attributes) => {
    const [real, ours] = await Promise.all(both.map((daemon) => exported(daemon, attributes, [])));
    expect(real!.error).toEqual(expect.any(String));
    expect(ours).toEqual(real);
  });
});

describe('compression', () => {
  test.each(Object.entries(compressions))('%s', same);

  test('the real daemon takes our estargz for what it is, and gets the same files out of it', async () => {
    const [real, ours] = both;
    const layout = mkdtempSync(join(temp, 'estargz-'));
    const args = (folder: string) => [
      'build',
      '--frontend=dockerfile.v0',
      '--local',
      `context=${context}`,
      '--local',
      `dockerfile=${folder}`,
    ];
    const build = async (
      daemon: TestDaemon,
      dockerfile: string,
      more: readonly string[],
      output: string,
      dest: string,
    ) => {
      const folder = mkdtempSync(join(temp, 'file-'));
      writeFileSync(join(folder, 'Dockerfile'), dockerfile);
      const { code, text } = await daemon.run([
        ...args(folder),
        ...more,
        '--output',
        `type=oci,tar=false,${output},dest=${dest}`,
      ]);
      expect(code, text).toBe(0);
      const { manifests } = JSON.parse(readFileSync(join(dest, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
      const manifest = JSON.parse(readFileSync(blobOf(dest, manifests[0]!.digest), 'utf8')) as { layers: Descriptor[] };
      return { digest: manifests[0]!.digest, layers: manifest.layers };
    };
    const blobOf = (folder: string, digest: string) => join(folder, 'blobs', digest.replace(':', '/'));
    const made = await build(ours, APP, epoch, 'compression=estargz,force-compression=true', layout);
    const from = [
      ...['--oci-layout', `store=${layout}`, '--opt', `context:named=oci-layout://store@${made.digest}`],
      ...['--opt', 'build-arg:SOURCE_DATE_EPOCH=1'],
    ];
    const again = await build(
      real,
      'FROM named\n',
      from,
      'compression=estargz,force-compression=true',
      join(temp, 'estargz-again'),
    );
    expect(again.layers.map(({ digest }) => digest)).toEqual(made.layers.map(({ digest }) => digest));
    const unpacked = join(temp, 'estargz-gzip');
    const gzip = await build(real, 'FROM named\n', from, 'compression=gzip,force-compression=true', unpacked);
    const plain = await build(
      ours,
      APP,
      epoch,
      'compression=uncompressed,force-compression=true',
      join(temp, 'estargz-plain'),
    );
    for (const [n, { digest, annotations = {} }] of gzip.layers.entries()) {
      expect(Object.keys(annotations)).toEqual([]);
      const tar = gunzipSync(readFileSync(blobOf(unpacked, digest)));
      expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(plain.layers[n]!.digest);
    }
  });
});
