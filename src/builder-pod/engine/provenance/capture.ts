import {
  formatImageReference,
  formatPlatform,
  type ImageReference,
  LargeMap,
  type Platform,
  parseImageReference,
  withoutCredentials,
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

/** Entries of one vertex, or of another capture, that are added in one step. */
const PORTION = 250;

/** What a graph stands on, found by walking it. */
export class Capture implements Sources {
  readonly #images = new Entries<ImageSource>();
  readonly #git = new Entries<Sources['git'][number]>();
  readonly #http = new Entries<Sources['http'][number]>();
  readonly #locals = new Entries<string>();
  readonly #secrets = new Entries<Named>();
  readonly #ssh = new Entries<Named>();
  /** A step could reach a network. */
  networkAccess = false;
  /** It has a source of which nothing is known. */
  incomplete = false;

  get images(): readonly ImageSource[] {
    return this.#images.list;
  }

  get git(): Sources['git'] {
    return this.#git.list;
  }

  get http(): Sources['http'] {
    return this.#http.list;
  }

  get locals(): readonly string[] {
    return this.#locals.list;
  }

  get secrets(): readonly Named[] {
    return this.#secrets.list;
  }

  get ssh(): readonly Named[] {
    return this.#ssh.list;
  }

  /** Yields after each portion. */
  *merge(other: Capture): Generator<void, void, void> {
    yield* each(other.#images.list, (image) => this.addImage(image));
    yield* each(other.#git.list, (git) => this.#git.add(git.url, git));
    yield* each(other.#http.list, (http) => this.#http.add(http.url, http));
    yield* each(other.#locals.list, (name) => this.#locals.add(name, name));
    yield* each(other.#secrets.list, (secret) => addNamed(this.#secrets, secret));
    yield* each(other.#ssh.list, (ssh) => addNamed(this.#ssh, ssh));
    this.networkAccess ||= other.networkAccess;
    this.incomplete ||= other.incomplete;
  }

  addImage(image: ImageSource): void {
    this.#images.add(JSON.stringify([image.ref, image.local, platformOf(image)]), image);
  }

  /** Yields after each portion. */
  *addVertex({ op: { op, platform } }: LlbVertex, pin: string | undefined): Generator<void, void, void> {
    const { body } = op;
    if (body.kind === 'source') this.#addSource(body.source, pin, platform);
    else if (body.kind === 'exec') yield* this.#addExec(body.exec);
    else if (body.kind === 'build') this.incomplete = true;
  }

  /** An image that is there by its tag is not told once more by its digest; all in the order of their names. Yields after each portion. */
  *finish(): Generator<void, void, void> {
    const named: { readonly image: ImageSource; readonly name: string | undefined; readonly pinned: boolean }[] = [];
    yield* each(this.#images.list, (image) => {
      const one = parsed(image.ref);
      named.push({ image, name: nameAndTag(one), pinned: one?.digest !== undefined });
    });
    const tagged = LargeMap.byText<string, true>();
    yield* each(named, ({ name, pinned }) => {
      if (!pinned && name !== undefined) tagged.set(name, true);
    });
    const left: ImageSource[] = [];
    yield* each(named, ({ image, name, pinned }) => {
      if (!pinned || name === undefined || !tagged.has(name)) left.push(image);
    });
    yield* this.#images.sort(({ ref }) => ref, left);
    yield* this.#git.sort(({ url }) => url);
    yield* this.#http.sort(({ url }) => url);
    yield* this.#locals.sort((name) => name);
    yield* this.#secrets.sort(({ id }) => id);
    yield* this.#ssh.sort(({ id }) => id);
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
      case 'git': {
        const url = gitUrl(rest, attrs);
        this.#git.add(url, { url, commit: pin ?? '' });
        for (const name of ['git.authtokensecret', 'git.authheadersecret'])
          if (attrs[name]) addNamed(this.#secrets, { id: attrs[name], optional: true });
        if (attrs['git.mountsshsock']) addNamed(this.#ssh, { id: attrs['git.mountsshsock'], optional: true });
        break;
      }
      case 'http':
      case 'https': {
        const url = withoutCredentials(identifier);
        this.#http.add(url, { url, digest: pin ?? '' });
        break;
      }
      case 'local':
        this.#locals.add(rest, rest);
        break;
      default:
        this.incomplete = true;
    }
    if (pin === undefined && scheme !== 'local') this.incomplete = true;
  }

  *#addExec({ mounts, secretEnv, network }: ExecOp): Generator<void, void, void> {
    yield* each(mounts, ({ type, secret, ssh }) => {
      if (type === 'secret') addNamed(this.#secrets, { id: secret?.id ?? '', optional: secret?.optional === true });
      if (type === 'ssh') addNamed(this.#ssh, { id: ssh?.id || 'default', optional: ssh?.optional === true });
    });
    yield* each(secretEnv, ({ id, optional }) => addNamed(this.#secrets, { id, optional }));
    if (network !== 'none') this.networkAccess = true;
  }
}

/** What the graph below a vertex stands on. `pinOf` says what a source was resolved to. Yields after each vertex, and of large ones after each portion. */
export function* captureGraph(
  root: LlbVertex,
  pinOf: (vertex: LlbVertex) => string | undefined,
): Generator<void, Capture, void> {
  const capture = new Capture();
  const seen = LargeMap.by<LlbVertex, true>(({ digest }) => digest).set(root, true);
  const all = [root];
  // It grows while it is walked.
  for (const vertex of all) {
    yield* capture.addVertex(vertex, pinOf(vertex));
    for (const [at, { vertex: input }] of vertex.inputs.entries()) {
      if (!seen.has(input)) all.push(input);
      seen.set(input, true);
      if ((at + 1) % PORTION === 0) yield;
    }
    yield;
  }
  return capture;
}

/** Things of one kind by what they are called, in the order in which they came until they are sorted. */
class Entries<T> {
  readonly #places = LargeMap.byText<string, number>();
  #list: T[] = [];

  get list(): readonly T[] {
    return this.#list;
  }

  /** Whoever is first stays. */
  add(name: string, one: T): void {
    if (!this.#places.has(name)) this.put(name, one);
  }

  put(name: string, one: T): void {
    const place = this.#places.get(name) ?? this.#list.length;
    this.#places.set(name, place);
    this.#list[place] = one;
  }

  /** When all of them are there: those that are left, in their order. Yields after each portion. */
  *sort(orderOf: (one: T) => string, left: readonly T[] = this.#list): Generator<void, void, void> {
    this.#list = yield* sorted(left, orderOf);
  }
}

/** It is required where any user requires it. */
function addNamed(all: Entries<Named>, { id, optional }: Named): void {
  if (optional) all.add(id, { id, optional });
  else all.put(id, { id, optional });
}

/** Yields after each portion. */
function* each<T>(all: Iterable<T>, take: (one: T) => void): Generator<void, void, void> {
  let taken = 0;
  for (const one of all) {
    take(one);
    if (++taken % PORTION === 0) yield;
  }
}

function gitUrl(identifier: string, attrs: Readonly<Record<string, string>>): string {
  const hash = identifier.indexOf('#');
  const [ref = ''] = hash < 0 ? [] : identifier.slice(hash + 1).split(':', 1);
  const remote = attrs['git.fullurl'] || (hash < 0 ? identifier : identifier.slice(0, hash));
  const isTransport = /^(https?|ssh|git):\/\//i.test(remote) || /^[\w-][\w.-]*@[\w.-]+:/.test(remote);
  return withoutCredentials(`${isTransport ? remote : `https://${remote}`}${ref === '' ? '' : `#${ref}`}`);
}

function parsed(ref: string): ImageReference | undefined {
  try {
    return parseImageReference(ref);
  } catch {
    return undefined;
  }
}

function nameAndTag(image: ImageReference | undefined): string | undefined {
  if (image === undefined) return undefined;
  const { digest: _, tag = 'latest', ...name } = image;
  return formatImageReference({ ...name, tag });
}

function platformOf({ platform }: ImageSource): string {
  return platform === undefined ? '' : `${formatPlatform(platform)} ${platform['os.version'] ?? ''}`;
}

/** In their order, those that are equal in the order in which they came: sorts portions and merges them. Yields after each portion. */
function* sorted<T>(all: readonly T[], orderOf: (one: T) => string): Generator<void, T[], void> {
  let runs: T[][] = [];
  for (let at = 0; at < all.length; at += PORTION) {
    const run = all.slice(at, at + PORTION);
    runs.push(run.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : orderOf(a) > orderOf(b) ? 1 : 0)));
    yield;
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      const both: T[] = [];
      yield* each(inOrder(runs[at]!, runs[at + 1] ?? [], orderOf), (one) => void both.push(one));
      merged.push(both);
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* inOrder<T>(first: readonly T[], second: readonly T[], keyOf: (one: T) => string): Generator<T> {
  let at = 0;
  for (const one of first) {
    while (at < second.length && keyOf(second[at]!) < keyOf(one)) yield second[at++]!;
    yield one;
  }
  yield* second.slice(at);
}
