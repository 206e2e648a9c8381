import type { ImageReference } from '../../base/index.ts';
import type { VerifyingKey } from './verifying-key.ts';

/** Repositories of which only what is signed is read. */
export interface TrustedRepositories {
  /** A registry's host, or a repository and all below it; `*` for all there are. */
  readonly repository: string;
  /** A signature by one of them is enough. */
  readonly keys: readonly VerifyingKey[];
}

/** The keys that are demanded of a repository: of the entry that names it most closely. Undefined where none does. */
export function demandedKeys(
  { domain, path }: Pick<ImageReference, 'domain' | 'path'>,
  trusted: readonly TrustedRepositories[],
): readonly VerifyingKey[] | undefined {
  const name = normalName(`${domain}/${path}`);
  let found: { readonly length: number; readonly keys: readonly VerifyingKey[] } | undefined;
  for (const { repository, keys } of trusted) {
    const prefix = repository === '*' ? '' : normalName(repository);
    const fits = prefix === '' || name === prefix || name.startsWith(`${prefix}/`);
    if (fits && (found === undefined || prefix.length > found.length)) found = { length: prefix.length, keys };
  }
  return found?.keys;
}

/** One name for all ways to write the same host: nobody gets around a demand by its usual port, a dot or capitals. */
function normalName(name: string): string {
  const [host = '', ...path] = name.replace(/\/+$/, '').split('/');
  const plain = host
    .toLowerCase()
    .replace(/\.+(?=:|$)/, '')
    .replace(/:0*(?:443|80)$/, '');
  return [plain === 'index.docker.io' ? 'docker.io' : plain, ...path].join('/');
}
