import type { ImageReference } from '../../base/index.ts';
import type { TrustedIdentity } from './verifying-identity.ts';
import type { VerifyingKey } from './verifying-key.ts';

/** Repositories of which only what is signed is read. */
export interface TrustedRepositories {
  /** A registry's host, or a repository and all below it; `*` for all there are. */
  readonly repository: string;
  /** A signature by one of these keys, or of these identities, is enough. */
  readonly keys: readonly VerifyingKey[];
  readonly identities: readonly TrustedIdentity[];
}

/** Whose signatures are demanded of a repository: of the entry that names it most closely. Undefined where none does. */
export function demandedSigners(
  { domain, path }: Pick<ImageReference, 'domain' | 'path'>,
  trusted: readonly TrustedRepositories[],
): Omit<TrustedRepositories, 'repository'> | undefined {
  const name = normalName(`${domain}/${path}`);
  let found: { readonly length: number; readonly by: TrustedRepositories } | undefined;
  for (const by of trusted) {
    const { repository } = by;
    const prefix = repository === '*' ? '' : normalName(repository);
    const fits = prefix === '' || name === prefix || name.startsWith(`${prefix}/`);
    if (fits && (found === undefined || prefix.length > found.length)) found = { length: prefix.length, by };
  }
  return found?.by;
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
