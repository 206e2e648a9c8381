import {
  formatImageReference,
  formatPlatform,
  type ImageReference,
  type Platform,
  parseImageReference,
} from '../../../base/index.ts';
import type { ExecOp, LlbVertex, SourceOp } from '../../../llb/index.ts';

/** An image that a build has looked up or stands on. */
export interface ImageSource {
  /** As it was asked for. */
  readonly ref: string;
  readonly platform?: Platform | undefined;
  /** Empty where nothing was found out. */
  readonly digest: string;
  /** Of a layout, not of a registry. */
  readonly local: boolean;
}

/** Where a build's files come from. */
export interface Sources {
  readonly images: readonly ImageSource[];
  /** `url` as `https://host/path.git#ref`, without credentials. */
  readonly git: readonly { readonly url: string; readonly commit: string }[];
  readonly http: readonly { readonly url: string; readonly digest: string }[];
  /** Names of the client's directories. */
  readonly locals: readonly string[];
}

export interface Named {
  readonly id: string;
  readonly optional: boolean;
}

/** What a graph stands on, found by walking it. */
export class Capture implements Sources {
  readonly images: ImageSource[] = [];
  readonly git: { url: string; commit: string }[] = [];
  readonly http: { url: string; digest: string }[] = [];
  readonly locals: string[] = [];
  readonly secrets: Named[] = [];
  readonly ssh: Named[] = [];
  /** A step could reach a network. */
  networkAccess = false;
  /** It has a source of which nothing is known. */
  incomplete = false;

  merge(other: Capture): void {
    for (const image of other.images) this.addImage(image);
    for (const git of other.git) this.#addGit(git);
    for (const http of other.http) this.#addHttp(http);
    for (const local of other.locals) this.#addLocal(local);
    for (const secret of other.secrets) addNamed(this.secrets, secret);
    for (const ssh of other.ssh) addNamed(this.ssh, ssh);
    this.networkAccess ||= other.networkAccess;
    this.incomplete ||= other.incomplete;
  }

  addImage(image: ImageSource): void {
    const same = (one: ImageSource) =>
      one.ref === image.ref && one.local === image.local && platformOf(one) === platformOf(image);
    if (!this.images.some(same)) this.images.push(image);
  }

  addVertex({ op: { op, platform } }: LlbVertex, pin: string | undefined): void {
    const { body } = op;
    if (body.kind === 'source') this.#addSource(body.source, pin, platform);
    else if (body.kind === 'exec') this.#addExec(body.exec);
    else if (body.kind === 'build') this.incomplete = true;
  }

  /** An image that is there by its tag is not told once more by its digest; all in the order of their names. */
  finish(): void {
    const tagged = new Set(
      this.images.map(({ ref }) => parsed(ref)).flatMap((one) => (one?.digest ? [] : nameAndTag(one))),
    );
    const kept = this.images.filter(({ ref }) => {
      const one = parsed(ref);
      return one?.digest === undefined || !nameAndTag(one).some((name) => tagged.has(name));
    });
    this.images.splice(0, this.images.length, ...kept.sort(by(({ ref }) => ref)));
    this.git.sort(by(({ url }) => url));
    this.http.sort(by(({ url }) => url));
    this.locals.sort();
    this.secrets.sort(by(({ id }) => id));
    this.ssh.sort(by(({ id }) => id));
  }

