export { buildDockerfile, syntaxIsBuiltIn } from './build.ts';
export { checkDockerfile, type DockerfileCheck } from './check.ts';
export { detectSyntax, type SyntaxRequest } from './directives.ts';
export type * from './frontend-interface.ts';
export type { Command, Stage } from './instructions.ts';
export { DockerfileError, type Location } from './location.ts';
export { type InstructionNode, type ParsedDockerfile, parseDockerfile } from './parser.ts';
