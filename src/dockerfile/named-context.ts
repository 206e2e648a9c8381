import {
  annotate,
  familiarImageName,
  formatImageReference,
  formatPlatform,
  invalidArgument,
  isDigest,
  normalizePlatform,
  type Platform,
  parseImageReference,
  withDefaultTag,
} from '../base/index.ts';
import { http, image as imageSource, lateOutput, local as localSource, type Output, ociLayout } from '../llb/index.ts';
import { type BuildContexts, gitContext, inputsOf, parseIgnoreText, readOptional } from './contexts.ts';
import type { CallOptions, DockerfileClient } from './frontend-interface.ts';
import { type ImageConfig, parseImageConfig } from './image-config.ts';
import { cut, quote } from './text.ts';

/** What a `context:NAME` option puts in place of an image or stage. */
export interface NamedContext {
  readonly name: string;
  readonly value: string;
  readonly platform: Platform | undefined;
  /** Paths of a local directory that stages read, known when all have been dispatched. */
  readonly followPaths: () => readonly string[];
}

interface LoadedContext {
  readonly output: Output | undefined;
  readonly image: ImageConfig | undefined;
}

/** The context that replaces `name`: first the one of the platform, then the general one. */
export function findNamedContext(
  client: DockerfileClient,
  name: string,
  platform: Platform,
  followPaths: () => readonly string[],
): NamedContext | undefined {
  const reserved = name.toLowerCase();
  if (reserved === 'scratch' || reserved === 'context') return undefined;
  const familiar = familiarName(name);
  for (const key of [`${familiar}::${formatPlatform(normalizePlatform(platform))}`, familiar]) {
    const value = client.options.get(`context:${key}`);
    if (value !== undefined) return { name: key, value, platform, followPaths };
  }
  return undefined;
}

function familiarName(name: string): string {
  try {
    return familiarImageName(parseImageReference(name)).replace(/:latest$/, '');
  } catch (error) {
    throw annotate(error, `invalid context name ${name}`);
  }
}

export async function loadNamedContext(
  context: NamedContext,
  client: DockerfileClient,
  contexts: BuildContexts,
  resolveMode: string,
  options: CallOptions,
): Promise<LoadedContext> {
  const { name, value, platform } = context;
  const [scheme, rest] = cut(value, ':');
  if (rest === undefined) throw invalidArgument(`invalid context specifier ${value} for ${name}`);
  const target = rest.startsWith('//') ? rest.slice(2) : rest;
  switch (scheme.startsWith('git@') ? 'git' : scheme) {
    case 'docker-image': {
      if (target === 'scratch') return { output: undefined, image: undefined };
      const reference = formatImageReference(withDefaultTag(parseImageReference(target)));
      const resolved = await client.resolveImageConfig(
        reference,
        {
          ...(platform === undefined ? {} : { platform }),
          resolveMode,
          logName: `[context ${name}] load metadata for ${reference}`,
        },
        options,
      );
      const { output } = imageSource(resolved.reference, {
        ...(platform === undefined ? {} : { platform }),
        name: `[context ${name}] ${target}`,
      });
      return { output, image: parseImageConfig(resolved.config) };
    }
    case 'git': {
      const output = gitContext(value, false, '');
      if (output === undefined) throw invalidArgument(`invalid git context ${value}`);
      return { output, image: undefined };
    }
    case 'http':
    case 'https': {
      const git = gitContext(value, false, '');
      const output = git ?? http(value, { filename: 'context', name: `[context ${name}] ${value}` }).output;
      return { output, image: undefined };
    }
    case 'oci-layout':
      return await loadOciLayout(context, target, client, options);
    case 'local':
      return await loadLocal(context, rest, client, contexts, options);
    case 'input':
      return await loadInput(context, rest, client, options);
    default:
      throw invalidArgument(`unsupported context source ${scheme} for ${name}`);
  }
}

async function loadOciLayout(
  context: NamedContext,
  target: string,
  client: DockerfileClient,
  options: CallOptions,
): Promise<LoadedContext> {
  const { name, platform } = context;
  const [store, digest] = cut(target, '@');
  if (digest === undefined || !isDigest(digest))
    throw invalidArgument(`oci-layout reference ${quote(target)} has no digest`);
  const storeId = store.replace(/:[\w][\w.-]*$/, '');
  // The name shows in messages only; the store finds the content by digest.
  const base = parseImageReference(cut(name, '::')[0]);
  const reference = formatImageReference({ domain: base.domain, path: base.path, digest });
  const location = { sessionId: client.sessionId, storeId };
  const resolved = await client.resolveImageConfig(
    reference,
    {
      ...(platform === undefined ? {} : { platform }),
      resolveMode: '',
      logName: `[context ${name}] load metadata for ${reference}`,
      ociLayout: location,
    },
    options,
  );
  const { output } = ociLayout(reference, {
    ...(platform === undefined ? {} : { platform }),
    ...location,
    name: `[context ${name}] OCI load from client`,
  });
  return { output, image: parseImageConfig(resolved.config) };
}

async function loadLocal(
  context: NamedContext,
  local: string,
  client: DockerfileClient,
  contexts: BuildContexts,
  options: CallOptions,
): Promise<LoadedContext> {
  const { name } = context;
  const ignoreFile = '.dockerignore';
  const sessionId = contexts.sessionOf(local);
  const ignoreSource = localSource(local, {
    sessionId,
    followPaths: [ignoreFile],
    sharedKeyHint: `context:${name}-${ignoreFile}`,
    differ: { type: 'none' },
    name: `[context ${name}] load ${ignoreFile}`,
  }).output;
  const data = await readOptional(await contexts.solve(ignoreSource, options, true), ignoreFile, options);
  const excludePatterns = parseIgnoreText(new TextDecoder().decode(data ?? new Uint8Array()), ignoreFile);
  const sharedKeyHint = `context:${name}-${client.options.get(`sharedkey:localdir:${name}`) ?? ''}`;
  const output = lateOutput(
    () =>
      localSource(local, {
        sessionId,
        sharedKeyHint,
        excludePatterns,
        followPaths: context.followPaths(),
        name: `[context ${name}] load from client`,
      }).output,
  );
  return { output, image: undefined };
}

async function loadInput(
  context: NamedContext,
  input: string,
  client: DockerfileClient,
  options: CallOptions,
): Promise<LoadedContext> {
  const output = (await inputsOf(client, options)).get(input);
  if (output === undefined) throw invalidArgument(`invalid input ${input} for ${context.name}`);
  const metadata = client.options.get(`input-metadata:${input}`);
  if (metadata === undefined) return { output, image: undefined };
  let config: unknown;
  try {
    config = (JSON.parse(metadata) as Record<string, unknown>)['containerimage.config'];
  } catch (error) {
    throw invalidArgument(`failed to parse input metadata ${metadata}`, { cause: error });
  }
  const image = typeof config === 'string' ? parseImageConfig(Buffer.from(config, 'base64')) : undefined;
  return { output, image };
}
