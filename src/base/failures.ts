import { type Code, type Fault, faultOfCode } from './codes.ts';

/** What a failure of one reason is. */
interface FailureKind {
  /** Its gRPC code; where it depends on how it failed, all that it may have. */
  readonly code: Code | readonly [Code, ...Code[]];
  /** Whose fault it is, and so whether a run that ends with it is tried again; by the code unless given. */
  readonly fault?: Fault;
  /** The word of a run's status, where it is another than the reason in CamelCase; it may depend on the code. */
  readonly status?: string | (Readonly<Partial<Record<Code, string>>> & { readonly other: string });
  /** What the reader should do next, where it is the same each time. */
  readonly hint?: string;
  /** Clients of BuildKit look at its code. */
  readonly coded?: true;
  /** What has happened, for docs/failures.md. */
  readonly text: string;
}

const OF_REGISTRY = {
  unauthenticated: 'PullDenied',
  permission_denied: 'PullDenied',
  not_found: 'ImageNotFound',
  other: 'RegistryUnavailable',
} as const;

/** Every reason that a failure can have: `CodedError.reason`, stable, also over the wire and in the status of a run. */
const FAILURES = {
  BAD_PATH: { code: 'invalid_argument', text: 'A client sent a path that no file of a context can have.' },
  BAD_PATTERN: { code: 'invalid_argument', text: 'A pattern, e.g. of `.dockerignore` or `COPY`, is malformed.' },
  BUILDER_BUSY: {
    code: 'resource_exhausted',
    hint: 'use another builder, or try again later',
    text: 'The builder has as many solves as it takes.',
  },
  BUILDER_DRAINING: {
    code: 'unavailable',
    hint: 'use another builder',
    text: 'The builder is about to stop, and takes no new solves.',
  },
  BUILDER_ENDING: {
    code: 'unavailable',
    hint: 'run the build again, on this builder once it is back or on another',
    text: 'The builder is about to stop, and the build was not over in the time that it had left.',
  },
  BUILDER_GONE: { code: 'unavailable', text: 'The builder was taken out of its pool.' },
  BUILDER_LOST: { code: 'unavailable', text: 'The builder ended with the build, or was started again.' },
  BUILDER_STOPPING: { code: 'unavailable', text: 'The builder is stopping.' },
  BUILD_INTERRUPTED: {
    code: 'unavailable',
    hint: 'run the build again',
    text: 'The builder ended while the build ran.',
  },
  BUILD_UNKNOWN: { code: 'not_found', coded: true, text: 'The builder knows no build of this name.' },
  COMMIT_TIMEOUT: { code: 'deadline_exceeded', text: 'Writing the tags took too long.' },
  CACHE_ATTRIBUTE: { code: 'invalid_argument', text: 'An attribute of a remote cache is malformed or missing.' },
  CACHE_DISK: {
    code: 'resource_exhausted',
    fault: 'infrastructure',
    hint: 'free space on the builder, or bound what is restored with max-size',
    text: "What is saved of a cache mount would take more of the builder's disk than is free.",
  },
  CACHE_MALFORMED: { code: 'invalid_argument', text: 'A remote cache says what cannot be.' },
  CACHE_NOT_FOUND: { code: 'not_found', fault: 'user', text: 'There is no cache under this name.' },
  COMPRESSION_CORRUPT: { code: 'invalid_argument', text: 'A compressed stream is damaged.' },
  COMPRESSION_MISSING: {
    code: 'failed_precondition',
    fault: 'infrastructure',
    text: 'The builder lacks the library for this compression.',
  },
  COMPRESSION_TOO_LARGE: {
    code: 'resource_exhausted',
    fault: 'user',
    text: 'A compressed stream unpacks to more than is allowed.',
  },
  COMPRESSION_TRAILING: { code: 'invalid_argument', text: 'Something follows the end of a compressed stream.' },
  COMPRESSION_UNSUPPORTED: { code: 'unimplemented', text: 'A stream is compressed in a way that cannot be read.' },
  CONFIG_INVALID: { code: 'invalid_argument', text: "The builder's configuration is malformed." },
  CONTEXT_DISK: {
    code: 'resource_exhausted',
    fault: 'infrastructure',
    hint: 'leave out what the build does not need, e.g. with a .dockerignore file, or free space on the builder',
    text: "A client sends files while the builder's disk is almost full, and of all that do its build's are the most.",
  },
  CONTEXT_ENTRY: {
    code: 'invalid_argument',
    text: 'A client sent a file that the builder cannot make: its name, target or attribute is too long, or it is of an unknown kind.',
  },
  CONTEXT_TOO_LARGE: {
    code: 'resource_exhausted',
    fault: 'policy',
    text: 'A directory of the client has more bytes than the builder or pool allows.',
  },
  CONTENT_DIGEST_MISMATCH: { code: 'data_loss', text: 'Content is not what its digest says.' },
  CONTENT_NOT_FOUND: { code: 'not_found', fault: 'infrastructure', text: 'A blob is not in the store any more.' },
  CONTENT_PATH_NOT_FOUND: { code: 'not_found', text: 'A path that is to be copied is not there.' },
  CONTENT_SIZE_MISMATCH: { code: 'data_loss', text: 'Content is longer or shorter than announced.' },
  CONTENT_UNKNOWN: { code: 'not_found', text: 'A client asked for a blob that is not in the store.' },
  DEFINITION_TOO_LARGE: {
    code: 'resource_exhausted',
    fault: 'user',
    text: 'The graph has more vertices than allowed, or one of them longer lists than any step has.',
  },
  DOCKERFILE_LINT: { code: 'failed_precondition', text: 'Checks found something, and are to fail the build.' },
  DOCKERFILE_NOT_FOUND: { code: 'invalid_argument', text: 'The Dockerfile is not in its context.' },
  DOCKERFILE_TARGET_NOT_FOUND: { code: 'invalid_argument', text: 'The Dockerfile has no stage of the wanted name.' },
  DOCKERFILE_TOO_LARGE: { code: 'out_of_range', text: 'The Dockerfile or its ignore file is too large.' },
  ENTITLEMENT_MISSING: { code: 'permission_denied', text: 'A step needs an entitlement that the build does not have.' },
  ENTITLEMENT_NOT_ALLOWED: { code: 'permission_denied', text: 'The builder does not grant this entitlement.' },
  ENTITLEMENT_UNKNOWN: { code: 'invalid_argument', text: 'There is no such entitlement.' },
  EXEC_FAILED: { code: 'unknown', fault: 'user', status: 'StepFailed', text: "A step's process failed." },
  EXEC_MOUNT_POINT: { code: 'invalid_argument', text: 'A mount of a step has no place to be mounted at.' },
  EXEC_MOUNT_SOURCE_MISSING: {
    code: 'not_found',
    hint: 'the source path of the mount must exist in what it mounts',
    text: 'What a mount of a step is to show is not there.',
  },
  EXEC_NO_LIMITS: {
    code: 'failed_precondition',
    fault: 'infrastructure',
    text: 'The builder cannot limit the memory of a step.',
  },
  EXEC_NO_RUNTIME: {
    code: 'failed_precondition',
    fault: 'infrastructure',
    hint: 'install runc',
    text: 'The builder has no container runtime.',
  },
  EXEC_NO_SECCOMP_PROFILE: {
    code: 'failed_precondition',
    fault: 'infrastructure',
    text: 'The builder has no seccomp profile.',
  },
  EXEC_OUT_OF_MEMORY: {
    code: 'unknown',
    fault: 'user',
    status: 'OutOfMemory',
    text: 'A step needed more memory than it may have.',
  },
  EXEC_OUT_OF_PROCESSES: {
    code: 'unknown',
    fault: 'user',
    status: 'OutOfProcesses',
    text: 'A step started more processes and threads than it may have.',
  },
  EXEC_RUNTIME: { code: 'internal', text: 'The container runtime failed.' },
  EXEC_SECRET_MISSING: {
    code: 'not_found',
    status: 'SecretNotGiven',
    text: 'A step needs a secret that the build was not given.',
  },
  EXEC_SSH_MISSING: { code: 'not_found', text: 'A step needs an ssh agent that the build was not given.' },
  EXEC_UNKNOWN_GROUP: { code: 'invalid_argument', text: 'The group of a step is not in its `/etc/group`.' },
  EXEC_UNKNOWN_USER: { code: 'invalid_argument', text: 'The user of a step is not in its `/etc/passwd`.' },
  EXPORT_ANNOTATION: { code: 'invalid_argument', text: 'An annotation of the output is malformed or has no place.' },
  EXPORT_ATTESTATION: {
    code: 'invalid_argument',
    text: 'An attestation that the frontend gives is malformed, cannot be read or is too large.',
  },
  EXPORT_ATTRIBUTE: {
    code: ['invalid_argument', 'unimplemented', 'not_found'],
    text: 'An attribute of the output is malformed or cannot be had.',
  },
  EXPORT_CLIENT: {
    code: ['failed_precondition', 'unavailable'],
    text: 'The client does not take the output, or ended its transfer.',
  },
  EXPORT_COMPRESSION: {
    code: ['invalid_argument', 'unimplemented'],
    text: 'The compression of the output is malformed or cannot be had.',
  },
  EXPORT_NAME: { code: 'invalid_argument', text: 'The image name of the output is missing, malformed or given twice.' },
  EXPORT_PLATFORM: { code: 'invalid_argument', text: 'The platforms of the result do not fit the output.' },
  EXPORT_TYPE: { code: 'not_found', text: 'There is no output of this type.' },
  FRONTEND_ENDED: { code: 'cancelled', text: 'The frontend ended before it was answered.' },
  FRONTEND_IMAGE_UNSUPPORTED: {
    code: ['invalid_argument', 'unimplemented'],
    text: 'The frontend image cannot be run.',
  },
  FRONTEND_IS_BUILT_IN: { code: 'already_exists', text: 'The frontend image stands for the built-in frontend.' },
  FRONTEND_NOT_FOUND: { code: 'not_found', text: 'There is no frontend of this name.' },
  FRONTEND_SPENT: {
    code: 'resource_exhausted',
    fault: 'user',
    hint: 'split the file, or build fewer platforms at once; a substitution or pattern in it may take very long',
    text: 'The frontend computed for longer than one run may.',
  },
  FRONTEND_STUCK: {
    code: 'deadline_exceeded',
    fault: 'user',
    hint: 'Is there a substitution or pattern in the file that takes very long?',
    text: 'The frontend made no progress.',
  },
  GIT_AUTH: {
    code: 'unauthenticated',
    status: 'SourceDenied',
    text: 'The git remote refuses these credentials, or has been given none.',
  },
  GIT_CERTIFICATE: {
    code: 'failed_precondition',
    status: 'SourceUntrusted',
    hint: "add the server's authority to the builder's certificates, or to `trust.caBundle` of the Build",
    text: 'The certificate of the git remote is not trusted.',
  },
  GIT_CHECKSUM: { code: 'invalid_argument', text: 'The git ref is not at the commit that it is to be at.' },
  GIT_FAILED: { code: 'unavailable', text: 'Git failed, e.g. since the remote does not answer.' },
  GIT_HOST_KEY: {
    code: 'failed_precondition',
    status: 'SourceHostKeyUnknown',
    text: 'The ssh host key of the git remote is unknown.',
  },
  GIT_NOT_FOUND: {
    code: 'not_found',
    status: 'SourceNotFound',
    text: 'The git repository, branch, tag or commit is not there.',
  },
  GIT_REF: { code: 'invalid_argument', status: 'SourceNotFound', text: 'The git ref is malformed.' },
  GIT_SUBDIR: {
    code: 'invalid_argument',
    status: 'SourceNotFound',
    text: 'The folder of the git repository is not there, or no folder.',
  },
  GIT_TRANSPORT: { code: 'permission_denied', text: 'The git URL has a scheme that is not allowed.' },
  GIT_URL: { code: 'invalid_argument', text: 'The git URL is malformed.' },
  HTTP_CERTIFICATE: {
    code: 'failed_precondition',
    status: 'SourceUntrusted',
    hint: "add the server's authority to the builder's certificates, or to `trust.caBundle` of the Build",
    text: 'The certificate of the URL is not trusted.',
  },
  HTTP_CHECKSUM: { code: 'failed_precondition', text: 'The file is not what its checksum says.' },
  HTTP_CONNECTION: { code: 'unavailable', status: 'SourceUnavailable', text: 'The URL cannot be reached.' },
  HTTP_LINK_LOCAL: {
    code: 'permission_denied',
    text: "The URL leads to an address of the machine's own surroundings.",
  },
  HTTP_REDIRECT: { code: 'unavailable', text: 'The URL redirects in circles, or to nowhere.' },
  HTTP_STATUS: {
    code: ['not_found', 'unauthenticated', 'permission_denied', 'unavailable'],
    text: 'The URL was answered with an error.',
  },
  HTTP_TOO_LARGE: { code: 'resource_exhausted', fault: 'user', text: 'The file is larger than allowed.' },
  INVARIANT: { code: 'internal', text: 'A fault of Slipway itself: please report it.' },
  KNOWN_HOSTS_MISSING: { code: 'invalid_argument', text: 'The Secret of an ssh key has no `known_hosts`.' },
  KUBE_CONNECTION: { code: 'unavailable', text: 'The API server cannot be reached.' },
  KUBE_REFUSED: {
    code: [
      ...(['invalid_argument', 'unauthenticated', 'permission_denied', 'not_found', 'already_exists'] as const),
      ...(['unimplemented', 'aborted', 'out_of_range', 'resource_exhausted', 'unavailable', 'unknown'] as const),
    ],
    // The objects are the operator's own.
    fault: 'infrastructure',
    text: 'The API server refuses a call of the operator.',
  },
  LAYER_ESCAPE: { code: 'invalid_argument', text: 'A layer or archive has a name that leads out of it.' },
  LAYER_HARDLINK: { code: 'invalid_argument', text: 'A layer or archive has a hard link to what is not in it.' },
  LAYER_NAME_TOO_LONG: { code: 'invalid_argument', text: 'A layer or archive has too long a name.' },
  LAYER_NOT_A_DIRECTORY: { code: 'invalid_argument', text: 'A layer or archive has a file below what is no folder.' },
  LAYER_OPAQUE_ROOT: { code: 'invalid_argument', text: 'A layer takes away the root of all that is below it.' },
  LAYER_OVERLAY_FEATURE: {
    code: 'failed_precondition',
    fault: 'infrastructure',
    hint: 'mount overlays with redirect_dir=off,metacopy=off',
    text: 'The builder mounts overlays with features that layers cannot have.',
  },
  LAYER_SYMLINK_LOOP: { code: 'invalid_argument', text: 'A layer or archive has symbolic links in a circle.' },
  LEASE_LOST: { code: 'aborted', text: 'Another operator may lead by now.' },
  MALFORMED_MESSAGE: { code: 'invalid_argument', text: 'A message of a client is malformed.' },
  METADATA_FULL: {
    code: 'resource_exhausted',
    fault: 'infrastructure',
    text: "The builder's disk is full.",
  },
  METADATA_NEWER: { code: 'failed_precondition', text: "The builder's state was written by a newer version." },
  METADATA_OPEN: { code: 'data_loss', text: "The builder's database cannot be opened." },
  NOT_BUILT: { code: 'unimplemented', text: 'Something of BuildKit that Slipway does not have yet.' },
  NO_SESSION: {
    code: ['not_found', 'unavailable', 'failed_precondition'],
    text: 'The build has no client that could be asked, or it did not come back in time.',
  },
  OBJECT_MALFORMED: {
    code: 'invalid_argument',
    hint: 'do the CRDs belong to this version? Apply crds/ of it',
    text: 'An object on the API server does not fit its schema.',
  },
  OCI_DIGEST_MISMATCH: { code: 'data_loss', text: 'A registry or layout gave other content than the digest says.' },
  OCI_MALFORMED: { code: 'invalid_argument', text: 'A manifest or configuration is malformed.' },
  OCI_MEDIA_TYPE: { code: 'invalid_argument', text: 'The reference leads to something that is no image.' },
  OCI_PLATFORM: { code: 'not_found', text: 'The image is not there for this platform.' },
  OCI_SIZE_MISMATCH: { code: 'data_loss', text: 'A blob is longer or shorter than its descriptor says.' },
  OCI_TOO_LARGE: { code: 'resource_exhausted', fault: 'user', text: 'A manifest or configuration is too large.' },
  PLACES_FULL: {
    code: 'resource_exhausted',
    hint: 'wait until other builds have ended',
    text: 'Too much of one tenant waits for its turn on the builder.',
  },
  KUEUE_EVICTED: {
    code: 'unavailable',
    text: 'Kueue has taken back what the run had: it goes on once it is admitted again.',
  },
  PLACE_NOT_ALLOWED: { code: 'permission_denied', text: "The run's status names a builder that it may not use." },
  PROXY: { code: 'invalid_argument', text: 'A proxy setting of the builder is malformed.' },
  PUSH_REFUSED: {
    code: ['unauthenticated', 'permission_denied'],
    status: 'PushDenied',
    text: 'The registry does not let these credentials push, or was given none.',
  },
  REFERENCE_GONE: { code: 'unavailable', text: 'What the build refers to went before it began.' },
  REF_CONTENT_GONE: {
    code: ['not_found', 'data_loss'],
    fault: 'infrastructure',
    text: 'The content of a cached result is missing or damaged, and cannot be had again.',
  },
  REF_LAYER_MISDESCRIBED: {
    code: 'invalid_argument',
    hint: 'the image is malformed: build or push it again',
    text: 'A layer is not what its image says.',
  },
  REF_RELEASED: { code: 'internal', text: 'A fault of Slipway itself: please report it.' },
  REGISTRY_BODY: {
    code: 'unavailable',
    status: OF_REGISTRY,
    text: 'The registry answered with something unreadable.',
  },
  REGISTRY_BODY_LENGTH: { code: 'data_loss', status: OF_REGISTRY, text: 'What was to be pushed is not as announced.' },
  REGISTRY_CERTIFICATE: {
    code: 'failed_precondition',
    status: OF_REGISTRY,
    hint: "add the registry's CA certificate to its host configuration, or to `trust.caBundle` of the Build",
    text: 'The certificate of the registry is not trusted.',
  },
  REGISTRY_CONNECTION: { code: 'unavailable', status: OF_REGISTRY, text: 'The registry cannot be reached.' },
  REGISTRY_CUT: { code: 'unavailable', status: OF_REGISTRY, text: 'The registry ended a transfer early.' },
  REGISTRY_LOCATION: {
    code: ['unavailable', 'permission_denied'],
    status: OF_REGISTRY,
    text: 'The registry redirects to where one does not follow.',
  },
  REGISTRY_REALM: {
    code: ['unavailable', 'permission_denied'],
    status: OF_REGISTRY,
    text: 'The registry names a token service that is not asked.',
  },
  REGISTRY_REFUSED: {
    code: [
      ...(['unauthenticated', 'permission_denied', 'not_found', 'resource_exhausted'] as const),
      ...(['out_of_range', 'unimplemented', 'unavailable', 'failed_precondition'] as const),
    ],
    status: OF_REGISTRY,
    text: 'The registry answered with an error.',
  },
  REGISTRY_START: { code: 'unavailable', text: 'The embedded registry does not start.' },
  REGISTRY_TOKEN: {
    code: [
      ...(['unauthenticated', 'permission_denied', 'not_found', 'resource_exhausted'] as const),
      ...(['out_of_range', 'unimplemented', 'unavailable', 'failed_precondition'] as const),
    ],
    status: OF_REGISTRY,
    text: 'The token service of the registry gave no token.',
  },
  REGISTRY_TOO_LARGE: {
    code: 'resource_exhausted',
    fault: 'user',
    text: 'An answer of the registry, or a manifest that is to be pushed, is too large.',
  },
  RUN_CANCELLED: { code: ['cancelled', 'failed_precondition'], status: 'Cancelled', text: 'The solve was cancelled.' },
  RUN_FAILED: { code: 'failed_precondition', text: 'The solve has failed, so it has no tags to write.' },
  RUN_ID: { code: 'invalid_argument', text: 'The name of a solve is malformed.' },
  RUN_INTERRUPTED: { code: 'unavailable', status: 'BuilderLost', text: 'The solve was interrupted.' },
  RUN_NOT_OVER: { code: 'failed_precondition', text: 'The solve is not over yet.' },
  RUN_OVER: { code: 'failed_precondition', text: 'The solve is over, and was acknowledged.' },
  RUN_REQUEST: { code: 'invalid_argument', text: 'The request of a solve is malformed.' },
  RUN_SUPERSEDED: {
    code: 'failed_precondition',
    fault: 'cancelled',
    text: 'A newer attempt took the place of the solve.',
  },
  RUN_TIMEOUT: {
    code: 'deadline_exceeded',
    fault: 'user',
    status: 'Timeout',
    hint: 'give the build more time, or let it do less',
    text: 'The build took longer than it may.',
  },
  RUN_UNATTACHED: {
    code: 'aborted',
    status: 'BuilderLost',
    hint: 'run it again; whoever started it was away',
    text: 'Nobody followed the solve for too long.',
  },
  RUN_UNKNOWN: {
    code: 'not_found',
    fault: 'infrastructure',
    hint: 'it was never started here, the builder has been restarted since, or its result was acknowledged',
    text: 'The builder does not know the solve.',
  },
  SECRET_MISSING: {
    code: 'not_found',
    status: 'SecretNotGiven',
    text: 'The build was not given a secret that it needs.',
  },
  SIGNATURE_UNTRUSTED: {
    code: 'failed_precondition',
    fault: 'user',
    text: 'What was read from a registry has no signature by a key or identity that is trusted for it.',
  },
  SIGNING_KEY: {
    code: 'invalid_argument',
    text: 'The key that an image or a cache is to be signed with cannot be used.',
  },
  SIGNING_SERVICE: {
    code: ['unavailable', 'permission_denied'],
    text: 'Fulcio or Rekor did not do their part of signing an image without a key of its own: the image is pushed and not signed.',
  },
  SIGNING_TOKEN: {
    code: 'invalid_argument',
    hint: 'give one of your identity provider, newly issued, with the audience that the Fulcio asks for (mostly sigstore)',
    text: 'The identity token that the image is to be signed with is malformed or has expired.',
  },
  SESSION_CLOSED: {
    code: 'unavailable',
    hint: 'keep the build client running until the build ends',
    text: 'The client of the build has left.',
  },
  SESSION_LOST: { code: 'unavailable', text: 'The connection to the client of the build broke.' },
  SESSION_REPLACED: { code: 'unavailable', text: 'The client of the build has connected anew.' },
  SESSION_STALLED: {
    code: 'deadline_exceeded',
    fault: 'user',
    text: 'The client of the build has begun to send a directory, or to take a result, and then did nothing more for a long time.',
  },
  SESSION_TOO_LARGE: {
    code: 'resource_exhausted',
    fault: 'user',
    hint: 'leave out what the build does not need, e.g. with a .dockerignore file',
    text: 'The client of the build has sent more files or larger messages at once than the builder can hold.',
  },
  SESSION_TOO_MANY: {
    code: 'resource_exhausted',
    hint: 'end builds that hang, or use another builder',
    text: 'The builder has as many sessions as it takes, and the client of the build, or those who share its certificate or host, have the most.',
  },
  SESSION_UNHEALTHY: { code: 'unavailable', text: 'The client of the build does not answer.' },
  SNAPSHOT_DIRECTORY: {
    code: 'invalid_argument',
    hint: 'use a path of at most 200 characters without spaces, commas, colons and backslashes',
    text: "The path of the builder's state is one that overlayfs cannot use.",
  },
  SNAPSHOT_IN_USE: { code: 'failed_precondition', fault: 'infrastructure', text: 'A snapshot has others on it.' },
  SNAPSHOT_NOT_FOUND: { code: 'not_found', fault: 'infrastructure', text: 'A snapshot is not there.' },
  SNAPSHOT_TOO_DEEP: {
    code: 'failed_precondition',
    hint: 'join steps, or copy the files into a stage from scratch',
    text: 'An image has more layers than can be mounted.',
  },
  SOLVER_RESULT_LOST: { code: 'data_loss', text: 'A cached result was lost, and could not be made again.' },
  SSH_KEY: { code: 'invalid_argument', text: 'An ssh key is malformed, or has a passphrase.' },
  STATE_FOREIGN: {
    code: 'failed_precondition',
    hint: 'use an empty or a new directory',
    text: "The builder's directory holds something else.",
  },
  STATE_FORMAT: {
    code: 'failed_precondition',
    hint: 'run the version of Slipway that wrote it, or use another directory',
    text: "The builder's directory was written by another version.",
  },
  SYS_COMMAND_FAILED: { code: 'internal', text: 'A program that the builder runs failed.' },
  SYS_LOCKED: { code: 'failed_precondition', text: "Another daemon uses the builder's directory." },
  SYS_POOL_CLOSED: { code: 'cancelled', text: 'The builder is stopping.' },
  SYS_PROGRAM_MISSING: {
    code: 'failed_precondition',
    fault: 'infrastructure',
    text: 'A program that the builder needs is not installed.',
  },
  SYS_SPAWN: { code: 'internal', text: 'A program that the builder needs does not start.' },
  SYS_THREAD_ENDED: { code: 'internal', text: 'A thread of the builder ended under its work.' },
  SYS_THREAD_HELD: { code: 'unavailable', text: 'A thread of the builder gave no answer.' },
  SYS_THREAD_MEMORY: { code: 'resource_exhausted', text: 'A thread of the builder ran out of its memory.' },
  SYS_THREAD_SPENT: { code: 'resource_exhausted', text: 'What shares a thread of the builder used up its CPU time.' },
  SYS_UNKILLABLE: {
    code: 'deadline_exceeded',
    hint: 'they wait in the kernel, e.g. on a dead network file system',
    text: 'Processes of a step cannot be ended.',
  },
  TAR_FILE_SHRANK: { code: 'aborted', text: 'A file became shorter while it was packed.' },
  TAR_LIMIT: { code: 'invalid_argument', text: 'A layer or archive has a header or name beyond all measure.' },
  TAR_MALFORMED: { code: 'invalid_argument', text: 'A layer or archive is malformed.' },
  TAR_PAX_TOO_LARGE: {
    code: 'invalid_argument',
    hint: 'remove large extended attributes',
    text: 'A file has more extended attributes than a layer can hold.',
  },
  TAR_SPARSE: { code: 'invalid_argument', text: 'A layer or archive has a sparse file that cannot be read.' },
  TAR_TOO_LARGE: { code: 'invalid_argument', text: 'A layer or archive has more bytes than allowed.' },
  TAR_TOO_MANY: { code: 'invalid_argument', text: 'A layer or archive has more entries than allowed.' },
  TAR_TYPE: { code: 'invalid_argument', text: 'A layer or archive has an entry of an unknown type.' },
  UNKNOWN_CAPABILITY: {
    code: 'invalid_argument',
    hint: 'The client is newer than this builder: update the builder, or do without the feature.',
    text: 'The client needs a feature that the builder does not have.',
  },
  UNPACK_LIMIT: {
    code: 'resource_exhausted',
    fault: 'policy',
    text: 'A layer or archive unpacks to more than the builder or pool allows.',
  },
  UNSUPPORTED_ATTRIBUTE: { code: 'invalid_argument', text: 'A source has an attribute that is malformed or unknown.' },
  VERIFYING_KEY: {
    code: 'invalid_argument',
    text: 'The public key, or trusted root, that signatures are to be verified with cannot be used.',
  },
} as const satisfies Readonly<Record<string, FailureKind>>;

