import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf, hostPlatform } from '../../base/index.ts';
import { diff, encodeDefinition, FileActions, local, merge, type State, scratch } from '../../llb/index.ts';
import { TarReader } from '../../oci/tar/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** Merges and diffs through the real daemon and through ours: layers must be the same to the byte, and so must the file systems that are mounted. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-merges-'));
const context = join(temp, 'context');
const OLD = 1_500_000_000;
/** Instead of a time at which something was built. */
const NOW = 'now';

class Daemon extends TestDaemon {
  #builds = 0;

  async build(state: State | undefined, ...args: readonly string[]): Promise<string> {
    const { code, text } = await this.run(
      ['build', '--progress=plain', '--local', `context=${context}`, ...args],
      state === undefined ? {} : { input: encodeDefinition(state.marshal()) },
    );
    if (code !== 0) throw new Error(`${this.name}: ${text}`);
    return text;
  }

  /** Of the file in a folder. */
  async dockerfile(folder: string): Promise<{ readonly text: string; readonly layers: readonly Layer[] }> {
    const dest = join(temp, `${this.name}-${this.#builds++}`);
    const text = await this.build(
      undefined,
      ...['--progress=rawjson', '--frontend', 'dockerfile.v0', '--local', `dockerfile=${join(temp, folder)}`],
      ...['--output', `type=oci,tar=false,dest=${dest}`],
    );
    return { text, layers: layersIn(dest) };
  }

  async layers(state: State): Promise<readonly Layer[]> {
    const dest = join(temp, `${this.name}-${this.#builds++}`);
    await this.build(state, '--output', `type=oci,tar=false,dest=${dest}`);
    return layersIn(dest);
  }

  /** What is mounted, as a step sees it. */
  async tree(state: State): Promise<readonly string[]> {
    const dest = join(temp, `${this.name}-${this.#builds++}.tar`);
    await this.build(state, '--output', `type=tar,dest=${dest}`);
    return entriesOf(readFileSync(dest));
  }
}

function layersIn(dest: string): Layer[] {
  const blob = (digest: string) => readFileSync(join(dest, 'blobs', digest.replace(':', '/')));
  const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as Record<string, { digest: string }[] | null>;
  const index = parse(readFileSync(join(dest, 'index.json')));
  const manifest = parse(blob(index['manifests']?.[0]?.digest ?? ''));
  return (manifest['layers'] ?? []).map(({ digest }) => {
    const tar = gunzipSync(blob(digest));
    return { diffId: digestOf(tar), entries: entriesOf(tar) };
  });
}

interface Layer {
  readonly diffId: string;
  readonly entries: readonly string[];
}

function entriesOf(tar: Buffer): string[] {
  const lines: string[] = [];
  const reader = new TarReader({
    entry: ({ type, name, mode, uid, gid, size, linkname = '', mtime, xattrs = new Map() }) => {
      const seconds = Number(mtime / 10n ** 9n);
      const time = seconds > OLD + 1000 ? NOW : seconds;
      lines.push([name, type, mode.toString(8), `${uid}:${gid}`, size, linkname, time, ...xattrs.keys()].join(' '));
    },
    data: () => {},
  });
  reader.push(tar);
  reader.close();
  return lines;
}

/** A step below /w, that says by `t` what gets an old time. */
function step(state: State, script: string): State {
  const shell = `PATH=/bin; t() { touch -h -d @${OLD} "$@"; }; cd /w; ${script}`;
  return state.run({ args: ['/bin/busybox', 'sh', '-ec', shell] }).root;
}

