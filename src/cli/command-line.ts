import type { ParseArgsConfig } from 'node:util';
import { z } from 'zod';
import { invalidArgument } from '../base/index.ts';
import { parseDuration } from '../resources/index.ts';
import { readArguments, readFlags } from './arguments.ts';
import { type AttestationFlags, attestationFlags, withImpliedValues } from './attestation-flags.ts';
import { type CacheCommand, cacheCommand, cacheOptions } from './cache-command.ts';
import {
  CLUSTER_COMMANDS,
  type ClusterBuildCommand,
  type ClusterCommand,
  parseClusterCommand,
} from './cluster/command.ts';

const keyValue = /^([A-Za-z]+)=(.*)$/;

/** One `--secret id=ID,src=PATH` or `--secret id=ID,env=NAME`. */
export interface SecretFlag {
  readonly id: string;
  readonly from: { readonly file: string } | { readonly env: string };
}

const buildOptions = z.object({
  file: z.string().optional(),
  tag: z.string().min(1, 'names no image').optional(),
  namespace: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a namespace')
    .optional(),
  kubeconfig: z.string().min(1, 'names no file').optional(),
  context: z.array(z.string()).default([]),
  secret: z.array(z.string()).default([]),
  builder: z.string().optional(),
  progress: z
    .enum(['auto', 'plain', 'tty', 'rawjson', 'quiet'], { error: 'must be auto, plain, tty, rawjson or quiet' })
    .default('auto'),
  'sign-key': z.string().optional(),
  'cache-sign-key': z.string().optional(),
  'cache-verify-key': z.string().optional(),
  'sign-identity-token': z.string().optional(),
  'fulcio-url': z.string().optional(),
  'rekor-url': z.string().optional(),
  'no-tlog': z.boolean().default(false),
  provenance: z.string().optional(),
  sbom: z.string().optional(),
  attest: z.array(z.string()).default([]),
  'no-cache': z.boolean().default(false),
  'metadata-file': z.string().optional(),
  'default-registry': z.string().optional(),
});

export interface BuildCommand {
  readonly kind: 'build';
  readonly file: string;
  /** Folders by the name of the local source; the main one is `context`. */
  readonly contexts: ReadonlyMap<string, string>;
  readonly secrets: readonly SecretFlag[];
  /** Address of a running builder; undefined starts or joins the private one. */
  readonly builder: string | undefined;
  readonly progress: 'auto' | 'plain' | 'tty' | 'rawjson' | 'quiet';
  /** File of the key for spec.sign, or in its place. */
  readonly signKey: string | undefined;
  /** Files of the keys that caches are signed with, and verified. */
  readonly cacheKeys: Readonly<Record<'cache-sign-key' | 'cache-verify-key', string | undefined>>;
  /** File of the OIDC token for spec.sign.keyless, or in its place. */
  readonly signToken: string | undefined;
  /** In the place of those of spec.sign. */
  readonly fulcioUrl: string | undefined;
  readonly rekorUrl: string | undefined;
  readonly noTlog: boolean;
  /** In the place of those of spec.attestations. */
  readonly attestations: AttestationFlags;
  readonly noCache: boolean;
  readonly metadataFile: string | undefined;
  readonly defaultRegistry: string | undefined;
}

const seconds = (fallback: string) =>
  z
    .string()
    .regex(/^[0-9]+s$/, 'must be seconds, e.g. 15s')
    .default(fallback)
    .transform((text) => Number.parseInt(text, 10) * 1000)
    .refine((ms) => ms >= 1000 && ms <= 600_000, 'must be from 1s to 600s');

const objectName = (message: string) =>
  z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, message);

