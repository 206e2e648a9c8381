import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OURS, TestDaemon } from '../src/builder-pod/daemon/testing/test-daemon.ts';
import { type TarEntry, TarReader } from '../src/oci/tar/index.ts';
import { cache, root } from './support/paths.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** An application of several stages from Debian packages, built by builders that share nothing: one in another order, by one thread, at another time, without the library that makes gzip fast. */
const EPOCH = 1_700_000_000;

const STAGES: Readonly<Record<string, string>> = {
  base: `FROM scratch AS base
ADD base-files.tar busybox-static.tar /
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
`,
  // Large enough for layers that are packed in blocks.
  runtime: `FROM base AS runtime
ADD libc6.tar /
RUN find /usr/share/doc -type f | xargs -r rm && mkdir -p /opt/lib && cp /lib/x86_64-linux-gnu/libc.so.6 /opt/lib/
`,
  assets: `FROM base AS assets
COPY words /src/words
RUN mkdir -p /out/by-letter && sort -u /src/words > /out/words && \\
    while read w; do echo $w >> /out/by-letter/$(echo $w | cut -c1); done < /out/words && \\
    gzip -nk /out/words && ln /out/words /out/same && ln -s words /out/link && touch -d @1500000000 /out/words.gz
RUN for i in $(seq 400); do mkdir -p /out/many/$i && echo $i > /out/many/$i/file; done && rm -r /out/many/1*
`,
  final: `FROM runtime
COPY --from=assets /out /srv
COPY --link --from=assets --chown=7:8 /out/words.gz /linked/
RUN echo app:x:7:8::/: > /etc/passwd && chmod 2755 /srv && rm /etc/issue.net && date > /etc/built && rm /etc/built && touch /etc/built
WORKDIR /srv
USER app
CMD ["cat", "words"]
`,
};

