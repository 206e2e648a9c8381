import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Digest, digestOf, newId } from '../../base/index.ts';
import { encodeDefinition, FileActions, type State, scratch } from '../../llb/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { TestDaemon } from '../daemon/testing/test-daemon.ts';

/** Caches in a client's directory and in images, damaged and forged in every way: each costs time only. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-faults-'));
const cleanup = new AsyncDisposableStack();
/** Writes caches. */
let writer: TestDaemon;
/** Has none of their bytes. */
let reader: TestDaemon;
/** What layers are of in this test. */
let nonce: string;
let proxy: FaultProxy;

const timestamp = 1_500_000_000n * 10n ** 9n;
const bytesOf = (name: string) => Buffer.alloc(3000, `${name} ${nonce}`);
const text = (name: string, on: State = scratch()) =>
  on.file(new FileActions().mkfile(`/${name}`, 0o644, bytesOf(name), { timestamp }), { name });
const cached = () => text('two', text('one'));
/** Mounts what was found. */
const beyond = () => {
  const two = cached();
  return two.file(new FileActions().copy(two, '/two', '/copied'), { name: 'last' });
};

interface Built {
  /** By name, what is in them. */
  readonly files: Readonly<Record<string, string>>;
  readonly found: readonly string[];
  readonly failed: readonly string[];
  readonly warnings: readonly string[];
}

async function build(daemon: TestDaemon, target: State, ...args: readonly string[]): Promise<Built> {
  const dest = join(temp, newId());
  const { code, text: printed } = await daemon.run(
    ['build', '--progress=rawjson', '--output', `type=local,dest=${dest}`, ...args],
    { input: encodeDefinition(target.marshal()) },
  );
  expect(code, printed).toBe(0);
  const lines = printed.split('\n').filter((line) => line.startsWith('{'));
  const events = lines.map(
    (line) =>
      JSON.parse(line) as {
        vertexes?: { name: string; cached?: boolean; error?: string }[];
        warnings?: { short: string }[];
      },
  );
  const vertexes = events.flatMap(({ vertexes: all = [] }) => all);
  const files = Object.fromEntries(readdirSync(dest).map((name) => [name, digestOf(readFileSync(join(dest, name)))]));
  return {
    files,
    found: [...new Set(vertexes.filter((one) => one.cached === true).map(({ name }) => name))].sort(),
    failed: [...new Set(vertexes.filter(({ error }) => error).map(({ name }) => name))],
    warnings: events.flatMap(({ warnings = [] }) =>
      warnings.map(({ short }) => Buffer.from(short, 'base64').toString()),
    ),
  };
}

const right = { one: 'one', two: 'two', copied: 'two' };
const contents = (names: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(names).map(([name, word]) => [name, digestOf(bytesOf(word))]));

beforeAll(async () => {
  const registry = cleanup.use(await RegistryServer.start({ root: join(temp, 'registry'), durable: false }));
  proxy = cleanup.use(await FaultProxy.start(registry.url));
  writer = await new TestDaemon(temp, 'writer').ready();
  reader = await new TestDaemon(temp, 'reader').ready();
});
afterAll(async () => {
  await writer?.stop();
  await reader?.stop();
  await cleanup.disposeAsync();
  rmSync(temp, { recursive: true, force: true });
});

interface ManifestJson {
  config: { digest: Digest; size: number };
  layers: { digest: Digest; size: number; annotations?: Record<string, string> }[];
}

/** A cache where it lies, and what can be done to it there. */
interface Damageable {
  readonly name: string;
  readonly attrs: () => string;
  manifest(): Buffer;
  readonly manifestDigest: Digest;
  /** What is there under a digest from now on; undefined for nothing. */
  put(digest: Digest, bytes: Buffer | undefined): void;
  get(digest: Digest): Buffer;
  /** The cache is of this manifest from now on. */
  replace(manifest: Buffer): void;
  /** The list of records in the text of the config. */
  records(config: string, change: (records: string) => string): string;
  /** Says other things of what layers unpack to. */
  lie(manifest: ManifestJson, config: string): string;
}