const files = new FileActions();
const timestamp = BigInt(OLD) * 10n ** 9n;
const busybox = local('context');
const base = step(
  scratch()
    .file(files.copy(busybox, '/', '/bin', { dirCopyContents: true, createDestPath: true, timestamp }))
    .run({ args: ['/bin/busybox', '--install', '-s', '/bin'] })
    .root.file(files.mkdir('/w', 0o755, { timestamp })),
  `mkdir -p d/sub full gone; echo 1 > d/one; echo 2 > d/sub/two; echo f > full/f; echo g > full/g; echo x > gone/x; echo a > file
   ln file hard; ln -s file soft; t d/sub/* d/* full/* gone/* * .`,
);
const other = step(
  base,
  'rm -r d gone full; mkdir full; echo other > full/g; chmod 700 full; echo h > full/h; echo b > file; mkfifo pipe; t full/* * .',
);
/** A tree that has little in common with the base. */
const apart = scratch().file(
  files
    .mkdir('/w', 0o711, { timestamp })
    .mkdir('/w/full', 0o750, { timestamp })
    .mkfile('/w/full/kept', 0o600, Buffer.from('kept'), { timestamp })
    .mkfile('/w/file', 0o600, Buffer.from('apart'), { timestamp })
    .mkdir('/w/soft', 0o755, { timestamp })
    .mkfile('/w/soft/in', 0o644, Buffer.from('in'), { timestamp }),
);
const whiteouts = step(base, 'rm -r gone d/one full/f; t d full .');
const opaque = step(base, 'rm -r full; mkdir full; echo new > full/new; t full/* full .');
// A new name of an old file differs on purpose (docs/buildkit-differences.md).
const links = step(base, 'echo new > n1; ln n1 n2; ln n1 d/n3; t n1 d .');
const named = step(base, 'ln hard d/more; t d .');
const touched = step(base, 'echo a > file; touch d/tmp; rm d/tmp; chmod 600 d/one; chmod 644 d/one; t file d/one d .');
const one = scratch().file(files.mkfile('/one', 0o644, Buffer.from('1'), { timestamp }));
const two = scratch().file(
  files.mkdir('/w', 0o755, { timestamp }).mkfile('/w/two', 0o644, Buffer.from('2'), { timestamp }),
);

const CASES: Readonly<Record<string, State>> = {
  'a merge': merge([base, one, two]),
  'a merge of a merge': merge([merge([base, one]), merge([two, one])]),
  'the same again and again': merge([one, two, one, base, one]),
  'a layer on a merge': step(merge([base, two]), 'echo on > on; rm two; t on .'),
  'a merge of what stands on a merge': merge([step(merge([base, two]), 'echo on > on; t on .'), one]),
  'whiteouts laid on something else': merge([apart, diff(base, whiteouts)]),
  'an opaque directory laid on something else': merge([apart, diff(base, opaque)]),
  'an opaque directory laid on what it was made on': merge([base, diff(base, opaque)]),
  'a diff that adds names to a file': diff(merge([base, one]), named),
  'hard links laid on something else': merge([apart, diff(base, links)]),
  'what was only touched changes nothing': merge([apart, diff(base, touched)]),
  'a file over a directory, and back': merge([base, apart, diff(base, other)]),
  'a diff': diff(base, other),
  'a diff over several layers': diff(base, step(step(opaque, 'rm d/one; t d .'), 'echo y > y; t y .')),
  'a diff of what has nothing in common': diff(apart, other),
  'a diff back': diff(other, base),
  'a diff to nothing': diff(base, scratch()),
  'a diff from nothing': diff(scratch(), whiteouts),
  'a diff laid on what it leads from': merge([other, diff(other, base)]),
  'a diff of merges': diff(merge([base, one]), merge([base, two, apart])),
  'a diff of a merge and what it is merged on': diff(base, merge([base, two])),
  'a diff of diffs': diff(diff(base, other), diff(base, whiteouts)),
  'a merge of diffs': merge([diff(base, whiteouts), diff(base, opaque), diff(other, base), one]),
};

let both: readonly [real: Daemon, ours: Daemon];

beforeAll(async () => {
  mkdirSync(context);
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  utimesSync(join(context, 'busybox'), OLD, OLD);
  writeFileSync(join(context, 'linked'), 'linked');
  utimesSync(join(context, 'linked'), OLD, OLD);
  utimesSync(context, OLD, OLD);
  both = [new Daemon(temp, 'real', REAL), new Daemon(temp, 'ours', OURS)];
  await Promise.all(both.map((daemon) => daemon.ready()));
});

afterAll(async () => {
  await Promise.all(both.map((daemon) => daemon.stop()));
  rmSync(temp, { recursive: true, force: true });
});

function dockerfile(name: string, text: string): string {
  mkdirSync(join(temp, name));
  writeFileSync(join(temp, name, 'Dockerfile'), text);
  return name;
}

/** Of a build's events. */
function linksCachedIn(text: string): readonly string[] {
  const cached = [...text.matchAll(/"name":"([^"]* --link [^"]*)"[^}]*"cached":true/g)].map(([, name]) => name!);
  return [...new Set(cached)].sort();
}

const isFixed = ({ entries }: Layer) => !entries.some((entry) => entry.endsWith(NOW));