describe('the same application', () => {
  const work = tempFolder('reproducible');
  const trees = path.join(cache, 'e2e-reproducible');
  const context = path.join(work.path, 'context');
  const builders: TestDaemon[] = [];

  beforeAll(async () => {
    const packages = ['busybox-static', 'base-files', 'libc6'];
    await must('sh', [path.join(root, 'scripts/debian-trees.sh'), trees, ...packages]);
    mkdirSync(context);
    for (const name of packages) copyFileSync(path.join(trees, `${name}.tar`), path.join(context, `${name}.tar`));
    const words = Array.from({ length: 500 }, (_, n) => `${((n * 7919) % 4001).toString(36)}word`);
    writeFileSync(path.join(context, 'words'), `${words.join('\n')}\n`);
    // A single processor to compute with.
    const alone = path.join(work.path, 'buildkitd-alone');
    writeFileSync(alone, `#!/bin/sh\nexec taskset -c 0 ${OURS.path} "$@"\n`);
    chmodSync(alone, 0o755);
    // And a machine without ISA-L: what the loader finds is none.
    const without = path.join(work.path, 'without-isal');
    mkdirSync(without);
    writeFileSync(path.join(without, 'libisal.so.2'), '');
    const other = { ...OURS, path: alone, env: { LD_LIBRARY_PATH: without } };
    builders.push(new TestDaemon(work.path, 'one', OURS), new TestDaemon(work.path, 'other', other));
    await Promise.all(builders.map((builder) => builder.ready()));
  });
  afterAll(async () => {
    await Promise.all(builders.map((builder) => builder.stop()));
    work[Symbol.dispose]();
  });

  async function build(builder: TestDaemon, order: readonly string[], output: string, more: readonly string[] = []) {
    const text = order.map((name) => STAGES[name]).join('');
    return await make(builder, text, output, ['--opt', `build-arg:SOURCE_DATE_EPOCH=${EPOCH}`, ...more]);
  }

  async function make(builder: TestDaemon, dockerfile: string, output: string, more: readonly string[] = []) {
    const dest = path.join(work.path, `${builder.name}-${readdirSync(work.path).length}`);
    mkdirSync(dest);
    // Who checks out the same sources has them from another time.
    utimesSync(path.join(context, 'words'), new Date(), new Date());
    writeFileSync(path.join(dest, 'Dockerfile'), dockerfile);
    const { code, text } = await builder.run([
      ...['build', '--frontend=dockerfile.v0', '--local', `context=${context}`, '--local', `dockerfile=${dest}`],
      ...more,
      ...['--output', `type=oci,tar=false,${output},dest=${path.join(dest, 'out')}`],
    ]);
    expect(code, text).toBe(0);
    return layersOf(path.join(dest, 'out'));
  }

  const straight = ['base', 'runtime', 'assets', 'final'];
  const turned = ['base', 'assets', 'runtime', 'final'];
  test.each([
    'rewrite-timestamp=true',
    'rewrite-timestamp=true,compression=zstd,force-compression=true',
    'rewrite-timestamp=true,compression=estargz,compression-level=4,force-compression=true',
  ])('has the same digest everywhere: %s', async (output) => {
    const [one, other] = builders as [TestDaemon, TestDaemon];
    // A part of it is there already, packed as nobody wants it now.
    await build(other, turned.slice(0, 2), 'compression=uncompressed');
    const [first, second] = await Promise.all([build(one, straight, output), build(other, turned, output)]);
    expect(second.digest).toBe(first.digest);
    const latest = first.entries.flat().map(({ mtime }) => mtime);
    expect(latest.every((time) => time <= BigInt(EPOCH) * 1_000_000_000n)).toBe(true);
    // Nothing of it comes from what was built before.
    expect((await build(one, straight, output, ['--no-cache'])).digest).toBe(first.digest);
  });

  test('differs by nothing but times in its layers where these are not rewritten', async () => {
    const [one, other] = builders as [TestDaemon, TestDaemon];
    const output = 'compression=gzip,force-compression=true';
    const first = await build(one, straight, output, ['--no-cache']);
    // Layers tell whole seconds: the other builder makes its files in later ones.
    await sleep(1_100);
    const second = await build(other, turned, output, ['--no-cache']);
    expect(second.digest).not.toBe(first.digest);
    const { rootfs: _, ...config } = first.config;
    const { rootfs: __, ...otherConfig } = second.config;
    expect(otherConfig).toEqual(config);
    const timeless = (entries: readonly (readonly TarEntry[])[]) =>
      entries.map((layer) => layer.map(({ mtime: _, ...entry }) => entry));
    expect(timeless(second.entries)).toEqual(timeless(first.entries));
  });

  // No step writes a time into its large layer.
  const added = 'FROM scratch\nADD libc6.tar /\n';
  const arg = (value: string | number) => ['--opt', `build-arg:SOURCE_DATE_EPOCH=${value}`];
  test.each<[string, readonly [dockerfile: string, output: string, more: readonly string[]]]>([
    ['as an argument', [added, '', arg(EPOCH)]],
    ['in the Dockerfile', [`ARG SOURCE_DATE_EPOCH=${EPOCH}\n${added}`, '', []]],
    ['on the output', [added, `source-date-epoch=${EPOCH},`, []]],
    ['for layers, too', [added, `source-date-epoch=${EPOCH},rewrite-timestamp=true,`, []]],
  ])('packs a large layer in one way where a time is asked for, on builders that would not: %s', async (_, asked) => {
    const [dockerfile, output, more] = asked;
    const [one, other] = builders as [TestDaemon, TestDaemon];
    const [fast, slow] = await Promise.all([one, other].map((builder) => make(builder, added, 'annotation.a=b')));
    expect(fast?.entries).toEqual(slow?.entries);
    expect(fast?.layers).not.toEqual(slow?.layers);
    const [first, second] = await Promise.all(
      [one, other].map((builder) => make(builder, dockerfile, `${output}annotation.a=b`, more)),
    );
    expect(first?.digest).toBe(second?.digest);
  });

  test('writes the cache of such a build with the layers of its image', async () => {
    const [one] = builders as [TestDaemon, TestDaemon];
    const fast = await make(one, added, 'annotation.a=b');
    const kept = path.join(work.path, 'kept-cache');
    const writing = [...arg(EPOCH), '--export-cache', `type=local,mode=max,dest=${kept}`];
    const { layers } = await make(one, added, 'annotation.a=b', writing);
    const blobs = readdirSync(path.join(kept, 'blobs/sha256')).map((hex) => `sha256:${hex}`);
    expect(blobs).toEqual(expect.arrayContaining([...layers]));
    for (const layer of fast.layers) expect(blobs).not.toContain(layer);
  });
});

interface Image {
  readonly digest: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Their digests. */
  readonly layers: readonly string[];
  /** Of those layers that are packed by gzip. */
  readonly entries: readonly (readonly TarEntry[])[];
}

function layersOf(layout: string): Image {
  const blob = (digest: string) => readFileSync(path.join(layout, 'blobs', digest.replace(':', '/')));
  const { manifests } = JSON.parse(readFileSync(path.join(layout, 'index.json'), 'utf8'));
  const { digest } = manifests[0] as { digest: string };
  const { config, layers } = JSON.parse(blob(digest).toString()) as {
    config: { digest: string };
    layers: { digest: string; mediaType: string }[];
  };
  const packed = layers.filter(({ mediaType }) => mediaType.endsWith('gzip'));
  return {
    digest,
    config: JSON.parse(blob(config.digest).toString()),
    layers: layers.map((layer) => layer.digest),
    entries: packed.map((layer) => entriesOf(gunzipSync(blob(layer.digest)))),
  };
}

function entriesOf(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => void entries.push(entry) });
  reader.push(tar);
  reader.close();
  return entries;
}
