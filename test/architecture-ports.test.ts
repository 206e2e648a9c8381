import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

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
  CacheType: 'opens the cache stores, which have a suite',
  CredentialProvider: 'those of sessions; the double answers what a test tells it',
  DockerfileClient: 'the way to a frontend bridge, which has a suite; the double answers what a test tells it',
  EnvLookup: 'variables by name: data',
  GraphNode: 'a kind of vertex each: what they have in common is their type',
  LayerSource: 'a blob of the store or of a ref, whose ports have suites',
  Logger: 'one that writes and one that does not',
  Op: 'a kind of vertex each, or another one as it stands and something more',
  OpCacheMap: 'one for each kind of op: data',
  Output: 'an output of a node: data',
  PacketStream: 'the messages of one call, of either end',
  ProgressDisplay: 'what an event looks like differs in all of them',
  StoreWorld: 'servers of tests, which the tests of the cache stores stand on',
  SessionFileSender: 'that of sessions; the double answers what a test tells it',
  TarHandler:
    'one archive is given to both writers of layers, and what is seen of it compared (oci/layers/layers.engine.test.ts)',
};

/** What makes each exported interface that has methods: classes, functions that return an object of it, and constants. */
function makers(): readonly { readonly port: string; readonly by: ReadonlySet<string> }[] {
  const texts = files.filter((file) => !file.includes('/wire/')).map((file) => ({ file, text: read(`src/${file}`) }));
  const ports = texts.flatMap(({ file, text }) =>
    [...text.matchAll(/^export interface (\w+)[^\n]*\{\n(.*?)^\}/gms)]
      .filter(([, , body]) => /^ {2}\w+\??(?:<.*>)?\(/m.test(body!))
      .map(([, port]) => ({ port: port!, file, by: new Set<string>() })),
  );
  for (const { file, text } of texts) {
    const made = (port: string, name: string) => {
      for (const one of ports) if (one.port === port && isSeen(one, file, text)) one.by.add(name);
    };
    for (const [, name, implemented] of text.matchAll(/\bclass (\w+)[^{]*? implements ([^{]+)\{/g))
      for (const [port] of implemented!.replaceAll(/<[^<>]*>/g, '').matchAll(/\w+/g)) {
        made(port, `${file} ${name}`);
        // It stands for another, which need not say what it is.
        if (/\/testing\/|\.test\.ts$/.test(file)) made(port, 'what it stands for');
      }
    if (file.endsWith('.test.ts')) continue;
    for (const [, name, port, body] of text.matchAll(
      /\bfunction (\w+)[^{}]*?(?:\{[^{}]*\}[^{}]*?)*\): (?:Promise<)?(\w+)(?:<[^\n]*>)?>? \{\n(.*?)^\}/gms,
    ))
      if (/\breturn \{/.test(body!)) made(port!, `${file} ${name}()`);
    for (const [, name, port] of text.matchAll(/^export const (\w+): (\w+)[^\n]* = \{/gm))
      made(port!, `${file} ${name}`);
  }
  return ports;
}

/** Whether a file means this interface by its name: the same name may be another's elsewhere. */
function isSeen(port: { readonly port: string; readonly file: string }, file: string, text: string): boolean {
  if (file === port.file) return true;
  const imports = text.matchAll(/^(?:import|export) (?:type )?\{([^}]*)\} from '(\.[^']+)';$/gm);
  return [...imports].some(([, names, from]) => {
    if (!new RegExp(`\\b${port.port}\\b`).test(names!)) return false;
    const source = path.posix.join(path.posix.dirname(file), from!);
    return source === port.file || (source.endsWith('index.ts') && port.file.startsWith(path.posix.dirname(source)));
  });
}

test('an interface with two implementations has a suite, or a reason to have none', () => {
  const rows = new Set(table().map(({ port }) => port));
  const twice = makers().filter(({ by }) => by.size > 1);
  const found = new Set(twice.map(({ port }) => port));
  // What looks for them sees classes, functions and constants.
  for (const port of ['Channel', 'BlobFetcher', 'ObjectClient', 'Logger', 'Process']) expect(found).toContain(port);
  const open = twice.filter(({ port }) => !rows.has(port) && !(port in WITHOUT_SUITE));
  expect(open.map(({ port, by }) => `${port}: ${[...by].join(', ')}`)).toEqual([]);
  expect(Object.keys(WITHOUT_SUITE).filter((port) => rows.has(port) || !found.has(port))).toEqual([]);
});
