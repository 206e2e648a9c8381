import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TarReader } from '../../oci/tar/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** Outputs with every kind of attribute, through the real daemon and through ours: documents, annotations, times and files are the same, only bytes of layers are not. */
const EPOCH = 1_600_000_000;
const OLD = 1_500_000_000;
const temp = mkdtempSync(join(tmpdir(), 'slipway-outputs-'));
const context = join(temp, 'context');
let both: readonly [real: TestDaemon, ours: TestDaemon];

beforeAll(async () => {
  mkdirSync(join(context, 'd'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  for (const name of ['f', 'd/g']) writeFileSync(join(context, name), name);
  for (const name of ['f', 'd/g', 'd', 'busybox', '.']) utimesSync(join(context, name), OLD, OLD);
  both = [new TestDaemon(temp, 'real', REAL), new TestDaemon(temp, 'ours', OURS)];
  await Promise.all(both.map((daemon) => daemon.ready()));
});

afterAll(async () => {
  await Promise.all(both.map((daemon) => daemon.stop()));
  rmSync(temp, { recursive: true, force: true });
});

interface Case {
  readonly dockerfile: string;
  /** After `--output`, without the destination. */
  readonly output: string;
  readonly args?: readonly string[];
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
  return line.replace(/^error: (?:failed to solve: )?/, '').replace(/rpc error: code = \w+ desc = /g, '');
}

function resolved(layout: string, { digest, size: _, ...descriptor }: Descriptor): unknown {
  const bytes = readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  const annotations = Object.fromEntries(
    Object.entries(descriptor.annotations ?? {}).map(([key, value]) => [key, isOfBytes(key) ? '…' : value]),
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
  'compression=nydus',
  'compression=none',
  'compression=estargz,oci-mediatypes=false',
  'compression=zstd,force-compression=true,oci-mediatypes=false',
  'compression=gzip,force-compression=true,oci-mediatypes=false',
  'compression=gzip,compression-level=x',
  'force-compression=x',
  'oci-mediatypes=x',
  'oci-artifact=x',
  'oci-artifact=true,oci-mediatypes=false',
  'prefer-nondist-layers=x',
  'rewrite-timestamp=x',
  'rewrite-timestamp=',
  'source-date-epoch=',
  'attestation-inline=x',
])
  compressions[attributes] = { dockerfile: APP, output: `type=oci,${attributes}`, args: epoch };

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
