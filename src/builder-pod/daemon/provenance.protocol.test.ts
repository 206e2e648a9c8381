import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGitServer } from '../../../e2e/support/git-server.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestOf, newId, neverAborted as signal } from '../../base/index.ts';
import { openBuilderClient } from '../../builder-api/client/index.ts';
import { clientOf } from '../../builder-api/grpc/channel.ts';
import { ConnectionChannel } from '../../builder-api/grpc/client.ts';
import { BUILD_ID_METADATA, Control, Metadata, wire } from '../../builder-api/index.ts';
import { encodeDefinition, FileActions, image, scratch } from '../../llb/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** The same builds through the real daemon and through ours: what is told of where their results came from must be the same. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let registry: RegistryServer;
let gitUrl: string;
const { COMPLETE } = wire.moby.buildkit.v1.BuildHistoryEventType;
const daemons = new Map<string, TestDaemon>();

const DOWNLOADED = 'downloaded\n';
const dockerfile = (base: string, url: string) => `FROM ${base} AS first
RUN --mount=type=secret,id=token --mount=type=secret,id=needed,required=true --mount=type=ssh true
FROM ${base}
ARG VALUE=none
ARG COMMENT
LABEL said=$COMMENT
COPY --chown=7:8 f /f
COPY --link --chmod=600 <<END /heredoc
text
END
ADD --checksum=${digestOf(Buffer.from(DOWNLOADED))} ${url} /added
RUN --network=none --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo $VALUE > /value
RUN --mount=from=first,target=/first ls /first > /list
WORKDIR /w
`;

beforeAll(async () => {
  folder = stack.use(tempFolder('provenance')).path;
  registry = stack.use(await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false }));
  for (const [name, program] of Object.entries({ real: REAL, ours: OURS })) {
    const daemon = new TestDaemon(folder, name, program);
    stack.defer(async () => void (await daemon.stop()));
    daemons.set(name, await daemon.ready());
  }
  const server = createServer((_, response) => response.end(DOWNLOADED));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.txt`;
  const context = path.join(folder, 'context');
  mkdirSync(path.join(context, 'sub'), { recursive: true });
  mkdirSync(path.join(folder, 'base'));
  copyFileSync('/bin/busybox', path.join(folder, 'base/busybox'));
  const base = `${registry.host}/base:1`;
  for (const [file, text] of Object.entries({
    'base/Dockerfile':
      'FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nCOPY busybox /bin/ls\nCOPY busybox /bin/true\n',
    'context/f': 'file\n',
    'context/Dockerfile': dockerfile(base, url),
    'context/small': `FROM ${base}\nCOPY f /f\n`,
    'context/named': 'FROM other\nCOPY --from=pinned /bin/true /t\nCOPY --from=dir f /f\n',
    'context/steps': `FROM ${base} AS one
