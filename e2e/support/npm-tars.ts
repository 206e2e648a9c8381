import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.ts';
import { run } from './run.ts';

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** What makes the bundles. */
const MAKERS = ['rolldown', 'protobufjs-cli', 'protobufjs'];
const IMPORT = /\bfrom '((?:@[\w.-]+\/)?[\w.-]+)(?:\/[^']*)?'|\bimport\('((?:@[\w.-]+\/)?[\w.-]+)/g;

/** Writes as tar files what `npm ci` makes in the images' stages, of this checkout's packages: `modules`, all that builds the bundles, and `runtime`, what runs beside them. */
export async function npmTars(files: { readonly modules: string; readonly runtime: string }): Promise<void> {
  const own = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Locked;
  const runs = Object.keys({ ...own.dependencies, ...own.optionalDependencies });
  const sources = globSync('src/**/*.ts', { cwd: root }).filter((file) => !/\.test\.ts$|\/testing\//.test(file));
  const imported = sources.flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(IMPORT)].map(([, from, loaded]) => from ?? loaded ?? ''),
  );
  const tar = async (file: string, names: readonly string[]) => {
    const folders = closure(names).map((folder) => `node_modules/${folder}`);
    const { code, output } = await run('tar', [
      ...['--sort=name', '--numeric-owner', '--owner=0', '--group=0', '--exclude=node-linux-*/include'],
      ...['--exclude=node-linux-*/share', '--transform=s,^,slipway/,', '-C', root, '-cf', file, ...folders],
    ]);
    // 1: a file changed meanwhile, as one does that is linked from elsewhere just then; what is in it stays.
    if (code !== 0 && code !== 1) throw new Error(`tar ended with ${code}:\n${output}`);
  };
  await tar(files.modules, [...runs, ...MAKERS, ...imported]);
  await tar(files.runtime, runs);
}

/** The folders in node_modules of these packages and all that they need, as far as they are there; nested ones come with their parents. */
function closure(names: readonly string[]): string[] {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'node_modules/.package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const found = new Set<string>();
  const left = [...names];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const prefix = `node_modules/${name}`;
    if (found.has(name) || packages[prefix] === undefined) continue;
    found.add(name);
    // Nested packages need others that are not nested.
    for (const [at, { dependencies, optionalDependencies, peerDependencies }] of Object.entries(packages))
      if (at === prefix || at.startsWith(`${prefix}/`))
        left.push(...Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }));
  }
  return [...found].sort();
}
