import {
  type BuildTrust,
  CodedError,
  DIRECT,
  type Digest,
  digestOf,
  goJson,
  invalidArgument,
  KeyedMutex,
  type ProxySettings,
  parseDigest,
  RecentMap,
} from '../../../base/index.ts';
import type { ImmutableRef, MutableRef, RefManager } from '../../../cache/ports.ts';
import type { OpContext } from '../../../solver/ports.ts';
import { type StreamPool, siblingModule, streamTasksOf } from '../../../sys/index.ts';
import {
  numberAttr,
  type SourceDescription,
  type SourceFactory,
  type SourceInstance,
  type SourceKey,
  type SourceRequest,
  type SourceSecrets,
  type TrustOf,
} from '../source.ts';
import type { DownloadArgs, DownloadResult } from './download-task.ts';
import { fileNameOf } from './file-name.ts';

interface HttpSourceOptions {
  readonly refs: RefManager;
  readonly secrets: SourceSecrets;
  /** How the connections of the builds of these sessions leave the machine. */
  readonly trustOf?: TrustOf;
  /** Direct when absent. */
  readonly proxies?: ProxySettings;
  /** Where downloads are received, hashed and written: many wait in it at once. */
  readonly pool: StreamPool;
  /** Bytes of one file, 16 GiB when absent. */
  readonly maxBytes?: number;
  /** A download on which nothing moves for so long is given up, in ms; 60,000 when absent. */
  readonly idleTimeoutMs?: number;
}

/** What the key is made of. */
interface Answer {
  readonly filename: string;
  readonly digest: Digest;
  readonly lastModified: string | undefined;
}

/** An earlier answer; the ref may be gone. */
interface Known extends Answer {
  readonly refId: string;
  readonly etag: string;
}

const MAX_KNOWN = 1000;
const task = streamTasksOf<typeof import('./download-task.ts')>(siblingModule(import.meta.url, './download-task'));
const PLAIN_HEADERS = ['Accept', 'User-Agent'];

/** `http://` and `https://`: a file. Answers with an ETag are remembered while the process lives, and asked about before they are fetched again. */
export function httpSource(options: HttpSourceOptions): SourceFactory {
  const known = new RecentMap<string, Known>(MAX_KNOWN);
  const mutex = new KeyedMutex();
  return (request) => new HttpSource(options, known, mutex, request);
}

class HttpSource implements SourceInstance {
  readonly #options: HttpSourceOptions;
  readonly #known: RecentMap<string, Known>;
  readonly #mutex: KeyedMutex;
  readonly #url: URL;
  readonly #checksum: Digest | undefined;
  readonly #filename: string;
  readonly #perm: number;
  readonly #uid: number;
  readonly #gid: number;
  readonly #authSecret: string;
  readonly #headers: readonly { readonly Name: string; readonly Value: string }[];
  #answer:
    | { readonly filename: string; readonly digest: Digest; readonly lastModified: string | undefined }
    | undefined;
  /** What the key was made from. No handle is held: a hit never asks for the content. */
  #refId: string | undefined;

