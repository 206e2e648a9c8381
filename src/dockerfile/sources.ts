import { posix } from 'node:path';
import { goJson, type Platform } from '../base/index.ts';
import type { GitRef } from './git-ref.ts';
import { type Output, outputOf, type VertexNotes } from './graph.ts';
import { joinPath } from './paths.ts';

/** A source op with the capabilities that its attributes need. */
function source(
  identifier: string,
  attrs: Readonly<Record<string, string>>,
  caps: readonly string[],
  notes: VertexNotes,
  platform: Platform | 'none' = 'none',
): Output {
  return outputOf({
    inputs: [],
    platform,
    notes: { ...notes, caps },
    body: () => ({ kind: 'source', source: { identifier, attrs } }),
  });
}

/** `docker-image://` */
export function imageSource(
  reference: string,
  platform: Platform | undefined,
  resolveMode: string,
  notes: VertexNotes,
): Output {
  const caps = resolveMode === 'pull' ? ['source.image', 'source.image.resolvemode'] : ['source.image'];
  const attrs: Record<string, string> = resolveMode === 'default' ? {} : { 'image.resolvemode': resolveMode };
  return outputOf({
    inputs: [],
    platform,
    notes: { ...notes, caps },
    body: () => ({ kind: 'source', source: { identifier: `docker-image://${reference}`, attrs } }),
  });
}

/** `oci-layout://`: an image in a content store of the client. */
export function ociLayoutSource(
  reference: string,
  platform: Platform | undefined,
  store: { readonly sessionId: string; readonly storeId: string },
  notes: VertexNotes,
): Output {
  const attrs = { 'oci.session': store.sessionId, 'oci.store': store.storeId };
  return outputOf({
    inputs: [],
    platform,
    notes: { ...notes, caps: ['source.ocilayout'] },
    body: () => ({ kind: 'source', source: { identifier: `oci-layout://${reference}`, attrs } }),
  });
}

export interface LocalOptions {
  readonly sessionId: string;
  readonly sharedKeyHint: string;
  readonly followPaths?: readonly string[];
  readonly excludePatterns?: readonly string[];
  /** Compare nothing with what was sent before: worth it for a file or two. */
  readonly sendAlways?: boolean;
}

/** `local://`: a directory of the client. */
export function localSource(name: string, options: LocalOptions, notes: VertexNotes): Output {
  const attrs: Record<string, string> = {};
  const caps = ['source.local'];
  if (options.sessionId !== '') {
    attrs['local.session'] = options.sessionId;
    caps.push('source.local.sessionid');
  }
  if (options.followPaths !== undefined && options.followPaths.length > 0) {
    attrs['local.followpaths'] = goJson(options.followPaths);
    caps.push('source.local.followpaths');
  }
  if (options.excludePatterns !== undefined && options.excludePatterns.length > 0) {
    attrs['local.excludepatterns'] = goJson(options.excludePatterns);
    caps.push('source.local.excludepatterns');
  }
  if (options.sharedKeyHint !== '') {
    attrs['local.sharedkeyhint'] = options.sharedKeyHint;
    caps.push('source.local.sharedkeyhint');
  }
  if (options.sendAlways) attrs['local.differ'] = 'none';
  return source(`local://${name}`, attrs, caps, notes);
}

/** One file, named `filename` in the result. */
export function httpSource(url: string, filename: string, checksum: string, notes: VertexNotes): Output {
  const attrs: Record<string, string> = { 'http.filename': filename };
  const caps = ['source.http'];
  if (checksum !== '') {
    attrs['http.checksum'] = checksum;
    caps.push('source.http.checksum');
  }
  return source(url, attrs, caps, notes);
}

/** The last path segment of a URL, or a stand-in. */
export function httpFilename(url: string): string {
  try {
    const base = posix.basename(decodeURIComponent(new URL(url).pathname));
    return base === '' || base === '.' || base === '/' ? '__unnamed__' : base;
  } catch {
    return '__unnamed__';
  }
}

export interface GitOptions {
  readonly keepGitDir: boolean;
  readonly checksum: string;
  readonly mtime: string;
}

/** A git checkout. The identifier leaves the protocol out, so that one repository has one cache entry however it is reached. */
export function gitSource(git: GitRef, options: GitOptions, notes: VertexNotes): Output {
  const attrs: Record<string, string> = {};
  const caps = ['source.git', 'source.git.fullurl'];
  const set = (attribute: string, value: string, cap: string) => {
    attrs[attribute] = value;
    caps.push(cap);
  };
  if (options.keepGitDir) set('git.keepgitdir', 'true', 'source.git.keepgitdir');
  attrs['git.fullurl'] = git.maybeLocal ? `https://${git.remote}` : git.remote;
  attrs['git.authtokensecret'] = 'GIT_AUTH_TOKEN';
  attrs['git.authheadersecret'] = 'GIT_AUTH_HEADER';
  if (git.scheme === 'ssh') {
    caps.push('source.git.knownsshhosts');
    set('git.mountsshsock', 'default', 'source.git.mountsshsock');
  }
  if (options.checksum !== '') set('git.checksum', options.checksum, 'source.git.checksum');
  if (git.submodules === false) set('git.skipsubmodules', 'true', 'source.git.skipsubmodules');
  if (options.mtime !== '') set('git.mtime', options.mtime, 'source.git.mtime');
  if (git.fetchByCommit) set('git.fetchbycommit', 'true', 'source.git.fetchbycommit');
  let identifier = `git://${git.host}${joinPath('/', git.path)}`;
  if (git.ref !== '' || git.subdir !== '') identifier += `#${git.ref}${git.subdir === '' ? '' : `:${git.subdir}`}`;
  return source(identifier, attrs, caps, notes);
}
