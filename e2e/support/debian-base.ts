import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { must } from './run.ts';

/** What a Debian has whatever is in it. */
const ALWAYS = [
  'base-files',
  'bash',
  'coreutils',
  'dash',
  'diffutils',
  'dpkg',
  'findutils',
  'grep',
  'gzip',
  'libc-bin',
  'sed',
  'tar',
  'util-linux',
];
/** Nothing in an image of ours reads it. */
const UNREAD = /^\/usr\/(share\/(doc|man|info|locale|lintian|bash-completion)|lib\/cni)\//;
const DIRECTORIES = ['bin', 'sbin', 'lib', 'lib64'];

/** Writes the tree of a Debian with these packages, and those that they need, as a tar file: of what is installed on this machine, so that nothing is fetched. */
export async function debianTar(file: string, packages: readonly string[]): Promise<void> {
  const closure = await needed([...ALWAYS, ...packages]);
  const listed = (await must('dpkg-query', ['-L', ...closure])).stdout.split('\n');
  const paths = new Set<string>();
  for (const listedPath of listed) {
    if (!listedPath.startsWith('/') || listedPath === '/.' || UNREAD.test(listedPath)) continue;
    const at = realPath(listedPath);
    if (at !== undefined) paths.add(at);
  }
  const tree = `${file}.tree`;
  mkdirSync(path.join(tree, 'etc'), { recursive: true });
  mkdirSync(path.join(tree, 'var/lib/dpkg'), { recursive: true });
  for (const name of DIRECTORIES) symlinkSync(`usr/${name}`, path.join(tree, name));
  for (const name of ['passwd', 'group'])
    writeFileSync(path.join(tree, 'etc', name), readFileSync(`/usr/share/base-passwd/${name}.master`));
  mkdirSync(path.join(tree, 'tmp'), { mode: 0o1777 });
  mkdirSync(path.join(tree, 'root'), { mode: 0o700 });
  const status = readFileSync('/var/lib/dpkg/status', 'utf8').split('\n\n');
  const wanted = new Set(closure);
  const kept = status.filter((stanza) => wanted.has(/^Package: (\S+)/.exec(stanza)?.[1] ?? ''));
  writeFileSync(path.join(tree, 'var/lib/dpkg/status'), `${kept.join('\n\n')}\n`);
  writeFileSync(
    `${file}.list`,
    [...paths]
      .sort()
      .map((at) => `.${at}\n`)
      .join(''),
  );
  const common = ['--no-recursion', '--numeric-owner', '--owner=0', '--group=0', '--sort=name'];
  await must('tar', [...common, '-C', '/', '-cf', file, '-T', `${file}.list`]);
  await must('tar', ['--numeric-owner', '-C', tree, '-rf', file, '.']);
  rmSync(tree, { recursive: true });
  rmSync(`${file}.list`);
}

/** The path by which a package's file is reached where /bin is a link to /usr/bin; undefined for what is not there, and for such links. */
function realPath(listed: string): string | undefined {
  const folder = path.dirname(listed);
  if (!existsSync(folder)) return undefined;
  const at = path.join(realpathSync(folder), path.basename(listed));
  return DIRECTORIES.includes(at.slice(1)) || lstatSync(at, { throwIfNoEntry: false }) === undefined ? undefined : at;
}

/** The packages with all that they depend on, of alternatives the first that is installed. */
async function needed(names: readonly string[]): Promise<string[]> {
  const variable = (field: string) => `\${${field}}`;
  const depending = ['Pre-Depends', 'Depends'].map(variable).join(', ');
  const format = `${[variable('Package'), variable('db:Status-Status'), depending, variable('Provides')].join('\t')}\n`;
  const depends = new Map<string, string>();
  const providers = new Map<string, string>();
  for (const line of (await must('dpkg-query', ['-W', '-f', format])).stdout.split('\n')) {
    const [name = '', state, needs = '', provides = ''] = line.split('\t');
    if (state !== 'installed') continue;
    depends.set(name, needs);
    for (const other of namesIn(provides)) providers.set(other, name);
  }
  const found = new Set<string>();
  const left = [...names];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    for (const group of (depends.get(name) ?? '').split(',')) {
      const one = group
        .split('|')
        .flatMap(namesIn)
        .map((it) => (depends.has(it) ? it : providers.get(it)))
        .find((it) => it !== undefined);
      if (one !== undefined) left.push(one);
    }
  }
  return [...found].sort();
}

/** Names of packages in a list of them, without versions and architectures. */
function namesIn(list: string): string[] {
  return list.split(',').flatMap((one) => /^\s*([a-z0-9][a-z0-9+.-]+)/.exec(one)?.[1] ?? []);
}
