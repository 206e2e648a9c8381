import { invalidArgument, normalizePlatform, type Platform } from '../base/index.ts';
import { type HistoryEntry, ImageHistory } from './image-history.ts';
import type { Healthcheck } from './instructions.ts';
import { VariableList } from './variable-list.ts';

/** OCI image config with Docker's additions, as the frontend edits it (image-spec config.md, docker image spec v1.3). */
export interface ImageConfig {
  author?: string;
  architecture: string;
  os: string;
  osVersion?: string;
  osFeatures?: string[];
  variant?: string;
  diffIds: string[];
  history: ImageHistory;
  config: RunConfig;
}

/** How containers of the image start. */
interface RunConfig {
  user: string;
  exposedPorts: Set<string> | undefined;
  env: VariableList;
  entrypoint: string[] | undefined;
  cmd: string[] | undefined;
  volumes: Set<string> | undefined;
  workingDir: string;
  labels: Map<string, string> | undefined;
  stopSignal: string;
  argsEscaped: boolean;
  healthcheck: Healthcheck | undefined;
  onBuild: string[];
  shell: string[] | undefined;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const COMMENT = 'buildkit.dockerfile.v0';

/** The config of an image that starts from nothing. */
export function emptyImageConfig(platform: Platform): ImageConfig {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform['os.version'] === undefined ? {} : { osVersion: platform['os.version'] }),
    ...(platform['os.features'] === undefined ? {} : { osFeatures: [...platform['os.features']] }),
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    diffIds: [],
    history: new ImageHistory(),
    // Windows knows its own.
    config: {
      ...runConfigOf({}),
      workingDir: '/',
      env: new VariableList(platform.os === 'windows' ? [] : [`PATH=${DEFAULT_PATH}`]),
    },
  };
}

/** The config of what is no image: a context that only brings files. */
export function noImageConfig(): ImageConfig {
  return { architecture: '', os: '', diffIds: [], history: new ImageHistory(), config: runConfigOf({}) };
}

/** A copy to go on editing. */
export function cloneImageConfig({ history, config: { env, ...config }, ...image }: ImageConfig): ImageConfig {
  return {
    ...structuredClone(image),
    config: { ...structuredClone(config), env: new VariableList(env) },
    history: new ImageHistory(history),
  };
}

export function platformOfImage(image: ImageConfig): Platform | undefined {
  if (image.architecture === '' || image.os === '') return undefined;
  return {
    architecture: image.architecture,
    os: image.os,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
    ...(image.osVersion === undefined ? {} : { 'os.version': image.osVersion }),
    ...(image.osFeatures === undefined ? {} : { 'os.features': image.osFeatures }),
  };
}

/** The platform in its normal form. */
export function normalizeImagePlatform(image: ImageConfig): void {
  const normal = normalizePlatform({
    os: image.os,
    architecture: image.architecture,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
  });
  image.os = normal.os;
  image.architecture = normal.architecture;
  if (normal.variant === undefined) delete image.variant;
  else image.variant = normal.variant;
}

/** Adds what an instruction did. `created` is in seconds since the epoch. */
export function addHistory(image: ImageConfig, createdBy: string, layer: boolean, created: number | undefined): void {
  image.history.push({
    ...(created === undefined ? {} : { created: new Date(created * 1000).toISOString().replace('.000Z', 'Z') }),
    created_by: createdBy,
    comment: COMMENT,
    ...(layer ? {} : { empty_layer: true }),
  });
}

/** Reads a config from a registry; members of a wrong type are as if absent. @throws CodedError when it is no JSON object */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw invalidArgument(`failed to parse image config: ${(error as Error).message}`, { cause: error });
  }
  const object = record(json);
  if (object === undefined) throw invalidArgument('failed to parse image config: it is no JSON object');
  const image: ImageConfig = {
    architecture: text(object['architecture']),
    os: text(object['os']),
    diffIds: texts(record(object['rootfs'])?.['diff_ids']) ?? [],
    history: new ImageHistory(Array.isArray(object['history']) ? object['history'].map(historyOf) : []),
    config: runConfigOf(record(object['config']) ?? {}),
  };
  if (text(object['author']) !== '') image.author = text(object['author']);
  if (text(object['variant']) !== '') image.variant = text(object['variant']);
  if (text(object['os.version']) !== '') image.osVersion = text(object['os.version']);
  const features = texts(object['os.features']);
  if (features !== undefined && features.length > 0) image.osFeatures = features;
  return image;
}

