/** The packages that are bundled, with their licences. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder of the package that a file belongs to: the nearest that says a name and a version. */
function packageOf(file: string): string {
  let at = path.dirname(file);
  while (!(existsSync(path.join(at, 'package.json')) && 'version' in manifestOf(at))) at = path.dirname(at);
  return at;
}

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };

/** @throws where a package says no licence */
export function thirdParty(files: readonly string[]): string {
  const folders = [...new Set(files.map(packageOf))].sort();
  const texts = folders.map((folder) => {
    const { name, version, license } = manifestOf(folder);
    const own = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)(\.|-|$)/i.test(file));
    if (license === undefined && own.length === 0) throw new Error(`${name} says no licence`);
    const words = own.map((file) => readFileSync(path.join(folder, file), 'utf8').trim());
    return [`${name} ${version} (${license ?? 'see below'})`, ...words].join('\n\n');
  });
  return `Code of these packages is part of the files beside this one.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
