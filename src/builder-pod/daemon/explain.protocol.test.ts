import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { openBuilderClient } from '../../builder-api/client/index.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { OURS, outcome, TestDaemon } from './testing/test-daemon.ts';

/** Why a step ran, told of real builds by the daemon that built them. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-explain-'));
const context = join(folder, 'context');
let daemon: TestDaemon;

const start = async () =>
  await new TestDaemon(folder, 'daemon', { ...OURS, args: ['--embedded-registry', '127.0.0.1:0'] }).ready();

beforeAll(async () => {
  mkdirSync(join(context, 'src/deep'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  for (const name of ['src/a.txt', 'src/deep/b.txt', 'src/run.sh', 'tool', 'README'])
    writeFileSync(join(context, name), name);
  daemon = await start();
});
afterAll(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
  // Hundreds of thousands of files, on a disk that others use.
}, 900_000);

interface Said {
  readonly step: string;
  readonly cause: string;
  readonly text: string;
  readonly short: string;
}

const BASE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;
const APP = `${BASE}FROM base AS app
ARG MODE=fast
COPY src /src
RUN --mount=type=bind,source=tool,target=/tool cat /tool && echo $MODE > /made
`;

async function built(dockerfile: string, ...more: readonly string[]): Promise<string> {
  const definition = join(folder, 'dockerfile');
  mkdirSync(definition, { recursive: true });
  writeFileSync(join(definition, 'Dockerfile'), dockerfile);
  const { code, text } = await daemon.run([
    ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--local', `context=${context}`],
    ...['--local', `dockerfile=${definition}`, ...more],
  ]);
  if (code !== 0) throw new Error(text);
  return text;
}

async function build(dockerfile: string, ...more: readonly string[]): Promise<void> {
  // What is told of misses is no concern of a client that does not ask.
  expect(await built(dockerfile, ...more)).not.toMatch(/changed|WARN/);
}

async function explain(ref = ''): Promise<readonly Said[]> {
  await using client = openBuilderClient(daemon.address);
  const said: Said[] = [];
  for await (const { missed } of client.explainer.explain({ ref }, { signal: neverAborted }))
    for (const { name, cause, text, short } of missed)
      said.push({ step: name ?? '', cause: cause ?? '', text: text ?? '', short: short ?? '' });
  return said.filter(({ cause }) => cause !== 'unkeyed');
}

/** Builds both, and tells why the second one had to run what it ran. */
async function after(change: () => unknown, dockerfile = APP, ...more: readonly string[]): Promise<readonly Said[]> {
  await change();
  await build(dockerfile, ...more);
  return await explain();
}

test('a build that is all cached has nothing to explain; the first one is new', async () => {
  await build(APP);
  const first = await explain();
  expect(first.map(({ cause }) => cause)).toEqual(first.map(() => 'first'));
  expect(first.map(({ step }) => step)).toContain('[app 1/2] COPY src /src');
  expect(await after(() => {})).toEqual([]);
});

test.each<readonly [string, () => void, RegExp, string]>([
  [
    'content',
    () => writeFileSync(join(context, 'src/deep/b.txt'), 'another'),
    /src\/deep\/b\.txt has another content$/,
    'changed: src/deep/b.txt',
  ],
  [
    'mode',
    () => chmodSync(join(context, 'src/run.sh'), 0o755),
    /src\/run\.sh has another mode \(0644 → 0755\)$/,
    'changed: src/run.sh',
  ],
  ['one that is new', () => writeFileSync(join(context, 'src/new'), ''), /src\/new is new$/, 'added: src/new'],
  ['one that is gone', () => rmSync(join(context, 'src/a.txt')), /src\/a\.txt is gone$/, 'removed: src/a.txt'],
  [
    'a directory in its place',
    () => {
      rmSync(join(context, 'src/new'));
      mkdirSync(join(context, 'src/new'));
    },
    /src\/new is of another kind \(file → dir\)$/,
    'changed: src/new',
  ],
  ['a link', () => symlinkSync('run.sh', join(context, 'src/link')), /src\/link is new$/, 'added: src/link'],
  [
    'a link that leads elsewhere',
    () => {
      rmSync(join(context, 'src/link'));
      symlinkSync('deep', join(context, 'src/link'));
    },
    /src\/link leads elsewhere \(run\.sh → deep\)$/,
    'changed: src/link',
  ],
  [
    'several',
    () => {
      for (const name of ['a', 'b', 'c']) writeFileSync(join(context, 'src', name), name);
    },
    /src\/a is new, and 2 more$/,
    'added: src/a and 2 more',
  ],
])('a file that is copied: %s', async (_what, change, words, short) => {
  const said = await after(change);
  const copy = said.find(({ step }) => step.includes('COPY src'))!;
  expect(copy).toMatchObject({ cause: 'files', short });
  expect(copy.text).toMatch(words);
  const run = said.find(({ step }) => step.includes('RUN --mount'))!;
  expect(run).toMatchObject({ cause: 'input', text: expect.stringContaining('COPY src /src') });
  expect(said).toHaveLength(2);
  // What nothing reads is no reason to run anything.
  expect(await after(() => writeFileSync(join(context, 'README'), `${Math.random()}`))).toEqual([]);
});

