import { invalidArgument } from '../base/index.ts';
import { joinPath } from './paths.ts';
import { cut, parseBoolean, quote } from './text.ts';

/** A git source as Dockerfiles and contexts write it. */
export interface GitRef {
  /** URL without query and fragment. */
  readonly remote: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  /** Commit, tag or branch; empty is the default branch. */
  readonly ref: string;
  readonly checksum: string;
  readonly subdir: string;
  readonly keepGitDir: boolean | undefined;
  readonly submodules: boolean | undefined;
  readonly mtime: '' | 'checkout' | 'commit';
  readonly fetchByCommit: boolean;
  /** Written `github.com/…`, which may as well be a path. */
  readonly maybeLocal: boolean;
}

interface Url {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly remote: string;
  readonly query: URLSearchParams;
  readonly fragment: string;
}

const SCP = /^([a-zA-Z0-9_-]+)@([a-zA-Z0-9.-]+):([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
const SCHEME = /^([a-zA-Z0-9]+):\/\//;

/** Undefined when the text is no git source; @throws CodedError when it is one with a bad query. */
export function parseGitRef(text: string): GitRef | undefined {
  if (text.startsWith('./') || text.startsWith('../')) return undefined;
  const maybeLocal = text.startsWith('github.com/');
  const url = parseUrl(maybeLocal ? `https://${text}` : text);
  if (url === undefined) return undefined;
  if (!maybeLocal && (url.scheme === 'http' || url.scheme === 'https') && !url.path.endsWith('.git')) return undefined;
  const [ref, subdir] = cut(url.fragment, ':');
  return readQuery(url.query, {
    remote: maybeLocal ? url.remote.slice('https://'.length) : url.remote,
    scheme: url.scheme,
    host: url.host,
    path: url.path,
    ref,
    checksum: '',
    subdir: joinPath('/', subdir ?? '').slice(1),
    keepGitDir: undefined,
    submodules: undefined,
    mtime: '',
    fetchByCommit: false,
    maybeLocal,
  });
}

function parseUrl(text: string): Url | undefined {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    const scp = SCP.exec(text);
    if (scp === null) return undefined;
    const [, user, host, path, query, fragment] = scp;
    return {
      scheme: 'ssh',
      host: host!,
      path: path!,
      remote: `${user}@${host}:${path}`,
      query: new URLSearchParams(query ?? ''),
      fragment: fragment ?? '',
    };
  }
  if (!['http', 'https', 'ssh', 'git'].includes(scheme)) return undefined;
  const [beforeFragment, fragment] = cut(text, '#');
  const [remote, query] = cut(beforeFragment, '?');
  const rest = remote.slice(scheme.length + 3);
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  return {
    scheme,
    host: authority.slice(authority.lastIndexOf('@') + 1),
    path: slash < 0 ? '' : rest.slice(slash),
    remote: scheme + remote.slice(scheme.length),
    query: new URLSearchParams(query ?? ''),
    fragment: decode(fragment ?? ''),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readQuery(query: URLSearchParams, initial: GitRef): GitRef {
  let git: GitRef = initial;
  let tag = '';
  let branch = '';
  const agree = (what: string, old: string, value: string): string => {
    if (old !== '' && old !== value) throw invalidArgument(`${what} conflicts: ${quote(old)} vs ${quote(value)}`);
    return value;
  };
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key);
    if (values.length > 1) throw invalidArgument(`query ${quote(key)} has multiple values`);
    const value = values[0]!;
    const flag = (): boolean => {
      const parsed = value === '' ? true : parseBoolean(value);
      if (parsed === undefined) throw invalidArgument(`invalid ${key} value: ${quote(value)}`);
      return parsed;
    };
    if (value === '' && !['submodules', 'keep-git-dir', 'fetch-by-commit'].includes(key))
      throw invalidArgument(`query ${quote(key)} has no value`);
    switch (key) {
      case 'ref':
        git = { ...git, ref: agree('ref', git.ref, value) };
        break;
      case 'tag':
        tag = value.startsWith('refs/tags/') ? value : `refs/tags/${value}`;
        break;
      case 'branch':
        branch = value.startsWith('refs/heads/') ? value : `refs/heads/${value}`;
        break;
      case 'subdir':
        git = { ...git, subdir: agree('subdir', git.subdir, value) };
        break;
      case 'checksum':
      case 'commit':
        git = { ...git, checksum: value };
        break;
      case 'keep-git-dir':
        git = { ...git, keepGitDir: flag() };
        break;
      case 'submodules':
        git = { ...git, submodules: flag() };
        break;
      case 'fetch-by-commit':
        git = { ...git, fetchByCommit: flag() };
        break;
      case 'mtime':
        if (value !== 'checkout' && value !== 'commit')
          throw invalidArgument(`invalid mtime value: ${quote(value)} (must be "checkout" or "commit")`);
        git = { ...git, mtime: value };
        break;
      default:
        throw invalidArgument(`unexpected query ${quote(key)}`);
    }
  }
  if (tag !== '' && branch !== '') throw invalidArgument('branch conflicts with tag');
  const named = tag || branch;
  return named === '' ? git : { ...git, ref: agree('ref', git.ref, named) };
}
