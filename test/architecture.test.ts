import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';
import { COMPUTATIONS, forbiddenFor, MAY_WAIT_FOR_DISK, ROOMS, SUB_ROOMS } from './rooms.ts';

const root = path.resolve(import.meta.dirname, '..');
const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.split('/').includes('wire'))
  .sort();

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Gone when the code runs. */
  readonly typeOnly: boolean;
  /** Loaded by `import()`, when it is needed. */
  readonly late?: boolean;
}

function importsOf(file: string): { imports: Import[]; text: string; defaultExport: boolean } {
  const text = readFileSync(path.join(root, 'src', file), 'utf8');
  const { module } = parseSync(file, text);
  const found = [
    ...module.staticImports.map((one) => ({
      specifier: one.moduleRequest.value,
      typeOnly: one.entries.length > 0 && one.entries.every((entry) => entry.isType),
    })),
    ...module.staticExports.flatMap((one) =>
      one.entries.flatMap((entry) =>
        entry.moduleRequest ? [{ specifier: entry.moduleRequest.value, typeOnly: entry.isType }] : [],
      ),
    ),
    ...module.dynamicImports.flatMap((one) => {
      const literal = /^['"](.*)['"]$/.exec(text.slice(one.moduleRequest.start, one.moduleRequest.end));
      return literal?.[1] === undefined ? [] : [{ specifier: literal[1], typeOnly: false, late: true }];
    }),
  ];
  const defaultExport = module.staticExports.some((one) =>
    one.entries.some((entry) => entry.exportName.kind === 'Default'),
  );
  return { imports: found.map((one) => ({ file, ...one })), text, defaultExport };
}

const modules = files.map((file) => ({ file, room: file.split('/')[0] as string, ...importsOf(file) }));
const isTest = (file: string) => file.includes('.test.') || file.includes('/testing/');

describe('rooms', () => {
  test('every folder of src/ is in the table', () => {
    expect([...new Set(modules.map((module) => module.room))].filter((room) => !(room in ROOMS))).toEqual([]);
  });

  test('a room imports only what the table allows', () => {
    const wrong = modules.flatMap(({ file, room, imports }) =>
      imports.flatMap(({ specifier }) => {
        if (!specifier.startsWith('.')) return [];
        const target = path.join(path.dirname(file), specifier).split('/')[0] as string;
        // Tests may open neighbouring rooms' testing/ folders.
        if (isTest(file)) return [];
        return target === room || target === 'base' || ROOMS[room]?.includes(target)
          ? []
          : [`${file} imports ${specifier}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  describe.each(Object.entries(SUB_ROOMS))('within %s', (room, table) => {
    const inside = modules.filter((module) => module.room === room && !isTest(module.file));

    test('every folder is in the table', () => {
      expect([...new Set(inside.map(({ file }) => file.split('/')[1] as string))].sort()).toEqual(
        Object.keys(table).sort(),
      );
    });

    test('a folder imports only what the table allows', () => {
      const wrong = inside.flatMap(({ file, imports }) =>
        imports.flatMap(({ specifier }) => {
          if (!specifier.startsWith('.')) return [];
          const [top, target] = path.join(path.dirname(file), specifier).split('/') as [string, string];
          const own = file.split('/')[1] as string;
          return top !== room || target === own || table[own]?.includes(target) ? [] : [`${file} imports ${specifier}`];
        }),
      );
      expect(wrong).toEqual([]);
    });

    test('the table allows no circles', () => {
      const names = Object.keys(table);
      const wrong = names.flatMap((name, i) =>
        (table[name] ?? []).filter((other) => !names.slice(0, i).includes(other)).map((other) => `${name}: ${other}`),
      );
      expect(wrong).toEqual([]);
    });
  });

  test('only what starts threads and processes says that it computes, and so has a place', () => {
    const claims = modules.filter(({ file, text }) => !isTest(file) && /\bcomputes(: | = )true\b/.test(text));
    expect(claims.map(({ file }) => file)).toEqual(['base/places.ts', ...COMPUTATIONS]);
  });

  test('no file needs itself by way of others, be it for a type alone', () => {
    const needs = new Map(
      modules.map(({ file, imports }) => [
        file,
        imports
          .filter(({ specifier }) => specifier.startsWith('.'))
          .map(({ specifier }) => path.join(path.dirname(file), specifier)),
      ]),
    );
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, way: readonly string[]) => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' > '));
      if (way.includes(file) || done.has(file)) return;
      for (const other of needs.get(file) ?? []) visit(other, [...way, file]);
      done.add(file);
    };
    for (const file of needs.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });

  test('another room is entered through an index.ts, a wire folder or ports.ts', () => {
    const wrong = modules.flatMap(({ file, room, imports }) =>
      imports.flatMap(({ specifier }) => {
        if (!specifier.startsWith('.') || isTest(file)) return [];
        const target = path.join(path.dirname(file), specifier);
        if (target.split('/')[0] === room || target.startsWith('base/')) return [];
        const name = path.basename(target);
        return name === 'index.ts' || name === 'ports.ts' || name === 'op.ts' || target.includes('/wire/')
          ? []
          : [`${file} imports ${specifier}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('a builder loads at its start no package that only clients and operators need', () => {
    const atStart = ({ typeOnly, late }: Import) => !typeOnly && late !== true;
    const needs = new Map(modules.map(({ file, imports }) => [file, imports.filter(atStart)]));
    const reached = new Set(['builder-pod/main.ts']);
    const packages = new Set<string>();
    for (const file of reached) {
      for (const { specifier } of needs.get(file) ?? []) {
        if (specifier.startsWith('.')) reached.add(path.join(path.dirname(file), specifier));
        else if (!specifier.startsWith('node:')) packages.add(specifier);
      }
    }
    expect([...packages].sort()).toEqual(['js-yaml', 'pino', 'smol-toml', 'socks-proxy-agent', 'zod']);
  });

  test('testing/ folders are imported by tests only', () => {
    const wrong = modules
      .filter(({ file }) => !isTest(file))
      .flatMap(({ imports }) => imports.filter(({ specifier }) => specifier.includes('/testing/')));
    expect(wrong).toEqual([]);
  });

  test('only src/sys starts processes and threads or calls the system', () => {
    const guarded = ['node:child_process', 'node:worker_threads', 'koffi', 'child_process', 'worker_threads'];
    const wrong = modules
      .filter(({ file, room }) => room !== 'sys' && !isTest(file))
      .flatMap(({ imports }) => imports.filter(({ specifier }) => guarded.includes(specifier)));
    expect(wrong).toEqual([]);
  });

  test('threads are started and ended in one place, and machine code is loaded and called in one', () => {
    const having = (pattern: RegExp) =>
      modules.filter(({ file, text }) => !isTest(file) && pattern.test(text)).map(({ file }) => file);
    expect(having(/\bnew Worker\(|\bworker\.terminate\(/)).toEqual(['sys/threads/own-thread.ts']);
    expect(having(/\bcreateRequire\b|^import (?!type ).*'koffi'/m)).toEqual(['sys/native.ts']);
  });

  test('only threads and processes of their own wait for the disk', () => {
    const allowed = ({ file }: { readonly file: string }) =>
      isTest(file) || MAY_WAIT_FOR_DISK.some((folder) => file.startsWith(`${folder}/`));
    const wrong = modules
      .filter((module) => !allowed(module))
      .filter(
        ({ imports, text }) =>
          imports.some(({ specifier }) => /^(?:node:)?fs\/promises$/.test(specifier)) ||
          /\bpromises\b[^;]*\bfrom '(?:node:)?fs'|\bfs\.promises\b/.test(text),
      );
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });

  test('only main.ts files read the environment', () => {
    const wrong = modules
      .filter(({ file, text }) => !isTest(file) && path.basename(file) !== 'main.ts' && /\bprocess\.env\b/.test(text))
      .map(({ file }) => file);
    expect(wrong).toEqual([]);
  });

  test('there are no default exports', () => {
    expect(modules.filter((module) => module.defaultExport).map((module) => module.file)).toEqual([]);
  });

  test('files stay readable', () => {
    const long = modules.filter(({ file }) => !isTest(file)).filter(({ text }) => text.split('\n').length > 600);
    expect(long.map(({ file }) => file)).toEqual([]);
  });
});

test('the lint rules say the same as the table of rooms', () => {
  const biome = JSON.parse(readFileSync(path.join(root, 'biome.json'), 'utf8')) as {
    overrides: {
      includes: string[];
      linter?: { rules?: { style?: { noRestrictedImports?: { options: { patterns: { group: string[] }[] } } } } };
    }[];
  };
  for (const room of Object.keys(ROOMS)) {
    const forbidden = forbiddenFor(room).map((other) => `**/${other}/**`);
    const override = biome.overrides.find(({ includes }) => includes[0] === `src/${room}/**`);
    expect({
      room,
      group: override?.linter?.rules?.style?.noRestrictedImports?.options.patterns[0]?.group ?? [],
    }).toEqual({ room, group: forbidden });
  }
});