/** JSON in the member order of the field's tools; members at their default are left out. */
export function encodeImageConfig(image: ImageConfig): Uint8Array {
  const { config } = image;
  const json = {
    author: image.author,
    architecture: image.architecture,
    os: image.os,
    'os.version': image.osVersion,
    'os.features': image.osFeatures,
    variant: image.variant,
    rootfs: { type: 'layers', diff_ids: image.diffIds.length === 0 ? null : image.diffIds },
    history: image.history.length === 0 ? undefined : [...image.history],
    config: {
      User: config.user || undefined,
      ExposedPorts: setOf(config.exposedPorts),
      Env: listOf([...config.env]),
      Entrypoint: listOf(config.entrypoint),
      Cmd: listOf(config.cmd),
      Volumes: setOf(config.volumes),
      WorkingDir: config.workingDir || undefined,
      Labels: sortedRecord(config.labels),
      StopSignal: config.stopSignal || undefined,
      ArgsEscaped: config.argsEscaped || undefined,
      Healthcheck: healthcheckJson(config.healthcheck),
      OnBuild: listOf(config.onBuild),
      Shell: listOf(config.shell),
    },
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

function runConfigOf(json: Readonly<Record<string, unknown>>): RunConfig {
  return {
    user: text(json['User']),
    exposedPorts: keysOf(json['ExposedPorts']),
    env: new VariableList(texts(json['Env'])),
    entrypoint: texts(json['Entrypoint']),
    cmd: texts(json['Cmd']),
    volumes: keysOf(json['Volumes']),
    workingDir: text(json['WorkingDir']),
    labels: textRecord(json['Labels']),
    stopSignal: text(json['StopSignal']),
    argsEscaped: json['ArgsEscaped'] === true,
    healthcheck: healthcheckOf(record(json['Healthcheck'])),
    onBuild: texts(json['OnBuild']) ?? [],
    shell: texts(json['Shell']),
  };
}

function historyOf(value: unknown): HistoryEntry {
  const json = record(value) ?? {};
  const entry: HistoryEntry = {};
  for (const key of ['created', 'created_by', 'author', 'comment'] as const)
    if (text(json[key]) !== '') entry[key] = text(json[key]);
  if (json['empty_layer'] === true) entry.empty_layer = true;
  return entry;
}

function healthcheckOf(json: Readonly<Record<string, unknown>> | undefined): Healthcheck | undefined {
  if (json === undefined) return undefined;
  const number = (key: string): number => (typeof json[key] === 'number' ? json[key] : 0);
  return {
    test: texts(json['Test']) ?? [],
    interval: number('Interval'),
    timeout: number('Timeout'),
    startPeriod: number('StartPeriod'),
    startInterval: number('StartInterval'),
    retries: number('Retries'),
  };
}

function healthcheckJson(value: Healthcheck | undefined): unknown {
  if (value === undefined) return undefined;
  return {
    Test: listOf(value.test),
    Interval: value.interval || undefined,
    Timeout: value.timeout || undefined,
    StartPeriod: value.startPeriod || undefined,
    StartInterval: value.startInterval || undefined,
    Retries: value.retries || undefined,
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}

function keysOf(value: unknown): Set<string> | undefined {
  const object = record(value);
  return object === undefined ? undefined : new Set(Object.keys(object));
}

function textRecord(value: unknown): Map<string, string> | undefined {
  const object = record(value);
  return object === undefined ? undefined : new Map(Object.entries(object).map(([key, item]) => [key, text(item)]));
}

function listOf(items: readonly string[] | undefined): readonly string[] | undefined {
  return items === undefined || items.length === 0 ? undefined : items;
}

function setOf(items: ReadonlySet<string> | undefined): Record<string, object> | undefined {
  if (items === undefined || items.size === 0) return undefined;
  return Object.fromEntries([...items].sort().map((item) => [item, {}]));
}

function sortedRecord(items: ReadonlyMap<string, string> | undefined): Record<string, string> | undefined {
  if (items === undefined || items.size === 0) return undefined;
  return Object.fromEntries([...items].sort(([a], [b]) => (a < b ? -1 : 1)));
}
