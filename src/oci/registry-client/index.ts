export type { BlobSource, UploadOptions, UploadOutcome } from './blob-upload.ts';
export { RegistryClient } from './client.ts';
export {
  anonymous,
  type Caller,
  type CredentialOptions,
  type CredentialProvider,
  type Credentials,
  type IssuedToken,
  type TokenRequest,
} from './credentials.ts';
export { isBlobUnknown, pushError, RegistryError } from './errors.ts';
export type { RegistryHosts } from './hosts.ts';
export { Repository } from './repository.ts';
