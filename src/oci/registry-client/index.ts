export type { BlobSource, UploadOptions, UploadOutcome } from './blob-upload.ts';
export { RegistryClient, type RegistryClientOptions } from './client.ts';
export {
  anonymous,
  type CredentialProvider,
  type Credentials,
  type IssuedToken,
  staticCredentials,
  type TokenRequest,
} from './credentials.ts';
export { pushError, type RegistryDiagnostic, RegistryError, redactUrl } from './errors.ts';
export type { RegistryHostOptions, RegistryHosts } from './hosts.ts';
export { type Manifest, Repository } from './repository.ts';
export { defaultRetryPolicy, isTransient, type RetryPolicy } from './retry.ts';
