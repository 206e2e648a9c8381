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
  for (const path of files) {
    for (const fields of stanzas(tree.text(path) ?? '')) {
      const status = fields.get('status');
      if (status !== undefined && !/\sinstalled$/.test(status)) continue;
      const name = fields.get('package') ?? '';
      const [source, sourceVersion] = /^(\S+)(?: \((.+)\))?$/.exec(fields.get('source') ?? '')?.slice(1) ?? [];
      const found = foundPackage({
        ...{ name, version: fields.get('version'), path },
        supplier: fields.get('maintainer'),
        license: debianLicense(tree, name),
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
}

/** Fields of paragraphs, by their names in lower case; of what has several lines the first. */
function* stanzas(text: string): Generator<ReadonlyMap<string, string>> {
  let fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') {
      if (fields.size > 0) yield fields;
      fields = new Map();
      continue;
    }
    const colon = line.indexOf(':');
    if (colon > 0 && line[0] !== ' ' && line[0] !== '\t')
      fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  if (fields.size > 0) yield fields;
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
    for (const paragraph of text?.split('\n\n') ?? []) {
      const field = (letter: string) => new RegExp(`^${letter}:(.*)$`, 'm').exec(paragraph)?.[1]?.trim();
      const name = field('P') ?? '';
      const found = foundPackage({
        ...{ name, version: field('V'), path, license: field('L'), supplier: field('m') },
        url: {
          ...{ type: 'apk', namespace: [distribution?.id ?? 'alpine'], name: name.toLowerCase() },
          qualifiers: [
            ['arch', field('A')],
            ['distro', qualifierOf(distribution)],
            ['upstream', field('o') === name ? undefined : field('o')],
          ],
        },
      });
      if (found !== undefined) yield found;
    }
    if (text !== undefined) return;
  }
}
