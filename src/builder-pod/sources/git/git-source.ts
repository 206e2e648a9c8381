import { CodedError, invalidArgument, type OutboundSettings } from '../../../base/index.ts';
import type { ImmutableRef, RefManager } from '../../../cache/ports.ts';
import type { OpContext } from '../../../solver/ports.ts';
import type { WorkerPool } from '../../../sys/index.ts';
import type {
  DescribeOptions,
  SourceDescription,
  SourceFactory,
  SourceInstance,
  SourceKey,
  SourceRequest,
  SourceSecrets,
  TrustOf,
} from '../source.ts';
import { checkout } from './checkout.ts';
import { Git, type GitAccess } from './git-command.ts';
import { checkChecksum, fetchInto, type ResolvedRef, resolveRef, withMirror } from './mirror.ts';
import { type MirrorUpkeep, mirrorKey } from './mirror-upkeep.ts';
import {
  checkRefName,
  cleanSubdir,
  type GitRemote,
  isCommit,
  isTransport,
  parseRemote,
  sameRepository,
} from './remote.ts';

interface GitSourceOptions {
  readonly refs: RefManager;
  readonly secrets: SourceSecrets;
  readonly upkeep: MirrorUpkeep;
  readonly pool: WorkerPool;
  /** Direct when absent. */
  readonly outbound?: OutboundSettings;
  /** How the connections of the builds of these sessions leave the machine. */
  readonly trustOf?: TrustOf;
}

const UNBUILT = ['git.bundle', 'git.checkoutbundle', 'git.sig.pubkey', 'git.sig.requiresignedtag'];

/** `git://`: files of a commit. One bare mirror a remote and scope keeps what was fetched; each checkout is a ref of its own. */
export function gitSource(options: GitSourceOptions): SourceFactory {
  return (request) => new GitSource(options, request);
}

class GitSource implements SourceInstance {
  readonly #options: GitSourceOptions;
  readonly #attrs: Readonly<Record<string, string>>;
  readonly #remote: GitRemote;
  readonly #ref: string;
  readonly #subdir: string;
  readonly #checksum: string;
  readonly #keepGitDir: boolean;
  readonly #skipSubmodules: boolean;
  readonly #mtime: string;
  #resolved: ResolvedRef | undefined;

