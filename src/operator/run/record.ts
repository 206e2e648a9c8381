import { parseImageReference, restated } from '../../base/index.ts';
import { errorOfStatus, toNumber, type wire } from '../../builder-api/index.ts';
import type { BuildRunStatus, Condition, Failure, OutputStatus } from '../../resources/index.ts';
import { clip } from '../runtime/index.ts';
import { failureOf } from './failure.ts';

type Result = wire.slipway.builder.v1.ResultResponse;
type Output = wire.slipway.builder.v1.Output.$Properties;
type CacheExport = wire.slipway.builder.v1.CacheExport.$Properties;
type ExportStatus = NonNullable<NonNullable<BuildRunStatus['cache']>['exports']>[number];

/** Base images beyond these are left out, so that a record stays within 16 KiB. */
const MAX_BASE_IMAGES = 16;
/** Images of platforms beyond these are left out, for the same reason. */
const MAX_PLATFORM_IMAGES = 32;
const DIGEST = /^[a-z0-9]+:[a-f0-9]{32,128}$/;

/** What of a builder's result goes into the record, whether it succeeded or not. */
export function recordOf(
  result: Result,
): Pick<BuildRunStatus, 'resolved' | 'cache' | 'pulled' | 'slowestSteps' | 'needs' | 'used'> {
  const baseImages = result.baseImages
    .filter(({ digest }) => DIGEST.test(digest ?? ''))
    .slice(0, MAX_BASE_IMAGES)
    .map(({ name, digest }) => ({ name: clip(name ?? '', 512), digest: digest as string }));
  const used = usedOf(result);
  const pulled = result.pulled
    .map(({ source, bytes }) => ({ source: clip(source ?? '', 512), bytes: Number(bytes ?? 0) }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 16);
  const slowest = result.slowestSteps
    .filter(({ cached }) => !cached)
    .slice(0, 5)
    .map(({ name, durationMs }) => ({ name: clip(name ?? '', 256), duration: durationText(Number(durationMs ?? 0)) }));
  return {
    ...(result.commit === '' && baseImages.length === 0
      ? {}
      : {
          resolved: {
            ...(result.commit === '' ? {} : { commit: clip(result.commit, 64) }),
            ...(baseImages.length === 0 ? {} : { baseImages }),
          },
        }),
    cache: {
      vertices: result.vertices,
      hits: result.hits,
      ...(result.caches.length === 0 ? {} : { exports: result.caches.slice(0, 8).map(exportOf) }),
    },
    ...(pulled.length === 0 ? {} : { pulled }),
    ...(slowest.length === 0 ? {} : { slowestSteps: slowest }),
    ...(result.keys.length === 0 ? {} : { needs: Buffer.from(result.keys.subarray(0, 512)).toString('base64') }),
    ...(used === undefined ? {} : { used }),
  };
}

/** Undefined where the builder does not count. */
function usedOf({ peakMemory, cpuMs, startedMs, completedMs }: Result): BuildRunStatus['used'] {
  const [memory, cpu] = [toNumber(peakMemory), toNumber(cpuMs)];
  if (memory === 0 && cpu === 0) return undefined;
  const tookMs = Math.max(1, toNumber(completedMs) - toNumber(startedMs));
  return { memory, cpuSeconds: Math.ceil(cpu / 1000), cpuMillis: Math.round((1000 * cpu) / tookMs) };
}

function exportOf({ target, digest, ...bytes }: CacheExport): ExportStatus {
  return {
    ref: clip(target ?? '', 512),
    ...(DIGEST.test(digest ?? '') ? { digest: digest as string } : {}),
    ...movedOf(bytes),
  };
}

function movedOf({
  pushedBytes,
  mountedBytes,
}: {
  readonly pushedBytes?: CacheExport['pushedBytes'] | undefined;
  readonly mountedBytes?: CacheExport['mountedBytes'] | undefined;
}): Pick<ExportStatus, 'pushedBytes' | 'mountedBytes'> {
  return { pushedBytes: Number(pushedBytes ?? 0), mountedBytes: Number(mountedBytes ?? 0) };
}

/** Whether the caches were written that the run was to write: the first that was not says why. Undefined where there were none. */
export function cacheExported({ caches }: Result): Pick<Condition, 'status' | 'reason' | 'message'> | undefined {
  if (caches.length === 0) return undefined;
  const failed = caches.find(({ reason }) => reason);
  if (failed !== undefined)
    return {
      status: 'False',
      reason: clip(failed.reason ?? '', 128),
      message: clip(`${failed.target}: ${failed.message}`, 2048),
    };
  const empty = caches.find(({ digest }) => !digest);
  if (empty !== undefined) {
    const message = `${empty.target}: nothing was written: no result has layers, or there are more records than builders read`;
    return { status: 'False', reason: 'NothingToExport', message: clip(message, 2048) };
  }
  return { status: 'True', reason: 'Exported', message: clip(caches.map(({ target }) => target).join(', '), 2048) };
}

/** One entry a repository, with the tags that were written. */
export function outputsOf(outputs: readonly Output[]): OutputStatus[] {
  const found: OutputStatus[] = [];
  let room = MAX_PLATFORM_IMAGES;
  for (const output of outputs) {
    const { names, digest, mediaType, size, platforms, attested, pushedBytes, mountedBytes } = output;
    const tags = new Map<string, string[]>();
    for (const name of names ?? []) {
      const { domain, path, tag } = parseImageReference(name);
      const image = `${domain}/${path}`;
      const all = tags.get(image) ?? [];
      if (tag !== undefined) all.push(tag);
      tags.set(image, all);
    }
    for (const [image, written] of tags) {
      const images = imagesOf(output).slice(0, room);
      const signature = output.signatures?.find((name) => name.startsWith(`${image}:`));
      room -= images.length;
      found.push({
        image: clip(image, 512),
        ...(written.length === 0 ? {} : { tags: written.slice(0, 32) }),
        digest: digest ?? '',
        ...(mediaType ? { mediaType: clip(mediaType, 128) } : {}),
        ...(size == null ? {} : { size: Number(size) }),
        ...(platforms?.length ? { platforms: platforms.slice(0, 16) } : {}),
        ...(attested?.length ? { attestations: attested.slice(0, 8).map((type) => clip(type, 256)) } : {}),
        ...(images.length === 0 ? {} : { images }),
        ...(signature === undefined ? {} : { signature: clip(signature, 700) }),
        ...movedOf({ pushedBytes, mountedBytes }),
      });
    }
  }
  return found.slice(0, 16);
}

/** The images of an index; what a single manifest is, its output tells. */
function imagesOf({ digest: root, images }: Output): NonNullable<OutputStatus['images']> {
  return (images ?? []).flatMap(({ platform, digest, size, attested }) => {
    if (digest === root || !DIGEST.test(digest ?? '')) return [];
    const types = (attested ?? []).slice(0, 8).map((type) => clip(type, 256));
    return {
      ...{ platform: clip(platform ?? '', 64), digest: digest as string, size: Number(size ?? 0) },
      ...(types.length === 0 ? {} : { attestations: types }),
    };
  });
}

/** `limit`: what the run's time was limited by. */
export function failureOfResult(result: Result, limit?: string): Failure {
  const error = errorOfStatus(result.error ?? { code: 2, message: 'the builder gave no reason' });
  const told = error.reason === 'RUN_TIMEOUT' && limit !== undefined ? `${error.message}: ${limit}` : error.message;
  return failureOf(restated(error, { message: told }), {
    step: result.failedStep,
    exitCode: result.exitCode,
    logTail: Buffer.from(result.logTail).toString('utf8'),
  });
}

/** `850ms`, `12.3s`, `4m5s`. */
function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