const operatorOptions = z.object({
  kubeconfig: z.string().optional(),
  'lease-namespace': z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a namespace')
    .optional(),
  'lease-duration': seconds('15s'),
  'builder-grace': seconds('20s'),
  'metrics-addr': z
    .string()
    .regex(/:[0-9]{1,5}$/, 'must be host:port')
    .default(':8080'),
  'default-registry': z.string().min(1).optional(),
  pools: z.string().min(1).optional(),
  'api-addr': z
    .string()
    .regex(/:[0-9]{1,5}$/, 'must be host:port')
    .optional(),
  'api-tls': z.string().min(1).optional(),
  'log-retention': z
    .string()
    .regex(/^[1-9][0-9]{0,5}[hms]$/, 'must be a time, e.g. 168h')
    .optional(),
  'registry-cache': z.string().min(1).optional(),
  certificates: z.string().min(1).optional(),
  kueue: z.boolean().default(false),
  'builders-namespace': objectName('must be a namespace').optional(),
  'builder-image': z.string().min(1).max(512).optional(),
  'builder-secret': objectName('must be the name of a Secret').default('slipway-builder-tls'),
  'builder-client-secret': objectName('must be the name of a Secret').default('slipway-builder-client'),
  'builder-server-name': z.string().min(1).max(253).default('slipway-builder'),
  workers: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, 'must be from 1 to 999')
    .default('8')
    .transform(Number),
  'log-format': z.enum(['json', 'text'], { error: 'must be json or text' }).default('json'),
  'log-level': z
    .enum(['debug', 'info', 'warn', 'error'], { error: 'must be debug, info, warn or error' })
    .default('info'),
});

export interface OperatorCommand {
  readonly kind: 'operator';
  readonly kubeconfig: string | undefined;
  readonly leaseNamespace: string | undefined;
  readonly leaseDurationMs: number;
  readonly builderGraceMs: number;
  readonly metricsAddress: string;
  readonly defaultRegistry: string | undefined;
  /** File of the certificates that the operator keeps. */
  readonly certificates: string | undefined;
  /** File of the BuilderPools that the operator keeps. */
  readonly pools: string | undefined;
  /** Where the API of logs is served. */
  readonly apiAddress: string | undefined;
  /** Folder of its certificate. */
  readonly apiTls: string | undefined;
  /** How long logs are kept in registries. */
  readonly logRetentionMs: number | undefined;
  /** File of the cache that all runs have. */
  readonly registryCache: string | undefined;
  /** Whether Kueue admits runs of Builds that name a queue of it. */
  readonly kueue: boolean;
  /** Of the pods that are builders; undefined where the operator runs none. */
  readonly builderPods:
    | {
        readonly namespace: string;
        readonly image: string;
        readonly secret: string;
        readonly clientSecret: string;
        readonly serverName: string;
      }
    | undefined;
  readonly workers: number;
  readonly logFormat: 'json' | 'text';
  readonly logLevel: string;
}

const explainOptions = z.object({
  builder: z.string().optional(),
  addr: z.string().optional(),
  run: z.string().optional(),
  namespace: z.string().optional(),
  kubeconfig: z.string().optional(),
  output: z.enum(['text', 'json'], { error: 'must be text or json' }).default('text'),
});

export interface ClusterTarget {
  /** A BuildRun, or what there is by that name: a BuildRun, else the newest run of a Build. */
  readonly kind: 'run' | 'runOrBuild';
  readonly name: string;
  readonly namespace: string | undefined;
  readonly kubeconfig: string | undefined;
}

export interface ExplainCommand {
  readonly kind: 'explain';
  readonly target:
    | {
        readonly kind: 'build';
        /** Undefined for the newest. */
        readonly ref: string | undefined;
        /** As for a build. */
        readonly builder: string | undefined;
      }
    | ClusterTarget
    | {
        /** A build of the private builder by its ref, else what a cluster has by that name. */
        readonly kind: 'any';
        readonly name: string;
      };
  readonly output: 'text' | 'json';
}

type Command =
  | BuildCommand
  | CacheCommand
  | ClusterBuildCommand
  | ClusterCommand
  | ExplainCommand
  | OperatorCommand
  | { readonly kind: 'stop' }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly topic: string | undefined };

/** @throws CodedError invalid_argument that names the flag and what is known. */
export function parseCommandLine(args: readonly string[]): Command {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h')
    return { kind: 'help', topic: rest[0] };
  if (name === 'version' || name === '--version' || name === '-v') return { kind: 'version' };
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', topic: name };
  if (rest.includes('--version')) return { kind: 'version' };
  if (name === 'stop') return { kind: 'stop' };
  if (name === 'operator') return parseOperatorCommand(rest);
  if (name === 'cache') return parseCacheCommand(rest);
  if (name === 'explain') return parseExplainCommand(rest);
  if (CLUSTER_COMMANDS.includes(name)) return parseClusterCommand(name, rest);
  if (name !== 'build')
    throw invalidArgument(
      `unknown command ${JSON.stringify(name)}: there are build, builderd, cache, explain, operator, stop, version and help, and of a cluster ${CLUSTER_COMMANDS.join(', ')}`,
    );
  return parseBuildCommand(rest);
}

