import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder, type TestBuilder } from '../../../e2e/support/builder.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';

/** Builds that pin their times have the same bytes, also where steps come from the cache of a builder that packs in another way. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let host: string;
let one: TestBuilder;
let other: TestBuilder;
let fresh: Image;

interface Image {
  readonly layers: readonly { readonly digest: string }[];
  readonly digest: string;
  readonly cached: readonly boolean[];
}

const PINNED = ['--opt=build-arg:SOURCE_DATE_EPOCH=1700000000'];
/** More than the 4 MiB up to which all builders pack alike. */
const large = (salt: number) =>
  Array.from({ length: 700_000 }, (_, n) => `${((n * 7919 + salt) % 900_001).toString(36)} is line ${n}\n`).join('');

beforeAll(async () => {
  folder = stack.use(tempFolder('cache-bytes')).path;
  for (const name of ['one', 'other', 'base', 'app']) mkdirSync(path.join(folder, name));
  host = stack.use(await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false })).host;
  one = stack.use(await startBuilder(path.join(folder, 'one')));
  other = stack.use(await startBuilder(path.join(folder, 'other')));
  for (const [at, name] of ['base/of-base', 'app/first', 'app/second'].entries()) {
    const file = path.join(folder, name);
    writeFileSync(file, large(at));
    utimesSync(file, 1_600_000_000, 1_600_000_000);
  }
  writeFileSync(path.join(folder, 'base/Dockerfile'), 'FROM scratch\nCOPY of-base /\n');
  writeFileSync(path.join(folder, 'app/Dockerfile'), `FROM ${host}/base\nCOPY first /\nCOPY second /\n`);
  await build(one, 'base', 'base');
  fresh = await build(other, 'app', 'fresh', PINNED);
});

async function build(
  builder: TestBuilder,
  context: string,
  name: string,
  rest: readonly string[] = [],
  attrs = '',
): Promise<Image> {
  await builder.buildctl(['prune', '--all']);
  const at = path.join(folder, context);
  const { code, output } = await builder.buildctl([
    ...['build', '--progress=rawjson', '--frontend=dockerfile.v0', '--local', `context=${at}`],
    ...['--local', `dockerfile=${at}`, `--output=type=image,name=${host}/${name},push=true${attrs}`, ...rest],
  ]);
  expect(code, output).toBe(0);
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const answer = await fetch(`http://${host}/v2/${name}/manifests/latest`, { headers: { accept } });
  const digest = answer.headers.get('docker-content-digest')!;
  const { layers } = (await answer.json()) as Pick<Image, 'layers'>;
  const vertices = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => (JSON.parse(line) as { vertexes?: { name: string; cached?: boolean }[] }).vertexes ?? []);
  const cached = ['first', 'second'].map((file) =>
    vertices.some((vertex) => vertex.name.includes(`COPY ${file}`) && vertex.cached === true),
  );
  return { layers, digest, cached };
}

test.each([
  ['registry', '', `ref=HOST/cache:NAME`, 'ref=HOST/cache:NAME'],
  ['registry', ',compression-level=9', `ref=HOST/cache:NAME,compression-level=9`, 'ref=HOST/cache:NAME'],
  ['local', ',compression-level=9', `dest=FOLDER/NAME,compression-level=9`, 'src=FOLDER/NAME'],
])('from a cache of type %s whose layers were packed with "%s"', async (type, attrs, to, from) => {
  const name = `${type}${attrs.length}`;
  const at = (text: string) =>
    `type=${type},${text.replace('HOST', host).replace('FOLDER', folder).replace('NAME', name)}`;
  const written = await build(one, 'app', `unpinned-${name}`, ['--export-cache', `${at(to)},mode=max`], attrs);
  // Else it shows nothing.
  expect(written.layers[1]?.digest).not.toBe(fresh.layers[1]?.digest);
  const imported = await build(other, 'app', `imported-${name}`, ['--import-cache', at(from), ...PINNED]);
  expect(imported.cached).toEqual([true, true]);
  expect(imported.digest).toBe(fresh.digest);
  // What the base image brought is as it was there; and who pins nothing takes everything as it lies there.
  expect(imported.layers[0]).toEqual(written.layers[0]);
  const plain = await build(other, 'app', `plain-${name}`, ['--import-cache', at(from)], attrs);
  expect(plain.layers).toEqual(written.layers);
});
