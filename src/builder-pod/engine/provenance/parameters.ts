import { isDeepStrictEqual } from 'node:util';
import { withoutCredentials } from '../../../base/index.ts';
import { parseGitRef } from '../../../dockerfile/index.ts';
import type { Named, Sources } from './capture.ts';

/** Digests by algorithm, in hex. */
export type DigestSet = Readonly<Record<string, string>>;

/** Where what a build was told to do comes from. */
export interface ConfigSource {
  readonly uri?: string;
  readonly digest?: DigestSet;
  readonly path?: string;
}

/** What was asked of a frontend. */
export interface Parameters {
  readonly frontend?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly secrets?: readonly Named[];
  readonly ssh?: readonly Named[];
  readonly locals?: readonly { readonly name: string }[];
  /** By the name of the input that another request has made. */
  readonly inputs?: Readonly<Record<string, RequestFacts>>;
  /** What the client asked for, where that was something else. */
  readonly root?: RequestFacts;
}

export interface RequestFacts {
  readonly configSource: ConfigSource;
  readonly request: Parameters;
}

/** Options that say something of the machine alone, or of attestations. */
const OF_THE_HOST: ReadonlySet<string> = new Set(['cgroup-parent', 'image-resolve-mode', 'platform', 'cache-imports']);

/** The options of a frontend that its provenance tells. */
export function toldArgs(options: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const context = options.get('contextkey') || 'context';
  return Object.fromEntries(
    [...options]
      .filter(([name]) => !OF_THE_HOST.has(name) && !name.startsWith('attest:'))
      .map(([name, value]) => [
        name,
        name === context || name.startsWith('context:') ? withoutCredentials(value) : value,
      ]),
  );
}

/** A request, with its context and file taken out of its options. */
export function requestFacts(
  frontend: string,
  args: Readonly<Record<string, string>>,
  sources: Sources,
  inputs?: Readonly<Record<string, RequestFacts>>,
): RequestFacts {
  const left = { ...args };
  const contextKey = args['contextkey'] || (args['input:context'] ? 'input:context' : 'context');
  const context = left[contextKey];
  const path = left['filename'];
  if (context) delete left[contextKey];
  if (path) delete left['filename'];
  return {
    configSource: {
      ...(context ? contextSource(context, sources) : {}),
      ...(path ? { path } : {}),
    },
    request: {
      ...(frontend === '' ? {} : { frontend }),
      ...(Object.keys(left).length === 0 ? {} : { args: left }),
      ...(inputs === undefined || Object.keys(inputs).length === 0 ? {} : { inputs }),
    },
  };
}

function contextSource(context: string, { git, http }: Sources): ConfigSource {
  const remote = remoteOf(context);
  const commit = git.find(({ url }) => url === (remote?.whole ?? context))?.commit;
  if (commit !== undefined)
    return { uri: withoutCredentials(remote?.withDirectory ?? context), digest: commitDigest(commit) };
  const file = http.find(({ url }) => url === context);
  if (file !== undefined) return { uri: file.url, digest: digestSet(file.digest) };
  return { uri: withoutCredentials(context) };
}

/** A git repository with its ref, as sources name it, and with the directory in it. */
function remoteOf(context: string): { readonly whole: string; readonly withDirectory: string } | undefined {
  let git: ReturnType<typeof parseGitRef>;
  try {
    git = parseGitRef(context);
  } catch {
    // The frontend says what is wrong with it.
  }
  if (git === undefined) return undefined;
  const { remote, ref, subdir } = git;
  const whole = `${remote}${ref === '' ? '' : `#${ref}`}`;
  return { whole, withDirectory: subdir === '' ? whole : `${remote}#${ref}:${subdir}` };
}

export function commitDigest(commit: string): DigestSet {
  return { [commit.length === 64 ? 'sha256' : 'sha1']: commit };
}

export function digestSet(digest: string): DigestSet {
  const at = digest.indexOf(':');
  return { [digest.slice(0, at)]: digest.slice(at + 1) };
}

export function isSameRequest(a: RequestFacts, b: RequestFacts): boolean {
  return isDeepStrictEqual(a, b);
}

/** Without what may hold secrets, or names them. */
export function leastParameters(all: Parameters): { readonly parameters: Parameters; readonly isWhole: boolean } {
  let isWhole = true;
  const least = (request: Parameters): Parameters => {
    const { secrets: _secrets, ssh: _ssh, args = {}, inputs, root, ...rest } = request;
    const kept = Object.entries(args).filter(([name]) => !/^(build-arg|label):/.test(name));
    if (kept.length < Object.keys(args).length) isWhole = false;
    const inner = (facts: RequestFacts): RequestFacts => ({ ...facts, request: least(facts.request) });
    return {
      ...rest,
      ...(kept.length === 0 ? {} : { args: Object.fromEntries(kept) }),
      ...(inputs === undefined
        ? {}
        : { inputs: Object.fromEntries(Object.entries(inputs).map(([name, one]) => [name, inner(one)])) }),
      ...(root === undefined ? {} : { root: inner(root) }),
    };
  };
  return { parameters: least(all), isWhole };
}