const changed = (from: string, to: string) => APP.replace(from, to);

test.each<readonly [string, string, readonly string[], object]>([
  ['a build argument', APP, ['--opt', 'build-arg:MODE=hush-hush'], { cause: 'part', short: 'changed: MODE' }],
  [
    'a variable',
    changed('COPY src', 'ENV COLOUR=hush-hush\nCOPY src'),
    [],
    { cause: 'part', short: 'changed: COLOUR' },
  ],
  [
    'the command',
    changed('cat /tool', 'true'),
    [],
    { cause: 'part', text: expect.stringMatching(/the command has changed \(.*cat \/tool.* → .*true/) },
  ],
  ['a working directory', changed('COPY src', 'WORKDIR /tmp\nCOPY src'), [], {}],
  [
    'an option of a run',
    changed('RUN --mount', 'RUN --network=none --mount'),
    [],
    { cause: 'part', short: 'changed: --network' },
  ],
  [
    'a mount',
    changed('RUN --mount', 'RUN --mount=type=tmpfs,target=/scratch --mount'),
    [],
    { cause: 'part', short: 'changed: mount /scratch' },
  ],
  [
    'a mount’s option',
    changed('target=/tool', 'target=/tool,rw'),
    [],
    { cause: 'part', text: expect.stringMatching(/the mount \/tool has changed: .*readonly/) },
  ],
])('a step of which something else is told: %s', async (_what, dockerfile, more, expected) => {
  await build(APP);
  const said = await after(() => {}, dockerfile, ...more);
  expect(said.find(({ step }) => step.includes('RUN --'))).toMatchObject(expected);
  // Variables may be secret.
  expect(JSON.stringify(said.map(({ text, short }) => [text, short]))).not.toContain('hush');
});

test.each<readonly [string, string, object]>([
  ['mode', 'COPY --chmod=700 src /src', { cause: 'part', short: 'changed: --chmod (mode)' }],
  ['owner', 'COPY --chown=7:8 src /src', { cause: 'part', short: 'changed: --chown (owner)' }],
  ['destination', 'COPY src /elsewhere', { cause: 'part', text: expect.stringContaining('(/src → /elsewhere') }],
  ['exclusion', 'COPY --exclude=*.txt src /src', { cause: 'part', short: 'changed: --exclude' }],
])('an option of a copy: %s', async (_what, copy, expected) => {
  await build(APP);
  const said = await after(() => {}, changed('COPY src /src', copy));
  expect(said.find(({ step }) => step.includes(copy))).toMatchObject(expected);
});

test('what a mount binds is told by the file', async () => {
  await build(APP);
  const said = await after(() => writeFileSync(join(context, 'tool'), 'other tool'));
  expect(said).toMatchObject([
    { step: expect.stringContaining('RUN --mount'), cause: 'files', short: 'changed: tool' },
  ]);
});

/** Pushes what is built to the daemon's own registry; its digest there. */
async function push(dockerfile: string, tag: string): Promise<string> {
  const metadata = join(folder, `${tag}.json`);
  const output = ['--output', `type=image,name=${registry()}/base:${tag},push=true`, '--metadata-file', metadata];
  await build(dockerfile, ...output);
  return (JSON.parse(readFileSync(metadata, 'utf8')) as Readonly<Record<string, string>>)['containerimage.digest']!;
}
const registry = () => readFileSync(join(daemon.root, 'registry-address'), 'utf8').trim();

test('another platform, and another image by its digest', async () => {
  await build(APP);
  const foreign = await after(
    () => {},
    APP.replace('RUN --mount', 'RUN true\nRUN --mount'),
    '--opt',
    'platform=linux/arm64',
  ).catch(async () => await explain());
  expect(foreign.find(({ step }) => step.includes('--install'))).toMatchObject({
    cause: 'part',
    short: 'changed: platform',
  });

  const digests = [await push(BASE, 'one'), await push(`${BASE}RUN echo more > /more\n`, 'two')];
  const [first, second] = digests.map((digest) => `FROM ${registry()}/base@${digest}\nRUN echo one > /one\n`);
  await build(first!);
  const said = await after(() => {}, second!);
  expect(said.find(({ step }) => step.includes('FROM'))).toMatchObject({
    cause: 'part',
    text: expect.stringContaining('the base image'),
  });
  expect(said.find(({ step }) => step.includes('RUN'))).toMatchObject({
    cause: 'input',
    text: expect.stringContaining('FROM'),
  });
});

test('a tag that names another image is told with what it named and what it names', async () => {
  const dockerfile = `FROM ${registry()}/base:moved\nRUN echo one > /one\n`;
  const was = await push(BASE, 'moved');
  await build(dockerfile);
  const is = await push(`${BASE}RUN echo more > /moved\n`, 'moved');
  const said = await after(() => {}, dockerfile);
  const text = `the base image ${registry()}/base:moved has changed (${was} → ${is})`;
  expect(said.find(({ step }) => step.includes('FROM'))).toMatchObject({ cause: 'part', text });
  expect(said.find(({ step }) => step.includes('RUN'))).toMatchObject({ cause: 'input' });
});

test('a cache that has a record and does not give its layers is named as the reason', async () => {
  const data = join(folder, 'cache-registry');
  mkdirSync(data);
  await using other = await dockerRegistry(data);
  // Manifests and records are given; what layers are answered with is the test's to say.
  let answer = 200;
  const layers = new Set<string>();
  const front = createServer((request, response) => {
    const digest = request.url?.split('/').at(-1) ?? '';
    if (answer !== 200 && layers.has(digest)) {
      const errors = [{ code: answer === 404 ? 'BLOB_UNKNOWN' : 'DENIED', message: 'no' }];
      return void response.writeHead(answer, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
    }
    const { method, headers } = request;
    const onward = forward(`http://${other.host}${request.url}`, { method, headers }, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(response);
    });
    request.pipe(onward.on('error', () => response.destroy()));
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  try {
    const host = `127.0.0.1:${(front.address() as AddressInfo).port}`;
    const ref = `${host}/team/cache:main`;
    const dockerfile = (last: string) => `${BASE}RUN echo kept > /kept\n${last}`;
    await build(dockerfile(''), '--export-cache', `type=registry,ref=${ref},mode=max`);
    const manifest = await fetch(`http://${host}/v2/team/cache/manifests/main`, {
      headers: { accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' },
    });
    const found = (await manifest.json()) as Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
    for (const { mediaType, digest } of found['manifests'] ?? found['layers'] ?? [])
      if (mediaType?.includes('layer')) layers.add(digest ?? '');
    expect(layers.size).toBeGreaterThan(2);
    for (const [status, words] of [
      [404, /has a record of it, but its layers are gone$/],
      [403, /has a record of it, .*refused to give/],
      [500, /has a record of it, .*could not give/],
    ] as const) {
      answer = status;
      expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
      await built(dockerfile('RUN cat /kept\n'), '--import-cache', `type=registry,ref=${ref}`);
      expect((await explain()).find(({ step }) => step.includes('echo kept'))).toMatchObject({
        ...{ cause: 'unreadable', short: 'cache unreadable' },
        text: expect.stringMatching(words),
      });
    }
  } finally {
    front.closeAllConnections();
    front.close();
  }
});

test('a cache that could not be opened is named beside what differs, and why', async () => {
  await build(APP);
  const none = `${registry()}/team/none:main`;
  await built(APP, '--opt', 'build-arg:MODE=other', '--import-cache', `type=registry,ref=${none}`);
  const step = (await explain()).find(({ cause }) => cause === 'part');
  expect(step).toMatchObject({ short: 'changed: MODE' });
  expect(step?.text).toMatch(
    /MODE has changed; it may be elsewhere: the cache .*\/team\/none:main was not read \(.*not.found/i,
  );
  const text = await slipway(['explain', '--addr', daemon.address, '-o', 'json']);
  const told = JSON.parse(text.text) as { readonly missed: readonly { readonly unread?: readonly object[] }[] };
  expect(told.missed.flatMap(({ unread = [] }) => unread)).toContainEqual({
    ...{ cache: none, why: expect.stringMatching(/not.found/i) },
  });
  // Where nothing has changed it is told in short as well.
  expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
  await built(APP, '--import-cache', `type=registry,ref=${none}`);
  expect((await explain()).find(({ step: name }) => name.includes('COPY busybox'))).toMatchObject({
    ...{ cause: 'pruned', short: 'pruned, cache unreadable' },
  });
  await build(APP, '--opt', 'build-arg:MODE=third');
  expect((await explain()).map(({ text: sentence }) => sentence)).toEqual([expect.stringMatching(/MODE has changed$/)]);
});

test('what ignores the cache, what was pruned, and what came to no end', async () => {
  await build(APP);
  const ignored = await after(() => {}, APP, '--no-cache');
  expect(new Set(ignored.map(({ cause }) => cause))).toEqual(new Set(['ignored']));

  await build(APP);
  expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
  const pruned = await after(() => {});
  expect(pruned.find(({ step }) => step.includes('COPY busybox'))).toMatchObject({ cause: 'pruned' });

  const failing = `${BASE}RUN false\n`;
  await build(failing).catch(() => {});
  await build(failing).catch(() => {});
  expect(await explain()).toMatchObject([{ step: expect.stringContaining('RUN false'), cause: 'unfinished' }]);
});

const slipway = (args: readonly string[]) =>
  outcome(spawn(join(import.meta.dirname, '../../../bin/slipway'), args, { stdio: ['ignore', 'pipe', 'pipe'] }));

test('the command tells the same, as text and as JSON, and shows it while it builds', async () => {
  await build(APP);
  await build(APP, '--opt', 'build-arg:MODE=slow');
  const at = ['--addr', daemon.address];
  const text = await slipway(['explain', ...at]);
  expect(text).toMatchObject({ code: 0 });
  expect(text.text).toMatch(/^build \w+: 1 step ran, \d+ from the cache\n/);
  expect(text.text).toContain('  the variable (build argument or ENV) MODE has changed\n');
  const told = JSON.parse((await slipway(['explain', ...at, '-o', 'json'])).text);
  const change = { kind: 'env', change: 'changed', name: 'MODE' };
  expect(told).toMatchObject({ missed: expect.arrayContaining([expect.objectContaining({ changes: [change] })]) });
  expect((await slipway(['explain', ...at, told.build, '-o', 'json'])).text).toBe(`${JSON.stringify(told, null, 2)}\n`);
  const unknown = await slipway(['explain', ...at, 'nosuch']);
  expect(unknown).toMatchObject({ code: 1, text: expect.stringContaining('no build record of nosuch') });

  const manifest = join(folder, 'build.yaml');
  const write = (word: string) =>
    writeFileSync(
      manifest,
      JSON.stringify({
        ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'app' } },
        spec: {
          source: { upload: {} },
          dockerfile: { inline: `${BASE}RUN true > /made\nCOPY tool /tool\nRUN echo ${word}\n` },
        },
      }),
    );
  const shown = async (...progress: readonly string[]) => {
    const flags = ['--context', context, '--builder', daemon.address, ...progress];
    const { code, text: lines } = await slipway(['build', '-f', manifest, ...flags]);
    expect({ code, lines }).toMatchObject({ code: 0 });
    return lines.split('\n');
  };
  const watch = async () => (await shown('--progress', 'rawjson')).filter((line) => line.includes('"missed"'));
  write('one');
  await watch();
  expect((await watch()).filter((line) => !line.includes('"short":""'))).toEqual([]);
  writeFileSync(join(context, 'tool'), 'another one');
  expect((await watch()).join()).toContain('"short":"changed: tool"');
  write('two');
  expect((await watch()).join()).toContain('"short":"changed: command"');
  // Without a terminal, too: a line for each step that ran.
  writeFileSync(join(context, 'tool'), 'a third one');
  const lines = (await shown()).filter((line) => line.includes(' not cached: '));
  expect(lines.map((line) => line.replace(/^#\d+ /, ''))).toEqual([
    'not cached: changed: tool',
    expect.stringMatching(/^not cached: what it stands on is another: .*COPY tool \/tool$/),
  ]);
});

test('of a context of 100,000 files, after the daemon has been started again', async () => {
  for (let directory = 0; directory < 100; directory++) {
    mkdirSync(join(context, `src/${directory}`));
    for (let file = 0; file < 1000; file++) writeFileSync(join(context, `src/${directory}/file-${file}.ts`), `${file}`);
  }
  await build(APP);
  await daemon.stop();
  daemon = await start();
  await build(APP);
  await after(() => writeFileSync(join(context, 'src/57/file-123.ts'), 'another'));
  await daemon.stop();
  daemon = await start();
  const said = await explain();
  expect(said.find(({ step }) => step.includes('COPY src'))).toMatchObject({ short: 'changed: src/57/file-123.ts' });
}, 300_000);