RUN --network=none busybox head -c 9 /dev/urandom > /one
FROM one
RUN --network=none busybox head -c 9 /dev/urandom > /two
`,
    'context/sub/Dockerfile': `FROM ${base}\nRUN --network=none true\n`,
  }))
    writeFileSync(path.join(folder, file), text);
  const git = stack.use(await startGitServer(path.join(folder, 'git')));
  await git.create('app', context);
  gitUrl = `${git.url}/app.git`;
  const pushed = await daemons
    .get('real')!
    .run([
      ...['build', '--frontend=dockerfile.v0', '--opt', 'platform=linux/amd64,linux/arm64'],
      ...['--local', `context=${folder}/base`, '--local', `dockerfile=${folder}/base`],
      ...['--output', `type=image,name=${base},push=true,registry.insecure=true`],
    ]);
  expect(pushed).toMatchObject({ code: 0 });
});

type Json = Readonly<Record<string, unknown>>;

interface Case {
  readonly provenance: string;
  readonly opts?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Beside files, directories of the client; none where the request has what it needs. */
  readonly context?: false;
  /** A graph instead of a Dockerfile. */
  readonly input?: Uint8Array;
  readonly output?: string;
}

/** All that was attested, by the names of files; of a layout by their place. */
async function attested(name: string, given: Case): Promise<Readonly<Record<string, Json>>> {
  const dest = path.join(folder, newId());
  mkdirSync(dest);
  const context = path.join(folder, 'context');
  const opts = { ...given.opts, 'attest:provenance': given.provenance };
  const frontend = given.input === undefined ? ['--frontend=dockerfile.v0'] : [];
  const ran = await daemons
    .get(name)!
    .run(
      [
        ...['build', ...frontend, ...Object.entries(opts).flatMap(([key, value]) => ['--opt', `${key}=${value}`])],
        ...(given.context === false ? [] : ['--local', `context=${context}`, '--local', `dockerfile=${context}`]),
        ...['--output', `${given.output ?? 'type=local'},dest=${dest}`, ...(given.args ?? [])],
      ],
      given.input === undefined ? {} : { input: given.input },
    );
  if (ran.code !== 0) return { error: { text: ran.text } };
  const found: Record<string, Json> = {};
  for (const file of readdirSync(dest, { recursive: true, encoding: 'utf8' }).sort()) {
    const bytes = () => readFileSync(path.join(dest, file), 'utf8');
    if (/(provenance.*\.json|custom)$/.test(file)) found[file] = JSON.parse(bytes());
    else if (/blobs\/sha256\/./.test(file) && bytes().startsWith('{"_type"'))
      found[`blob ${Object.keys(found).length}`] = JSON.parse(bytes());
  }
  return found;
}

/** Without what differs from build to build, and what builders say of themselves. */
function normal(value: unknown, key = ''): unknown {
  if (['invocationId', 'buildInvocationID'].includes(key)) return typeof value;
  if (/^(started|finished|buildStarted|buildFinished)On$/.test(key)) return !Number.isNaN(Date.parse(String(value)));
  if (key === 'dockerfileVersion' || key === 'sysUsage' || key === 'resourceUsage') return undefined;
  if (key === 'digestMapping') return Object.values(value as Json).sort();
  if (key === 'local.sessionid' || key === 'local.sharedkeyhint') return 'of a session';
  if (key === 'layers') return Object.keys(value as Json).sort();
  // That a step stands nowhere is said, or is not.
  if (key === 'locations' && !Array.isArray(value))
    return Object.fromEntries(
      Object.entries(value as Json).filter(([, place]) => Object.keys(place as Json).length > 0),
    );
  if (key === 'subject') return (value as readonly unknown[]).length > 0;
  if (Array.isArray(value)) return value.map((one) => normal(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, normal(one, name)]),
  );
}

const whole = (provenance: string): Case => ({
  provenance,
  opts: { 'build-arg:VALUE': 'secret', 'label:l': 'v', 'vcs:source': 'https://u:p@example.com/x', 'vcs:revision': 'r' },
  args: ['--secret', 'id=token,src=/etc/hostname', '--secret', 'id=needed,src=/etc/hostname'],
});
const small = { filename: 'small' };
/** The contexts of `named`, one of which is the input `made`. */
const inputAttrs = { 'context:other': 'input:made', 'context:pinned': 'input:made', 'context:dir': 'input:made' };
const CASES: Record<string, () => Case> = {
  'max v1': () => whole('mode=max'),
  'min v1': () => whole('mode=min'),
  'max v0.2': () => whole('mode=max,version=v0.2'),
  'min v0.2': () => whole('mode=min,version=v0.2'),
  'no mode': () => ({ provenance: '', opts: small }),
  parameters: () => ({
    provenance: 'mode=min,builder-id=https://example.com/b,reproducible=true,filename=custom',
    opts: small,
  }),
  'inline only in files': () => ({ provenance: 'inline-only=true', opts: small }),
  'several platforms': () => ({ provenance: 'mode=max', opts: { ...small, platform: 'linux/amd64,linux/arm64' } }),
  'one platform in a map, together': () => ({
    provenance: 'mode=min',
    opts: { filename: 'sub/Dockerfile', platform: 'linux/amd64', 'multi-platform': 'true' },
    output: 'type=local,platform-split=false',
  }),
  'git context': () => ({ provenance: 'mode=max', context: false, opts: { context: `${gitUrl}#main:sub` } }),
  'git context v0.2': () => ({
    provenance: 'mode=min,version=v0.2',
    context: false,
    opts: { context: `${gitUrl}#main:sub` },
  }),
  'named contexts': () => ({
    provenance: 'mode=max',
    opts: {
      filename: 'named',
      'context:other': `docker-image://${registry.host}/base:1`,
      'context:pinned': `docker-image://${registry.host}/base:1`,
      'context:dir': `${gitUrl}#main`,
    },
  }),
  'an image': () => ({
    provenance: 'mode=max,inline-only=true',
    opts: small,
    output: 'type=oci,tar=false,attestation-inline=true',
  }),
  'a graph': () => ({
    provenance: 'mode=max',
    context: false,
    input: encodeDefinition(
      image(`${registry.host}/base:1`)
        .file(new FileActions().mkdir('/d', 0o755, { makeParents: true, timestamp: 5n }).rm('/bin/ls'))
        .marshal(),
    ),
  }),
  'a graph of nothing from outside': () => ({
    provenance: 'mode=max',
    context: false,
    input: encodeDefinition(
      scratch()
        .file(new FileActions().mkfile('/f', 0o644, Buffer.from('x')))
        .marshal(),
    ),
  }),
  'a bad mode': () => ({ provenance: 'mode=most', opts: small }),
  'a bad version': () => ({ provenance: 'version=v3', opts: small }),
  'materials that are to be whole': () => ({ provenance: 'complete-materials=true', opts: small }),
};

