import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diff, FileActions, local, merge, type State, scratch } from '../../llb/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import {
  atOnce,
  carriedBy,
  comparable,
  type Daemons,
  exchange,
  exchangeDaemons,
  layersOf,
  type Place,
  type Steps,
} from './testing/exchange.ts';
import { azureWorld, ghaWorld, type StoreWorld, s3World } from './testing/store-worlds.ts';

/** Caches written by the real daemon and by ours, each read by both: what is found in them must be the same, step by step. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-exchange-'));
const cleanup = new AsyncDisposableStack();

const files = new FileActions();
const busybox = local('context', { includePatterns: ['busybox'] });
const base = scratch()
  .file(files.copy(busybox, '/busybox', '/bin/busybox', { createDestPath: true }), { name: 'base' })
  .run({ args: ['/bin/busybox', '--install', '-s', '/bin'], name: 'install' }).root;
const sh = (state: State, script: string) => state.run({ args: ['/bin/sh', '-c', script], name: script }).root;
const one = scratch().file(files.mkfile('/one', 0o644, Buffer.from('1')), { name: 'one' });
const two = sh(base, 'echo 2 > /two');
const GRAPHS: Readonly<Record<string, State>> = {
  'a chain': sh(sh(base, 'echo a > /a'), 'echo b > /b'),
  'a merge': sh(merge([base, one, diff(base, two)]), 'cat /one /two > /both'),
  'a copy between': scratch().file(files.copy(two, '/two', '/copied'), { name: 'copy-between' }),
  'two that lead to one': sh(merge([sh(base, 'echo x > /x'), sh(base, 'echo y > /y')]), 'cat /x /y > /xy'),
};

const DOCKERFILES: Readonly<Record<string, string>> = {
  plain: `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base AS tools
WORKDIR /w
COPY d /w/d
RUN --mount=type=bind,source=f,target=/f --mount=type=cache,target=/cache cat /f d/g > made
FROM base
ARG WHO=me
ENV A=b
RUN echo $WHO $A > /who
COPY --from=tools /w/made /made
COPY --link d/g /deep/linked
RUN --mount=type=bind,from=tools,target=/t cat /t/w/made /deep/linked > /all
`,
  shared: `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base AS a
RUN echo a > /a
FROM base AS b
COPY f /f
RUN --mount=type=tmpfs,target=/t cat /f > /b
FROM base
COPY --from=a /a /
COPY --from=b /b /
RUN --network=none cat /a /b > /ab
`,
};

/** Without a step that would need another machine. */
const PLATFORMS = `FROM scratch AS made
ARG TARGETARCH
COPY <<EOF /arch
$TARGETARCH
EOF
COPY f /f
FROM scratch
COPY --from=made /arch /f /
COPY d /d
`;

const STORES = { s3: s3World, gha: ghaWorld(1), 'gha-second': ghaWorld(2), azblob: azureWorld } as const;

let host: string;
const worlds = new Map<string, StoreWorld>();
let daemons: Daemons;

beforeAll(async () => {
  mkdirSync(join(temp, 'registry'));
  for (const [name, text] of Object.entries({ ...DOCKERFILES, platforms: PLATFORMS }))
    writeFileSync(join(temp, name), text);
  const registry = cleanup.use(await dockerRegistry(join(temp, 'registry')));
  host = registry.host;
  for (const [type, open] of Object.entries(STORES))
    worlds.set(type, cleanup.use(await open(join(temp, `store-${type}`))));
  daemons = await exchangeDaemons(temp, cleanup, { dockerfiles: temp });
}, 300_000);

afterAll(async () => {
  await cleanup.disposeAsync();
  rmSync(temp, { recursive: true, force: true });
});

const CASES: readonly (readonly [string, State | string])[] = [
  ...Object.entries(GRAPHS),
  ...Object.keys(DOCKERFILES).map((name) => [`the Dockerfile ${name}`, name] as const),
];

/** Both caches under this name, by the mode, read by both. */
async function exchangeAt(what: State | string, name: string, mode: string, place: (writer: string) => Place) {
  const images = `${host}/${name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}/${mode}`;
  await exchange(daemons, what, { images, mode, place });
}

describe.each(['max', 'min'])('%s', (mode) => {
  test.each(CASES)('%s', { timeout: 300_000 }, async (name, what) => {
    const repository = `${host}/${name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}/${mode}`;
    await exchangeAt(what, name, mode, (writer) => {
      const registry = `type=registry,ref=${repository}:${writer}`;
      return { to: registry, from: registry };
    });
  });
});

