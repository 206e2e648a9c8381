import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diff, encodeDefinition, FileActions, local, merge, type State, scratch } from '../../llb/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { OURS, REAL, TestDaemon } from '../daemon/testing/test-daemon.ts';
import { azureWorld, ghaWorld, type StoreWorld, s3World } from './testing/store-worlds.ts';

/** Caches written by the real daemon and by ours, each read by both: what is found in them must be the same, step by step. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-exchange-'));
const context = join(temp, 'context');
const cleanup = new AsyncDisposableStack();

class Daemon extends TestDaemon {
  /** Names of the steps by whether they were found; those of the build itself left out. */
  async build(what: State | string, ...args: readonly string[]): Promise<Steps> {
    const { code, text } = await this.run(
      [
        ...['build', '--progress=rawjson', '--local', `context=${context}`, ...args],
        ...(typeof what === 'string'
          ? ['--frontend=dockerfile.v0', `--opt=filename=${what}`, '--local', `dockerfile=${temp}`]
          : []),
      ],
      typeof what === 'string' ? {} : { input: encodeDefinition(what.marshal()) },
    );
    if (code !== 0) throw new Error(`${this.name}: ${text}`);
    const states = new Map<string, { readonly name: string; readonly cached?: boolean; readonly started?: string }>();
    for (const line of text.split('\n')) {
      if (!line.startsWith('{')) continue;
      const { vertexes = [] } = JSON.parse(line) as {
        vertexes?: (typeof states extends Map<string, infer V> ? V & { digest: string } : never)[];
      };
      for (const vertex of vertexes) states.set(vertex.digest, { ...states.get(vertex.digest), ...vertex });
    }
    const cached: string[] = [];
    const ran: string[] = [];
    for (const { name, cached: found, started } of states.values())
      if (!OWN.test(name)) {
        if (found === true) cached.push(name);
        else if (started !== undefined) ran.push(name);
      }
    return { cached: cached.sort(), ran: ran.sort() };
  }

  async forget(): Promise<void> {
    const { code, text } = await this.run(['prune', '--all']);
    if (code !== 0) throw new Error(text);
  }
}

interface Steps {
  readonly cached: readonly string[];
  readonly ran: readonly string[];
}

/** What is not a step: questions of the frontend, exports and imports. */
const OWN = /^(?:\[internal\]|exporting |importing |inferred |pushing |copy |local:\/\/|\[auth\])/;

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
let daemons: Readonly<Record<'ours' | 'theirs', Daemon>>;

beforeAll(async () => {
  mkdirSync(join(context, 'd'), { recursive: true });
  mkdirSync(join(temp, 'registry'));
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  for (const name of ['f', 'd/g']) writeFileSync(join(context, name), `${name}\n`);
  for (const name of ['busybox', 'f', 'd/g', 'd', '.']) utimesSync(join(context, name), 1_500_000_000, 1_500_000_000);
  for (const [name, text] of Object.entries({ ...DOCKERFILES, platforms: PLATFORMS }))
    writeFileSync(join(temp, name), text);
  const registry = cleanup.use(await dockerRegistry(join(temp, 'registry')));
  host = registry.host;
  for (const [type, open] of Object.entries(STORES))
    worlds.set(type, cleanup.use(await open(join(temp, `store-${type}`))));
  const [ours, theirs] = [new Daemon(temp, 'ours', OURS), new Daemon(temp, 'theirs', REAL)] as const;
  for (const daemon of [ours, theirs]) cleanup.defer(async () => void (await daemon.stop()));
  daemons = { ours: (await ours.ready()) as Daemon, theirs: (await theirs.ready()) as Daemon };
}, 300_000);

afterAll(async () => {
  await cleanup.disposeAsync();
  rmSync(temp, { recursive: true, force: true });
}, 60_000);

const CASES: readonly (readonly [string, State | string])[] = [
  ...Object.entries(GRAPHS),
  ...Object.keys(DOCKERFILES).map((name) => [`the Dockerfile ${name}`, name] as const),
];

/** Of a place that has this name, to write a cache there and to read it. */
interface Place {
  readonly to: string;
  readonly from: string;
}

