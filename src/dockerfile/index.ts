export { attestationRequests, type SbomRequest } from './attestation-requests.ts';
export { buildDockerfile, syntaxIsBuiltIn } from './build.ts';
export { checkDockerfile } from './check.ts';
export type * from './frontend-interface.ts';
export { parseGitRef } from './git-ref.ts';
export { DockerfileError } from './location.ts';
export { CORE_SCAN, SPDX, scanDefinition, scanMetadata, scannerOf } from './sbom-scan.ts';
