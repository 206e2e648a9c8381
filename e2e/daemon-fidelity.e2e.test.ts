import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { TarReader } from '../src/oci/tar/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, dockerfileArgs, makeContext } from './support/context.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

const DOCKERFILE = `${BASE}
FROM base
COPY --chown=12:34 tree /tree
COPY timed capable /files/
COPY odd* /odd/
RUN mkdir -p /opaque/below /gone /kept && touch /opaque/old /opaque/below/old /gone/x /kept/a /kept/b && echo one > /replaced
RUN rm -rf /opaque && mkdir /opaque && touch /opaque/new && rm -rf /gone /kept/a && rm /replaced && mkdir /replaced && touch /replaced/in
RUN echo linked > /link-a && ln /link-a /link-b && ln -s ../target /symbolic && mkfifo /fifo && mknod /null c 1 3
RUN cp /bin/busybox /setuid && chown 5:6 /setuid && chmod 6755 /setuid && chmod 1777 /kept && chown 65534:65534 /kept/b
RUN chmod 600 /files/timed
`;

interface Descriptor {
  readonly digest: string;
}

/** Steps on a base with /bin alone, and the names in their layers. */
const STEPS: readonly (readonly [step: string, names: readonly string[]])[] = [
  ['RUN true', []],
  [
    'RUN mkdir -p /x/y/z && echo 1 > /x/y/a && echo 2 > /x/y/z/b && mkdir /r && echo 1 > /r/1',
    ['r', 'r/1', 'x', 'x/y', 'x/y/a', 'x/y/z', 'x/y/z/b'],
  ],
  ['RUN rm -rf /x/y && mkdir /x/y && echo 3 > /x/y/h', ['x', 'x/y', 'x/y/.wh.a', 'x/y/h', 'x/y/.wh.z']],
  ['RUN mv /r /r2', ['.wh.r', 'r2', 'r2/1']],
  ['RUN touch /q && rm /q', []],
  // BuildKit makes two files of the two names.
  ['RUN ln /x/y/h /x/y/h2', ['x', 'x/y', 'x/y/h2', 'x/y/h']],
  ['RUN chmod 700 /', []],
  [
    'RUN test $(stat -c %a /) = 755 && echo hi > /x/y/new && chmod 600 /r2/1 && chmod 644 /r2/1',
    ['x', 'x/y', 'x/y/new'],
  ],
  ['COPY busybox /bin/busybox', []],
  ['COPY --from=base / /', []],
  ['RUN <<EOF\n#!/bin/sh\ntrue\nEOF', []],
];

/** The image of an OCI layout. */
function readImage(layout: string) {
  const blobPath = (digest: string) => path.join(layout, 'blobs', digest.replace(':', '/'));
  const read = <T>(digest: string) => JSON.parse(readFileSync(blobPath(digest), 'utf8')) as T;
  const index = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const manifest = read<{ config: Descriptor; layers: Descriptor[] }>(index.manifests[0]!.digest);
  const config = read<{ history: { empty_layer?: boolean }[] }>(manifest.config.digest);
  return { manifest, config, blobPath };
}

/** In no UTF-8 text. */
const ODD = Buffer.from([0xe9]);

