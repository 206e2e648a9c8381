import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  createReadStream,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { ImmutableRef, Layer } from '../../cache/ports.ts';
import { packLayer } from '../../oci/layers/index.ts';
import { describeTree } from '../../oci/layers/testing/trees.ts';
import { layerMediaType } from '../../oci/manifest/index.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { createPools, lutimensNs, mknod, mount, setXattr, unmount } from '../../sys/index.ts';
import { openExporter } from './index.ts';
import { FakeSender, fakeContext, fakeDeps, fakeRef } from './testing/fakes.ts';

const signal = neverAborted;
const stack = new AsyncDisposableStack();
const pools = stack.use(createPools({ short: 1, bulk: 2 }));
const temp = mkdtempSync(join(tmpdir(), 'slipway-image-'));
stack.defer(() => rmSync(temp, { recursive: true, force: true }));
afterAll(() => stack.disposeAsync());

/** What the image holds when all its layers lie on each other. */
let wanted: Record<string, unknown>;
const refs = new Map<string, ImmutableRef>();

beforeAll(async () => {
  const at = (name: string) => join(temp, name);
  for (const name of ['base', 'upper', 'work', 'merged']) mkdirSync(at(name));
  mkdirSync(at('base/bin'));
  mkdirSync(at('base/gone'));
  mkdirSync(at('base/opaque'));
  for (const name of ['bin/a', 'bin/b', 'gone/x', 'opaque/old']) writeFileSync(join(at('base'), name), name);
  mount(
    {
      type: 'overlay',
      source: 'overlay',
      options: [`lowerdir=${at('base')}`, `upperdir=${at('upper')}`, `workdir=${at('work')}`, 'redirect_dir=off'],
    },
    at('merged'),
  );
  try {
    rmSync(at('merged/gone'), { recursive: true });
    rmSync(at('merged/bin/b'));
    rmSync(at('merged/opaque'), { recursive: true });
    mkdirSync(at('merged/opaque'));
    writeFileSync(at('merged/opaque/new'), 'new');
    writeFileSync(at('merged/bin/su'), 'su');
    chownSync(at('merged/bin/su'), 1234, 70_000);
    chmodSync(at('merged/bin/su'), 0o6755);
    linkSync(at('merged/bin/su'), at('merged/bin/su-linked'));
    symlinkSync('su', at('merged/bin/su-symlink'));
    mknod(at('merged/null'), 0o020666, 1, 3);
    mknod(at('merged/pipe'), 0o010644);
    setXattr(at('merged/bin/su'), 'user.note', Buffer.from([1, 0, 255]));
    for (const name of ['bin/su', 'bin/su-symlink', 'opaque/new', 'bin', 'opaque'])
      lutimensNs(join(at('merged'), name), 0n, 1_600_000_000_123_456_789n);
    wanted = describeTree(at('merged'), { wholeSeconds: true });
  } finally {
    unmount(at('merged'));
  }
  for (const type of ['gzip', 'zstd', 'uncompressed'] as const) {
    const layers: Layer[] = [];
    const paths = new Map<string, string>();
    for (const name of ['base', 'upper']) {
      const into = at(`${name}.${type}`);
      const { digest, size, diffId } = await packLayer(pools.bulk, {
        directory: at(name),
        below: name === 'upper' ? at('base') : undefined,
        into,
        compression: { type },
        signal,
        owner: HOUSE,
      });
      paths.set(digest, into);
      layers.push({ diffId, descriptor: { mediaType: layerMediaType(type, true), digest, size } });
    }
    refs.set(type, {
      ...fakeRef([]),
      layers: async () => layers,
      openBlob: async ({ digest }) =>
        Readable.toWeb(createReadStream(paths.get(digest) as string)) as ReadableStream<Uint8Array>,
    });
  }
});

const source = (type: string) => ({
  ref: refs.get(type),
  metadata: new Map([
    ['containerimage.config', Buffer.from('{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/a"]}}')],
  ]),
});

test.each(['gzip', 'uncompressed'])('an oci tar (%s) unpacks with umoci to what was built', async (type) => {
  const sender = new FakeSender();
  const deps = fakeDeps({ fileSender: () => sender });
  await openExporter('oci', { name: 'example.org/app:v1' }, deps).export(source(type), fakeContext());
  const [layout, bundle] = [join(temp, `layout-${type}`), join(temp, `bundle-${type}`)];
  mkdirSync(layout);
  execFileSync('tar', ['-xf', '-', '-C', layout], { input: sender.files[0]?.bytes as Buffer });
  execFileSync('umoci', ['unpack', '--image', `${layout}:v1`, bundle], { stdio: 'pipe' });
  expect(describeTree(join(bundle, 'rootfs'), { wholeSeconds: true })).toEqual(wanted);
});

test.each(['oci', 'docker'] as const)('%s tars are read by skopeo', async (type) => {
  const sender = new FakeSender();
  const deps = fakeDeps({ fileSender: () => sender });
  await openExporter(type, { name: 'example.org/app:v1' }, deps).export(source('gzip'), fakeContext());
  const archive = join(temp, `${type}.tar`);
  writeFileSync(archive, sender.files[0]?.bytes as Buffer);
  const inspected = execFileSync('skopeo', ['inspect', '--config', `${type}-archive:${archive}`], { encoding: 'utf8' });
  expect(JSON.parse(inspected)).toMatchObject({
    config: { Cmd: ['/bin/a'] },
    rootfs: { diff_ids: [{}, {}].map(() => expect.any(String)) },
  });
});

test.each([
  ['gzip', 'true'],
  ['gzip', 'false'],
  ['zstd', 'true'],
])('a pushed image (%s, OCI types %s) is pulled by skopeo with the same digests', async (type, oci) => {
  await using server = await RegistryServer.start({ root: join(temp, `registry-${type}-${oci}`), durable: false });
  using client = new RegistryClient();
  const deps = fakeDeps({ openRepository: (reference) => client.repository(reference, anonymous) });
  const name = `${server.host}/team/app:v1`;
  const exporter = openExporter('image', { name, push: 'true', 'oci-mediatypes': oci }, deps);
  const { response } = await exporter.export(source(type), fakeContext());
  const inspected = await run('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`]);
  expect(JSON.parse(inspected)).toMatchObject({ Digest: response['containerimage.digest'] });
  const directory = join(temp, `pulled-${type}-${oci}`);
  await run('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    '--src-tls-verify=false',
    `docker://${name}`,
    `dir:${directory}`,
  ]);
});

/** Without blocking: the registry answers from this process. */
async function run(command: string, args: string[]): Promise<string> {
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  return (await promisify(execFile)(command, args)).stdout;
}
