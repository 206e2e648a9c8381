export * from './build.ts';
export * from './build-run.ts';
export { type BuildSpec, buildSpec } from './build-spec.ts';
export * from './builder-pool.ts';
export { parseByteSize } from './byte-size.ts';
export { CACHE_SECRETS, CACHE_STORES, type CacheMounts, type CacheSource, type CacheTarget } from './cache-spec.ts';
export type { KeptCertificate } from './certificates.ts';
export { parseCpuMillis } from './cpus.ts';
export { lastTime, nextTime, parseSchedule } from './cron.ts';
export { parseDuration } from './duration.ts';
export { buildHash } from './hash.ts';
export { overLimit, storedBytes } from './limits.ts';
export {
  type GraphAction,
  type GraphImage,
  type GraphMount,
  type GraphStep,
  type LlbGraph,
  STEP_KINDS,
} from './llb-graph.ts';
export { checkBuild, parseBuild, parseBuilderPools, parseKeptCertificates, parsePoolCache } from './load.ts';
export type { PoolCache } from './pool-cache.ts';
export type { NamedContext, Source } from './source.ts';
export {
  type Condition,
  type Failure,
  isOver,
  type LlbSummary,
  type OutputStatus,
  PHASES,
  type Phase,
} from './status.ts';
export { parseStored } from './stored.ts';
export { API_VERSION, GROUP, VERSION } from './strings.ts';