  constructor(
    options: HttpSourceOptions,
    known: RecentMap<string, Known>,
    mutex: KeyedMutex,
    { scheme, identifier, attrs }: SourceRequest,
  ) {
    this.#options = options;
    this.#known = known;
    this.#mutex = mutex;
    const text = `${scheme}://${identifier}`;
    if (!URL.canParse(text)) throw invalidArgument(`invalid URL ${JSON.stringify(text)}`);
    this.#url = new URL(text);
    this.#url.hash = '';
    if (this.#url.hostname === 'buildkit-session')
      throw new CodedError('unimplemented', 'uploads of the client as http sources are not supported yet', {
        fault: 'user',
      });
    this.#checksum = attrs['http.checksum'] ? parseDigest(attrs['http.checksum']) : undefined;
    if (this.#checksum !== undefined && !this.#checksum.startsWith('sha256:'))
      throw invalidArgument('source attribute http.checksum: only sha256 is supported');
    this.#filename = attrs['http.filename'] ?? '';
    this.#perm = numberAttr(attrs, 'http.perm', 0) ?? 0;
    this.#uid = numberAttr(attrs, 'http.uid') ?? 0;
    this.#gid = numberAttr(attrs, 'http.gid') ?? 0;
    this.#authSecret = attrs['http.authheadersecret'] ?? '';
    if (attrs['http.sig.pubkey'])
      throw new CodedError('unimplemented', 'source attribute http.sig.pubkey is not supported yet', { fault: 'user' });
    this.#headers = Object.entries(attrs)
      .filter(([name]) => name.startsWith('http.header.'))
      .map(([name, Value]) => {
        const header = name.slice('http.header.'.length);
        return { Name: PLAIN_HEADERS.find((one) => one.toLowerCase() === header.toLowerCase()) ?? header, Value };
      })
      .sort((a, b) => (a.Name < b.Name ? -1 : 1));
    for (const { Name, Value } of this.#headers)
      if (!PLAIN_HEADERS.includes(Name) || /[\r\n\0]/.test(Value))
        throw invalidArgument(`source attribute http.header.${Name} is not allowed`);
  }

  async cacheKey(context: OpContext): Promise<SourceKey> {
    if (this.#answer === undefined) {
      if (this.#checksum !== undefined) {
        const filename = fileNameOf(this.#filename, undefined, this.#url.href);
        this.#answer = { filename, digest: this.#checksum, lastModified: undefined };
      } else await (await this.#fetch(context)).release();
    }
    const { filename, digest, lastModified } = this.#answer as Answer;
    const made = {
      Filename: filename,
      Perm: this.#perm,
      UID: this.#uid,
      GID: this.#gid,
      Checksum: digest,
      ...(lastModified === undefined ? {} : { LastModTime: lastModified }),
      ...(this.#authSecret === '' ? {} : { AuthHeaderSecret: this.#authSecret }),
      ...(this.#headers.length === 0 ? {} : { Header: this.#headers }),
    };
    return { key: digestOf(goJson(made)), pin: digest, made };
  }

  async describe(context: OpContext): Promise<SourceDescription> {
    await this.cacheKey(context);
    const { digest, filename, lastModified } = this.#answer as Answer;
    const time = Date.parse(lastModified ?? '');
    return { http: { checksum: digest, filename, ...(Number.isNaN(time) ? {} : { lastModified: time }) } };
  }

  async snapshot(context: OpContext): Promise<ImmutableRef> {
    context.signal.throwIfAborted();
    const keyed = this.#answer;
    const kept = this.#refId === undefined ? undefined : await this.#options.refs.get(this.#refId);
    const ref = kept ?? (await this.#fetch(context));
    const now = this.#answer;
    if (keyed === undefined || (keyed.digest === now?.digest && keyed.filename === now.filename)) return ref;
    this.#answer = keyed;
    this.#refId = undefined;
    await ref.release();
    throw CodedError.of('HTTP_CHECKSUM', `digest mismatch ${now?.digest}: ${keyed.digest} (${this.#shown})`, {
      hint:
        this.#checksum === undefined
          ? 'the file changed during the build: try again'
          : 'the file changed, or the checksum is wrong',
    });
  }

  get #shown(): string {
    return `${this.#url.origin}${this.#url.pathname}`;
  }

  /** Downloads, or finds unchanged. */
  async #fetch(context: OpContext): Promise<ImmutableRef> {
    const { signal, owner, scope } = context;
    const { refs } = this.#options;
    const trust = this.#options.trustOf?.(context.sessions());
    const id = digestOf(
      goJson([
        scope,
        this.#url.href,
        this.#filename,
        this.#perm,
        this.#uid,
        this.#gid,
        this.#authSecret,
        this.#headers,
        // What a server said to one is nothing to who would have asked another.
        ...(trust === undefined ? [] : [trust.id]),
      ]),
    );
    using _turn = await this.#mutex.acquire(id, { signal });
    const known = this.#known.get(id);
    const earlier = known === undefined ? undefined : await refs.get(known.refId);
    let target: MutableRef | undefined;
    try {
      target = await refs.create(undefined, {
        signal,
        owner,
        scope,
        description: `http url ${this.#shown}`,
        recordType: 'regular',
      });
      const result = await this.#download(target, earlier === undefined ? undefined : known?.etag, trust, context);
      if (result.status === 'unchanged') {
        await target.release();
        return this.#accept(known as Known, earlier as ImmutableRef);
      }
      const ref = await target.commit(context);
      await earlier?.release();
      const answer = { filename: result.filename, digest: result.digest, lastModified: result.lastModified };
      if (result.etag !== undefined && this.#checksum === undefined) {
        this.#known.set(id, { ...answer, etag: result.etag, refId: ref.id });
      }
      return this.#accept(answer, ref);
    } catch (error) {
      await target?.release().catch(() => {});
      await earlier?.release().catch(() => {});
      throw error;
    }
  }

  #accept({ filename, digest, lastModified }: Answer, ref: ImmutableRef): ImmutableRef {
    this.#answer = { filename, digest, lastModified };
    this.#refId = ref.id;
    return ref;
  }

  async #download(
    target: MutableRef,
    etag: string | undefined,
    trust: BuildTrust | undefined,
    context: OpContext,
  ): Promise<DownloadResult> {
    const authorization = await this.#authorization(context);
    await using mounted = await target.mount(context);
    const args: DownloadArgs = {
      url: withoutUser(this.#url),
      headers: Object.fromEntries(this.#headers.map(({ Name, Value }) => [Name, Value])),
      directory: mounted.root,
      filename: this.#filename,
      mode: this.#perm === 0 ? 0o600 : this.#perm & 0o7777,
      uid: this.#uid,
      gid: this.#gid,
      proxies: this.#options.proxies ?? DIRECT,
      maxBytes: this.#options.maxBytes ?? 16 * 2 ** 30,
      idleTimeoutMs: this.#options.idleTimeoutMs ?? 60_000,
      ...(authorization === undefined ? {} : { authorization }),
      ...(etag === undefined ? {} : { etag }),
      ...(trust === undefined ? {} : { trust }),
    };
    const started = Date.now();
    return await this.#options.pool.run(task('download'), args, {
      signal: context.signal,
      onMessage: (message) => {
        const { current, total } = message as { current: number; total: number };
        const completed = current === total ? { completed: Date.now() } : {};
        context.progress.status({ id: `download ${this.#shown}`, current, total, started, ...completed });
      },
    });
  }

  async #authorization(context: OpContext): Promise<string | undefined> {
    const { signal } = context;
    const ask = async (id: string) => {
      const value = await this.#options.secrets.secret(id, context.sessions(), { signal });
      return value === undefined ? undefined : Buffer.from(value).toString().trim();
    };
    if (this.#authSecret !== '') {
      const value = await ask(this.#authSecret);
      if (value === undefined)
        throw new CodedError('not_found', `the secret ${this.#authSecret} for ${this.#url.host} is missing`, {
          fault: 'user',
          hint: 'give the build this secret',
        });
      return value;
    }
    const { hostname, username, password } = this.#url;
    const header = await ask(`HTTP_AUTH_HEADER_${hostname}`);
    if (header !== undefined) return header;
    const token = await ask(`HTTP_AUTH_TOKEN_${hostname}`);
    if (token !== undefined) return `Bearer ${token}`;
    if (username === '') return undefined;
    return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
  }
}

function withoutUser(url: URL): string {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return copy.href;
}