/** Layers carry exactly what steps left, seen by other tools. */
describe('layers, pulled back by skopeo and unpacked by umoci', () => {
  const work = tempFolder('daemon-fidelity');
  const folder = work.path;
  const context = path.join(folder, 'context');
  let builder: TestBuilder;
  /** Unpacks little. */
  let small: TestBuilder;
  let registry: RegistryServer;
  const { succeeds } = building(() => builder);

  beforeAll(async () => {
    const changes = `${BASE}\nFROM base\n${STEPS.map(([step]) => step).join('\n')}\n`;
    makeContext(context, {
      Dockerfile: DOCKERFILE,
      'changes.Dockerfile': changes,
      timed: 'timed\n',
      capable: 'capable\n',
      'tree/deep/file': 'x\n',
    });
    writeFileSync(Buffer.concat([Buffer.from(`${context}/odd`), ODD]), 'odd');
    await must('touch', ['-d', '2001-02-03 04:05:06.123456789 UTC', path.join(context, 'timed')]);
    await must('setfattr', ['-n', 'user.colour', '-v', 'green', path.join(context, 'timed')]);
    await must('setcap', ['cap_net_raw+ep', path.join(context, 'capable')]);
    registry = await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false });
    builder = await startBuilder(folder);
    mkdirSync(path.join(folder, 'small'));
    small = await startBuilder(path.join(folder, 'small'), ['--max-unpacked-bytes', '16MiB']);
  });
  afterAll(async () => {
    await Promise.all([builder?.stop(), small?.stop()]);
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  test.each(['gzip', 'zstd', 'uncompressed'])('%s', async (compression) => {
    const name = `${registry.host}/fidelity:${compression}`;
    await succeeds(context, [
      '--output',
      `type=image,name=${name},push=true,compression=${compression},force-compression=true`,
    ]);
    const layout = path.join(folder, `layout-${compression}`);
    // umoci of old knows no zstd: skopeo makes it gzip, after it has checked every digest.
    const format = compression === 'zstd' ? ['--dest-compress-format', 'gzip', '--dest-compress'] : [];
    await must('skopeo', ['copy', '-q', '--src-tls-verify=false', ...format, `docker://${name}`, `oci:${layout}:it`]);
    const at = path.join(folder, `unpacked-${compression}`);
    await must('umoci', ['unpack', '--image', `${layout}:it`, at]);
    const rootfs = path.join(at, 'rootfs');
    const file = (...names: string[]) => path.join(rootfs, ...names);
    const owner = (name: string) => {
      const { uid, gid } = lstatSync(file(name));
      return `${uid}:${gid}`;
    };
    const mode = (name: string) => lstatSync(file(name)).mode & 0o7777;

    // Deletions, also of what lay in a directory that was made anew.
    expect(readdirSync(file('opaque'))).toEqual(['new']);
    expect(readdirSync(file('kept'))).toEqual(['b']);
    expect(readdirSync(file('replaced'))).toEqual(['in']);
    expect(readdirSync(rootfs)).not.toContain('gone');
    expect(readdirSync(rootfs).filter((one) => one.startsWith('.wh.'))).toEqual([]);
    // Names that are no text.
    expect(readdirSync(file('odd'), { encoding: 'buffer' })).toEqual([Buffer.concat([Buffer.from('odd'), ODD])]);
    // Links.
    expect(statSync(file('link-a')).ino).toBe(statSync(file('link-b')).ino);
    expect(statSync(file('link-a')).nlink).toBe(2);
    expect(readlinkSync(file('symbolic'))).toBe('../target');
    expect(lstatSync(file('fifo')).isFIFO()).toBe(true);
    expect(lstatSync(file('null')).isCharacterDevice()).toBe(true);
    expect(lstatSync(file('null')).rdev).toBe(0x103);
    // Owners and modes.
    expect([owner('setuid'), mode('setuid')]).toEqual(['5:6', 0o6755]);
    expect([owner('kept/b'), mode('kept')]).toEqual(['65534:65534', 0o1777]);
    expect([owner('tree'), owner('tree/deep'), owner('tree/deep/file')]).toEqual(['12:34', '12:34', '12:34']);
    // Times to the second, as the field's layers have them, extended attributes, capabilities: also after a later step changed the mode.
    expect([mode('files/timed'), readFileSync(file('files/timed'), 'utf8')]).toEqual([0o600, 'timed\n']);
    expect(lstatSync(file('files/timed'), { bigint: true }).mtimeNs).toBe(981_173_106_000_000_000n);
    const attributes = await must('getfattr', ['-d', '-m', '-', '--absolute-names', file('files/timed')]);
    expect(attributes.stdout).toContain('user.colour="green"');
    expect((await must('getcap', [file('files/capable')])).stdout).toMatch(/cap_net_raw[+=]ep/);
  });

  test('the same files reach a client as a tar', async () => {
    const tar = path.join(folder, 'files.tar');
    const at = path.join(folder, 'from-tar');
    await succeeds(context, ['--output', `type=tar,dest=${tar}`]);
    mkdirSync(at);
    await must('tar', ['--xattrs', '--xattrs-include=*', '-xpf', tar, '-C', at]);
    expect(readdirSync(path.join(at, 'opaque'))).toEqual(['new']);
    expect(readdirSync(path.join(at, 'odd'), { encoding: 'latin1' })).toEqual(['odd\xe9']);
    expect(statSync(path.join(at, 'link-a')).nlink).toBe(2);
    expect(lstatSync(path.join(at, 'files/timed'), { bigint: true }).mtimeNs).toBe(981_173_106_000_000_000n);
    expect(lstatSync(path.join(at, 'setuid')).mode & 0o7777).toBe(0o6755);
    expect((await must('getcap', [path.join(at, 'files/capable')])).stdout).toMatch(/cap_net_raw[+=]ep/);
  });

  test('a layer holds what its step changed, name by name as BuildKit does', async () => {
    const layout = path.join(folder, 'changes-layout');
    await succeeds(context, ['--opt', 'filename=changes.Dockerfile', '--output', `type=oci,tar=false,dest=${layout}`]);
    const { manifest, config, blobPath } = readImage(layout);
    const layers = manifest.layers.slice(2).map(({ digest }) => {
      const names: string[] = [];
      const reader = new TarReader({ entry: ({ name }) => void names.push(name) });
      reader.push(gunzipSync(readFileSync(blobPath(digest))));
      return names;
    });
    expect(layers).toEqual(STEPS.map(([, names]) => names));
    expect(config.history.filter(({ empty_layer }) => empty_layer)).toEqual([]);
  });

  test('the same build on another fresh state gives the same layers', async () => {
    const same = path.join(folder, 'same');
    // What a runtime mounts on is made where it is missing, and stays.
    for (const name of ['bin', 'dev', 'etc', 'proc', 'sys'])
      mkdirSync(path.join(same, 'root', name), { recursive: true });
    copyFileSync('/bin/busybox', path.join(same, 'root/bin/busybox'));
    symlinkSync('busybox', path.join(same, 'root/bin/sh'));
    writeFileSync(path.join(same, 'root/file'), 'x');
    writeFileSync(
      path.join(same, 'Dockerfile'),
      'FROM scratch\nCOPY root /\nRUN true\nRUN busybox chmod 600 /file\nCOPY root /\nRUN busybox mkdir /x && busybox rmdir /x\n',
    );
    const digests = [];
    for (const { buildctl } of [builder, small]) {
      const layout = path.join(folder, `same-${digests.length}`);
      const ran = await buildctl(dockerfileArgs(same, ['--output', `type=oci,tar=false,dest=${layout}`]));
      expect(ran.output, ran.output).not.toContain('error:');
      digests.push(readImage(layout).manifest.layers.map(({ digest }) => digest));
    }
    expect(digests[0]).toHaveLength(5);
    expect(digests[1]).toEqual(digests[0]);
  });

  test('a layer or an archive that grows beyond the bound fails its build by name, and that build alone', async () => {
    const name = `${registry.host}/grown:1`;
    const grown = makeContext(path.join(folder, 'grown'), {
      Dockerfile: `${BASE}FROM base\nRUN head -c 20000000 /dev/zero > /zeros\n`,
      'base.Dockerfile': `FROM ${name}\nRUN true\n`,
      'add.Dockerfile': `${BASE}FROM base\nADD zeros.tar.gz /here/\n`,
      'fine.Dockerfile': `${BASE}FROM base\nADD small.tar /here/\nRUN test -f /here/Dockerfile\n`,
    });
    await must('sh', [
      '-c',
      `cd ${grown} && head -c 20000000 /dev/zero > zeros && tar -czf zeros.tar.gz zeros && rm zeros`,
    ]);
    await must('tar', ['-cf', path.join(grown, 'small.tar'), '-C', grown, 'Dockerfile']);
    await succeeds(grown, ['--output', `type=image,name=${name},push=true`]);
    const build = (file: string) => small.buildctl(dockerfileArgs(grown, ['--opt', `filename=${file}`]));
    for (const file of ['base.Dockerfile', 'add.Dockerfile']) {
      const { code, output } = await build(file);
      expect(code).not.toBe(0);
      expect(output).toMatch(/it unpacks to more than 16777216 bytes \(maxUnpackedBytes\)/);
    }
    const { code, output } = await build('fine.Dockerfile');
    expect(code, output).toBe(0);
  });
});