function parseBuildCommand(args: readonly string[]): BuildCommand | ClusterBuildCommand {
  const options: ParseArgsConfig['options'] = {
    file: { type: 'string', short: 'f' },
    tag: { type: 'string', short: 't' },
    namespace: { type: 'string', short: 'n' },
    kubeconfig: { type: 'string' },
    context: { type: 'string', multiple: true },
    secret: { type: 'string', multiple: true },
    builder: { type: 'string' },
    progress: { type: 'string' },
    'no-cache': { type: 'boolean' },
    'metadata-file': { type: 'string' },
    'default-registry': { type: 'string' },
    'sign-key': { type: 'string' },
    'cache-sign-key': { type: 'string' },
    'cache-verify-key': { type: 'string' },
    'sign-identity-token': { type: 'string' },
    'fulcio-url': { type: 'string' },
    'rekor-url': { type: 'string' },
    'no-tlog': { type: 'boolean' },
    provenance: { type: 'string' },
    sbom: { type: 'string' },
    attest: { type: 'string', multiple: true },
  };
  const { data, positionals } = readArguments('build', withImpliedValues(args), options, buildOptions, 1);
  const contexts = parseContexts([...positionals, ...data.context]);
  const { file } = data;
  if (data.namespace !== undefined || data.kubeconfig !== undefined) return clusterBuild(data, contexts);
  if (data.tag !== undefined) throw invalidArgument('slipway build: -t goes with --namespace: a cluster builds it');
  if (file === undefined) throw invalidArgument('slipway build: --file name the manifest: slipway build -f build.yaml');
  return {
    kind: 'build',
    file,
    contexts,
    secrets: data.secret.map(parseSecret),
    builder: data.builder,
    progress: data.progress,
    signKey: data['sign-key'],
    cacheKeys: { 'cache-sign-key': data['cache-sign-key'], 'cache-verify-key': data['cache-verify-key'] },
    signToken: data['sign-identity-token'],
    fulcioUrl: data['fulcio-url'],
    rekorUrl: data['rekor-url'],
    noTlog: data['no-tlog'],
    attestations: attestationFlags(data),
    noCache: data['no-cache'],
    metadataFile: data['metadata-file'],
    defaultRegistry: data['default-registry'],
  };
}

/** Flags of a build that a cluster runs. */
const OF_CLUSTER: readonly string[] = ['file', 'tag', 'namespace', 'kubeconfig', 'context', 'progress'];

function clusterBuild(data: z.output<typeof buildOptions>, contexts: ReadonlyMap<string, string>): ClusterBuildCommand {
  const { file, tag: image, namespace, kubeconfig, progress } = data;
  for (const [name, value] of Object.entries(data))
    if (
      !OF_CLUSTER.includes(name) &&
      value !== undefined &&
      value !== false &&
      !(Array.isArray(value) && value.length === 0)
    )
      throw invalidArgument(`slipway build: --${name} is not for a build of a cluster`, {
        hint: 'say it in the Build: its spec has a field for it',
      });
  if ((file === undefined) === (image === undefined))
    throw invalidArgument('slipway build: give a manifest with -f, or the name of an image with -t');
  if (progress === 'rawjson' || progress === 'quiet')
    throw invalidArgument('slipway build: --progress must be auto, plain or tty for a build of a cluster');
  return { kind: 'cluster-build', cluster: { namespace, kubeconfig }, contexts, file, image, progress };
}

