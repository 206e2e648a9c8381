import {
  CodedError,
  formatPlatform,
  hostPlatform,
  imagePackageUrl,
  LargeMap,
  type Platform,
  parseImageReference,
  withDefaultTag,
  withoutCredentials,
} from '../../../base/index.ts';
import { encodeDefinition } from '../../../llb/index.ts';
import type { BridgeResult } from '../../frontends/index.ts';
import { sourcePin } from '../../sources/index.ts';
import type { Build } from '../build.ts';
import type { BuildRef } from '../build-ref.ts';
import { type Capture, captureGraph, type ImageSource, type Sources } from './capture.ts';
import type { ProvenanceOptions } from './options.ts';
import { commitDigest, digestSet, leastParameters, type Parameters, type RequestFacts } from './parameters.ts';
import type { PredicateFacts, StepLayers } from './predicate-facts.ts';

export interface ListedPlatform {
  readonly id: string;
  readonly platform: Platform;
}

/** What the provenance of one part of a result tells. */
export interface CapturedPart {
  /** Empty for a result that is no map. */
  readonly id: string;
  readonly ref: BuildRef;
  readonly capture: Capture;
  /** What its frontend was asked; undefined where there is none. */
  readonly request: RequestFacts | undefined;
  /** What the client asked for, where that was something else. */
  readonly root: RequestFacts | undefined;
  readonly targetPlatform: string | undefined;
}

/**
 * What each part of a result stands on, read while the graph is held: the sources that it was made of, and those of graphs that its frontend looked at on the
 * way. Yields after each vertex.
 */
export function* captureResult(
  build: Build,
  result: BridgeResult,
  platforms: readonly ListedPlatform[],
): Generator<void, readonly CapturedPart[], void> {
  const pins = LargeMap.byText<string, string>();
  for (const { state, op } of build.job.loaded()) {
    const pin = op === undefined ? undefined : sourcePin(op);
    if (pin !== undefined) pins.set(state.digest, pin);
    yield;
  }
  const captures = new Map<BuildRef, Capture>();
  const parts = [...(result.refs ?? [['', result.ref]])].flatMap(([id, one]) => {
    const ref = one === undefined ? undefined : build.find(one.id);
    return ref === undefined ? [] : [{ id, ref }];
  });
  const told = new Set(parts.map(({ ref }) => ref));
  for (const all of result.attestations?.values() ?? [])
    for (const { ref } of all) {
      const found = ref === undefined ? undefined : build.find(ref.id);
      if (found !== undefined) told.add(found);
    }
  const captured: CapturedPart[] = [];
  for (const { id, ref } of parts) {
    const scope = build.scopeOf(ref);
    const capture = yield* captureGraph(ref.edge.vertex, ({ digest }) => pins.get(digest));
    const root = scope.fromRoot(capture);
    const images: ImageSource[] = [];
    for (const inner of scope.all()) {
      images.push(...inner.images);
      for (const other of inner.refs) {
        if (told.has(other) || !other.evaluated) continue;
        let own = captures.get(other);
        if (own === undefined) {
          own = yield* captureGraph(other.edge.vertex, ({ digest }) => pins.get(digest));
          captures.set(other, own);
        }
        yield* capture.merge(own);
      }
    }
    for (const image of id === '' ? images : ofPlatform(id, images, platforms)) {
      capture.addImage(image);
      yield;
    }
    yield* capture.finish();
    const target = platforms.find((one) => one.id === id || (id === '' && platforms.length === 1));
    captured.push({
      ...{ id, ref, capture, root, request: scope.own(capture) },
      targetPlatform: target === undefined ? undefined : formatPlatform(target.platform),
    });
  }
  return captured;
}

/** Of images that were looked up for all platforms, those of this one. */
function ofPlatform(
  id: string,
  images: readonly ImageSource[],
  platforms: readonly ListedPlatform[],
): readonly ImageSource[] {
  const names = platforms.map(({ platform }) => formatPlatform(platform));
  const current = platforms.find((one) => one.id === id)?.platform;
  const there = new Map<string, Set<string>>();
  for (const { ref, platform } of images) {
    if (!there.has(ref)) there.set(ref, new Set());
    if (platform !== undefined) there.get(ref)!.add(formatPlatform(platform));
  }
  return images.filter(({ ref, platform }) => {
    if (platform === undefined || !names.every((name) => there.get(ref)!.has(name))) return true;
    return platform.os === current?.os && platform.architecture === current.architecture;
  });
}

