import {
  CodedError,
  formatPlatform,
  hostPlatform,
  invalidArgument,
  normalizePlatform,
  type Platform,
  parsePlatform,
} from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { ExportSource } from './ports.ts';

/** One platform's part of a result. */
export interface PlatformInput {
  readonly id: string;
  readonly platform: Platform;
  readonly ref: ImmutableRef | undefined;
  /** Image configuration from the frontend. */
  readonly config: Uint8Array | undefined;
  readonly baseConfig: Uint8Array | undefined;
}

export interface ExportInputs {
  readonly platforms: readonly PlatformInput[];
  /** Whether the result is a map, so that an image of it is an index. */
  readonly isMap: boolean;
}

/** Reads a result's refs with the metadata that belongs to each. @throws CodedError invalid_argument */
export function exportInputs(source: ExportSource): ExportInputs {
  const { metadata, refs } = source;
  const listed = platformList(metadata.get('refs.platforms'));
  if (refs === undefined || refs.size === 0) {
    const config = metadata.get('containerimage.config');
    const only = listed[0];
    const platform = only?.platform ?? platformOfConfig(config) ?? hostPlatform();
    const id = only?.id ?? formatPlatform(platform);
    return {
      isMap: false,
      platforms: [
        {
          id,
          platform,
          ref: source.ref,
          config: config ?? metadata.get(`containerimage.config/${id}`),
          baseConfig: metadata.get('containerimage.base.config'),
        },
      ],
    };
  }
  const ids = listed.length > 0 ? listed : [...refs.keys()].map((id) => ({ id, platform: parsePlatform(id) }));
  const platforms = ids.map(({ id, platform }) => {
    if (!refs.has(id)) throw invalidArgument(`the result has no ref for platform ${id}`, { reason: 'EXPORT_PLATFORM' });
    return {
      id,
      platform,
      ref: refs.get(id),
      config: metadata.get(`containerimage.config/${id}`),
      baseConfig: metadata.get(`containerimage.base.config/${id}`),
    };
  });
  return { isMap: true, platforms };
}

/** `{"Platforms":[{"ID":"linux/amd64","Platform":{…}}]}` */
function platformList(bytes: Uint8Array | undefined): { id: string; platform: Platform }[] {
  if (bytes === undefined) return [];
  try {
    const value = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
      Platforms?: { ID?: unknown; Platform?: Platform }[] | null;
    };
    return (value.Platforms ?? []).map(({ ID, Platform: platform }) => {
      if (typeof ID !== 'string' || typeof platform?.os !== 'string' || typeof platform.architecture !== 'string')
        throw new Error('an entry lacks ID or Platform');
      return { id: ID, platform: normalizePlatform(platform) };
    });
  } catch (cause) {
    throw new CodedError('invalid_argument', 'the frontend gave a malformed refs.platforms', {
      cause,
      reason: 'EXPORT_PLATFORM',
    });
  }
}

function platformOfConfig(config: Uint8Array | undefined): Platform | undefined {
  if (config === undefined) return undefined;
  try {
    const { os, architecture, variant } = JSON.parse(Buffer.from(config).toString('utf8')) as Partial<Platform>;
    if (!os || !architecture) return undefined;
    return { os, architecture, ...(variant ? { variant } : {}) };
  } catch {
    // The exporter that needs the configuration says what is wrong with it.
    return undefined;
  }
}
