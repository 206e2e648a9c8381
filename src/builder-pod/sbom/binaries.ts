import { inflateSync } from 'node:zlib';
import { cargoFound } from './language-packages.ts';
import { type FoundPackage, foundPackage } from './package.ts';
import type { OpenFile, ScannedTree } from './tree.ts';

/** Of a section that tells of modules. */
const MOST_SECTION = 16 << 20;
const MOST_SECTIONS = 10_000;
/** Of an entry of the table, which has 64 bytes; and of a section's name. */
const MOST_SECTION_ENTRY = 256;
const MOST_SECTION_NAME = 100;
/** Of the list of crates, inflated. */
const MOST_CRATES = 32 << 20;
/** What a byte can at most inflate to. */
const MOST_INFLATION = 1032;
const GO_MAGIC = Buffer.from('\xff Go buildinf:', 'latin1');
/** In its flags: strings follow the header (Go 1.18 and later). */
const GO_INLINE = 2;
const GO_HEADER = 32;
/** Random bytes that Go puts before and after the list of modules. */
const GO_FRAME = 16;

interface Section {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** What was built into an executable: Go's modules, and crates that `cargo auditable` lists. */
export function* binaryPackages(tree: ScannedTree, path: string): Generator<FoundPackage> {
  const told = tree.use(path, (file) => {
    const sections = sectionsOf(file);
    const bytes = (name: string) => {
      const section = sections.find((one) => one.name === name);
      return section === undefined || section.size > MOST_SECTION ? undefined : file.read(section.offset, section.size);
    };
    return { go: bytes('.go.buildinfo'), crates: bytes('.dep-v0') };
  });
  if (told?.go !== undefined) yield* goModules(tree, told.go, path);
  if (told?.crates !== undefined) yield* crates(tree, told.crates, path);
}

/** Sections of an ELF file; none of what is none, or lies about itself. */
function sectionsOf(file: OpenFile): readonly Section[] {
  const header = file.read(0, 64);
  if (header.length < 52 || header.readUInt32BE(0) !== 0x7f454c46) return [];
  const is64 = header[4] === 2;
  const isLittle = header[5] === 1;
  if (is64 && header.length < 64) return [];
  const u16 = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const word = (bytes: Buffer, at: number) => {
    if (!is64) return u32(bytes, at);
    return Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  };
  const table = word(header, is64 ? 40 : 32);
  const entrySize = u16(header, is64 ? 58 : 46);
  const count = Math.min(u16(header, is64 ? 60 : 48), MOST_SECTIONS);
  const namesAt = u16(header, is64 ? 62 : 50);
  const least = is64 ? 64 : 40;
  if (entrySize < least || entrySize > MOST_SECTION_ENTRY || !Number.isSafeInteger(table)) return [];
  const entries = file.read(table, count * entrySize);
  const section = (n: number) => {
    const at = n * entrySize;
    if (at + least > entries.length) return undefined;
    return {
      name: u32(entries, at),
      offset: word(entries, at + (is64 ? 24 : 16)),
      size: word(entries, at + (is64 ? 32 : 20)),
    };
  };
  const strings = section(namesAt);
  if (strings === undefined || strings.size > MOST_SECTION) return [];
  const names = file.read(strings.offset, strings.size);
  const found: Section[] = [];
  for (let n = 0; n < count; n++) {
    const one = section(n);
    if (one === undefined || one.name >= names.length) continue;
    const name = names.subarray(one.name, one.name + MOST_SECTION_NAME);
    const end = name.indexOf(0);
    found.push({ ...one, name: name.toString('latin1', 0, end < 0 ? name.length : end) });
  }
  return found;
}

function* goModules(tree: ScannedTree, section: Buffer, path: string): Generator<FoundPackage> {
  const at = section.indexOf(GO_MAGIC);
  if (at < 0 || section.length < at + GO_HEADER || (section[at + 15]! & GO_INLINE) === 0) return;
  const [version, next] = goString(section, at + GO_HEADER);
  const [framed] = goString(section, next);
  const release = /^go(\d+\.\d+[\w.]*)/.exec(version)?.[1];
  const standard = release === undefined ? undefined : goFound('stdlib', release, path);
  if (standard !== undefined) yield standard;
  const list = framed.length > 2 * GO_FRAME ? framed.slice(GO_FRAME, -GO_FRAME) : '';
  let module: readonly [string, string] | undefined;
  for (const line of list.split('\n')) {
    tree.spend();
    const [kind, name = '', its = ''] = line.split('\t');
    // A replacement is what was built in, of what stands before it.
    if (kind === '=>') {
      module = [name, its];
      continue;
    }
    const before = module === undefined ? undefined : goFound(...module, path);
    if (before !== undefined) yield before;
    module = kind === 'dep' || kind === 'mod' ? [name, its] : undefined;
  }
  const last = module === undefined ? undefined : goFound(...module, path);
  if (last !== undefined) yield last;
}

function goString(bytes: Buffer, at: number): readonly [string, number] {
  let length = 0;
  let shift = 0;
  let next = at;
  for (let byte = 0x80; (byte & 0x80) !== 0; shift += 7) {
    if (next >= bytes.length || shift > 28) return ['', bytes.length];
    byte = bytes[next++]!;
    length += (byte & 0x7f) * 2 ** shift;
  }
  if (next + length > bytes.length) return ['', bytes.length];
  return [bytes.toString('latin1', next, next + length), next + length];
}

function goFound(name: string, version: string, path: string): FoundPackage | undefined {
  if (!/^[\w.~/-]+$/.test(name) || name.startsWith('.') || name.startsWith('/')) return undefined;
  const segments = name.split('/');
  const known = version === '(devel)' ? '' : version;
  return foundPackage({
    ...{ name, version: known, path },
    url: { type: 'golang', namespace: segments.slice(0, -1), name: segments.at(-1)! },
  });
}

function* crates(tree: ScannedTree, section: Buffer, path: string): Generator<FoundPackage> {
  let list: unknown;
  try {
    const inflated = inflateSync(section, { maxOutputLength: MOST_CRATES });
    tree.spend(inflated.length);
    list = JSON.parse(inflated.toString('utf8'));
  } catch (error) {
    tree.note(path, `its list of crates cannot be read: ${(error as Error).message.slice(0, 200)}`);
    // What fails may have been inflated to the end.
    tree.spend(Math.min(MOST_CRATES, section.length * MOST_INFLATION));
    return;
  }
  const packages = (list as { readonly packages?: unknown } | null)?.packages;
  for (const each of Array.isArray(packages) ? packages : []) {
    tree.spend();
    const { name, version, kind } = (each ?? {}) as Readonly<Record<string, unknown>>;
    // What only builds is not in it.
    if (typeof name !== 'string' || typeof version !== 'string' || kind === 'build') continue;
    const found = cargoFound(name, version, path);
    if (found !== undefined) yield found;
  }
}