function parseOperatorCommand(args: readonly string[]): OperatorCommand {
  const options = Object.fromEntries(
    Object.keys(operatorOptions.shape).map((name) => [
      name,
      { type: name === 'kueue' ? 'boolean' : 'string' } as const,
    ]),
  );
  const data = readFlags('operator', args, options, operatorOptions);
  const namespace = data['builders-namespace'];
  const image = data['builder-image'];
  if ((namespace === undefined) !== (image === undefined))
    throw invalidArgument('operator: --builders-namespace and --builder-image go together');
  return {
    kind: 'operator',
    kubeconfig: data.kubeconfig,
    leaseNamespace: data['lease-namespace'],
    leaseDurationMs: data['lease-duration'],
    builderGraceMs: data['builder-grace'],
    metricsAddress: data['metrics-addr'],
    defaultRegistry: data['default-registry'],
    pools: data.pools,
    apiAddress: data['api-addr'],
    apiTls: data['api-tls'],
    logRetentionMs: data['log-retention'] === undefined ? undefined : parseDuration(data['log-retention']),
    registryCache: data['registry-cache'],
    certificates: data.certificates,
    kueue: data.kueue,
    builderPods:
      namespace === undefined || image === undefined
        ? undefined
        : {
            ...{ namespace, image, secret: data['builder-secret'] },
            ...{ clientSecret: data['builder-client-secret'], serverName: data['builder-server-name'] },
          },
    workers: data.workers,
    logFormat: data['log-format'],
    logLevel: data['log-level'],
  };
}

function parseCacheCommand(args: readonly string[]): CacheCommand {
  const options: ParseArgsConfig['options'] = {
    output: { type: 'string', short: 'o' },
    insecure: { type: 'boolean' },
    'keep-last': { type: 'string' },
    'older-than': { type: 'string' },
    'max-size': { type: 'string' },
    blobs: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  };
  const { data, positionals } = readArguments('cache', args, options, cacheOptions, 2);
  return cacheCommand(data, positionals);
}

function parseExplainCommand(args: readonly string[]): ExplainCommand {
  const options: ParseArgsConfig['options'] = {
    builder: { type: 'string' },
    addr: { type: 'string' },
    run: { type: 'string' },
    namespace: { type: 'string', short: 'n' },
    kubeconfig: { type: 'string' },
    output: { type: 'string', short: 'o' },
  };
  const { data, positionals } = readArguments('explain', args, options, explainOptions, 1);
  const [name] = positionals;
  const { run, namespace, kubeconfig, output, builder = data.addr } = data;
  const target = (): ExplainCommand['target'] => {
    if (run !== undefined) {
      if (name !== undefined || builder !== undefined)
        throw invalidArgument('slipway explain: --run names a BuildRun, and goes with neither a build nor --builder');
      return { kind: 'run', name: run, namespace, kubeconfig };
    }
    if (namespace === undefined && kubeconfig === undefined)
      return name === undefined || builder !== undefined
        ? { kind: 'build', ref: name, builder }
        : { kind: 'any', name };
    if (builder !== undefined)
      throw invalidArgument('slipway explain: --namespace and --kubeconfig are of a cluster, and --builder of none');
    if (name === undefined)
      throw invalidArgument('slipway explain: --namespace and --kubeconfig go with the name of a BuildRun or a Build');
    return { kind: 'runOrBuild', name, namespace, kubeconfig };
  };
  return { kind: 'explain', target: target(), output };
}

/** `DIR` is the main context, `NAME=DIR` a named one. */
function parseContexts(flags: readonly string[]): ReadonlyMap<string, string> {
  const contexts = new Map<string, string>();
  for (const flag of flags) {
    const named = /^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.+)$/.exec(flag);
    const name = named?.[1] ?? 'context';
    if (contexts.has(name)) throw invalidArgument(`--context ${name} is given twice`);
    contexts.set(name, named?.[2] ?? flag);
  }
  return contexts;
}

function parseSecret(flag: string): SecretFlag {
  const fields: Record<string, string> = {};
  for (const part of flag.split(',')) {
    const match = keyValue.exec(part);
    if (match === null)
      throw invalidArgument(`--secret ${JSON.stringify(flag)}: expected id=ID,src=PATH or id=ID,env=NAME`);
    fields[(match[1] as string).toLowerCase()] = match[2] as string;
  }
  const { id, src, source, env, type: _, ...unknown } = fields;
  const other = Object.keys(unknown)[0];
  if (other !== undefined) throw invalidArgument(`--secret: unknown key ${other}; known are id, src, env`);
  if (!id) throw invalidArgument(`--secret ${JSON.stringify(flag)}: id is missing`);
  const file = src ?? source;
  if (file !== undefined && env !== undefined) throw invalidArgument(`--secret ${id}: src and env exclude each other`);
  return { id, from: file === undefined ? { env: env ?? id } : { file } };
}