/** What a cache says is the same wherever it lies. */
describe.each([
  ['max', 'a merge', GRAPHS['a merge']!],
  ['min', 'the Dockerfile plain', 'plain'],
  ['max', 'the Dockerfile shared', 'shared'],
] as const)('%s, %s', (mode, name, what) => {
  const folder = (type: string) => join(temp, `${type}-${mode}-${name.replaceAll(' ', '-')}`);

  test.each([
    ['', ''],
    ['image-manifest=false', ''],
    ['oci-mediatypes=false,compression=zstd,tag=other', 'tag=other'],
  ])('in a directory of the client, %s', { timeout: 300_000 }, async (form, read) => {
    await exchangeAt(what, `local ${form.length} ${name}`, mode, (writer) => {
      const directory = join(folder('local'), `${form.length}`, writer);
      return {
        to: ['type=local', `dest=${directory}`, form].filter(Boolean).join(','),
        from: ['type=local', `src=${directory}`, read].filter(Boolean).join(','),
      };
    });
  });

  test.each(Object.keys(STORES))('in a store of type %s', { timeout: 300_000 }, async (type) => {
    const world = worlds.get(type)!;
    await exchangeAt(what, `${type} ${name}`, mode, (writer) => {
      const attrs = Object.entries(world.attrs(`${writer}-${mode}-${name.replaceAll(' ', '-')}`));
      const place = [`type=${type.replace(/-.*/, '')}`, ...attrs.map((pair) => pair.join('='))].join(',');
      return { to: place, from: place };
    });
  });
});

const PLATFORM = '--opt=platform=linux/amd64,linux/arm64';
const REWRITTEN = ',rewrite-timestamp=true,source-date-epoch=1000';

test.each([
  ...CASES.map(([name, what]) => [name, what, '', []] as const),
  ['platforms', 'platforms', '', [PLATFORM]] as const,
  // Its layers are not those that steps made.
  ...CASES.map(([name, what]) => [`${name} rewritten`, what, REWRITTEN, []] as const),
  ['platforms rewritten', 'platforms', REWRITTEN, [PLATFORM]] as const,
])('records that an image carries, of %s', { timeout: 300_000 }, async (name, what, attributes, args) => {
  const image = (writer: string) => `${host}/inline-${name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}:${writer}`;
  await atOnce(daemons, async (daemon, writer) => {
    await daemon.forget();
    const output = `type=image,name=${image(writer)},push=true${attributes}`;
    await daemon.build(what, '--output', output, '--export-cache', 'type=inline', ...args);
  });
  const carried = await carriedBy(image('ours'));
  expect(carried.map(comparable)).toEqual((await carriedBy(image('theirs'))).map(comparable));
  expect(carried).toHaveLength(what === 'platforms' ? 2 : 1);
  for (const writer of ['theirs', 'ours']) {
    const found = {} as Record<keyof Daemons, Steps>;
    await atOnce(daemons, async (daemon, reader) => {
      await daemon.forget();
      const from = `type=registry,ref=${image(writer)}`;
      found[reader] = await daemon.build(what, '--output', 'type=image', '--import-cache', from, ...args);
    });
    expect(found.ours.cached).toEqual(expect.arrayContaining([...found.theirs.cached]));
    expect(found.theirs.cached.length).toBeGreaterThan(0);
  }
});

test('what an image with rewritten times carries is built on by who says no time: the same files, with the times that the image has', {
  timeout: 300_000,
}, async () => {
  const chain = GRAPHS['a chain']!;
  const more = sh(chain, 'cat /a /b > /more; stat -c %Y /a /b > /times');
  const image = `${host}/inline-built-on:1`;
  const output = `type=image,name=${image},push=true${REWRITTEN}`;
  await daemons.ours.forget();
  await daemons.ours.build(chain, '--output', output, '--export-cache', 'type=inline');
  const built = await layersOf(image);
  const results = [];
  for (const daemon of [daemons.theirs, daemons.ours]) {
    await daemon.forget();
    const folder = join(temp, `built-on-${daemon.name}`);
    const { cached, ran } = await daemon.build(
      more,
      ...['--import-cache', `type=registry,ref=${image}`, '--output', `type=local,dest=${folder}`],
    );
    const [text, times] = ['more', 'times'].map((name) => readFileSync(join(folder, name), 'utf8'));
    results.push({ cached, ran, text, times, copied: statSync(join(folder, 'b')).mtimeMs });
    const again = `${host}/inline-built-on:${daemon.name}`;
    await daemon.build(chain, '--output', `type=image,name=${again},push=true`);
    expect(await layersOf(again)).toEqual(built);
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[1]).toMatchObject({ text: 'a\nb\n', times: '1000\n1000\n', copied: 1_000_000 });
});