export type Reason = keyof typeof FAILURES;

/** The codes that a failure of this reason may have. */
export type CodeOf<R extends Reason> = (typeof FAILURES)[R]['code'] extends infer C
  ? C extends readonly (infer One extends Code)[]
    ? One
    : C & Code
  : never;

export const REASONS = Object.keys(FAILURES) as readonly Reason[];

export function failureKind(reason: Reason): FailureKind {
  return FAILURES[reason];
}

/** The codes that a failure of this reason may have; the first where nothing else is said. */
export function codesOfReason(reason: Reason): readonly [Code, ...Code[]] {
  const { code }: FailureKind = FAILURES[reason];
  return typeof code === 'string' ? [code] : code;
}

/** Whose fault a failure is. */
export function faultOf(code: Code, reason: Reason | undefined): Fault {
  return (reason === undefined ? undefined : failureKind(reason).fault) ?? faultOfCode(code);
}

/** The reason as it came from elsewhere; undefined for one of another version, whose failure is judged by its code. */
export function parseReason(value: unknown): Reason | undefined {
  return typeof value === 'string' && Object.hasOwn(FAILURES, value) ? (value as Reason) : undefined;
}

/** What a failure is called in the status of a run: a CamelCase word, of its code where the reason is unknown. */
export function statusWord(code: Code, reason: Reason | undefined): string {
  if (reason === undefined) return camelCase(code);
  const { status } = failureKind(reason);
  if (typeof status === 'object') return status[code] ?? status.other;
  return status ?? camelCase(reason);
}

const camelCase = (name: string): string =>
  name
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
