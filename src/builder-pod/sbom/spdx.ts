import { createHash } from 'node:crypto';
import { goJson } from '../../base/index.ts';
import { spdxLicense } from './licenses.ts';
import type { FoundPackage } from './package.ts';
import type { Distribution } from './system-packages.ts';

interface DocumentOptions {
  /** Of the document, e.g. `sbom`. */
  readonly name: string;
  /** As RFC 3339 has it, in seconds. */
  readonly created: string;
  readonly distribution: Distribution | undefined;
  /** What was not told of, and why. */
  readonly notes: readonly string[];
}

/** Files that tell of a package, of which the document has the first. */
const MOST_PATHS = 10;
const ROOT = 'SPDXRef-DocumentRoot';
const NAMESPACE = 'https://slipway.build/spdx';

/** An SPDX 2.3 document as JSON without spaces. The same packages give the same bytes. */
export function spdxDocument(found: Iterable<FoundPackage>, options: DocumentOptions): Buffer {
  const { name, created, distribution, notes } = options;
  const licenses = new Map<string, string>();
  const all = distinct(found).map((one) => packageJson(one, licenses));
  const system = distribution === undefined ? [] : [systemJson(distribution)];
  const packages = [rootJson(name), ...system, ...all];
  const contains = [...system, ...all].map(({ SPDXID }) => relationship(ROOT, 'CONTAINS', SPDXID));
  const extracted = [...licenses]
    .sort(byFirst)
    .map(([licenseId, extractedText]) => ({ licenseId, extractedText, name: extractedText }));
  const content = {
    packages,
    relationships: [relationship('SPDXRef-DOCUMENT', 'DESCRIBES', ROOT), ...contains],
    ...(extracted.length === 0 ? {} : { hasExtractedLicensingInfos: extracted }),
  };
  const text = goJson(content);
  const head = goJson({
    SPDXID: 'SPDXRef-DOCUMENT',
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    name,
    documentNamespace: `${NAMESPACE}/${name.replace(/[^A-Za-z0-9.-]+/g, '-')}-${hashOf(text, 64)}`,
    creationInfo: {
      created,
      creators: ['Tool: slipway'],
      ...(notes.length === 0 ? {} : { comment: `Not told of: ${notes.join('; ')}` }),
    },
  });
  return Buffer.from(`${head.slice(0, -1)},${text.slice(1)}`);
}

/** Each once, in the order of their addresses, with all files that tell of it. */
function distinct(found: Iterable<FoundPackage>): readonly (FoundPackage & { readonly paths: readonly string[] })[] {
  const byPurl = new Map<string, { one: FoundPackage; paths: Set<string> }>();
  for (const one of found) {
    const known = byPurl.get(one.purl);
    if (known === undefined) byPurl.set(one.purl, { one, paths: new Set([one.path]) });
    else {
      if (known.paths.size < MOST_PATHS) known.paths.add(one.path);
      if (known.one.license === undefined) known.one = one;
    }
  }
  return [...byPurl].sort(byFirst).map(([, { one, paths }]) => ({ ...one, paths: [...paths].sort() }));
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function packageJson(one: ReturnType<typeof distinct>[number], licenses: Map<string, string>) {
  const { name, version, purl, paths, supplier } = one;
  const license = one.license === undefined ? undefined : spdxLicense(one.license);
  for (const [id, text] of license?.others ?? []) licenses.set(id, text);
  return {
    SPDXID: `SPDXRef-Package-${/^pkg:(\w+)/.exec(purl)?.[1] ?? ''}-${hashOf(purl, 24)}`,
    name,
    ...(version === '' ? {} : { versionInfo: version }),
    ...(supplier === undefined ? {} : { supplier: actor(supplier) }),
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    sourceInfo: `found in ${paths.map(shown).join(', ')}`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: license?.expression ?? 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  };
}

function systemJson({ id, version, name }: Distribution) {
  return {
    SPDXID: `SPDXRef-OperatingSystem-${hashOf(`${id} ${version}`, 24)}`,
    name: id,
    ...(version === '' ? {} : { versionInfo: version }),
    ...without('', { description: name }),
    primaryPackagePurpose: 'OPERATING-SYSTEM',
    ...UNKNOWN,
  };
}

function rootJson(name: string) {
  return { SPDXID: ROOT, name, primaryPackagePurpose: 'CONTAINER', ...UNKNOWN };
}

const UNKNOWN = {
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  licenseDeclared: 'NOASSERTION',
  copyrightText: 'NOASSERTION',
};

function without(nothing: string, fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== nothing));
}

function relationship(spdxElementId: string, relationshipType: string, relatedSpdxElement: string) {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

/** Whom `Name <address>` names. */
function actor(text: string): string {
  const [, name = text, address] = /^([^<]*)<([^<>]*)>/.exec(text) ?? [];
  const plain = name.replace(/[()<>]+/g, ' ').trim();
  if (plain === '') return 'NOASSERTION';
  return `Organization: ${plain}${address?.includes('@') ? ` (${address.replace(/[()]+/g, '')})` : ''}`;
}

/** Names of files may be any bytes. */
function shown(path: string): string {
  return path.toWellFormed().replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
}

function hashOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
