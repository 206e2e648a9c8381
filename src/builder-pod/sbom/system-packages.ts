import { posix } from 'node:path';
import { type FoundPackage, foundPackage } from './package.ts';
import type { ScannedTree } from './tree.ts';

/** Of the distribution that a file system is one of. */
export interface Distribution {
  /** `debian`, `alpine`, … */
  readonly id: string;
  /** `12`, `3.20.1`; empty where it says none. */
  readonly version: string;
  readonly name: string;
}

const OS_RELEASE = ['/etc/os-release', '/usr/lib/os-release'];
const DPKG = '/var/lib/dpkg/status';
/** Where distroless images have a file a package. */
const DPKG_PARTS = '/var/lib/dpkg/status.d';
const APK = ['/lib/apk/db/installed', '/usr/lib/apk/db/installed'];
/** Of a copyright file. */
const MOST_COPYRIGHT = 1 << 20;
const MOST_LICENSES = 40;
/** Of a line that says something of a package, and of a paragraph of them. */
const MOST_LINE = 10_000;
const MOST_FIELDS = 1000;

export function distributionOf(tree: ScannedTree): Distribution | undefined {
  for (const path of OS_RELEASE) {
    const text = tree.text(path, 64 << 10);
    if (text === undefined) continue;
    const fields = new Map(
      text.split('\n').flatMap((line) => {
        const [, key, value] =
          /^([A-Z_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|(\S*))\s*$/.exec(line)?.flatMap((part) => part ?? []) ?? [];
        return key === undefined ? [] : [[key, value ?? ''] as const];
      }),
    );
    const id = fields.get('ID') ?? '';
    if (!/^[a-z0-9._-]{1,100}$/.test(id)) continue;
    return {
      id,
      version: (fields.get('VERSION_ID') ?? '').slice(0, 100).toWellFormed(),
      name: (fields.get('PRETTY_NAME') ?? id).slice(0, 200).toWellFormed(),
    };
  }
  return undefined;
}

function qualifierOf(distribution: Distribution | undefined): string | undefined {
  if (distribution === undefined) return undefined;
  const { id, version } = distribution;
  return version === '' ? id : `${id}-${version}`;
}

/** Packages that dpkg has installed. */
export function* debianPackages(tree: ScannedTree, distribution: Distribution | undefined): Generator<FoundPackage> {
  const files = [
    DPKG,
    ...tree
      .names(DPKG_PARTS)
      .filter((name) => !name.endsWith('.md5sums'))
      .map((name) => posix.join(DPKG_PARTS, name)),
  ];
  const licenses = new Map<string, string | undefined>();
  // However many entries name a package, its copyright file is read once.
  const licenseOf = (name: string) => {
    if (!licenses.has(name)) licenses.set(name, debianLicense(tree, name));
    return licenses.get(name);
  };
  for (const path of files) yield* tree.readable(path, debianEntries(tree, path, distribution, licenseOf));
}

function* debianEntries(
  tree: ScannedTree,
  path: string,
  distribution: Distribution | undefined,
  licenseOf: (name: string) => string | undefined,
): Generator<FoundPackage> {
  for (const entry of stanzas(tree, tree.text(path) ?? '')) {
    const fields = new Map([...entry].map(([key, value]) => [key.toLowerCase(), value]));
    const status = fields.get('status');
    if (status !== undefined && !/\sinstalled$/.test(status)) continue;
    const name = fields.get('package') ?? '';
    const [source, sourceVersion] = /^(\S+)(?: \((.+)\))?$/.exec(fields.get('source') ?? '')?.slice(1) ?? [];
    const found = foundPackage({
      ...{ name, version: fields.get('version'), path },
      supplier: fields.get('maintainer'),
      license: () => licenseOf(name),
      url: {
        ...{ type: 'deb', namespace: [distribution?.id ?? 'debian'], name },
        qualifiers: [
          ['arch', fields.get('architecture')],
          ['distro', qualifierOf(distribution)],
          [
            'upstream',
            source === undefined ? undefined : sourceVersion === undefined ? source : `${source}@${sourceVersion}`,
          ],
        ],
      },
    });
    if (found !== undefined) yield found;
  }
}

/** Fields of paragraphs by their names; of what has several lines, or is said twice, the first. */
function* stanzas(tree: ScannedTree, text: string): Generator<ReadonlyMap<string, string>> {
  let fields = new Map<string, string>();
  // Line by line: a list of all of them takes many times the memory that the text does.
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    if (end > at && end - at <= MOST_LINE && fields.size < MOST_FIELDS) {
      const line = text.slice(at, end);
      const colon = line.indexOf(':');
      const key = line.slice(0, colon);
      if (colon > 0 && !/^[ \t]/.test(line) && !fields.has(key)) fields.set(key, line.slice(colon + 1).trim());
    }
    if (fields.size === 0 || (end > at && end + 1 < text.length)) continue;
    tree.spend();
    yield fields;
    fields = new Map();
  }
}

/** What the copyright file of a package says, where it is one that machines read. */
function debianLicense(tree: ScannedTree, name: string): string | undefined {
  if (!/^[a-z0-9][a-z0-9.+-]*$/.test(name)) return undefined;
  const text = tree.text(`/usr/share/doc/${name}/copyright`, MOST_COPYRIGHT);
  if (text === undefined || !/^Format(-Specification)?:/m.test(text.slice(0, 4096))) return undefined;
  const licenses = new Set<string>();
  for (const [, license] of text.matchAll(/^License:[ \t]*(\S[^\n]*)$/gm)) {
    licenses.add(license!.trim());
    if (licenses.size >= MOST_LICENSES) break;
  }
  return licenses.size === 0
    ? undefined
    : [...licenses]
        .sort()
        .map((one) => (licenses.size > 1 && / or /i.test(one) ? `(${one})` : one))
        .join(' AND ');
}

/** Packages that apk has installed. */
export function* alpinePackages(tree: ScannedTree, distribution: Distribution | undefined): Generator<FoundPackage> {
  for (const path of APK) {
    const text = tree.text(path);
    if (text === undefined) continue;
    yield* tree.readable(path, alpineEntries(tree, path, text, distribution));
    return;
  }
}

function* alpineEntries(
  tree: ScannedTree,
  path: string,
  text: string,
  distribution: Distribution | undefined,
): Generator<FoundPackage> {
  for (const fields of stanzas(tree, text)) {
    const name = fields.get('P') ?? '';
    const found = foundPackage({
      ...{ name, version: fields.get('V'), path, license: fields.get('L'), supplier: fields.get('m') },
      url: {
        ...{ type: 'apk', namespace: [distribution?.id ?? 'alpine'], name: name.toLowerCase() },
        qualifiers: [
          ['arch', fields.get('A')],
          ['distro', qualifierOf(distribution)],
          ['upstream', fields.get('o') === name ? undefined : fields.get('o')],
        ],
      },
    });
    if (found !== undefined) yield found;
  }
}