test.each(Object.keys(CASES))('%s', async (name) => {
  const given = CASES[name]!();
  const [real, ours] = [await attested('real', given), await attested('ours', given)];
  if ('error' in real) expect(Object.keys(ours)).toEqual(['error']);
  else expect(normal(ours)).toEqual(normal(real));
});

test('a request that names its frontend itself, and pushes', async () => {
  const told: unknown[] = [];
  for (const daemon of daemons.values()) {
    await using client = openBuilderClient(daemon.address);
    const name = `${registry.host}/${daemon.name}:1`;
    await client.control.solve(
      {
        ref: newId(),
        frontend: 'dockerfile.v0',
        frontendAttrs: { context: `${gitUrl}#main`, ...small, 'attest:provenance': 'mode=max' },
        exporters: [{ type: 'image', attrs: { name, push: 'true', 'registry.insecure': 'true' } }],
      },
      { signal },
    );
    told.push(normal(await pushed(daemon.name)));
  }
  expect(told[1]).toEqual(told[0]);
});

test('the history of builds has the provenance of each, also of those that asked for none', async () => {
  const told: unknown[] = [];
  for (const daemon of daemons.values()) {
    await using client = openBuilderClient(daemon.address);
    const builds: (Json & { readonly part: string })[] = [];
    for (const platform of ['', 'linux/amd64,linux/arm64']) {
      const ref = newId();
      const context = `${gitUrl}#main`;
      const frontendAttrs = { context, ...small, ...(platform === '' ? {} : { platform }), 'build-arg:X': 'y' };
      await client.control.solve({ ref, frontend: 'dockerfile.v0', frontendAttrs }, { signal });
      for await (const { type, record } of client.control.listenBuildHistory({ ref }, { signal })) {
        if (type !== COMPLETE) continue;
        const parts = { '': record?.result, ...record?.results };
        for (const [part, info] of Object.entries(parts))
          for (const { digest, size, mediaType, annotations } of info?.attestations ?? []) {
            let bytes = Buffer.alloc(0);
            for await (const { data } of client.content.read({ digest: digest ?? '' }, { signal }))
              bytes = Buffer.concat([bytes, data ?? new Uint8Array()]);
            expect([digestOf(bytes), bytes.length]).toEqual([digest, Number(size)]);
            builds.push({
              part,
              mediaType,
              annotations,
              predicate: normal(JSON.parse(bytes.toString())),
            });
          }
        break;
      }
    }
    // Parts of a result are in no order.
    told.push(builds.sort((a, b) => (a.part < b.part ? -1 : 1)));
  }
  expect(told[0]).toHaveLength(3);
  expect(told[1]).toEqual(told[0]);
});

