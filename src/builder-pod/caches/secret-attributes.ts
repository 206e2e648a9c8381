import { CodedError } from '../../base/index.ts';
import { SECRET_ATTRIBUTE } from '../engine/index.ts';
import type { ExportOptions } from '../exporters/index.ts';
import type { CacheStore, CacheType, CacheUse, StoreAccess } from './store.ts';

/** A secret of the builds' clients; undefined where none has it. */
export interface SecretsOfClients {
  readonly secret: (
    id: string,
    sessions: readonly string[],
    options: Pick<StoreAccess, 'signal'>,
  ) => Promise<Uint8Array | undefined>;
}

/**
 * What opens the cache that the options name. They are checked at once, where secrets are among them when these are there. @throws CodedError CACHE_ATTRIBUTE
 */
export function storeOpener(
  type: CacheType,
  options: ExportOptions,
  use: CacheUse,
  { secret }: SecretsOfClients,
): (access: StoreAccess) => Promise<CacheStore> {
  const named = options.below(SECRET_ATTRIBUTE);
  if (named.length === 0) {
    const store = type.store(options, use);
    return async ({ sessions }) => store(sessions);
  }
  return async ({ sessions, signal }) => {
    const values = await Promise.all(
      named.map(async ([name, id]) => {
        const bytes = await secret(id, sessions(), { signal });
        const value =
          bytes &&
          Buffer.from(bytes)
            .toString('utf8')
            .replace(/\r?\n$/, '');
        if (value !== undefined && (value !== '' || type.optional?.includes(name) === true))
          return [name, value] as const;
        const why = value === undefined ? 'not found' : 'is empty';
        throw CodedError.of('SECRET_MISSING', `${name} of the ${type.type} cache, secret ${id}: ${why}`, {
          hint: `give it to the build, e.g. --secret id=${id},src=FILE`,
        });
      }),
    );
    const given = Object.fromEntries(values.filter(([, value]) => value !== ''));
    return type.store(options.with(given), use)(sessions);
  };
}
