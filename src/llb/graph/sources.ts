import type { Digest } from '../../base/index.ts';
import { formatImageReference, goJson, parseImageReference, withDefaultTag } from '../../base/index.ts';
import type { SourceOp } from '../op.ts';
import { parseGitUrl } from './git-url.ts';
import { type BuiltStep, envelope, type GraphNode, type MarshalContext, type Output } from './node.ts';
import { type StepOptions, stepMetadata } from './options.ts';
import { type State, stateOf } from './state.ts';

class SourceNode implements GraphNode {
  readonly options: StepOptions;
  readonly #source: SourceOp;
  readonly #caps: readonly string[];

  constructor(source: SourceOp, caps: readonly string[], options: StepOptions) {
    this.#source = source;
    this.#caps = caps;
    this.options = options;
  }

  inputs(): readonly Output[] {
    return [];
  }

  build(context: MarshalContext): BuiltStep {
    const { platform, constraints } = envelope(context, this.options);
    const { identifier, attrs } = this.#source;
    const forPlatform = identifier.startsWith('docker-image://') || identifier.startsWith('oci-layout://');
    const anyClient = identifier.startsWith('local://') && attrs['local.session'] === undefined;
    return {
      op: {
        inputs: [],
        ...(forPlatform && platform !== undefined ? { platform } : {}),
        constraints,
        body: {
          kind: 'source',
          source: anyClient
            ? { identifier, attrs: { ...attrs, 'local.unique': context.localUniqueId } }
            : { identifier, attrs },
        },
      },
      metadata: stepMetadata(this.options, anyClient ? ['source.local.unique', ...this.#caps] : this.#caps),
    };
  }
}

/** A source op as it is: for identifiers and attributes that have no function here. */
export function source(op: SourceOp, caps: readonly string[] = [], options: StepOptions = {}): State {
  const node = new SourceNode(op, caps, options);
  return stateOf({ node, index: () => 0, ...(options.platform ? { platform: options.platform } : {}) });
}

/** Attributes that are set, and the capability each needs. */
class Attributes {
  readonly attrs: Record<string, string> = {};
  readonly caps: string[] = [];

  set(name: string, value: string | undefined, cap?: string): void {
    if (value === undefined || value === '') return;
    this.attrs[name] = value;
    if (cap) this.caps.push(cap);
  }
}

export interface ImageOptions extends StepOptions {
  readonly resolveMode?: 'default' | 'pull' | 'local';
  readonly recordType?: 'internal' | 'frontend' | 'regular';
  /** Takes the lowest layers only. */
  readonly layerLimit?: number;
  /** The digest that the reference must resolve to. */
  readonly checksum?: Digest;
  /** It may be an artifact whose layers are tar archives: they are unpacked one over the other. Slipway's own: other builders take it for an image. */
  readonly artifact?: boolean;
}

/** A container image. @throws CodedError invalid_argument for a name that is none. */
export function image(reference: string, options: ImageOptions = {}): State {
  const name = formatImageReference(withDefaultTag(parseImageReference(reference)));
  const set = new Attributes();
  set.set(
    'image.resolvemode',
    options.resolveMode === 'default' ? undefined : options.resolveMode,
    // Only the mode that a builder must not ignore asks for the capability.
    options.resolveMode === 'pull' ? 'source.image.resolvemode' : undefined,
  );
  set.set('image.recordtype', options.recordType);
  set.set('image.layerlimit', options.layerLimit?.toString(), 'source.image.layerlimit');
  set.set('image.checksum', options.checksum, 'source.image.checksum');
  if (options.artifact) set.set('image.artifact', 'true');
  return source({ identifier: `docker-image://${name}`, attrs: set.attrs }, ['source.image', ...set.caps], options);
}

export interface OciLayoutOptions extends StepOptions {
  readonly sessionId?: string;
  readonly storeId?: string;
  readonly layerLimit?: number;
}

/** An image of an OCI layout that the client serves; `reference` ends in `@digest`. */
export function ociLayout(reference: string, options: OciLayoutOptions = {}): State {
  const set = new Attributes();
  set.set('oci.session', options.sessionId);
  set.set('oci.store', options.storeId);
  set.set('oci.layerlimit', options.layerLimit?.toString());
  return source({ identifier: `oci-layout://${reference}`, attrs: set.attrs }, ['source.ocilayout'], options);
}

export interface LocalOptions extends StepOptions {
  readonly sessionId?: string;
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  readonly followPaths?: readonly string[];
  /** Lets builds that give the same hint reuse what was sent before. */
  readonly sharedKeyHint?: string;
  readonly differ?: { readonly type: 'none' | 'metadata'; readonly required?: boolean };
  /** Sends names and metadata alone, but for paths that match these. */
  readonly metadataOnly?: { readonly except?: readonly string[] };
}

/** A directory that the client serves under this name. */
export function local(name: string, options: LocalOptions = {}): State {
  const json = (patterns: readonly string[] | undefined) => (patterns?.length ? goJson(patterns) : undefined);
  const set = new Attributes();
  set.set('local.session', options.sessionId, 'source.local.sessionid');
  set.set('local.includepattern', json(options.includePatterns), 'source.local.includepatterns');
  set.set('local.followpaths', json(options.followPaths), 'source.local.followpaths');
  set.set('local.excludepatterns', json(options.excludePatterns), 'source.local.excludepatterns');
  set.set('local.sharedkeyhint', options.sharedKeyHint, 'source.local.sharedkeyhint');
  set.set('local.differ', options.differ?.type, options.differ?.required ? 'source.local.differ' : undefined);
  if (options.metadataOnly) {
    set.set('local.metadatatransfer', 'true', 'source.local.metadatatransfer');
    set.set('local.metadatatransferexclude', json(options.metadataOnly.except));
  }
  return source({ identifier: `local://${name}`, attrs: set.attrs }, ['source.local', ...set.caps], options);
}

export interface GitOptions extends StepOptions {
  /** Branch, tag, commit or full ref name. */
  readonly ref?: string;
  readonly subDir?: string;
  readonly keepGitDir?: boolean;
  readonly checksum?: string;
  readonly skipSubmodules?: boolean;
  readonly mtime?: 'checkout' | 'commit';
  readonly fetchByCommit?: boolean;
  /** Secret ids; the client's defaults when left out. */
  readonly authTokenSecret?: string;
  readonly authHeaderSecret?: string;
  /** Lines of a known_hosts file, for ssh. */
  readonly knownSshHosts?: string;
  readonly mountSshSock?: string;
}

/** A git repository's files at a ref. The identifier is the same whatever protocol it is fetched by. */
export function git(url: string, options: GitOptions = {}): State {
  const remote = parseGitUrl(url);
  const set = new Attributes();
  if (options.keepGitDir) set.set('git.keepgitdir', 'true', 'source.git.keepgitdir');
  set.set('git.fullurl', remote.url, 'source.git.fullurl');
  set.set(
    'git.authtokensecret',
    options.authTokenSecret ?? 'GIT_AUTH_TOKEN',
    options.authTokenSecret && 'source.git.httpauth',
  );
  set.set(
    'git.authheadersecret',
    options.authHeaderSecret ?? 'GIT_AUTH_HEADER',
    options.authHeaderSecret && 'source.git.httpauth',
  );
  if (remote.ssh) {
    set.set('git.knownsshhosts', options.knownSshHosts);
    set.set('git.mountsshsock', options.mountSshSock ?? 'default');
    set.caps.push('source.git.knownsshhosts', 'source.git.mountsshsock');
  }
  set.set('git.checksum', options.checksum, 'source.git.checksum');
  if (options.skipSubmodules) set.set('git.skipsubmodules', 'true', 'source.git.skipsubmodules');
  set.set('git.mtime', options.mtime, 'source.git.mtime');
  if (options.fetchByCommit) set.set('git.fetchbycommit', 'true', 'source.git.fetchbycommit');
  const ref = options.ref ?? '';
  const subDir = options.subDir ?? '';
  const fragment = ref || subDir ? `#${ref}${subDir ? `:${subDir}` : ''}` : '';
  const identifier = `git://${remote.host}${remote.path}${fragment}`;
  return source({ identifier, attrs: set.attrs }, ['source.git', ...set.caps], options);
}

export interface HttpOptions extends StepOptions {
  readonly checksum?: Digest;
  readonly filename?: string;
  readonly permissions?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly authHeaderSecret?: string;
  readonly headers?: { readonly accept?: string; readonly userAgent?: string };
}

/** One file, fetched from a URL. */
export function http(url: string, options: HttpOptions = {}): State {
  const set = new Attributes();
  set.set('http.checksum', options.checksum, 'source.http.checksum');
  set.set('http.filename', options.filename);
  if (options.permissions) set.set('http.perm', `0${options.permissions.toString(8)}`, 'source.http.perm');
  // The misspelling is the id that builders know.
  if (options.uid) set.set('http.uid', options.uid.toString(), 'soruce.http.uidgid');
  if (options.gid) set.set('http.gid', options.gid.toString(), 'soruce.http.uidgid');
  set.set('http.authheadersecret', options.authHeaderSecret, 'source.http.auth');
  set.set('http.header.accept', options.headers?.accept, 'source.http.header');
  set.set('http.header.user-agent', options.headers?.userAgent, 'source.http.header');
  return source({ identifier: url, attrs: set.attrs }, ['source.http', ...set.caps], options);
}