  #addSource({ identifier, attrs }: SourceOp, pin: string | undefined, platform: Platform | undefined): void {
    const at = identifier.indexOf('://');
    const scheme = identifier.slice(0, at);
    const rest = identifier.slice(at + 3);
    switch (scheme) {
      case 'docker-image':
      case 'oci-layout':
        this.addImage({ ref: rest, platform, digest: pin ?? '', local: scheme === 'oci-layout' });
        break;
      case 'git':
        this.#addGit({ url: gitUrl(rest, attrs), commit: pin ?? '' });
        for (const name of ['git.authtokensecret', 'git.authheadersecret'])
          if (attrs[name]) addNamed(this.secrets, { id: attrs[name], optional: true });
        if (attrs['git.mountsshsock']) addNamed(this.ssh, { id: attrs['git.mountsshsock'], optional: true });
        break;
      case 'http':
      case 'https':
        this.#addHttp({ url: withoutCredentials(identifier), digest: pin ?? '' });
        break;
      case 'local':
        this.#addLocal(rest);
        break;
      default:
        this.incomplete = true;
    }
    if (pin === undefined && scheme !== 'local') this.incomplete = true;
  }

  #addExec({ mounts, secretEnv, network }: ExecOp): void {
    for (const { type, secret, ssh } of mounts) {
      if (type === 'secret') addNamed(this.secrets, { id: secret?.id ?? '', optional: secret?.optional === true });
      if (type === 'ssh') addNamed(this.ssh, { id: ssh?.id || 'default', optional: ssh?.optional === true });
    }
    for (const { id, optional } of secretEnv) addNamed(this.secrets, { id, optional });
    if (network !== 'none') this.networkAccess = true;
  }

  #addGit(git: { url: string; commit: string }): void {
    if (!this.git.some(({ url }) => url === git.url)) this.git.push(git);
  }

  #addHttp(http: { url: string; digest: string }): void {
    if (!this.http.some(({ url }) => url === http.url)) this.http.push(http);
  }

  #addLocal(name: string): void {
    if (!this.locals.includes(name)) this.locals.push(name);
  }
}

/** What the graph below a vertex stands on. `pinOf` says what a source was resolved to. Yields after each vertex. */
export function* captureGraph(
  root: LlbVertex,
  pinOf: (vertex: LlbVertex) => string | undefined,
): Generator<void, Capture, void> {
  const capture = new Capture();
  const seen = new Set<LlbVertex>([root]);
  // It grows while it is walked.
  for (const vertex of seen) {
    capture.addVertex(vertex, pinOf(vertex));
    for (const input of vertex.inputs) seen.add(input.vertex);
    yield;
  }
  return capture;
}

/** It is required where any user requires it. */
function addNamed(all: Named[], { id, optional }: Named): void {
  const at = all.findIndex((one) => one.id === id);
  if (at < 0) all.push({ id, optional });
  else if (!optional) all[at] = { id, optional };
}

function gitUrl(identifier: string, attrs: Readonly<Record<string, string>>): string {
  const hash = identifier.indexOf('#');
  const [ref = ''] = hash < 0 ? [] : identifier.slice(hash + 1).split(':', 1);
  const remote = attrs['git.fullurl'] || (hash < 0 ? identifier : identifier.slice(0, hash));
  const isTransport = /^(https?|ssh|git):\/\//i.test(remote) || /^[\w-][\w.-]*@[\w.-]+:/.test(remote);
  return withoutCredentials(`${isTransport ? remote : `https://${remote}`}${ref === '' ? '' : `#${ref}`}`);
}

/** With the user and password of a URL masked. */
export function withoutCredentials(text: string): string {
  return text.replace(
    /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/i,
    (_, scheme: string, user: string) =>
      `${scheme}${user.startsWith(':') ? '' : 'xxxxx'}${user.includes(':') ? ':xxxxx' : ''}@`,
  );
}

function parsed(ref: string): ImageReference | undefined {
  try {
    return parseImageReference(ref);
  } catch {
    return undefined;
  }
}

function nameAndTag(image: ImageReference | undefined): readonly string[] {
  if (image === undefined) return [];
  const { digest: _, tag = 'latest', ...name } = image;
  return [formatImageReference({ ...name, tag })];
}

function platformOf({ platform }: ImageSource): string {
  return platform === undefined ? '' : `${formatPlatform(platform)} ${platform['os.version'] ?? ''}`;
}

function by<T>(key: (one: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}
