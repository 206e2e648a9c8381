/** What clients say and are told in BuildKit's protocol, in the engine's terms; whoever serves calls shares it. */
export { decodeInputs } from './inputs.ts';
export { solveRequest } from './solve-request.ts';
export { statusMessages } from './status-messages.ts';
export { buildkitCode } from './wire-code.ts';
