import { type CodedError, type Digest, statusWord } from '../../base/index.ts';
import { statusOfError } from '../../builder-api/index.ts';
import type { Build, BuildFacts, SolveOutcome } from '../engine/index.ts';
import type { RunResult } from './store.ts';

const MAX_LOG_TAIL = 2048;
/** Of an error's details: the source of a Dockerfile is among them. */
const MAX_DETAILS = 256 << 10;
const MAX_MESSAGE = 12 << 10;
const MAX_NAME = 1024;

type Outputs = NonNullable<RunResult['outputs']>;

/** Facts as the result tells them. */
export function factFields(facts: BuildFacts | undefined): RunResult {
  if (facts === undefined) return {};
  return {
    vertices: facts.vertices,
    hits: facts.hits,
    slowestSteps: facts.slowest.map(({ name, durationMs, cached }) => ({
      name: name.slice(0, MAX_NAME),
      durationMs: Math.round(durationMs),
      cached,
    })),
    commit: facts.commit ?? '',
    baseImages: facts.baseImages.map(({ name, digest }) => ({ name, digest })),
    pulled: [...facts.pulled].map(([source, bytes]) => ({ source: source.slice(0, MAX_NAME), bytes })),
  };
}

export function outputsOf({ images }: SolveOutcome): Outputs {
  return images.map(({ root, names, size, platforms, attested, parts, signatures, moved }) => ({
    names: [...names],
    digest: root.digest,
    mediaType: root.mediaType,
    size,
    platforms: [...platforms],
    attested: [...attested],
    images: parts.map((part) => ({ ...part, attested: [...part.attested] })),
    signatures: [...signatures],
    pushedBytes: moved?.pushed ?? 0,
    mountedBytes: moved?.mounted ?? 0,
  }));
}

export function cachesOf({ caches = [] }: SolveOutcome): NonNullable<RunResult['caches']> {
  return caches.map(({ target, digest, error, moved }) => ({
    target: target.slice(0, MAX_NAME),
    digest: digest ?? '',
    reason: error === undefined ? '' : statusWord(error.code, error.reason),
    message: (error?.message ?? '').slice(0, MAX_MESSAGE),
    pushedBytes: moved.pushed,
    mountedBytes: moved.mounted,
  }));
}

/** An error as the result tells it; `build` knows the step that failed and what that printed. */
export function errorFields(error: CodedError, build: Build | undefined): RunResult {
  const status = statusOfError(error);
  const details = [...(status.details ?? [])];
  const size = () => details.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  while (size() > MAX_DETAILS) {
    const largest = details.reduce((a, b) => ((a.value?.length ?? 0) >= (b.value?.length ?? 0) ? a : b));
    details.splice(details.indexOf(largest), 1);
  }
  const vertex = detailOf(error, 'errdefs.Vertex')?.['digest'] as Digest | undefined;
  const exitCode = detailOf(error, 'gatewayapi.ExitMessage')?.['Code'];
  const failed = vertex === undefined ? undefined : build?.job.progress.stateOf(vertex);
  return {
    error: { code: status.code, message: error.message.slice(0, MAX_MESSAGE), details },
    fault: error.fault,
    reason: error.reason ?? '',
    hint: (error.hint ?? '').slice(0, MAX_MESSAGE),
    exitCode: typeof exitCode === 'number' ? exitCode : 0,
    failedStep: (failed?.name ?? '').slice(0, MAX_NAME),
    logTail: build === undefined || vertex === undefined ? new Uint8Array() : tailOf(build.job.progress.logsOf(vertex)),
  };
}

function detailOf(error: CodedError, type: string): Readonly<Record<string, unknown>> | undefined {
  const value = error.details.find((detail) => detail.type === type)?.value;
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

/** The last of a log as valid UTF-8: cut between characters, what is none replaced. */
export function tailOf(chunks: readonly Uint8Array[], limit = MAX_LOG_TAIL): Uint8Array {
  let bytes = 0;
  let from = chunks.length;
  while (from > 0 && bytes < limit + 4) bytes += chunks[--from]!.length;
  let text = new TextDecoder().decode(characters(Buffer.concat(chunks.slice(from)), limit));
  let tail = Buffer.from(text);
  while (tail.length > limit) {
    text = new TextDecoder().decode(characters(tail, limit));
    tail = Buffer.from(text);
  }
  return tail;
}

/** At most the last `limit` bytes, beginning with the beginning of a character. */
function characters(bytes: Uint8Array, limit: number): Uint8Array {
  let start = Math.max(0, bytes.length - limit);
  const last = Math.min(start + 3, bytes.length);
  if (start > 0) while (start < last && (bytes[start]! & 0xc0) === 0x80) start++;
  return bytes.subarray(start);
}
