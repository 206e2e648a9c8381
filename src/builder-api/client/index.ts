/** The client's side: connections to builders and what a client's session serves. Apart from the rest, so that no daemon loads `@grpc/grpc-js`. */
export * from './builder-client.ts';
export { type DockerCredentialsOf, dockerConfigCredentials } from './docker-config.ts';
export { registerSessionServices, type SessionSources } from './session-services.ts';
export { parseSshKey, type SshKey } from './ssh-key.ts';
