import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';
import { REASONS } from '../src/base/index.ts';

const root = path.resolve(import.meta.dirname, '..');
/** What others import from the npm package. */
const PUBLIC = 'src/llb/index.ts';
/** What a thread's module is entered by. */
const THREAD_ENTRIES: ReadonlySet<string> = new Set(['start', 'serve', 'warm']);

/** A name that a file gives, and where it has it from when that is another. */
type Source = { readonly file: string; readonly name: string } | undefined;

interface Module {
  readonly text: string;
  readonly names: ReadonlyMap<string, Source>;
  /** `export * from`. */
  readonly all: readonly string[];
  readonly uses: readonly { readonly file: string; readonly name: string | undefined }[];
}

const modules = new Map(
  ['src', 'test', 'e2e', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.split('/').includes('wire'))
      .map((file) => path.join(folder, file))
      .map((file): [string, Module] => [file, moduleOf(file)]),
  ),
);

function moduleOf(file: string): Module {
  const text = readFileSync(path.join(root, file), 'utf8');
  const { module } = parseSync(file, text);
  const resolve = (specifier: string) => path.join(path.dirname(file), specifier);
  const imported = new Map<string, Source>();
  const uses: { file: string; name: string | undefined }[] = [];
  for (const { moduleRequest, entries } of module.staticImports)
    for (const { importName, localName } of moduleRequest.value.startsWith('.') ? entries : []) {
      const name = importName.kind === 'Name' ? importName.name! : undefined;
      uses.push({ file: resolve(moduleRequest.value), name });
      if (name !== undefined) imported.set(localName.value, { file: resolve(moduleRequest.value), name });
    }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^'(\..*)'$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    if (literal !== null) uses.push({ file: resolve(literal[1]!), name: undefined });
  }
  const names = new Map<string, Source>();
  const all: string[] = [];
  for (const { moduleRequest, importName, exportName, localName } of module.staticExports.flatMap((one) => one.entries))
    if (exportName.name == null) all.push(resolve(moduleRequest!.value));
    else if (moduleRequest == null) names.set(exportName.name, imported.get(localName.name ?? ''));
    else names.set(exportName.name, { file: resolve(moduleRequest.value), name: importName.name! });
  return { text, names, all, uses };
}

function namesOf(file: string): string[] {
  const module = modules.get(file);
  return module === undefined ? [] : [...module.names.keys(), ...module.all.flatMap(namesOf)];
}

const used = new Set<string>();

function use(file: string, name: string): void {
  const module = modules.get(file);
  const key = `${file}: ${name}`;
  if (module === undefined || used.has(key)) return;
  used.add(key);
  const source = module.names.get(name);
  if (source !== undefined) use(source.file, source.name);
  else if (!module.names.has(name)) for (const other of module.all) use(other, name);
}

test('what a file exports is imported by another, and it is gone when nobody does', () => {
  const words = new Set([...modules.values()].flatMap(({ text }) => text.match(/'\w+'/g) ?? []));
  for (const [file, { text, uses }] of modules) {
    for (const one of uses)
      for (const name of one.name === undefined ? namesOf(one.file) : [one.name]) use(one.file, name);
    // Tasks of workers are named by text, entries of threads by what they are.
    for (const [, name] of text.matchAll(/siblingModule\(import\.meta\.url, '(.*?)'\)/g)) {
      const tasks = `${path.join(path.dirname(file), name!)}.ts`;
      for (const task of modules.get(tasks)?.names.keys() ?? [])
        if (THREAD_ENTRIES.has(task) || words.has(`'${task}'`)) use(tasks, task);
    }
  }
  for (const name of namesOf(PUBLIC)) use(PUBLIC, name);
  const unused = [...modules].flatMap(([file, { names }]) =>
    file.startsWith('src/') ? [...names.keys()].map((name) => `${file}: ${name}`).filter((key) => !used.has(key)) : [],
  );
  expect(unused, 'take `export` away, or the re-export').toEqual([]);
});

test('every reason of a failure is one that something fails with', () => {
  const texts = [...modules].filter(([file]) => file.startsWith('src/') && !file.includes('.test.ts'));
  const said = new Set(
    texts.flatMap(([file, { text }]) => (file.endsWith('base/failures.ts') ? [] : (text.match(/'[A-Z_]+'/g) ?? []))),
  );
  expect(REASONS.filter((reason) => !said.has(`'${reason}'`))).toEqual([]);
});

test('a failure with a reason is made of its row', () => {
  const apart = [...modules].filter(
    ([file, { text }]) =>
      file.startsWith('src/') &&
      !/\.test\.ts$|\/testing\/|\/testdata\//.test(file) &&
      /(?:new CodedError|invalidArgument|cancelledError)\([^;]*?\breason: '[A-Z]/.test(text),
  );
  expect(apart.map(([file]) => file)).toEqual([]);
});