test.each(Object.entries(CASES))('%s', async (_, state) => {
  const [real, ours] = await Promise.all(both.map((daemon) => daemon.layers(state)));
  expect(ours!.map(({ entries }) => entries)).toEqual(real!.map(({ entries }) => entries));
  expect(ours!.filter(isFixed)).toEqual(real!.filter(isFixed));
  const [realTree, ourTree] = await Promise.all(both.map((daemon) => daemon.tree(state)));
  expect(ourTree).toEqual(realTree);
});

test('what --link copied is cached when the base changes, and its layer is the same', async () => {
  const link = `COPY --link --chown=5:6 linked /deep/linked\nADD --link linked /added\n`;
  const [before, after] = [
    dockerfile('before', `FROM scratch AS base\nCOPY busybox /old\nFROM base\n${link}`),
    dockerfile('after', `FROM scratch AS base\nCOPY busybox /new\nCOPY linked /more\nFROM base\n${link}`),
  ];
  for (const daemon of both) {
    const first = await daemon.dockerfile(before);
    const second = await daemon.dockerfile(after);
    expect(second.layers.slice(-2).map(({ diffId }) => diffId)).toEqual(
      first.layers.slice(-2).map(({ diffId }) => diffId),
    );
    expect(linksCachedIn(second.text)).toEqual([
      '[stage-1 1/2] COPY --link --chown=5:6 linked /deep/linked',
      '[stage-1 2/2] ADD --link linked /added',
    ]);
  }
});

const OCI = 'application/vnd.oci.image';

/** A registry with one image under several tags: layers, of a file each, are the same, configs and annotations are not. */
async function serveTags(names: readonly string[], tags: readonly string[]) {
  const served = new Map<string, { readonly bytes: Buffer; readonly type: string }>();
  const add = (bytes: Buffer, type: string, name: string = digestOf(bytes)) => {
    served.set(digestOf(bytes), { bytes, type }).set(name, { bytes, type });
    return { mediaType: type, digest: digestOf(bytes), size: bytes.length };
  };
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const tars = names.map((name) =>
    execFileSync('tar', ['-c', '-C', context, `--transform=s/linked/${name}/`, 'linked']),
  );
  const layers = tars.map((tar) => add(gzipSync(tar), `${OCI}.layer.v1.tar+gzip`));
  const diffIds = tars.map((tar) => digestOf(tar));
  const { os, architecture } = hostPlatform();
  for (const tag of tags) {
    const rootfs = { type: 'layers', diff_ids: diffIds };
    const config = add(json({ os, architecture, rootfs, config: { Labels: { tag } } }), `${OCI}.config.v1+json`);
    const mediaType = `${OCI}.manifest.v1+json`;
    add(json({ schemaVersion: 2, mediaType, config, layers, annotations: { tag } }), mediaType, tag);
  }
  const fetched: string[] = [];
  const server = createServer(({ url = '', method }, response) => {
    const name = /^\/v2\/base\/(?:manifests|blobs)\/(.*)$/.exec(url)?.[1] ?? '';
    const found = served.get(name);
    if (found === undefined) return void response.writeHead(url === '/v2/' ? 200 : 404).end();
    response.writeHead(200, {
      ...{ 'content-type': found.type, 'content-length': found.bytes.length },
      'docker-content-digest': digestOf(found.bytes),
    });
    if (method === 'HEAD') return void response.end();
    fetched.push(name);
    response.end(found.bytes);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    image: (tag: string) => `127.0.0.1:${(server.address() as AddressInfo).port}/base:${tag}`,
    diffIds,
    /** Layers that were fetched since this was last asked. */
    layersFetched: () => fetched.splice(0).filter((name) => layers.some(({ digest }) => digest === name)),
    layerDigests: layers.map(({ digest }) => digest),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('of a base that changed by nothing but its manifest no layer is fetched again, and those of the result stay', async () => {
  await using registry = await serveTags(['lower', 'upper'], ['one', 'two']);
  const [one, two] = ['one', 'two'].map((tag) =>
    dockerfile(`base-${tag}`, `FROM ${registry.image(tag)}\nCOPY --link linked /deep/linked\n`),
  ) as [string, string];
  for (const daemon of both) {
    const first = await daemon.dockerfile(one);
    expect(registry.layersFetched().toSorted()).toEqual(registry.layerDigests.toSorted());
    const second = await daemon.dockerfile(two);
    expect(registry.layersFetched()).toEqual([]);
    expect(linksCachedIn(second.text)).toEqual(['[2/2] COPY --link linked /deep/linked']);
    expect(first.layers.slice(0, 2).map(({ diffId }) => diffId)).toEqual(registry.diffIds);
    expect(second.layers).toEqual(first.layers);
  }
});
