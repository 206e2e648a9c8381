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
  readonly #images = new Map<string, ImageSource>();
  readonly #git = new Map<string, { readonly url: string; readonly commit: string }>();
  readonly #http = new Map<string, { readonly url: string; readonly digest: string }>();
  readonly #locals = new Map<string, string>();
  readonly #secrets = new Map<string, Named>();
  readonly #ssh = new Map<string, Named>();
  /** A step could reach a network. */
  networkAccess = false;
  /** It has a source of which nothing is known. */
  incomplete = false;

  get images(): readonly ImageSource[] {
    return [...this.#images.values()];
  }

  get git(): Sources['git'] {
    return [...this.#git.values()];
  }

  get http(): Sources['http'] {
    return [...this.#http.values()];
  }

  get locals(): readonly string[] {
    return [...this.#locals.values()];
  }

  get secrets(): readonly Named[] {
    return [...this.#secrets.values()];
  }

  get ssh(): readonly Named[] {
    return [...this.#ssh.values()];
  }

  /** Yields after each portion. */
  *merge(other: Capture): Generator<void, void, void> {
    yield* each(other.#images.values(), (image) => this.addImage(image));
    yield* each(other.#git.values(), (git) => addFirst(this.#git, git.url, git));
    yield* each(other.#http.values(), (http) => addFirst(this.#http, http.url, http));
    yield* each(other.#locals.values(), (name) => addFirst(this.#locals, name, name));
    yield* each(other.#secrets.values(), (secret) => addNamed(this.#secrets, secret));
    yield* each(other.#ssh.values(), (ssh) => addNamed(this.#ssh, ssh));
    this.networkAccess ||= other.networkAccess;
    this.incomplete ||= other.incomplete;
  }

  addImage(image: ImageSource): void {
    addFirst(this.#images, JSON.stringify([image.ref, image.local, platformOf(image)]), image);
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
    const named: { readonly key: string; readonly name: string | undefined; readonly pinned: boolean }[] = [];
    yield* each(this.#images, ([key, { ref }]) => {
      const one = parsed(ref);
      named.push({ key, name: nameAndTag(one), pinned: one?.digest !== undefined });
    });
    const tagged = new Set<string | undefined>();
    yield* each(named, ({ name, pinned }) => {
      if (!pinned && name !== undefined) tagged.add(name);
    });
    yield* each(named, ({ key, name, pinned }) => {
      if (pinned && tagged.has(name)) this.#images.delete(key);
    });
    yield* sort(this.#images, ({ ref }) => ref);
    yield* sort(this.#git, ({ url }) => url);
    yield* sort(this.#http, ({ url }) => url);
    yield* sort(this.#locals, (name) => name);
    yield* sort(this.#secrets, ({ id }) => id);
    yield* sort(this.#ssh, ({ id }) => id);
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
        addFirst(this.#git, url, { url, commit: pin ?? '' });
        for (const name of ['git.authtokensecret', 'git.authheadersecret'])
          if (attrs[name]) addNamed(this.#secrets, { id: attrs[name], optional: true });
        if (attrs['git.mountsshsock']) addNamed(this.#ssh, { id: attrs['git.mountsshsock'], optional: true });
        break;
      }
      case 'http':
      case 'https': {
        const url = withoutCredentials(identifier);
        addFirst(this.#http, url, { url, digest: pin ?? '' });
        break;
      }
      case 'local':
        addFirst(this.#locals, rest, rest);
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

/** Whoever is first stays. */
function addFirst<T>(all: Map<string, T>, key: string, one: T): void {
  if (!all.has(key)) all.set(key, one);
}

/** It is required where any user requires it. */
function addNamed(all: Map<string, Named>, { id, optional }: Named): void {
  if (!optional || !all.has(id)) all.set(id, { id, optional });
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

/** Puts a map in the order of its values, those that are equal in the order in which they came: sorts portions and merges them. Yields after each portion. */
function* sort<T>(all: Map<string, T>, keyOf: (one: T) => string): Generator<void, void, void> {
  type Entry = readonly [key: string, value: T, order: string];
  const entries: Entry[] = [];
  yield* each(all, ([key, value]) => void entries.push([key, value, keyOf(value)]));
  let runs: Entry[][] = [];
  for (let at = 0; at < entries.length; at += PORTION) {
    runs.push(entries.slice(at, at + PORTION).sort(([, , a], [, , b]) => (a < b ? -1 : a > b ? 1 : 0)));
    yield;
  }
  while (runs.length > 1) {
    const merged: Entry[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      const both: Entry[] = [];
      yield* each(
        inOrder(runs[at]!, runs[at + 1] ?? [], ([, , order]) => order),
        (one) => void both.push(one),
      );
      merged.push(both);
    }
    runs = merged;
  }
  yield* each(runs[0] ?? [], ([key, value]) => {
    all.delete(key);
    all.set(key, value);
  });
}

function* inOrder<T>(first: readonly T[], second: readonly T[], keyOf: (one: T) => string): Generator<T> {
  let at = 0;
  for (const one of first) {
    while (at < second.length && keyOf(second[at]!) < keyOf(one)) yield second[at++]!;
    yield one;
  }
  yield* second.slice(at);
}
