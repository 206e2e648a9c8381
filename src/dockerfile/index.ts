export { buildDockerfile, syntaxIsBuiltIn } from './build.ts';
export { checkDockerfile } from './check.ts';
export type * from './frontend-interface.ts';
export { DockerfileError } from './location.ts';
