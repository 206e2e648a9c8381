import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { buildctl, cache } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { startService } from '../../../e2e/support/service.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { newId, neverAborted as signal } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient, registerSessionServices } from '../../builder-api/client/index.ts';
import {
  BUILD_ID_METADATA,
  type ExportDestination,
  Metadata,
  serveExports,
  type wire,
} from '../../builder-api/index.ts';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';

/** What a frontend in the client returns attestations for, through the real daemon and through ours: what is written must be the same. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let registry: RegistryServer;
const clients = new Map<string, BuilderClient>();

beforeAll(async () => {
  folder = stack.use(tempFolder('attestations')).path;
  registry = stack.use(await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false }));
  for (const name of ['real', 'ours']) mkdirSync(path.join(folder, name));
  const real = `unix://${path.join(folder, 'real/buildkitd.sock')}`;
  const service = stack.use(
    startService(path.join(cache, 'tools/buildkitd'), ['--root', path.join(folder, 'real/root'), '--addr', real], {
      logFile: path.join(folder, 'real/log'),
    }),
  );
  const ours = stack.use(await startBuilder(path.join(folder, 'ours')));
  await service.ready(async () => (await run(buildctl, ['--addr', real, 'debug', 'workers'])).code === 0);
  for (const [name, address] of Object.entries({ real, ours: ours.address }))
    clients.set(name, stack.use(openBuilderClient(address)));
});

type Returned = wire.moby.buildkit.v1.frontend.Attestation.$Properties;

interface Case {
  readonly type: string;
  readonly attrs?: Readonly<Record<string, string>>;
  readonly platforms?: readonly string[];
  /** Files of each platform's result beside its own. */
  readonly beside?: Readonly<Record<string, string>>;
  /** Files of the ref that attestations name. */
  readonly files?: Readonly<Record<string, string>>;
  /** `ref` of each is the ref of those files unless it says otherwise. */
  readonly attestations: Readonly<Record<string, readonly Returned[]>>;
}

const AMD64 = { ID: 'linux/amd64', Platform: { architecture: 'amd64', os: 'linux' } };
const ARM64 = { ID: 'linux/arm64', Platform: { architecture: 'arm64', os: 'linux' } };

function treeOf(files: Readonly<Record<string, string>>): Uint8Array {
  const timestamp = 1_600_000_000_000_000_000n;
  let actions = new FileActions();
  for (const folder of new Set(Object.keys(files).map((name) => path.dirname(`/${name}`))))
    if (folder !== '/') actions = actions.mkdir(folder, 0o755, { makeParents: true, timestamp });
  for (const [name, text] of Object.entries(files))
    actions = actions.mkfile(`/${name}`, 0o644, Buffer.from(text), { timestamp });
  return encodeDefinition(scratch().file(actions).marshal());
}

