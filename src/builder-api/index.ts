export * from './client/builder-client.ts';
export {
  type CredentialHelper,
  type DockerCredentials,
  type DockerCredentialsOf,
  dockerConfigCredentials,
} from './client/docker-config.ts';
export { GrpcJsChannel } from './client/grpc-js-channel.ts';
export { registerSessionServices, type SessionSources } from './client/session-services.ts';
export { parseSshKey, type SshKey } from './client/ssh-key.ts';
export * from './fsutil/index.ts';
export * from './grpc/index.ts';
export * from './services/index.ts';
export * from './session/index.ts';
/** The messages themselves, by their protobuf package. */
export * as wire from './wire/messages.js';
