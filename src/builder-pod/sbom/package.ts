import { formatPackageUrl, type PackageUrl } from '../../base/index.ts';

/** A package that was found in a file system. */
export interface FoundPackage {
  readonly name: string;
  /** Empty where nothing tells it. */
  readonly version: string;
  readonly purl: string;
  /** As its metadata has it, in whatever words. */
  readonly license?: string | undefined;
  readonly supplier?: string | undefined;
  /** The file that tells of it. */
  readonly path: string;
}

/** What a field of a package's metadata may have. */
const MOST_FIELD = 1000;

/** A package of which a file tells; undefined for what has no name, or one that cannot be. */
export function foundPackage(
  given: Omit<FoundPackage, 'purl' | 'version' | 'license'> & {
    readonly version: string | undefined;
    /** A function is asked only of what is a package. */
    readonly license?: string | undefined | (() => string | undefined);
    readonly url: Omit<PackageUrl, 'version'>;
  },
): FoundPackage | undefined {
  const { name, version = '', url, path, supplier } = given;
  if (!isField(name) || url.name === '' || !(version === '' || isField(version))) return undefined;
  const license = typeof given.license === 'function' ? given.license() : given.license;
  return {
    ...{ name, version, path },
    purl: formatPackageUrl({ ...url, version }),
    ...(license !== undefined && isField(license) ? { license } : {}),
    ...(supplier !== undefined && isField(supplier) ? { supplier } : {}),
  };
}

/** One line of text, of a length that such things have. */
function isField(text: string): boolean {
  return text !== '' && text.length <= MOST_FIELD && !/[\u0000-\u001f\u007f]/.test(text) && text.isWellFormed();
}
