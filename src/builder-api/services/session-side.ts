import { bidi, service, unary } from '../grpc/service.ts';
import { fsutil, moby, slipway } from '../wire/messages.js';

const filesync = moby.filesync.v1;

/** Served by a build client: its directories, by `dir-name`. */
export const FileSync = service('moby.filesync.v1.FileSync', {
  diffCopy: bidi('DiffCopy', fsutil.types.Packet, fsutil.types.Packet),
});

/** Served by a build client: where results go. For tree exports the messages are fsutil packets instead: use the raw call. */
export const FileSend = service('moby.filesync.v1.FileSend', {
  diffCopy: bidi('DiffCopy', filesync.BytesMessage, filesync.BytesMessage),
});

/** Served by a build client: its registry credentials. */
export const Auth = service('moby.filesync.v1.Auth', {
  credentials: unary('Credentials', filesync.CredentialsRequest, filesync.CredentialsResponse),
  fetchToken: unary('FetchToken', filesync.FetchTokenRequest, filesync.FetchTokenResponse),
  getTokenAuthority: unary('GetTokenAuthority', filesync.GetTokenAuthorityRequest, filesync.GetTokenAuthorityResponse),
  verifyTokenAuthority: unary(
    'VerifyTokenAuthority',
    filesync.VerifyTokenAuthorityRequest,
    filesync.VerifyTokenAuthorityResponse,
  ),
});

const { RepositoryCredentialsRequest, RepositoryCredentialsResponse } = slipway.builder.v1;

/** Served by who drives a builder: credentials of single repositories (`proto/builder.proto`). */
export const RepositoryAuth = service('slipway.builder.v1.RepositoryAuth', {
  credentials: unary('Credentials', RepositoryCredentialsRequest, RepositoryCredentialsResponse),
});

const secrets = moby.buildkit.secrets.v1;

/** Served by a build client: values of secrets, by id. */
export const Secrets = service('moby.buildkit.secrets.v1.Secrets', {
  getSecret: unary('GetSecret', secrets.GetSecretRequest, secrets.GetSecretResponse),
});

const ssh = moby.sshforward.v1;

/** Served by a build client: its ssh agents; the id travels as metadata {@link SSH_ID_METADATA}. */
export const SSH = service('moby.sshforward.v1.SSH', {
  checkAgent: unary('CheckAgent', ssh.CheckAgentRequest, ssh.CheckAgentResponse),
  forwardAgent: bidi('ForwardAgent', ssh.BytesMessage, ssh.BytesMessage),
});

export const SSH_ID_METADATA = 'buildkit.ssh.id';

/** Served by a build client: bodies of `http://buildkit-session/<id>`. */
export const Upload = service('moby.upload.v1.Upload', {
  pull: bidi('Pull', moby.upload.v1.BytesMessage, moby.upload.v1.BytesMessage),
});

const exporter = moby.exporter.v1;

/** Served by a build client: outputs that it names when it has seen the result, and is told the end of. */
export const Exporter = service('moby.exporter.v1.Exporter', {
  findExporters: unary('FindExporters', exporter.FindExportersRequest, exporter.FindExportersResponse),
  finalizeExport: unary('FinalizeExport', exporter.FinalizeExportRequest, exporter.FinalizeExportResponse),
});