/** Writes a cache with each daemon, and reads both with both. */
async function exchange(
  what: State | string,
  name: string,
  mode: string,
  place: (writer: string) => Place,
): Promise<void> {
  const repository = `${host}/${name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}/${mode}`;
  const found: Record<string, Steps> = {};
  for (const [writer, daemon] of Object.entries(daemons)) {
    await daemon.forget();
    const image = `type=image,name=${repository}/image-${writer},push=true`;
    await daemon.build(what, '--output', image, '--export-cache', `${place(writer).to},mode=${mode}`);
  }
  for (const writer of ['theirs', 'ours'])
    for (const [reader, daemon] of Object.entries(daemons)) {
      await daemon.forget();
      found[`${writer} read by ${reader}`] = await daemon.build(
        what,
        ...['--output', `type=image,name=${repository}/again,push=true`],
        ...['--import-cache', place(writer).from],
      );
    }
  for (const reader of ['ours', 'theirs'])
    expect(found[`ours read by ${reader}`]).toEqual(found[`theirs read by ${reader}`]);
  // A step without inputs the real daemon runs again, though the cache has its result.
  const [ours, theirs] = [found['theirs read by ours']!, found['theirs read by theirs']!];
  expect(ours.cached).toEqual(expect.arrayContaining([...theirs.cached]));
  expect(theirs.ran).toEqual(expect.arrayContaining([...ours.ran]));
  expect(theirs.cached.length).toBeGreaterThan(mode === 'max' ? 2 : 0);
}

describe.each(['max', 'min'])('%s', (mode) => {
  test.each(CASES)('%s', { timeout: 300_000 }, async (name, what) => {
    const repository = `${host}/${name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}/${mode}`;
    await exchange(what, name, mode, (writer) => {
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
    await exchange(what, `local ${form.length} ${name}`, mode, (writer) => {
      const directory = join(folder('local'), `${form.length}`, writer);
      return {
        to: ['type=local', `dest=${directory}`, form].filter(Boolean).join(','),
        from: ['type=local', `src=${directory}`, read].filter(Boolean).join(','),
      };
    });
  });

  test.each(Object.keys(STORES))('in a store of type %s', { timeout: 300_000 }, async (type) => {
    const world = worlds.get(type)!;
    await exchange(what, `${type} ${name}`, mode, (writer) => {
      const attrs = Object.entries(world.attrs(`${writer}-${mode}-${name.replaceAll(' ', '-')}`));
      const place = [`type=${type.replace(/-.*/, '')}`, ...attrs.map((pair) => pair.join('='))].join(',');
      return { to: place, from: place };
    });
  });
});

interface CarriedRecord {
  readonly digest: string;
  readonly inputs?: unknown;
}

/** The records in the configurations of an image, by its platforms, without times. */
async function carriedBy(image: string): Promise<readonly (readonly CarriedRecord[])[]> {
  const [repository, tag] = [image.replace('/', '/v2/').replace(/:[^:/]+$/, ''), image.split(':').at(-1)];
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
  const document = async (path: string) =>
    (await (await fetch(`http://${repository}/${path}`, { headers: { accept } })).json()) as {
      readonly manifests?: readonly { readonly digest: string }[];
      readonly config: { readonly digest: string };
    };
  const root = await document(`manifests/${tag}`);
  const manifests =
    root.manifests === undefined
      ? [root]
      : await Promise.all(root.manifests.map(({ digest }) => document(`manifests/${digest}`)));
  return await Promise.all(
    manifests.map(async ({ config: { digest } }) => {
      const config = (await document(`blobs/${digest}`)) as { readonly 'moby.buildkit.cache.v0'?: string };
      const records = Buffer.from(config['moby.buildkit.cache.v0'] ?? '', 'base64').toString();
      return JSON.parse(records.replaceAll(/"createdAt":"[^"]+"/g, '"createdAt":""')) as CarriedRecord[];
    }),
  );
}

/** Those with inputs whole, of the others their keys: the real daemon carries no results of steps without inputs. */
const comparable = (records: readonly CarriedRecord[]) =>
  records.map(({ digest, ...rest }) => (rest.inputs === undefined ? { digest } : { digest, ...rest }));

test.each([
  ...CASES.map(([name, what]) => [name, what, []] as const),
  ['platforms', 'platforms', ['--opt=platform=linux/amd64,linux/arm64']] as const,
])('records that an image carries, of %s', { timeout: 300_000 }, async (name, what, args) => {
  const image = (writer: string) => `${host}/inline-${name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}:${writer}`;
  for (const [writer, daemon] of Object.entries(daemons)) {
    await daemon.forget();
    const output = `type=image,name=${image(writer)},push=true`;
    await daemon.build(what, '--output', output, '--export-cache', 'type=inline', ...args);
  }
  const carried = await carriedBy(image('ours'));
  expect(carried.map(comparable)).toEqual((await carriedBy(image('theirs'))).map(comparable));
  expect(carried).toHaveLength(args.length === 0 ? 1 : 2);
  for (const writer of ['theirs', 'ours']) {
    const found: Steps[] = [];
    for (const daemon of [daemons.theirs, daemons.ours]) {
      await daemon.forget();
      const from = `type=registry,ref=${image(writer)}`;
      found.push(await daemon.build(what, '--output', 'type=image', '--import-cache', from, ...args));
    }
    expect(found[1]?.cached).toEqual(expect.arrayContaining([...(found[0]?.cached ?? [])]));
    expect(found[0]?.cached.length).toBeGreaterThan(0);
  }
});