export interface BuildTimes {
  readonly invocationId: string;
  /** In ms since the epoch. */
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** The predicate of a part, as far as it is known here; a worker reads the graph. @throws CodedError where materials are to be whole and are not */
export function predicateFacts(
  { ref, capture, request, root, targetPlatform }: CapturedPart,
  options: Pick<ProvenanceOptions, 'version' | 'mode' | 'builderId' | 'reproducible' | 'completeMaterials'>,
  times: BuildTimes,
  layers: readonly StepLayers[] = [],
): PredicateFacts {
  const areMaterialsWhole = !capture.incomplete && capture.locals.length === 0;
  if (options.completeMaterials && !areMaterialsWhole) throw incompleteMaterials(capture);
  const own: Parameters = request?.request ?? {};
  const { vcs, args } = splitVcs(own.args ?? {});
  const whole: Parameters = {
    ...own,
    args,
    secrets: capture.secrets,
    ssh: capture.ssh,
    ...(capture.locals.length === 0 ? {} : { locals: capture.locals.map((name) => ({ name })) }),
    ...(root === undefined ? {} : { root }),
  };
  const isMax = options.mode === 'max';
  const { parameters, isWhole } = isMax ? { parameters: whole, isWhole: true } : leastParameters(whole);
  return {
    version: options.version,
    builderId: options.builderId,
    invocationId: times.invocationId,
    startedOn: new Date(times.startedAt).toISOString(),
    finishedOn: new Date(times.finishedAt).toISOString(),
    reproducible: options.reproducible,
    configSource: request?.configSource ?? {},
    request: withoutEmptyArgs(parameters),
    materials: materialsOf(capture),
    builderPlatform: formatPlatform(hostPlatform()),
    targetPlatform,
    ...(Object.keys(vcs).length === 0 ? {} : { vcs }),
    isRequestWhole: isWhole && (own.frontend ?? '') !== '',
    areMaterialsWhole,
    isHermetic: areMaterialsWhole && !capture.networkAccess,
    ...(isMax ? { definition: ref.definition ?? encodeDefinition(ref.graph), layers } : {}),
  };
}

function withoutEmptyArgs({ args, ...parameters }: Parameters): Parameters {
  return args === undefined || Object.keys(args).length === 0 ? parameters : { ...parameters, args };
}

/** What clients say of the repository that they build from is no parameter. */
function splitVcs(all: Readonly<Record<string, string>>) {
  const vcs: Record<string, string> = {};
  const args: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) {
    if (!name.startsWith('vcs:')) args[name] = value;
    else if (value !== '') vcs[name.slice('vcs:'.length)] = name === 'vcs:source' ? withoutCredentials(value) : value;
  }
  return { vcs, args };
}

function materialsOf({ images, git, http }: Sources): PredicateFacts['materials'] {
  return [
    ...images.flatMap((image) => {
      const uri = imageUri(image);
      if (uri === undefined) return [];
      return [{ uri, ...(image.digest === '' ? {} : { digest: digestSet(image.digest) }) }];
    }),
    ...git.map(({ url, commit }) => ({ uri: url, ...(commit === '' ? {} : { digest: commitDigest(commit) }) })),
    ...http.map(({ url, digest }) => ({ uri: url, ...(digest === '' ? {} : { digest: digestSet(digest) }) })),
  ];
}

function imageUri({ ref, platform, local }: ImageSource): string | undefined {
  try {
    return imagePackageUrl(local ? 'oci' : 'docker', withDefaultTag(parseImageReference(ref)), platform);
  } catch {
    return undefined;
  }
}

function incompleteMaterials({ locals }: Capture): CodedError {
  const what = locals.map((name) => `\n  - ${name || '<unnamed>'}\n    reason: local_source`).join('');
  const message =
    'provenance materials are incomplete\n\nThe build requested complete provenance materials, but not all dependencies could be captured.';
  const list = what === '' ? '' : `\n\nUncaptured local sources:${what}`;
  return new CodedError('failed_precondition', `${message}${list}`, {
    fault: 'user',
    hint: 'build from a git repository, or leave complete-materials out',
  });
}
