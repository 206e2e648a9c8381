/** Bundles src/ for publishing: a file for each entry point and each module that runs in a thread, code that several need in chunks. */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { type Plugin, rolldown } from 'rolldown';

const root = path.resolve(import.meta.dirname, '..');
const src = path.join(root, 'src');

/** What `bin/` runs and what `exports` names; beside them only what runs in threads is an entry. */
const ENTRIES = ['cli/main', 'cli/buildctl/main', 'builder-pod/main', 'llb/index'];
/** Has machine code, so it stays a dependency. */
const EXTERNAL = ['koffi'];
/** Looked for by libraries that do without. */
const OPTIONAL = [
  'bufferutil',
  'utf-8-validate',
  'supports-color',
  'cpu-features',
  './crypto/build/Release/sshcrypto.node',
];

/** `siblingModule(import.meta.url, './task')` names a file beside the source: what it names becomes an entry, and the call a URL of that. */
const threadModules: Plugin = {
  name: 'thread-modules',
  transform: {
    filter: { code: /import \{[^}]*\bsiblingModule\b/ },
    handler(code, id) {
      const calls = code.match(/\bsiblingModule\(/g)?.length ?? 0;
      let replaced = 0;
      const out = code.replace(/\bsiblingModule\(import\.meta\.url, '([^']+)'\)/g, (_, relative: string) => {
        replaced++;
        const file = path.resolve(path.dirname(id), `${relative}.ts`);
        const fileName = path.relative(src, file).replace(/\.ts$/, '.js');
        return `new URL(import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: 'chunk', id: file, fileName })})`;
      });
      if (replaced !== calls) this.error(`${id}: siblingModule takes import.meta.url and a literal`);
      return out;
    },
  },
};

/**
 * An import of a module of Node reads all that it exports, and some of that loads a library nobody asked for: behind one name of `node:http` is a second HTTP client, a megabyte of it. Of an object
 * only what is named is read, which saves a third of a start. What stays outside is required for the same reason: it imports such modules.
 */
const outsideAsObjects: Plugin = {
  name: 'outside-as-objects',
  renderChunk(code) {
    return code.replace(
      /^import (?:(?:\* as )?([\w$]+))?(?:, )?(?:\{ ([^}]+) \})? from "([\w/:]+)";$/gm,
      (_, whole: string | undefined, names: string | undefined, module: string) => {
        const loaded = isBuiltin(module)
          ? `process.getBuiltinModule("${module}")`
          : `process.getBuiltinModule("node:module").createRequire(import.meta.url)("${module}")`;
        const targets = [whole, names && `{ ${names.replaceAll(' as ', ': ')} }`].filter(Boolean);
        return targets.map((target) => `const ${target} = ${loaded};`).join(' ');
      },
    );
  },
};

/** Writes the bundles to `dist`. @returns the files of other packages that went into them */
export async function bundle(dist: string): Promise<readonly string[]> {
  await using build = await rolldown({
    cwd: root,
    input: Object.fromEntries(ENTRIES.map((entry) => [entry, path.join(src, `${entry}.ts`)])),
    platform: 'node',
    tsconfig: path.join(root, 'tsconfig.json'),
    external: [...EXTERNAL, ...OPTIONAL],
    plugins: [threadModules, outsideAsObjects],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await build.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    // The licences are in a file of their own.
    comments: { legal: false, jsdoc: false },
  });
  const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
  return [...new Set(modules)].filter((id) => id.includes('/node_modules/')).sort();
}
