import { formatPlatform, hostPlatform, normalizePlatform, type Platform, type WorkOptions } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import { type Epoch, parseEpoch } from './attributes.ts';
import { MAX_AT_ONCE, object, platformError, platformOf, platformOfConfig } from './config-task.ts';
import type { ExportAttestation, ExportSource } from './ports.ts';
import { metadataText } from './result.ts';

/** One platform's part of a result. */
export interface PlatformInput {
  readonly id: string;
  readonly platform: Platform;
  readonly ref: ImmutableRef | undefined;
  /** Image configuration from the frontend. */
  readonly config: Uint8Array | undefined;
  readonly baseConfig: Uint8Array | undefined;
  /** Seconds since the epoch that times are to be brought down to. */
  readonly epoch: number | undefined;
  readonly attestations: readonly ExportAttestation[];
}

export interface ExportInputs {
  readonly platforms: readonly PlatformInput[];
  /** Whether the result is a map, so that an image of it is an index. */
  readonly isMap: boolean;
  /** The time asked for where it is one for the whole result. */
  readonly epoch: number | undefined;
}

/** Reads a result's refs with the metadata that belongs to each. @throws CodedError invalid_argument */
export function exportInputs(source: ExportSource, asked: Epoch | undefined, onlyOne: string): ExportInputs {
  const { metadata, refs } = source;
  const isMap = refs !== undefined && refs.size > 0;
  if (isMap && !metadata.has('refs.platforms'))
    throw platformError('unable to export multiple refs, missing platforms mapping');
  const listed = platformList(source);
  if (!isMap && listed.length > 1) throw platformError(onlyOne);
  const ofAll = asked ?? frontendEpoch(source, 'source.date.epoch');
  const platforms = listed.map(({ id, platform }): PlatformInput => {
    const of = (key: string) => metadata.get(`${key}/${id}`) ?? metadata.get(key);
    return {
      id,
      platform,
      ref: isMap ? refOf(refs, id) : source.ref,
      config: of('containerimage.config'),
      baseConfig: of('containerimage.base.config'),
      attestations: source.attestations?.get(id) ?? [],
      epoch: (ofAll ?? frontendEpoch(source, `source.date.epoch/${id}`))?.seconds,
    };
  });
  return { platforms, isMap, epoch: ofAll?.seconds };
}

function refOf(refs: NonNullable<ExportSource['refs']>, id: string): ImmutableRef | undefined {
  if (refs.has(id)) return refs.get(id);
  const [only, second] = [...refs.values()];
  if (refs.size === 1 && second === undefined) return only;
  throw platformError(`failed to find ref for ID ${id}`);
}

function frontendEpoch(source: ExportSource, key: string): Epoch | undefined {
  const text = metadataText(source, key);
  return text === undefined ? undefined : parseEpoch(text, 'SOURCE_DATE_EPOCH from frontend');
}

interface ListedPlatform {
  readonly id: string;
  readonly platform: Platform;
}

/** `{"Platforms":[{"ID":"linux/amd64","Platform":{…}}]}`; without it the configuration says, else it is this machine's. */
export function platformList({ metadata }: Pick<ExportSource, 'metadata'>): readonly ListedPlatform[] {
  const bytes = metadata.get('refs.platforms');
  if (bytes === undefined) {
    const platform = knownPlatform(metadata.get('containerimage.config')) ?? hostPlatform();
    return [{ id: formatPlatform(platform), platform }];
  }
  const { Platforms } = object(parse(bytes));
  if (!Array.isArray(Platforms) || Platforms.length === 0)
    throw platformError('invalid empty platforms index for exporter');
  return Platforms.map((entry) => {
    const { ID: id, Platform: given } = object(entry);
    if (typeof id !== 'string' || id === '') throw platformError('invalid empty platform key for exporter');
    const platform = platformOf(object(given));
    if (platform.os === '' || platform.architecture === '')
      throw platformError(`invalid platform value ${shown(platform)} for exporter`);
    return { id, platform: normalizePlatform(platform) };
  });
}

export const configTask = tasksOf<typeof import('./config-task.ts')>(siblingModule(import.meta.url, './config-task'));

/** What was read of long configurations. */
const read = new WeakMap<Uint8Array, { readonly platform: Platform | undefined } | { readonly error: unknown }>();

/** Has a worker find out the platform of a result, where its configuration is long: before anything asks for it, which does so at once. */
export async function readLongConfig(
  { metadata }: Pick<ExportSource, 'metadata'>,
  { pool, ...options }: WorkOptions & { readonly pool: WorkerPool },
): Promise<void> {
  const config = metadata.get('containerimage.config');
  if (config === undefined || config.length <= MAX_AT_ONCE || metadata.has('refs.platforms')) return;
  const found = await pool.run(configTask('platformOfConfig'), { config }, options).then(
    (platform) => ({ platform }),
    (error: unknown) => ({ error }),
  );
  options.signal.throwIfAborted();
  read.set(config, found);
}

function knownPlatform(config: Uint8Array | undefined): Platform | undefined {
  if (config === undefined) return undefined;
  const known = read.get(config);
  if (known === undefined) return platformOfConfig({ config });
  // Whoever needs it says what is wrong with it.
  if ('error' in known) throw known.error;
  return known.platform;
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_AT_ONCE)
    throw platformError(`refs.platforms has ${bytes.length} bytes, more than ${MAX_AT_ONCE}`);
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8') || '{}');
  } catch (cause) {
    throw platformError(`failed to parse refs.platforms: ${(cause as Error).message}`, cause);
  }
}

/** As the field's programs print it. */
function shown(platform: Platform): string {
  const { architecture, os, variant = '' } = platform;
  return `{${architecture} ${os} ${platform['os.version'] ?? ''} [${(platform['os.features'] ?? []).join(' ')}] ${variant}}`;
}
