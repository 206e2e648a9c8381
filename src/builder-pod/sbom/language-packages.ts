import { posix } from 'node:path';
import { type FoundPackage, foundPackage } from './package.ts';
import type { ScannedTree } from './tree.ts';

/** Of one package's own metadata. */
const MOST_METADATA = 4 << 20;
/** Of a lock file. */
const MOST_LOCK = 16 << 20;
const CRATE_NAME = /^name = "([^"\\\n]*)"/m;
const CRATE_VERSION = /^version = "([^"\\\n]*)"/m;

type Reader = (tree: ScannedTree, path: string) => Iterable<FoundPackage>;

/** Who reads a file, by its path; undefined where it tells of no package. */
export function readerOf(path: string): Reader | undefined {
  const name = posix.basename(path);
  if (name === 'package.json') return isInstalled(path) ? npmPackage : undefined;
  if (name === 'package-lock.json' || name === '.package-lock.json' || name === 'npm-shrinkwrap.json') return npmLock;
  if (name === 'METADATA' && posix.dirname(path).endsWith('.dist-info')) return pythonPackage;
  if (name === 'PKG-INFO' && posix.dirname(path).endsWith('.egg-info')) return pythonPackage;
  if (name.endsWith('.egg-info')) return pythonPackage;
  if (name === 'Cargo.lock') return cargoLock;
  return undefined;
}

/** In a folder of its own, below `node_modules`. */
function isInstalled(path: string): boolean {
  return /(^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/.test(path);
}

function* npmPackage(tree: ScannedTree, path: string): Generator<FoundPackage> {
  const json = parse(tree, path, MOST_METADATA);
  const found = npmFound(text(json?.['name']), text(json?.['version']), path, npmLicense(json));
  if (found !== undefined) yield found;
}

/** Versions 2 and 3 name installed folders, version 1 a tree. */
function* npmLock(tree: ScannedTree, path: string): Generator<FoundPackage> {
  const json = parse(tree, path, MOST_LOCK);
  for (const [folder, entry] of Object.entries(object(json?.['packages']) ?? {})) {
    tree.spend();
    const fields = object(entry);
    const name = text(fields?.['name']) ?? folder.split('node_modules/').at(-1);
    if (folder === '' || fields?.['link'] === true) continue;
    const found = npmFound(name, text(fields?.['version']), path, npmLicense(fields));
    if (found !== undefined) yield found;
  }
  if (json?.['packages'] !== undefined) return;
  const open = [object(json?.['dependencies']) ?? {}];
  for (let level = open.pop(); level !== undefined; level = open.pop())
    for (const [name, entry] of Object.entries(level)) {
      tree.spend();
      const fields = object(entry);
      const found = npmFound(name, text(fields?.['version']), path, undefined);
      if (found !== undefined) yield found;
      const below = object(fields?.['dependencies']);
      if (below !== undefined) open.push(below);
    }
}

function npmFound(
  name: string | undefined,
  version: string | undefined,
  path: string,
  license: string | undefined,
): FoundPackage | undefined {
  if (name === undefined || version === undefined || !/^(?:@[^/@\s]+\/)?[^/@\s]+$/.test(name)) return undefined;
  // What is no version of the registry is a file or an address.
  if (!/^\d+\.\d+\.\d+/.test(version)) return undefined;
  const segments = name.split('/');
  return foundPackage({
    ...{ name, version, path, license },
    url: { type: 'npm', namespace: segments.slice(0, -1), name: segments.at(-1)! },
  });
}

/** Of old packages an object, or a list of them. */
function npmLicense(fields: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const one = (value: unknown) => text(value) ?? text(object(value)?.['type']);
  const { license, licenses } = fields ?? {};
  if (license !== undefined) return one(license);
  if (!Array.isArray(licenses)) return undefined;
  const all = licenses.slice(0, 20).flatMap((each) => one(each) ?? []);
  return all.length === 0 ? undefined : all.join(' OR ');
}

/** The header of a distribution's metadata (PEP 566 and after). */
function* pythonPackage(tree: ScannedTree, path: string): Generator<FoundPackage> {
  const header = tree.text(path, MOST_METADATA)?.split(/\r?\n\r?\n/, 1)[0];
  if (header === undefined) return;
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(\\S[^\\n\\r]*)`, 'im').exec(header)?.[1]?.trim();
  const name = field('Name');
  if (name === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return;
  const classifier = /^Classifier: License :: (?:OSI Approved :: )?([^\n\r]+)/m.exec(header)?.[1]?.trim();
  const license = field('License-Expression') ?? field('License') ?? classifier;
  const found = foundPackage({
    ...{ name, version: field('Version'), path },
    license: license === 'UNKNOWN' ? undefined : license,
    supplier: field('Author'),
    url: { type: 'pypi', namespace: [], name: name.toLowerCase().replace(/[-_.]+/g, '-') },
  });
  if (found !== undefined) yield found;
}

/** TOML of a form that only cargo writes: an entry `[[package]]` with a name, a version and perhaps a source. */
function* cargoLock(tree: ScannedTree, path: string): Generator<FoundPackage> {
  const [, ...entries] = tree.text(path, MOST_LOCK)?.split(/^\[\[package\]\][ \t]*\r?$/m) ?? [];
  for (const entry of entries) {
    tree.spend();
    const found = cargoFound(CRATE_NAME.exec(entry)?.[1], CRATE_VERSION.exec(entry)?.[1], path);
    if (found !== undefined) yield found;
  }
}

export function cargoFound(
  name: string | undefined,
  version: string | undefined,
  path: string,
): FoundPackage | undefined {
  if (name === undefined || !/^[A-Za-z0-9_-]+$/.test(name)) return undefined;
  return foundPackage({ name, version, path, url: { type: 'cargo', namespace: [], name } });
}

function parse(tree: ScannedTree, path: string, most: number): Readonly<Record<string, unknown>> | undefined {
  const content = tree.text(path, most);
  if (content === undefined) return undefined;
  try {
    // npm reads files with a byte order mark, too.
    return object(JSON.parse(content.replace(/^\uFEFF/, '')));
  } catch (error) {
    tree.note(path, (error as Error).message.slice(0, 200));
    return undefined;
  }
}

function object(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
