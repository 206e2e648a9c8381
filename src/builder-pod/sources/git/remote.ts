import { posix } from 'node:path';
import { CodedError } from '../../../base/index.ts';

/** A repository's address, without user name and password. */
export interface GitRemote {
  /** What git is told: a URL, or `user@host:path`. */
  readonly url: string;
  readonly scheme: 'https' | 'http' | 'ssh' | 'git';
  /** With port. */
  readonly host: string;
  readonly path: string;
  /** `user:password` that an http URL carried; goes into a header and nowhere else. */
  readonly userInfo?: string;
}

/** What tells repositories apart. */
type RepositoryName = Pick<GitRemote, 'host' | 'path'>;

const SCP = /^([A-Za-z0-9_][\w.-]*)@([A-Za-z0-9][A-Za-z0-9.-]*):([^-\s].*)$/;

/** Whether the text says how to reach the repository by itself. */
export function isTransport(text: string): boolean {
  return /^(https?|ssh|git):\/\//i.test(text) || SCP.test(text);
}

/**
 * Takes an address apart, and refuses what could be more than an address: options (`-…`), commands (`ext::…`), local paths.
 * @throws CodedError invalid_argument
 */
export function parseRemote(text: string): GitRemote {
  const refuse = (why: string) => CodedError.of('GIT_URL', `invalid git URL: ${why}`);
  if (/[\u0000-\u0020\u007f]/.test(text)) throw refuse('it has white space or control characters');
  const scp = SCP.exec(text);
  if (scp !== null && !text.includes('://')) {
    const [, user, host, path] = scp as unknown as [string, string, string, string];
    return { url: `${user}@${host}:${path}`, scheme: 'ssh', host, path };
  }
  const scheme = /^(https?|ssh|git):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || !URL.canParse(text))
    throw refuse('expected https://, http://, ssh://, git:// or user@host:path');
  const url = new URL(text);
  url.hash = '';
  const hostname = decodeURIComponent(url.hostname);
  if (hostname === '' || hostname.startsWith('-') || !/^[\w.:[\]-]+$/.test(hostname)) throw refuse('invalid host');
  if (/^-/.test(decode(url.username))) throw refuse('invalid user');
  if (url.pathname.startsWith('/-')) throw refuse('invalid path');
  const common = { scheme: scheme as GitRemote['scheme'], host: url.host, path: decode(url.pathname) };
  if (scheme === 'ssh') return { ...common, url: url.href };
  const userInfo = url.username === '' ? undefined : `${decode(url.username)}:${decode(url.password)}`;
  url.username = '';
  url.password = '';
  return { ...common, url: url.href, ...(userInfo === undefined || scheme === 'git' ? {} : { userInfo }) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether two addresses name the same repository of the same host, however they are written. */
export function sameRepository(a: RepositoryName, b: RepositoryName): boolean {
  const path = (remote: RepositoryName) => posix.join('/', remote.path).replace(/\.git$/, '');
  const host = (remote: RepositoryName) => remote.host.toLowerCase();
  return host(a) === host(b) && path(a) === path(b);
}

/** A branch, tag, full ref or commit, by git's own rules for names (git-check-ref-format). */
export function checkRefName(ref: string): void {
  const bad = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$|\.lock(?:\/|$)|(?:^|\/)\.|^[-/]/;
  if (ref.length > 1000 || bad.test(ref))
    throw CodedError.of('GIT_REF', `invalid git ref ${JSON.stringify(ref.slice(0, 100))}`);
}

/** A directory inside the repository, normalised, '' for all of it. */
export function cleanSubdir(text: string): string {
  if (text.includes('\0')) throw CodedError.of('GIT_SUBDIR', 'invalid git subdirectory');
  const clean = posix.join('/', text).slice(1).replace(/\/$/, '');
  if (clean.split('/').some((part) => part.toLowerCase() === '.git'))
    throw CodedError.of('GIT_SUBDIR', `git subdirectory ${JSON.stringify(text)} lies inside .git`);
  return clean;
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$|^[0-9a-f]{64}$/.test(text);
}

/** What git's failure means, told with the end of what it said. */
export function gitError(what: string, stderr: string): CodedError {
  const said = stderr.trim();
  const end = said.split('\n').slice(-5).join('\n').slice(-1000);
  const message = `${what}: ${end === '' ? 'git failed' : end}`;
  if (
    /could not read (Username|Password)|Authentication failed|Permission denied|HTTP 40[13]|error: 40[13]/i.test(said)
  )
    return CodedError.of('GIT_AUTH', message, {
      hint: 'give the secret GIT_AUTH_TOKEN or GIT_AUTH_HEADER for http, or forward an ssh agent',
    });
  // As git says it with OpenSSL, and with GnuTLS.
  if (/SSL certificate problem|SSL: no alternative certificate|server (certificate )?verification failed/i.test(said))
    return CodedError.of('GIT_CERTIFICATE', message);
  if (/Host key verification failed/i.test(said))
    return CodedError.of('GIT_HOST_KEY', message, {
      hint: "give the host's key in git.knownsshhosts, or in the builder's /etc/ssh/ssh_known_hosts",
    });
  if (/not found|does not (exist|appear)|couldn't find remote ref|not our ref|repository .* not exported/i.test(said))
    return CodedError.of('GIT_NOT_FOUND', message);
  // Addresses come from the repository too: those of its submodules.
  if (/no url found for submodule|remote helper|protocol '.*' is not supported|bad\/illegal format/i.test(said))
    return CodedError.of('GIT_URL', message);
  if (/transport '.*' not allowed/i.test(said)) return CodedError.of('GIT_TRANSPORT', message);
  return CodedError.of('GIT_FAILED', message);
}
