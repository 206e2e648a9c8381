import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { LLB_CAPS } from '../caps.ts';
import { decodeDefinition, decodeOp, encodeDefinition, encodeOp } from '../codec/index.ts';
import {
  diff,
  FileActions,
  git,
  givenOutput,
  http,
  image,
  lateOutput,
  local,
  marshalOutput,
  merge,
  rawStep,
  type State,
  scratch,
} from './index.ts';
import { EMPTY_METADATA } from './options.ts';

const vectors: {
  definitions: Record<string, { def: string[]; caps: Record<string, boolean>; wire: string }>;
  caps: string[];
} = JSON.parse(readFileSync(new URL('../testdata/go-client.json', import.meta.url), 'utf8'));

const amd64 = { os: 'linux', architecture: 'amd64' };
const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };
const timestamp = 1700000000_123456789n;
const base = image('busybox', { platform: amd64 });
const context = local('context', {
  sessionId: 's1',
  excludePatterns: ['a<b', '*.md'],
  includePatterns: ['src'],
  followPaths: ['x'],
  sharedKeyHint: 'hint',
  differ: { type: 'none' },
});
const files = new FileActions();

/** The same graphs as e2e/tools/llbvectors makes. */
const states: Record<string, State> = {
  image: image('docker.io/library/alpine:3.20'),
  'image-options': image('alpine', { resolveMode: 'pull', platform: arm }),
  local: context,
  git: git('https://example.com/team/repo.git', { ref: 'main', subDir: 'sub', keepGitDir: true, skipSubmodules: true }),
  'git-ssh': git('git@example.com:team/repo.git', { ref: 'v1', knownSshHosts: 'example.com ssh-ed25519 AAAA\n' }),
  http: http('https://example.com/a.tar', { filename: 'b.tar', permissions: 0o640, uid: 1, gid: 2 }),
  run: base
    .env('A', '1')
    .env('B', '2')
    .env('A', '3')
    .dir('work')
    .user('nobody')
    .run({ args: ['sh', '-c', 'echo <hi>'] }).root,
  'run-platform': image('busybox')
    .platform(arm)
    .run({ args: ['true'] }).root,
  'run-meta': base
    .hostname('h')
    .network('host')
    .security('insecure')
    .extraHost('db', '10.0.0.1')
    .ulimit('nofile', 10, -1)
    .cgroupParent('cg')
    .run({
      args: ['true'],
      proxyEnv: { httpProxy: 'p', httpsProxy: '', ftpProxy: '', noProxy: '', allProxy: '' },
      validExitCodes: [0, 3, 300],
    }).root,
  'run-mounts': base.run({
    args: ['make'],
    mounts: [
      { target: '/src', source: context, selector: 'sub', readonly: true },
      { target: '/cache', cache: { id: 'id', sharing: 'locked' } },
      { target: '/tmp', tmpfs: { size: 1 << 20 } },
      { target: '/drop', source: base, noOutput: true },
      { target: '/a' },
    ],
    secrets: [
      { id: 'one', target: '/run/secrets/one', uid: 1, gid: 2, mode: 0o440 },
      { id: 'two', target: '/run/secrets/two', env: 'TWO', optional: true },
    ],
    ssh: [{ id: 'default' }],
  }).root,
  'run-mount-output': base.run({ args: ['make'], mounts: [{ target: '/out' }] }).mount('/out'),
  'readonly-root': base.run({ args: ['make'], readonlyRoot: true, mounts: [{ target: '/out' }] }).mount('/out'),
  file: scratch().file(
    files
      .mkdir('/a', 0o755, { makeParents: true, owner: { uid: 3, gid: 4 } })
      .mkfile('a/f', 0o600, Buffer.from('data'), { timestamp })
      .rm('/x*', { allowWildcard: true, allowNotFound: true })
      .symlink('../t', '/l'),
  ),
  copy: base.dir('/w').file(
    files
      .copy(context, 'src/', 'dst/', {
        mode: 0o755,
        followSymlink: true,
        dirCopyContents: true,
        createDestPath: true,
        allowWildcard: true,
        allowEmptyWildcard: true,
        attemptUnpack: true,
        includePatterns: ['a'],
        excludePatterns: ['b'],
        alwaysReplaceExistingDestPaths: true,
        timestamp,
        owner: 'app:0',
      })
      .copy(base, '/etc', '/.', { mode: 'u+x' }),
  ),
  'copy-self': base.file(files.copy(base, '/a', '/b')),
  merge: merge([base, scratch(), context]),
  diff: diff(base, base.run({ args: ['true'] }).root),
  'diff-none': diff(base, scratch()),
  requires: base.requires('order', [context, base]),
  metadata: base.run({
    args: ['true'],
    ignoreCache: true,
    name: 'name',
    exportCache: true,
    progressGroup: { id: 'id', name: 'group', weak: true },
  }).root,
};