/** In a directory of the client. */
function inDirectory(dest: string): Damageable {
  const file = (digest: Digest) => join(dest, 'blobs/sha256', digest.slice('sha256:'.length));
  const { manifests } = JSON.parse(readFileSync(join(dest, 'index.json'), 'utf8')) as {
    manifests: { digest: Digest }[];
  };
  let current = manifests[0]!.digest;
  return {
    name: dest,
    attrs: () => `type=local,src=${dest},digest=${current}`,
    manifestDigest: current,
    manifest: () => readFileSync(file(current)),
    get: (digest) => readFileSync(file(digest)),
    put: (digest, bytes) => {
      rmSync(file(digest), { force: true });
      if (bytes !== undefined) writeFileSync(file(digest), bytes);
    },
    replace: (manifest) => {
      current = digestOf(manifest);
      writeFileSync(file(current), manifest);
    },
    records: (config, change) => {
      const { layers, records } = JSON.parse(config) as { layers: unknown; records: unknown };
      return `{"layers":${JSON.stringify(layers)},"records":${change(JSON.stringify(records))}}`;
    },
    lie: (manifest, config) => {
      for (const { annotations = {} } of manifest.layers)
        annotations['containerd.io/uncompressed'] = `sha256:${'0'.repeat(64)}`;
      return config;
    },
  };
}

const RECORDS = 'moby.buildkit.cache.v0';

/** In an image of a registry. */
async function inImage(name: string): Promise<Damageable> {
  const [, repository] = /^[^/]+\/(.*)$/.exec(name) ?? [];
  const get = async (what: string) =>
    Buffer.from(await (await fetch(`http://${proxy.host}/v2/${repository}/${what}`)).arrayBuffer());
  let manifest: Buffer = await get('manifests/latest');
  const { config, layers } = JSON.parse(manifest.toString()) as ManifestJson;
  const blobs = new Map<string, Buffer | undefined>();
  for (const { digest } of [config, ...layers]) blobs.set(digest, await get(`blobs/${digest}`));
  const changed = new Set<string>();
  proxy.fault = ({ url = '', method }, res) => {
    const what = /\/(?:manifests|blobs)\/([^/?]+)$/.exec(url)?.[1] ?? '';
    if (method !== 'GET' && method !== 'HEAD') return false;
    const isManifest = url.includes('/manifests/');
    if (!isManifest && !changed.has(what)) return false;
    const current = digestOf(manifest);
    const bytes = isManifest && !changed.has(current) ? manifest : blobs.get(isManifest ? current : what);
    if (bytes === undefined) res.writeHead(404).end();
    else
      res
        .writeHead(200, {
          'content-type': isManifest ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream',
          'content-length': bytes.length,
          ...(isManifest ? { 'docker-content-digest': current } : {}),
        })
        .end(method === 'HEAD' ? undefined : bytes);
    return true;
  };
  return {
    name,
    attrs: () => `type=registry,ref=${name}`,
    get manifestDigest() {
      return digestOf(manifest);
    },
    manifest: () => manifest,
    get: (digest) => blobs.get(digest)!,
    put: (digest, bytes) => {
      blobs.set(digest, bytes);
      changed.add(digest);
    },
    replace: (bytes) => {
      manifest = bytes;
    },
    records: (config, change) => {
      const parsed = JSON.parse(config) as Record<string, unknown>;
      const records = Buffer.from(parsed[RECORDS] as string, 'base64').toString();
      return JSON.stringify({ ...parsed, [RECORDS]: Buffer.from(change(records)).toString('base64') });
    },
    lie: (_manifest, config) =>
      config.replaceAll(/("diff_ids":\[[^\]]*\])/g, (ids) => ids.replaceAll(/[0-9a-f]{64}/g, '0'.repeat(64))),
  };
}

type Fault = (cache: Damageable) => void;

const parsed = (cache: Damageable) => JSON.parse(cache.manifest().toString()) as ManifestJson;

/** Another config, and a manifest that names it: whole in themselves. */
function forged(change: (config: string, cache: Damageable, manifest: ManifestJson) => string): Fault {
  return (cache) => {
    const manifest = parsed(cache);
    const config = Buffer.from(change(cache.get(manifest.config.digest).toString(), cache, manifest));
    manifest.config.digest = digestOf(config);
    manifest.config.size = config.length;
    cache.put(manifest.config.digest, config);
    cache.replace(Buffer.from(JSON.stringify(manifest)));
  };
}
const records = (change: (records: string) => string) =>
  forged((config, cache) => {
    const changed = cache.records(config, change);
    expect(changed).not.toBe(config);
    return changed;
  });
const config =
  (change: (bytes: Buffer) => Buffer | undefined): Fault =>
  (cache) => {
    const { digest } = parsed(cache).config;
    cache.put(digest, change(cache.get(digest)));
  };
const layers =
  (change: (bytes: Buffer) => Buffer | undefined): Fault =>
  (cache) => {
    for (const { digest } of parsed(cache).layers) cache.put(digest, change(cache.get(digest)));
  };
const many = Array.from({ length: 100_000 }, (_, n) => ({ digest: digestOf(`${n}`) }));