test("what an input was made for is told of the client's own builds, and of nobody else's", async () => {
  const told: Record<string, unknown> = {};
  const { address } = daemons.get('ours')!;
  await using first = openBuilderClient(address);
  // In one process, clients of the usual kind share a connection.
  await using connection = new ConnectionChannel(connect(address.slice('unix://'.length)));
  // A build that its client drives, as those of a bake, which others take up before it has ended.
  const ref = newId();
  const driven = first.control.solve({ ref }, { signal });
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  const frontendOpt = { context: `${gitUrl}#main`, ...small, 'build-arg:OF_FIRST': 'of the first' };
  const { result } = await first.gateway.solve(
    { frontend: 'dockerfile.v0', frontendOpt, allowResultReturn: true, allowResultArrayRef: true },
    options,
  );
  const input = result?.ref?.def;
  expect(input?.length).toBeGreaterThan(0);
  for (const [name, control] of Object.entries({ first: first.control, other: clientOf(Control, connection) })) {
    await control.solve(
      {
        ref: newId(),
        frontend: 'dockerfile.v0',
        frontendAttrs: { context: `${gitUrl}#main`, filename: 'named', ...inputAttrs, 'attest:provenance': 'mode=max' },
        frontendInputs: { made: input! },
        exporters: [
          {
            type: 'image',
            attrs: { name: `${registry.host}/input-${name}:1`, push: 'true', 'registry.insecure': 'true' },
          },
        ],
      },
      { signal },
    );
    told[name] = await pushed(`input-${name}`);
  }
  await first.gateway.return({ result: {} }, options);
  await driven;
  expect(JSON.stringify(told['first'])).toContain('of the first');
  expect(JSON.stringify(told['other'])).not.toContain('of the first');
  expect(JSON.stringify(told['other'])).toContain('input:made');
});

test('the layers that are told are those of the image, not of another time that a step was run', async () => {
  await using client = openBuilderClient(daemons.get('ours')!.address);
  const build = (tag: string, frontendAttrs: Readonly<Record<string, string>>) =>
    client.control.solve(
      {
        ref: newId(),
        frontend: 'dockerfile.v0',
        frontendAttrs: { context: `${gitUrl}#main`, filename: 'steps', ...frontendAttrs },
        exporters: [
          {
            type: 'image',
            attrs: { name: `${registry.host}/steps-${tag}:1`, push: 'true', 'registry.insecure': 'true' },
          },
        ],
      },
      { signal },
    );
  await build('first', {});
  await build('again', { target: 'one', 'no-cache': '' });
  await build('attested', { 'attest:provenance': 'mode=max' });
  const digests = (text: string) => new Set(text.match(/sha256:[0-9a-f]{64}/g));
  const manifest = await (await fetch(`${registry.url}/v2/steps-first/manifests/1`)).text();
  const { runDetails } = (await pushed('steps-attested')) as {
    readonly runDetails: { readonly metadata: { readonly buildkit_metadata: { readonly layers: unknown } } };
  };
  const layers = digests(JSON.stringify(runDetails.metadata.buildkit_metadata.layers));
  expect(layers.size).toBeGreaterThan(1);
  expect([...layers].filter((digest) => !digests(manifest).has(digest))).toEqual([]);
});

async function pushed(repository: string): Promise<unknown> {
  const get = async (what: string) =>
    (await (await fetch(`${registry.url}/v2/${repository}/${what}`)).json()) as {
      manifests: { digest: string; annotations?: Record<string, string> }[];
      layers: { digest: string }[];
      predicate: unknown;
    };
  const index = await get('manifests/1');
  const one = index.manifests.find(({ annotations }) => annotations?.['vnd.docker.reference.type'] !== undefined);
  const manifest = await get(`manifests/${one?.digest}`);
  return (await get(`blobs/${manifest.layers[0]!.digest}`)).predicate;
}