test('every graph of the Go client is made here too', () => {
  expect(Object.keys(states).sort()).toEqual(Object.keys(vectors.definitions).sort());
});

test.each(Object.entries(vectors.definitions))('%s: bytes equal those of the Go client', (name, vector) => {
  const definition = states[name]!.marshal({ platform: amd64, localUniqueId: 'unique' });
  const ours = definition.ops.map((bytes) => JSON.stringify(decodeOp(bytes), printable, 1));
  const theirs = vector.def.map((bytes) => JSON.stringify(decodeOp(Uint8Array.fromBase64(bytes)), printable, 1));
  expect(ours).toEqual(theirs);
  expect(definition.ops.map((bytes) => Buffer.from(bytes).toString('base64'))).toEqual(vector.def);
});

test.each(Object.entries(vectors.definitions))('%s: metadata equals that of the Go client', (name, vector) => {
  const ours = states[name]!.marshal({ platform: amd64, localUniqueId: 'unique' });
  const theirs = decodeDefinition(Uint8Array.fromBase64(vector.wire));
  // The Go client forgets the capabilities of single file actions; they are harmless to name.
  const plain = (definition: typeof ours) =>
    [...definition.metadata].map(([digest, { caps, ...rest }]) => [
      digest,
      rest,
      Object.keys(caps)
        .filter((cap) => !/^file\.(copy|symlink)/.test(cap))
        .sort(),
    ]);
  expect(new Map(plain(ours).map((entry) => [entry[0], entry]))).toEqual(
    new Map(plain(theirs).map((entry) => [entry[0], entry])),
  );
});

test.each(Object.entries(vectors.definitions))('%s: decoding and encoding gives the same bytes', (_, vector) => {
  for (const bytes of vector.def)
    expect(Buffer.from(encodeOp(decodeOp(Uint8Array.fromBase64(bytes)))).toString('base64')).toBe(bytes);
  const definition = decodeDefinition(Uint8Array.fromBase64(vector.wire));
  expect(decodeDefinition(encodeDefinition(definition))).toEqual(definition);
});

test('all capabilities that BuildKit registers are known', () => {
  expect(LLB_CAPS).toEqual(expect.arrayContaining(vectors.caps));
});

test('a chain of 20,000 steps is marshalled without recursion', () => {
  let state = scratch();
  for (let i = 0; i < 20_000; i++) state = state.file(files.mkdir(`/${i}`, 0o755));
  expect(state.marshal().ops.length).toBe(20_001);
});

test('steps on a graph made elsewhere leave its ops, metadata and lines as they were', () => {
  const file = { filename: 'a.hcl', data: Buffer.from('run'), language: 'HCL' };
  const ranges = [{ start: { line: 1, character: 0 }, end: { line: 1, character: 0 } }];
  const given = base.run({ args: ['make'], name: 'make it', locations: [{ file, ranges }] }).root.marshal();
  const late = lateOutput(() => givenOutput(given));
  const output = rawStep({
    inputs: [late, undefined],
    body: (indexOf) => ({ kind: 'diff', diff: { lower: indexOf(undefined), upper: indexOf(late) } }),
    caps: ['diffop'],
    anyPlatform: true,
  });
  const made = marshalOutput(output, { platform: arm });
  expect(made.ops.slice(0, -2)).toEqual(given.ops.slice(0, -1));
  expect(decodeOp(made.ops.at(-2)!)).toMatchObject({
    inputs: decodeOp(given.ops.at(-1)!).inputs,
    body: { kind: 'diff', diff: { lower: -1, upper: 0 } },
  });
  const step = decodeOp(made.ops.at(-2)!).inputs[0]!.digest;
  expect(made.metadata.get(step)).toEqual(given.metadata.get(step));
  expect(made.source?.infos).toEqual([file]);
  expect(made.source?.locations.get(step)).toEqual([{ sourceIndex: 0, ranges }]);
});

test('the output of a graph that turned out empty is scratch', () => {
  const empty = givenOutput({ ops: [], metadata: new Map([[digestOf(new Uint8Array()), EMPTY_METADATA]]) });
  expect(marshalOutput(lateOutput(() => empty)).ops).toEqual([]);
});

function printable(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
