import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, makeContext } from './support/context.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

const DOCKERFILE = `${BASE}
FROM base
COPY --chown=12:34 tree /tree
COPY timed capable /files/
RUN mkdir -p /opaque/below /gone /kept && touch /opaque/old /opaque/below/old /gone/x /kept/a /kept/b && echo one > /replaced
RUN rm -rf /opaque && mkdir /opaque && touch /opaque/new && rm -rf /gone /kept/a && rm /replaced && mkdir /replaced && touch /replaced/in
RUN echo linked > /link-a && ln /link-a /link-b && ln -s ../target /symbolic && mkfifo /fifo && mknod /null c 1 3
RUN cp /bin/busybox /setuid && chown 5:6 /setuid && chmod 6755 /setuid && chmod 1777 /kept && chown 65534:65534 /kept/b
RUN chmod 600 /files/timed
`;

/** Layers carry exactly what steps left, seen by other tools. */
describe('layers, pulled back by skopeo and unpacked by umoci', () => {
  const work = tempFolder('daemon-fidelity');
  const folder = work.path;
  const context = path.join(folder, 'context');
  let builder: TestBuilder;
  let registry: RegistryServer;
  const { succeeds } = building(() => builder);

  beforeAll(async () => {
    makeContext(context, { Dockerfile: DOCKERFILE, timed: 'timed\n', capable: 'capable\n', 'tree/deep/file': 'x\n' });
    await must('touch', ['-d', '2001-02-03 04:05:06.123456789 UTC', path.join(context, 'timed')]);
    await must('setfattr', ['-n', 'user.colour', '-v', 'green', path.join(context, 'timed')]);
    await must('setcap', ['cap_net_raw+ep', path.join(context, 'capable')]);
    registry = await RegistryServer.start({ root: path.join(folder, 'registry') });
    builder = await startBuilder(folder);
  });
  afterAll(async () => {
    await builder?.stop();
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
    // Times to the nanosecond, extended attributes, capabilities: also after a later step changed the mode.
    expect([mode('files/timed'), readFileSync(file('files/timed'), 'utf8')]).toEqual([0o600, 'timed\n']);
    expect(lstatSync(file('files/timed'), { bigint: true }).mtimeNs).toBe(981_173_106_123_456_789n);
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
    expect(statSync(path.join(at, 'link-a')).nlink).toBe(2);
    expect(lstatSync(path.join(at, 'files/timed'), { bigint: true }).mtimeNs).toBe(981_173_106_123_456_789n);
    expect(lstatSync(path.join(at, 'setuid')).mode & 0o7777).toBe(0o6755);
    expect((await must('getcap', [path.join(at, 'files/capable')])).stdout).toMatch(/cap_net_raw[+=]ep/);
  });
});