/** All that the exporter gave, by its path; an error as its text. */
async function exported(name: string, given: Case) {
  const { type, attrs = {}, platforms = ['linux/amd64'], files = {}, beside = {}, attestations } = given;
  const client = clients.get(name)!;
  // The time of a directory is that of its making, which would be in the layers.
  const isImage = type !== 'local' && type !== 'tar';
  const dest = path.join(folder, newId());
  mkdirSync(dest);
  const to: ExportDestination =
    type === 'local' ? { kind: 'directory', path: dest } : { kind: 'file', path: path.join(dest, 'out.tar') };
  await using session = client.hostSession({
    signal,
    register: (server) => {
      registerSessionServices(server, { secrets: new Map() });
      serveExports(server, new Map([[0, to]]));
    },
  });
  const ref = newId();
  const over = new AbortController();
  const bound = AbortSignal.any([over.signal, AbortSignal.timeout(60_000)]);
  const solving = client.control.solve(
    { ref, session: session.id, exporters: [{ type, attrs: { ...attrs } }] },
    { signal: bound },
  );
  solving.catch(() => {});
  const options = { signal: bound, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  const solve = async (definition: Uint8Array) =>
    (await client.gateway.solve({ definition, allowResultReturn: true, allowResultArrayRef: true }, options)).result
      ?.ref ?? {};
  try {
    const refs: Record<string, { id?: string | null }> = {};
    for (const id of platforms)
      refs[id] = await solve(
        treeOf({ [`of-${id.slice(6)}`]: 'x', ...(isImage ? {} : { [`dir/${id.slice(6)}`]: 'y' }), ...beside }),
      );
    const own = await solve(treeOf({ none: '', ...files }));
    const config = (id: string) =>
      Buffer.from(
        JSON.stringify({
          architecture: id.split('/')[1],
          os: 'linux',
          created: '2020-01-01T00:00:00Z',
          rootfs: { type: 'layers', diff_ids: [] },
        }),
      );
    const result = {
      ...(platforms.length === 1 ? { ref: refs[platforms[0]!]! } : { refs: { refs } }),
      metadata: {
        'refs.platforms': Buffer.from(
          JSON.stringify({ Platforms: [AMD64, ARM64].filter(({ ID }) => platforms.includes(ID)) }),
        ),
        ...Object.fromEntries(platforms.map((id) => [`containerimage.config/${id}`, config(id)])),
      },
      attestations: Object.fromEntries(
        Object.entries(attestations).map(([id, all]) => [
          id,
          { attestation: all.map((one) => ({ ref: own, ...one })) },
        ]),
      ),
    };
    await client.gateway.return({ result }, options);
    const { exporterResponse } = await solving;
    const wanted = (await filesOf(type, attrs, dest)).sort(([a], [b]) => (a < b ? -1 : 1));
    return { response: Object.keys(exporterResponse ?? {}).sort(), files: wanted };
  } catch (error) {
    const text = (error as Error).message;
    over.abort();
    return { error: text };
  }
}

async function filesOf(type: string, attrs: Case['attrs'], dest: string): Promise<[string, string][]> {
  if (type === 'image') return await imageFiles(attrs!['name']!.split(',')[0]!);
  if (type !== 'local')
    execFileSync('tar', ['-xf', path.join(dest, 'out.tar'), '-C', dest, '--exclude', 'blobs/sha256/none']);
  return readdirSync(dest, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== 'out.tar' && statSync(path.join(dest, name)).isFile())
    .map((name) => [name, shown(readFileSync(path.join(dest, name)))]);
}

const shown = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

async function imageFiles(name: string): Promise<[string, string][]> {
  const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name)!;
  const files: [string, string][] = [];
  const get = async (what: string, digest: string) => {
    const answer = await fetch(`${registry.url}/v2/${repository}/${what}/${digest}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    files.push([`${what}/${digest}`, shown(bytes)]);
    if (what === 'blobs') return;
    const { manifests = [], config, layers = [] } = JSON.parse(Buffer.from(bytes).toString());
    for (const each of manifests) await get('manifests', each.digest);
    for (const each of [config, ...layers]) if (each !== undefined) await get('blobs', each.digest);
  };
  await get('manifests', tag!);
  return files;
}

const TYPE = 'https://example.com/predicate';
const STATEMENT = (subjects: object[], predicateType = TYPE) =>
  JSON.stringify(
    {
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType,
      subject: subjects,
      predicate: { b: 1, a: [] },
      more: 1,
    },
    null,
    1,
  );
const one = { path: '/a.json', inTotoPredicateType: TYPE };
const files = {
  'a.json':
    '{ "b": 1.0, "a": "<&\u2028>\\u003c", "e": {}, "l": [ ], "n": [1,\n {"x": null}], "b": 12345678901234567890 }',
  'dir2/b.json': '[1]',
  'empty.json': '',
  'bad.json': '{',
  'two.json': '{} {}',
  'bundle/1.json': STATEMENT([{ name: 'n', digest: { sha256: 'ab'.repeat(32), sha512: 'cd'.repeat(64) } }]),
  'bundle/2.spdx.json': STATEMENT([], 'https://spdx.dev/Document'),
  'wrong/1.json': 'x',
  'twice/1.json': `${STATEMENT([])} {}`,
  'slsa/1.json': STATEMENT([], 'https://slsa.dev/provenance/v1'),
};
const inline = { 'inline-only': Buffer.from('true') };
const amd = (...attestations: Returned[]) => ({ attestations: { 'linux/amd64': attestations } });
const sha = `sha256:${'12'.repeat(32)}`;
const CASES: Record<string, () => Case> = {};
const image = (attrs: Record<string, string> = {}) => ({
  type: 'image',
  attrs: {
    name: `${registry.host}/some/name:tag,${registry.host}/other/x`,
    push: 'true',
    'registry.insecure': 'true',
    compression: 'uncompressed',
    'source-date-epoch': '1600000000',
    ...attrs,
  },
  files,
});
CASES['image'] = () => ({ ...image(), ...amd(one) });
CASES['artifact=false'] = () => ({
  ...image({ 'oci-artifact': 'false' }),
  ...amd(one, { ...one, path: '/dir2/b.json' }),
});
CASES['docker types'] = () => ({ ...image({ 'oci-mediatypes': 'false' }), ...amd(one) });
CASES['empty content'] = () => ({ ...image(), ...amd({ ...one, path: '/empty.json' }) });
CASES['missing'] = () => ({ ...image(), ...amd({ ...one, path: '/nope.json' }) });
CASES['a folder'] = () => ({ ...image(), ...amd({ ...one, path: '/bundle' }) });
CASES['no path'] = () => ({ ...image(), ...amd({ ...one, path: '' }) });
CASES['no ref'] = () => ({ ...image(), ...amd({ ...one, ref: { id: '' } }) });
CASES['provenance'] = () => ({ ...image(), ...amd({ ...one, inTotoPredicateType: 'https://slsa.dev/provenance/v1' }) });
CASES['no type'] = () => ({ ...image(), ...amd({ ...one, inTotoPredicateType: '' }) });
CASES['subjects'] = () => ({
  ...image(),
  ...amd({
    ...one,
    inTotoSubjects: [
      { kind: 0, name: 'me' },
      { kind: 1, name: 'raw', digest: [sha, `sha512:${'34'.repeat(64)}`] },
      { kind: 1, digest: [sha] },
    ],
  }),
});
CASES['bundle'] = () => ({ ...image(), ...amd({ kind: 1, path: '/bundle' }, one) });
CASES['bundle of a type'] = () => ({ ...image(), ...amd({ kind: 1, path: '/bundle', inTotoPredicateType: TYPE }) });
CASES['bundle is a file'] = () => ({ ...image(), ...amd({ kind: 1, path: '/a.json' }) });
CASES['bundle of provenance'] = () => ({ ...image(), ...amd({ kind: 1, path: '/slsa' }) });
CASES['inline only'] = () => ({ ...image(), ...amd({ ...one, metadata: inline }) });
CASES['inline false'] = () => ({ ...image({ 'attestation-inline': 'false' }), ...amd({ ...one, metadata: inline }) });
CASES['another platform'] = () => ({ ...image(), attestations: { 'linux/arm64': [one] } });
CASES['empty list'] = () => ({ ...image(), attestations: { 'linux/amd64': [] } });
CASES['two platforms'] = () => ({
  ...image(),
  platforms: ['linux/amd64', 'linux/arm64'],
  attestations: { 'linux/arm64': [one], 'linux/amd64': [one] },
});
CASES['index annotations'] = () => ({
  ...image({ 'annotation-index.a': 'b', 'annotation-manifest-descriptor.c': 'd' }),
  ...amd(one),
});
CASES['sbom core'] = () => ({
  ...image(),
  ...amd(one, { ...one, path: '/dir2/b.json', metadata: { 'sbom-core': Buffer.from('/dir2/b') } }),
});
CASES['oci'] = () => ({
  type: 'oci',
  attrs: {
    compression: 'uncompressed',
    name: 'example.com/x:1',
    'source-date-epoch': '1600000000',
  },
  files,
  ...amd(one),
});
CASES['oci inline'] = () => ({ ...CASES['oci']!(), ...amd({ ...one, metadata: inline }) });
CASES['oci inline forced'] = () => ({
  ...CASES['oci']!(),
  attrs: { ...CASES['oci']!().attrs, 'attestation-inline': 'true' },
  ...amd({ ...one, metadata: inline }),
});
CASES['oci inline with another'] = () => ({ ...CASES['oci']!(), ...amd({ ...one, metadata: inline }, one) });
CASES['docker'] = () => ({ ...CASES['oci']!(), type: 'docker' });
for (const mode of ['copy', 'delete'])
  CASES[`local over a file of its name, ${mode}`] = () => ({
    ...{ type: 'local', attrs: { mode }, files, beside: { 'a.json': 'of the result' } },
    ...amd(one),
  });
for (const type of ['local', 'tar']) {
  CASES[type] = () => ({ type, files, ...amd(one, { kind: 1, path: '/bundle' }) });
  CASES[`${type} inline`] = () => ({ type, files, ...amd({ ...one, metadata: inline }) });
  CASES[`${type} twice`] = () => ({
    type,
    files: { ...files, 'z/a.json': '1' },
    ...amd(one, { ...one, path: '/z/a.json' }),
  });
  CASES[`${type} platforms`] = () => ({
    ...CASES[type]!(),
    platforms: ['linux/amd64', 'linux/arm64'],
    attestations: { 'linux/arm64': [one], 'linux/amd64': [one] },
  });
  CASES[`${type} together`] = () => ({
    ...CASES[type]!(),
    attrs: { 'platform-split': 'false', 'attestation-prefix': 'x-' },
    ...amd(one),
  });
  CASES[`${type} platforms together`] = () => ({
    ...CASES[`${type} platforms`]!(),
    attrs: { 'platform-split': 'false' },
  });
  CASES[`${type} prefix`] = () => ({ ...CASES[type]!(), attrs: { 'attestation-prefix': 'x-' } });
}

test.each(Object.keys(CASES))('%s', async (name) => {
  const given = CASES[name]!();
  const real = await exported('real', given);
  expect(await exported('ours', given)).toEqual(real);
});
