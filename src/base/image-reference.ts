import { type Digest, isDigest } from './digest.ts';
import { invalidArgument } from './errors.ts';

/** A parsed image name. `domain` may carry a port; `tag` and `digest` may both be there. */
export interface ImageReference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DOMAIN =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

/**
 * Parses `[domain/]path[:tag][@digest]` with the defaults docker.io and library/ (distribution reference grammar).
 * No default tag is added: see {@link withDefaultTag}. @throws CodedError invalid_argument
 */
export function parseImageReference(text: string): ImageReference {
  const fail = (why: string) => invalidArgument(`invalid reference format: ${why} (${JSON.stringify(text)})`);
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    const candidate = rest.slice(at + 1);
    if (!isDigest(candidate)) throw fail('the part after @ is no digest');
    digest = candidate;
    rest = rest.slice(0, at);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    if (!TAG.test(tag)) throw fail(`invalid tag ${JSON.stringify(tag)}`);
    rest = rest.slice(0, colon);
  }
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  let domain = 'docker.io';
  let path = rest;
  if (
    first !== '' &&
    (first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase())
  ) {
    domain = first === 'index.docker.io' ? 'docker.io' : first;
    path = rest.slice(slash + 1);
  }
  if (domain === 'docker.io' && !path.includes('/')) path = `library/${path}`;
  if (!DOMAIN.test(domain)) throw fail(`invalid registry host ${JSON.stringify(domain)}`);
  if (path !== path.toLowerCase()) throw fail(`repository name (${path}) must be lowercase`);
  if (!PATH.test(path)) throw fail(`invalid repository name (${path})`);
  if (path.length > 255) throw fail('the repository name is longer than 255 characters');
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** `latest` where neither tag nor digest is given. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** The full name, e.g. `docker.io/library/busybox:latest`. */
export function formatImageReference(reference: ImageReference): string {
  const { domain, path, tag, digest } = reference;
  return `${domain}/${path}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The name as people write it: without docker.io/ and library/. */
export function familiarImageName(reference: ImageReference): string {
  const full = formatImageReference(reference);
  return full.startsWith('docker.io/library/') ? full.slice(18) : full.startsWith('docker.io/') ? full.slice(10) : full;
}
