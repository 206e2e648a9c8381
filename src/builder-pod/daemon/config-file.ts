import { parse } from 'smol-toml';
import { z } from 'zod';
import { CodedError, invalidArgument } from '../../base/index.ts';

const size = z.union([z.number(), z.string()]);
const duration = z.union([z.number(), z.string()]);

const gcPolicy = z.strictObject({
  all: z.boolean().optional(),
  filters: z.array(z.string()).optional(),
  keepDuration: duration.optional(),
  keepBytes: size.optional(),
  reservedSpace: size.optional(),
  maxUsedSpace: size.optional(),
  minFreeSpace: size.optional(),
});

const ociWorker = z.strictObject({
  enabled: z.boolean().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  platforms: z.array(z.string()).optional(),
  snapshotter: z.string().optional(),
  rootless: z.boolean().optional(),
  noProcessSandbox: z.boolean().optional(),
  binary: z.string().optional(),
  proxySnapshotterPath: z.string().optional(),
  defaultCgroupParent: z.string().optional(),
  'apparmor-profile': z.string().optional(),
  selinux: z.boolean().optional(),
  'max-parallelism': z.number().int().optional(),
  'max-step-processes': z.number().int().nonnegative().optional(),
  'max-step-memory': size.optional(),
  'max-unpacked-bytes': size.optional(),
  'max-unpacked-entries': z.number().int().positive().optional(),
  'max-context-bytes': size.optional(),
  stargzSnapshotter: z.unknown().optional(),
  userRemapUnsupported: z.string().optional(),
  networkMode: z.string().optional(),
  cniConfigPath: z.string().optional(),
  cniBinaryPath: z.string().optional(),
  cniPoolSize: z.number().optional(),
  bridgeName: z.string().optional(),
  bridgeSubnet: z.string().optional(),
  gc: z.boolean().optional(),
  gckeepstorage: size.optional(),
  reservedSpace: size.optional(),
  maxUsedSpace: size.optional(),
  minFreeSpace: size.optional(),
  gcpolicy: z.array(gcPolicy).optional(),
});

const registry = z.strictObject({
  mirrors: z.array(z.string()).optional(),
  http: z.boolean().optional(),
  insecure: z.boolean().optional(),
  ca: z.array(z.string()).optional(),
  keypair: z.array(z.strictObject({ key: z.string(), cert: z.string() })).optional(),
  tlsconfigdir: z.array(z.string()).optional(),
});

/** buildkitd.toml. What is done with each key stands in docs/buildkitd.md. */
export const configFileSchema = z.strictObject({
  debug: z.boolean().optional(),
  trace: z.boolean().optional(),
  root: z.string().optional(),
  'insecure-entitlements': z.array(z.string()).optional(),
  proxyNetwork: z.boolean().optional(),
  provenanceEnvDir: z.string().optional(),
  log: z.strictObject({ format: z.string().optional(), level: z.string().optional() }).optional(),
  grpc: z
    .strictObject({
      address: z.array(z.string()).optional(),
      debugAddress: z.string().optional(),
      uid: z.number().optional(),
      gid: z.number().optional(),
      securityDescriptor: z.string().optional(),
      tls: z
        .strictObject({ cert: z.string().optional(), key: z.string().optional(), ca: z.string().optional() })
        .optional(),
    })
    .optional(),
  otel: z.strictObject({ socketPath: z.string().optional() }).optional(),
  cdi: z.unknown().optional(),
  worker: z
    .strictObject({
      oci: ociWorker.optional(),
      containerd: z.looseObject({ enabled: z.boolean().optional() }).optional(),
    })
    .optional(),
  registry: z.record(z.string(), registry).optional(),
  dns: z
    .strictObject({
      nameservers: z.array(z.string()).optional(),
      options: z.array(z.string()).optional(),
      searchDomains: z.array(z.string()).optional(),
    })
    .optional(),
  history: z
    .strictObject({ maxAge: duration.optional(), maxEntries: z.number().optional(), maxLogSize: size.optional() })
    .optional(),
  frontend: z.record(z.string(), z.looseObject({ enabled: z.boolean().optional() })).optional(),
  system: z
    .strictObject({
      platformsCacheMaxAge: duration.optional(),
      maxRegistryConcurrency: z.number().optional(),
      sessionAuthTimeout: duration.optional(),
      tagsCacheMaxAge: duration.optional(),
    })
    .optional(),
  compaction: z
    .strictObject({
      enabled: z.boolean().optional(),
      idleTimeout: duration.optional(),
      minReclaimBytes: z.number().int().optional(),
      minReclaimPercent: z.number().int().optional(),
      minReclaimPercentFloor: z.number().int().optional(),
      sizeGrowthPercent: z.number().int().optional(),
      sizeWatermark: z.number().int().optional(),
      writesPerCheck: z.number().int().optional(),
    })
    .optional(),
  cache: z.unknown().optional(),
  outflow: z.strictObject({ bandwidth: size.optional(), requests: z.number().int().optional() }).optional(),
  'own-identity': z.strictObject({ caches: z.array(z.string()).optional() }).optional(),
  'trusted-caches': z
    .array(
      z.strictObject({
        repository: z.string().min(1),
        keys: z.array(z.string()).min(1).optional(),
        identities: z
          .array(z.strictObject({ identity: z.string().min(1), issuer: z.string().min(1) }))
          .min(1)
          .optional(),
        'trusted-root': z.string().min(1).optional(),
      }),
    )
    .optional(),
});

export type ConfigFile = z.infer<typeof configFileSchema>;

/** Keys and tables that are taken and have no effect; whoever sets one is told so. */
export const WITHOUT_EFFECT: readonly string[] = [
  'provenanceEnvDir',
  'grpc.securityDescriptor',
  'otel.socketPath',
  'cdi',
  'worker.oci.stargzSnapshotter',
  'worker.oci.cniBinaryPath',
  'worker.oci.cniPoolSize',
  'worker.oci.bridgeName',
  'worker.oci.bridgeSubnet',
  'system.platformsCacheMaxAge',
  'compaction',
  'cache',
];

/** Those of {@link WITHOUT_EFFECT} that the file sets. */
export function idleKeys(file: ConfigFile): readonly string[] {
  const at = (name: string) =>
    name.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], file);
  return WITHOUT_EFFECT.filter((name) => at(name) !== undefined);
}

/** @throws CodedError invalid_argument naming the line, or the key and what is wrong with it */
export function parseConfigFile(text: string, file: string): ConfigFile {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    throw invalidArgument(`${file}: ${(error as Error).message}`, { cause: error });
  }
  const parsed = configFileSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const key = issue.path.map(String).join('.');
  throw CodedError.of('CONFIG_INVALID', `${file}: ${key === '' ? '' : `${key}: `}${issue.message}`, {
    hint: 'the keys are those of buildkitd.toml',
  });
}