  constructor(options: GitSourceOptions, { identifier, attrs }: SourceRequest) {
    this.#options = options;
    this.#attrs = attrs;
    for (const name of UNBUILT)
      if (attrs[name])
        throw new CodedError('unimplemented', `source attribute ${name} is not supported yet`, { fault: 'user' });
    const hash = identifier.indexOf('#');
    const [address, fragment] = hash < 0 ? [identifier, ''] : [identifier.slice(0, hash), identifier.slice(hash + 1)];
    const named = parseRemote(isTransport(address) ? address : `https://${address}`);
    const full = attrs['git.fullurl'];
    this.#remote = full ? parseRemote(isTransport(full) ? full : `https://${full}`) : named;
    if (full && !sameRepository(this.#remote, named))
      throw invalidArgument('source attribute git.fullurl names another repository than the source');
    const colon = fragment.indexOf(':');
    this.#ref = colon < 0 ? fragment : fragment.slice(0, colon);
    this.#subdir = cleanSubdir(colon < 0 ? '' : fragment.slice(colon + 1));
    if (this.#ref !== '') checkRefName(this.#ref);
    this.#checksum = (attrs['git.checksum'] ?? '').toLowerCase();
    if (!/^[0-9a-f]*$/.test(this.#checksum))
      throw invalidArgument('source attribute git.checksum: expected hexadecimal digits');
    this.#keepGitDir = attrs['git.keepgitdir'] === 'true';
    this.#skipSubmodules = attrs['git.skipsubmodules'] === 'true';
    this.#mtime = attrs['git.mtime'] || 'checkout';
    if (this.#mtime !== 'checkout' && this.#mtime !== 'commit')
      throw invalidArgument(`source attribute git.mtime: unknown value ${JSON.stringify(this.#mtime)}`);
    if (attrs['git.fetchbycommit'] === 'true' && !isCommit(this.#ref) && !isCommit(this.#checksum))
      throw invalidArgument('source attribute git.fetchbycommit needs a full commit as ref or git.checksum');
  }

  async cacheKey(context: OpContext): Promise<SourceKey> {
    const resolved = await this.#resolve(context);
    const { ref, object, tagged } = resolved;
    let key = this.#keepGitDir ? `${object}.git${ref === '' ? '' : `#${ref}`}` : (tagged ?? object);
    if (this.#subdir !== '') key += `:${this.#subdir}`;
    if (this.#skipSubmodules) key += '(skip-submodules)';
    if (this.#mtime !== 'checkout') key += `(mtime=${this.#mtime})`;
    const { host, path } = this.#remote;
    return { key, pin: object, resolved: { kind: 'git', host, path, commit: tagged ?? object } };
  }

  async describe(context: OpContext, { gitObject = false }: DescribeOptions = {}): Promise<SourceDescription> {
    const { ref, object, tagged } = await this.#resolve(context);
    const named = { checksum: object, ref, commitChecksum: tagged ?? '' };
    if (!gitObject) return { git: named };
    return await this.#inMirror(context, async (git, gitDir, resolved) => {
      const { tagged: commit = object } = await peel(git, gitDir, resolved);
      const read = (type: string, name: string) => git.bytes(`read ${name}`, ['cat-file', type, name], { gitDir });
      const commitObject = await read('commit', commit);
      return {
        git: { ...named, commitObject, ...(commit === object ? {} : { tagObject: await read('tag', object) }) },
      };
    });
  }

  async #resolve(context: OpContext): Promise<ResolvedRef> {
    if (this.#resolved !== undefined) return this.#resolved;
    let resolved: ResolvedRef;
    if (isCommit(this.#ref)) resolved = { ref: this.#ref, object: this.#ref };
    else if (this.#attrs['git.fetchbycommit'] === 'true') {
      const ref = this.#ref;
      const full = ref === '' ? this.#checksum : ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
      resolved = { ref: full, object: this.#checksum };
    } else {
      await using access = await this.#open(context);
      resolved = await resolveRef(access.git, this.#remote.url, this.#ref);
    }
    checkChecksum(resolved, this.#checksum);
    this.#resolved = resolved;
    return resolved;
  }

  snapshot(context: OpContext): Promise<ImmutableRef> {
    return this.#inMirror(context, (git, gitDir, resolved) => this.#checkout(git, gitDir, resolved, context));
  }

  /** Works on the repository with the commit in it. */
  async #inMirror<T>(
    context: OpContext,
    work: (git: Git, gitDir: string, resolved: ResolvedRef) => Promise<T>,
  ): Promise<T> {
    const { signal, owner, scope } = context;
    const { refs, upkeep } = this.#options;
    const { url } = this.#remote;
    const resolved = await this.#resolve(context);
    const sha256 = resolved.object.length === 64;
    let fetched = false;
    await using access = await this.#open(context);
    const { git } = access;
    await upkeep.giveWay({ scope, url }, { signal });
    try {
      const mirror = await refs.openNamed(
        { scope, key: mirrorKey(url), sharing: 'locked' },
        { signal, owner, description: `git mirror of ${url}`, recordType: 'regular' },
      );
      await using _held = { [Symbol.asyncDispose]: () => mirror.release() };
      await mirror.keep();
      await using store = await mirror.mount(context);
      return await withMirror(git, store.root, sha256, async (gitDir) => {
        fetched = await fetchInto(git, gitDir, url, resolved);
        return await work(git, gitDir, resolved);
      });
    } finally {
      if (fetched) upkeep.fetched({ scope, url, sha256 });
    }
  }

  async #checkout(
    git: Git,
    gitDir: string,
    resolved: ResolvedRef,
    { signal, owner, scope }: OpContext,
  ): Promise<ImmutableRef> {
    const target = await this.#options.refs.create(undefined, {
      signal,
      owner,
      scope,
      description: `git snapshot of ${this.#remote.url}#${this.#ref}`,
      recordType: 'source.git.checkout',
    });
    try {
      {
        await using files = await target.mount({ signal, owner });
        await checkout(git, gitDir, files.root, {
          signal,
          url: this.#remote.url,
          resolved: await peel(git, gitDir, resolved),
          subdir: this.#subdir,
          keepGitDir: this.#keepGitDir,
          submodules: !this.#skipSubmodules,
          commitTimes: this.#mtime === 'commit',
        });
      }
      return await target.commit({ signal, owner });
    } catch (error) {
      await target.release();
      throw error;
    }
  }

  /** git with the credentials of the builds that want this source. */
  async #open(context: OpContext): Promise<{ readonly git: Git } & AsyncDisposable> {
    const { signal, owner } = context;
    await using stack = new AsyncDisposableStack();
    const header = await this.#authorization(context);
    const agentId = this.#attrs['git.mountsshsock'] || (this.#remote.scheme === 'ssh' ? 'default' : '');
    const agent =
      this.#remote.scheme === 'ssh'
        ? await this.#options.secrets.sshAgent(agentId, context.sessions(), { signal, owner })
        : undefined;
    if (agent !== undefined) stack.use(agent);
    const knownHosts = this.#attrs['git.knownsshhosts'];
    const trust = this.#options.trustOf?.(context.sessions());
    const access: GitAccess = {
      ...(this.#options.outbound === undefined ? {} : { outbound: this.#options.outbound }),
      ...(trust === undefined ? {} : { trust }),
      // For this host alone: submodules elsewhere and redirects get nothing.
      config:
        header === undefined
          ? {}
          : { [`http.${new URL(this.#remote.url).origin}/.extraheader`]: `Authorization: ${header}` },
      ...(knownHosts ? { knownHosts } : {}),
      ...(agent === undefined ? {} : { agentSocket: agent.path }),
    };
    const git = stack.use(await Git.open(access, { signal, owner, pool: this.#options.pool }));
    const owned = stack.move();
    return { git, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  }

  async #authorization(context: OpContext): Promise<string | undefined> {
    const { scheme, userInfo, host } = this.#remote;
    if (scheme !== 'https' && scheme !== 'http') return undefined;
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    if (userInfo !== undefined) return basic(userInfo);
    const ask = async (name: string | undefined): Promise<string | undefined> => {
      if (!name) return undefined;
      for (const id of [`${name}.${host}`, name]) {
        const value = await this.#options.secrets.secret(id, context.sessions(), { signal: context.signal });
        if (value !== undefined) return Buffer.from(value).toString().trim();
      }
      return undefined;
    };
    const header = await ask(this.#attrs['git.authheadersecret']);
    if (header !== undefined) return oneLine(header);
    const token = await ask(this.#attrs['git.authtokensecret']);
    return token === undefined ? undefined : basic(`x-access-token:${oneLine(token)}`);
  }
}

/** A full commit given as the ref may turn out to be a tag object. */
async function peel(git: Git, gitDir: string, resolved: ResolvedRef): Promise<ResolvedRef> {
  if (resolved.tagged !== undefined) return resolved;
  const commit = (
    await git.run('read the commit', ['rev-parse', '--verify', '--end-of-options', `${resolved.object}^{commit}`], {
      gitDir,
    })
  ).trim();
  return commit === resolved.object ? resolved : { ...resolved, tagged: commit };
}

function oneLine(secret: string): string {
  if (/[\r\n\0]/.test(secret)) throw invalidArgument('the git secret must be one line');
  return secret;
}
