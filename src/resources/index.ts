export { type Build, type BuildSpec, build, buildSpec } from './build.ts';
export { describeIssues, parseBuild } from './load.ts';
export type { NamedContext, Source } from './source.ts';
export { API_VERSION } from './strings.ts';
