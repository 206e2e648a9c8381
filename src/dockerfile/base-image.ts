import {
  annotate,
  type CodedError,
  formatImageReference,
  formatPlatform,
  type Platform,
  parseImageReference,
  restated,
  withDefaultTag,
} from '../base/index.ts';
import { image as imageSource, type SourceInfo } from '../llb/index.ts';
import type { BuildContexts } from './contexts.ts';
import type { CallOptions, DockerfileClient } from './frontend-interface.ts';
import { cloneImageConfig, emptyImageConfig, parseImageConfig, platformOfImage } from './image-config.ts';
import type { Linter } from './lint.ts';
import { located, placeIn } from './location.ts';
import { findNamedContext, loadNamedContext } from './named-context.ts';
import { COMMAND, stepName } from './names.ts';
import type { BuildOptions } from './options.ts';
import { checkImagePlatform } from './stage-lint.ts';
import { followPaths, type StageState } from './stage-state.ts';
import { didYouMean } from './suggest.ts';

interface BaseImageContext {
  readonly client: DockerfileClient;
  readonly source: SourceInfo;
  readonly contexts: BuildContexts;
  readonly options: BuildOptions;
  readonly targetPlatform: Platform;
  /** Nobody asked for a platform: a base of another one may decide. */
  readonly implicitTarget: boolean;
  readonly lint: Linter;
  readonly stageNames: () => readonly string[];
}

const COMMON_IMAGES = ['alpine', 'busybox', 'centos', 'debian', 'golang', 'ubuntu', 'fedora'];

/** Gives a stage that builds on no other stage its file system and config: from an image, a named context, or nothing. */
export async function resolveBase(state: StageState, context: BaseImageContext, call: CallOptions): Promise<void> {
  try {
    if (state.baseName === 'scratch' && state.namedContext === undefined) {
      state.image = emptyImageConfig(context.targetPlatform);
      state.platform = context.targetPlatform;
    } else await resolveImage(state, context, call);
  } catch (error) {
    throw located(error, state.stage.location);
  } finally {
    if (state.unregistered) state.dispatched = true;
  }
}

async function resolveImage(state: StageState, context: BaseImageContext, call: CallOptions): Promise<void> {
  const { client, contexts, options } = context;
  const original = state.baseName;
  let platform = state.platform ?? context.targetPlatform;
  const parsed = parseBaseName(original);
  const name = formatImageReference(withDefaultTag(parsed));
  state.baseName = name;
  if (state.namedContext !== undefined) {
    const loaded = await loadNamedContext(state.namedContext, client, contexts, options.resolveMode, call);
    state.dispatched = true;
    state.output = loaded.output;
    if (loaded.image !== undefined) {
      state.image = loaded.image;
      state.platform = platformOfImage(loaded.image) ?? state.platform;
      state.statePlatform = state.platform;
    }
    return;
  }
  const named = findNamedContext(client, name, platform, () => followPaths(state.paths));
  if (named !== undefined) {
    const loaded = await loadNamedContext(named, client, contexts, options.resolveMode, call);
    state.image = loaded.image ?? emptyImageConfig(platform);
    state.baseImage = cloneImageConfig(state.image);
    state.output = loaded.output;
    state.platform = platform;
    state.statePlatform = platform;
    return;
  }
  const multi = options.multiPlatform ? `${formatPlatform(platform)} ` : '';
  const logName = `[${multi}internal] load metadata for ${name}`;
  const resolved = await client
    .resolveImageConfig(name, { platform, resolveMode: options.resolveMode, logName }, call)
    .catch((error: unknown) => {
      throw withSuggestion(error, original, context.stageNames());
    });
  const image = parseImageConfig(resolved.config);
  state.baseImage = cloneImageConfig(image);
  state.image = image;
  if (state.platform === undefined && context.implicitTarget) platform = detected(image, platform, client);
  const reference = resolved.reference === '' ? parsed : parseImageReference(resolved.reference);
  state.baseName = formatImageReference({
    ...withDefaultTag(reference.tag === undefined && reference.digest === undefined ? parsed : reference),
    ...(resolved.digest === '' ? {} : { digest: resolved.digest }),
  });
  state.platform = platform;
  const isEmpty = image.diffIds.length === 0 && [...image.history].every((entry) => entry.empty_layer === true);
  if (isEmpty) return;
  state.output = imageSource(state.baseName, {
    platform,
    resolveMode: options.resolveMode,
    name: stepName(state, `FROM ${state.baseName}`, platform, {
      onBuild: false,
      multiPlatform: options.multiPlatform,
    }),
    description: { [COMMAND]: state.stage.code },
    locations: placeIn(context.source, state.stage.location),
  }).output;
  state.statePlatform = platform;
  checkImagePlatform(original, platform, image, state.stage.location, context.lint);
}

function parseBaseName(name: string): ReturnType<typeof parseImageReference> {
  try {
    return parseImageReference(name);
  } catch (error) {
    throw annotate(error, `failed to parse stage name ${JSON.stringify(name)}`);
  }
}

/** Another platform that the image has and the builder can run, when nobody asked for one. */
function detected(image: { os: string; architecture: string }, wanted: Platform, client: DockerfileClient): Platform {
  if (wanted.os === image.os && wanted.architecture === image.architecture) return wanted;
  return (
    client.buildPlatforms.find(({ os, architecture }) => os === image.os && architecture === image.architecture) ??
    wanted
  );
}

function withSuggestion(error: unknown, name: string, stageNames: readonly string[]): CodedError {
  const annotated = annotate(error, name);
  const hint = didYouMean(name, [...stageNames, ...COMMON_IMAGES.flatMap((image) => [image, `${image}:latest`])]);
  if (hint === '') return annotated;
  return restated(error, { message: annotated.message + hint });
}
