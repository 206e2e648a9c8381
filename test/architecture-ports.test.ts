import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Implementations } from './implementations.ts';

const root = path.resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

/** The rows of ARCHITECTURE.md's table of ports. */
function table(): readonly { readonly port: string; readonly file: string; readonly suite: string }[] {
  const [, after = ''] = read('ARCHITECTURE.md').split('\n## Ports\n');
  const [section = ''] = after.split('\n## ');
  const rows = section.matchAll(/^\| `(\w+)` \| `([\w/.-]+)` \| [^|]+ \| `([\w/.-]+)` \|$/gm);
  return [...rows].map(([, port, file, suite]) => ({ port: port!, file: file!, suite: suite! }));
}

test('the table of ports has all conformance suites, each of a port that is there', () => {
  const suites = files.filter((file) => file.endsWith('-suite.ts'));
  expect([...new Set(table().map(({ suite }) => suite))].sort()).toEqual(suites.toSorted());
  const missing = table().filter(
    ({ port, file }) => !new RegExp(`^export interface ${port}\\b`, 'm').test(read(`src/${file}`)),
  );
  expect(missing).toEqual([]);
});

test('a conformance suite is called by tests', () => {
  const tests = files.filter((file) => file.endsWith('.test.ts')).map((file) => read(`src/${file}`));
  const idle = table().filter(({ suite }) => {
    const name = /^export function (\w+Suite)\b/m.exec(read(`src/${suite}`))?.[1];
    return name === undefined || !tests.some((text) => new RegExp(`\\b${name}(?:<.*>)?\\(`).test(text));
  });
  expect(idle).toEqual([]);
});

/** Interfaces with two implementations that are in no row of the table, and why none is needed. */
const WITHOUT_SUITE: Readonly<Record<string, string>> = {
  BlobHost: 'the hosts of one repository, made by one class',
  BuildWatch:
    'a callback bag: what they do with what they are told differs in all, and that none of them harms a build is for who tells them',
  CacheImporter: 'one reads a cache store, which has a suite; that of mounts notes who asks, and opens nothing',
  CacheMap: 'what an op says of itself: data',
  CacheMapInput: 'what an op says of an input: data',
  BlobSource: 'bytes by their digest, in one piece or in several',
  CacheType: 'opens the cache stores, which have a suite',
  Clock: 'the time; that of tests is what they set it to',
  CredentialProvider: 'those of sessions; the double answers what a test tells it',
  DockerfileClient: 'the way to a frontend bridge, which has a suite; the double answers what a test tells it',
  EnvLookup: 'variables by name: data',
  EventRecorder: 'one that writes Events; the double notes them',
  Frontend: 'what it makes of a request is its own; what it asks goes over the bridge, which has a suite',
  FrontendRef: 'the graph that a solve gave, of the bridge, which has a suite, or of the double',
  Intake:
    'one transfer is given to both of a directory, and what is seen of it compared (sources/local/image-intake.engine.test.ts)',
  GraphNode: 'a kind of vertex each: what they have in common is their type',
  LayerSource: 'a blob of the store or of a ref, whose ports have suites',
  Logger: 'one that writes and one that does not',
  Op: 'a kind of vertex each, or another one as it stands and something more',
  OpCacheMap: 'one for each kind of op: data',
  OpContext: 'what an op is called with: data of the builds that want it, and a callback bag',
  OpResolver: 'says which op a vertex is; the double has ops of integers',
  Output: 'an output of a node: data',
  PacketStream: 'the messages of one call, of either end',
  ProgressDisplay: 'what an event looks like differs in all of them',
  Result: 'handles of what a result store gives, whose suite looks at them',
  SessionFileSender: 'that of sessions; the double answers what a test tells it',
  TarHandler:
    'one archive is given to both writers of layers, and what is seen of it compared (oci/layers/layers.engine.test.ts)',
  VertexProgress: 'a callback bag: who is told of rows, logs and warnings',
};

/** Code that is ours: what is generated for the wire has interfaces of its own. */
const implementations = new Implementations(
  path.join(root, 'src'),
  files.filter((file) => !file.split('/').includes('wire')),
);

test('an interface with two implementations has a suite, or a reason to have none', () => {
  const rows = new Set(table().map(({ port }) => port));
  const twice = implementations.all().filter(({ by }) => by.size > 1);
  const found = new Set(twice.map(({ name }) => name));
  // What looks for them sees classes, functions and constants, properties of classes, members of literals, and what is a port but for what may be missing.
  const seen = ['Channel', 'BlobFetcher', 'ObjectClient', 'Logger', 'Process', 'SolverObserver', 'ContinuousCache'];
  for (const port of seen) expect(found).toContain(port);
  const open = twice.filter(({ name }) => !rows.has(name) && !(name in WITHOUT_SUITE));
  expect(open.map(({ name, by }) => `${name}: ${[...by].join(', ')}`)).toEqual([]);
  expect(Object.keys(WITHOUT_SUITE).filter((port) => rows.has(port) || !found.has(port))).toEqual([]);
});
