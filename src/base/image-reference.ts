import { type Digest, parseDigest } from './digest.ts';
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
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const MAX_PATH = 255;

/**
 * Parses `[domain/]path[:tag][@digest]` with the defaults docker.io and library/ (distribution reference grammar), and refuses in that library's words: the hint
 * says more. No default tag is added: see {@link withDefaultTag}. @throws CodedError invalid_argument
 */
export function parseImageReference(text: string): ImageReference {
  const fail = (message: string, why: string) =>
    invalidArgument(message, { hint: `${JSON.stringify(text)} is no image name: ${why}` });
  const malformed = (why: string) => fail('invalid reference format', why);
  if (/^[0-9a-f]{64}$/.test(text))
    throw fail(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
      'it reads as the id of an image',
    );
  const { domain, remainder } = splitDomain(text);
  const name = remainder.split(':', 1)[0] as string;
  if (name !== name.toLowerCase())
    throw fail(
      `invalid reference format: repository name (${name}) must be lowercase`,
      'upper case is for tags and registry hosts',
    );
  let path = remainder;
  let digest: string | undefined;
  const at = path.indexOf('@');
  if (at >= 0) {
    digest = path.slice(at + 1);
    if (!DIGEST.test(digest)) throw malformed('the part after @ is no digest');
    path = path.slice(0, at);
  }
  let tag: string | undefined;
  const colon = path.lastIndexOf(':');
  if (colon > path.lastIndexOf('/')) {
    tag = path.slice(colon + 1);
    if (!TAG.test(tag)) throw malformed(`${JSON.stringify(tag)} is no tag`);
    path = path.slice(0, colon);
  }
  if (!DOMAIN.test(domain)) throw malformed(`${JSON.stringify(domain)} is no registry host`);
  if (!PATH.test(path)) throw malformed(`${JSON.stringify(path)} is no name of a repository`);
  if (path.length > MAX_PATH)
    throw fail(`repository name must not be more than ${MAX_PATH} characters`, `it has ${path.length}`);
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: parseDigest(digest) }),
  };
}

/** The registry's host with its default, and what follows it. */
function splitDomain(text: string): { readonly domain: string; readonly remainder: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isHost =
    slash >= 0 &&
    (first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase());
  const domain = !isHost || first === 'index.docker.io' ? 'docker.io' : first;
  const remainder = isHost ? text.slice(slash + 1) : text;
  return { domain, remainder: domain === 'docker.io' && !remainder.includes('/') ? `library/${remainder}` : remainder };
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
