import { type AbortOptions, formatPlatform, normalizePlatform } from '../../base/index.ts';
import { openBuilderClient } from '../../builder-api/client/index.ts';
import { table } from '../cache/table.ts';
import type { Endpoint } from './command.ts';

/** Ids and platforms of the builder's workers, in BuildKit's columns: its answer tells that the builder serves builds. @throws CodedError when it gives none in time */
export async function listWorkers(
  { address, timeoutMs, tls }: Endpoint,
  filter: readonly string[],
  options: AbortOptions,
): Promise<string> {
  await using client = openBuilderClient(address, tls);
  await client.ready({ timeoutMs, ...options });
  const { record } = await client.control.listWorkers({ filter: [...filter] }, options);
  const rows = (record ?? []).map(({ id, platforms }) => [
    id ?? '',
    (platforms ?? [])
      .map(({ os, architecture, variant }) =>
        formatPlatform(
          normalizePlatform({ os: os ?? '', architecture: architecture ?? '', ...(variant ? { variant } : {}) }),
        ),
      )
      .join(','),
  ]);
  return table(['ID', 'PLATFORMS'], rows);
}
