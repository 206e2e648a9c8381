export * from './build.ts';
export * from './build-run.ts';
export { type BuildSpec, buildSpec } from './build-spec.ts';
export * from './builder-pool.ts';
export { buildHash } from './hash.ts';
export { describeIssues, parseBuild } from './load.ts';
export type { NamedContext, Source } from './source.ts';
export { type Condition, type Failure, PHASES, type Phase } from './status.ts';
export { API_VERSION, GROUP, VERSION } from './strings.ts';