/** Whether the cache is one that cannot be opened, or what is found in it cannot be had, or what is in it cannot be found. */
const FAULTS: readonly (readonly [string, Fault, 'opened' | 'not opened' | 'circles'])[] = [
  ['its manifest is not there', (cache) => cache.put(cache.manifestDigest, undefined), 'not opened'],
  [
    'its manifest is another',
    (cache) => cache.put(cache.manifestDigest, Buffer.alloc(cache.manifest().length, ' ')),
    'not opened',
  ],
  [
    'its manifest is cut off',
    (cache) => cache.put(cache.manifestDigest, cache.manifest().subarray(0, 100)),
    'not opened',
  ],
  ['its manifest is no JSON', (cache) => cache.replace(Buffer.from('nonsense')), 'not opened'],
  ['its manifest says nothing', (cache) => cache.replace(Buffer.from('{}')), 'not opened'],
  [
    'its manifest is larger than any',
    (cache) => cache.replace(Buffer.concat([cache.manifest(), Buffer.alloc(9 << 20, ' ')])),
    'not opened',
  ],
  ['its config is not there', config(() => undefined), 'not opened'],
  ['its config is cut off', config((bytes) => bytes.subarray(0, 50)), 'not opened'],
  ['its config is another', config((bytes) => Buffer.alloc(bytes.length, ' ')), 'not opened'],
  ['its config is longer', config((bytes) => Buffer.concat([bytes, bytes])), 'not opened'],
  ['its config is larger than any', forged((text) => text + ' '.repeat(17 << 20)), 'not opened'],
  ['its records are no list', records(() => '{}'), 'not opened'],
  [
    'its records are of other types',
    records((text) => text.replaceAll(/"digest":"[^"]*"/g, '"digest":[7]')),
    'not opened',
  ],
  ['its records are a hundred thousand', records(() => JSON.stringify(many)), 'not opened'],
  [
    'its links lead in circles',
    records((text) => text.replaceAll(/"link":(\d)/g, (_, at: string) => `"link":${1 - Number(at)}`)),
    'circles',
  ],
  ['its links lead nowhere', records((text) => text.replaceAll(/"link":\d+/g, '"link":99')), 'not opened'],
  [
    'its results are of layers that there are not',
    records((text) => text.replaceAll(/"layer":\d+/g, '"layer":99')),
    'not opened',
  ],
  ['its layers are not there', layers(() => undefined), 'opened'],
  ['its layers are cut off', layers((bytes) => bytes.subarray(0, 50)), 'opened'],
  ['its layers are others', layers((bytes) => Buffer.alloc(bytes.length, 'x')), 'opened'],
  ['its layers are longer', layers((bytes) => Buffer.concat([bytes, bytes])), 'opened'],
  [
    'its layers are said to be longer',
    forged((text, _cache, manifest) => {
      for (const layer of manifest.layers) layer.size += 1000;
      return text;
    }),
    'opened',
  ],
  [
    'its layers are said to be what they are not',
    forged((text, cache, manifest) => cache.lie(manifest, text)),
    'opened',
  ],
];

describe.each(['local', 'inline'])('a cache of type %s', (type) => {
  let cache: Damageable;

  beforeEach(async () => {
    proxy.fault = () => undefined;
    nonce = newId();
    const [directory, image] = [join(temp, nonce), `${proxy.host}/app-${nonce}`];
    if (type === 'local') {
      mkdirSync(directory);
      await build(writer, cached(), '--export-cache', `type=local,dest=${directory},mode=max`);
      cache = inDirectory(directory);
    } else {
      const output = `type=image,name=${image},push=true`;
      await build(writer, cached(), '--output', output, '--export-cache', 'type=inline');
      cache = await inImage(image);
    }
  });

  const read = () => build(reader, beyond(), '--import-cache', cache.attrs());

  test('is found where nothing is wrong with it', async () => {
    expect(await read()).toMatchObject({ files: contents(right), found: ['one', 'two'], failed: [], warnings: [] });
  });

  test.each(FAULTS)('costs time only when %s', async (_what, fault, outcome) => {
    fault(cache);
    const { files, failed, warnings } = await read();
    expect(files).toEqual(contents(right));
    expect(failed.filter((name) => !name.startsWith('importing cache manifest'))).toEqual([]);
    expect(warnings).toHaveLength(1);
    const told = {
      opened: ' as a whole: results of it are lost',
      circles: ' as a whole: records of it lead in circles',
      'not opened': ': ',
    }[outcome];
    expect(warnings[0]).toContain(`the cache ${cache.name} is not used${told}`);
  });
});
