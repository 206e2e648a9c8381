import { CodedError } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import {
  type Attempt,
  type BuildRunStatus,
  type Condition,
  type Failure,
  MAX_ATTEMPTS,
  type Phase,
  parseDuration,
} from '../../resources/index.ts';
import { timeText, withCondition } from '../conditions.ts';
import type { KnownRun } from '../known.ts';
import { clip } from '../runtime/index.ts';
import { failureOf } from './failure.ts';
import { isSplit, type Offers, partOf, withDigest } from './parts.ts';
import type { Prepared } from './prepare.ts';
import { cacheExported, failureOfResult, outputsOf, recordOf } from './record.ts';
import type { TimeLimit } from './time-limit.ts';

const { SUCCEEDED, FAILED, CANCELLED } = wire.slipway.builder.v1.SolveState;

const DEFAULT_QUEUE_TIMEOUT_MS = 30 * 60_000;
const DEFAULT_RETRY_LIMIT = 2;
/** Reasons of attempts that take no retry away. */
const UNCOUNTED: ReadonlySet<string> = new Set(['BuilderEnding', 'BuilderDraining', 'KueueEvicted']);
const RETRY_FIRST_MS = 2000;
const RETRY_MOST_MS = 60_000;

/** A place on a builder that the dispatcher holds for a run. */
export interface Place {
  readonly address: string;
  readonly pool: string;
  /** Of a builder that is a pod. */
  readonly pod?: string | undefined;
  readonly node?: string | undefined;
}

/** How a run waits for a place: its position from 1, or why there can be none. */
export type Waiting =
  | {
      readonly kind: 'position';
      readonly position: number;
      /** Places that its namespace holds, when it may hold no more. */
      readonly limited?: number;
      /** Why it has no place though it had its turn. */
      readonly because?: { readonly reason: string; readonly message: string };
    }
  | { readonly kind: 'impossible'; readonly reason: string; readonly message: string };

/** What is known of a run's newest attempt on its builder. */
export type SolveView =
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly result: wire.slipway.builder.v1.ResultResponse }
  /** Nothing will come of it, for a reason that is not the build's. */
  | { readonly kind: 'lost'; readonly error: CodedError }
  | { readonly kind: 'committed'; readonly outputs: readonly wire.slipway.builder.v1.Output.$Properties[] }
  | { readonly kind: 'commit-failed'; readonly error: CodedError };

export interface RunView {
  readonly run: KnownRun;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** For a run that is not placed yet. */
  readonly prepared?: Prepared | undefined;
  readonly place?: Place | undefined;
  readonly waiting?: Waiting | undefined;
  /** What the pool's builders that answer build for. */
  readonly offers?: Offers | undefined;
  readonly solve?: SolveView | undefined;
  /** Set when somebody has taken back what the run was admitted to. */
  readonly evicted?: CodedError | undefined;
  /** How long an attempt may take. */
  readonly limit?: TimeLimit | undefined;
}

interface RunDecision {
  readonly status: BuildRunStatus;
  /** When to look again though nothing happens. */
  readonly requeueAfterMs?: number;
}

/** What becomes of a run: a pure function from what is known to its next status. What must be done follows from the status, once it is written. */
export function decideRun(view: RunView): RunDecision {
  const before: BuildRunStatus = {
    ...view.run.status,
    observedGeneration: view.run.metadata.generation ?? 1,
    queuedAt: view.run.status?.queuedAt ?? timeText(view.now),
  };
  switch (before.phase ?? 'Pending') {
    case 'Pending':
      return decidePending(view, before);
    case 'Queued':
      return decideQueued(view, before);
    case 'Running':
      return decideRunning(view, before);
    case 'Committing':
      return decideCommitting(view, before);
    default:
      return { status: view.run.status as BuildRunStatus };
  }
}

function decidePending(view: RunView, before: BuildRunStatus): RunDecision {
  const { run, now, prepared } = view;
  if (run.spec.cancel !== undefined) return cancelled(view, before);
  if (prepared === undefined || prepared.kind === 'refused') {
    if (prepared === undefined) return { status: { ...before, phase: 'Pending' } };
    const status = condition(view, before, 'Accepted', 'False', prepared.failure.reason, prepared.failure.message);
    return over(view, status, 'Failed', prepared.failure);
  }
  if (prepared.kind === 'waiting') {
    const status = condition(view, before, 'Accepted', 'False', prepared.reason, prepared.message);
    const leftMs = queueDeadline(view, before) - now;
    if (leftMs <= 0)
      return over(view, status, 'Failed', {
        class: 'user',
        reason: prepared.reason,
        message: clip(`${prepared.message}; it did not come within the queueTimeout`, 2048),
      });
    // Soon at first, then less and less often.
    const waitedMs = now - Date.parse(before.queuedAt as string);
    return {
      status: { ...status, phase: 'Pending' },
      requeueAfterMs: Math.max(500, Math.min(30_000, waitedMs / 4, leftMs)),
    };
  }
  const { work } = prepared;
  const { llb } = prepared.plan;
  const parts = partsOf(view);
  const planned = {
    ...before,
    ...(llb === undefined ? {} : { llb }),
    ...(parts === undefined ? {} : { parts }),
  };
  const status = condition(view, planned, 'Accepted', 'True', 'Planned', 'the Build was planned');
  return {
    status: condition(
      view,
      { ...status, phase: 'Queued', ...(work === undefined ? {} : { work }) },
      ...(['Scheduled', 'False', 'Queued', 'waits for a builder'] as const),
    ),
  };
}

/** The platforms of a run that is to be built in parts. */
function partsOf({ run, offers = [] }: RunView): BuildRunStatus['parts'] {
  const { platforms = [] } = run.spec.buildSpec;
  return run.divisible && isSplit(platforms, offers) ? platforms.map((platform) => ({ platform })) : undefined;
}

function decideQueued(view: RunView, before: BuildRunStatus): RunDecision {
  const { run, now, place, waiting } = view;
  if (run.spec.cancel !== undefined) return cancelled(view, before);
  const attempts = before.attempts ?? [];
  // Once, before it has a place anywhere: what is begun whole stays so.
  if (attempts.length === 0) {
    const parts = partsOf(view);
    if (parts !== undefined && before.parts === undefined) return { status: { ...before, parts } };
  }
  if (place !== undefined) {
    const part = partOf(before);
    const attempt: Attempt = {
      number: attempts.length + 1,
      builder: place.address,
      pool: place.pool,
      ...(place.pod === undefined ? {} : { pod: place.pod }),
      ...(place.node === undefined ? {} : { node: place.node }),
      ...(part === undefined ? {} : { part }),
      startedAt: timeText(now),
    };
    const { queue: _, ...rest } = before;
    const status: BuildRunStatus = {
      ...rest,
      phase: 'Running',
      attempts: [...attempts, attempt],
      startedAt: before.startedAt ?? timeText(now),
    };
    const scheduled = condition(view, status, 'Scheduled', 'True', 'Placed', `runs on ${place.pod ?? place.address}`);
    return { status: condition(view, scheduled, 'Succeeded', 'Unknown', 'Running', 'the build runs') };
  }
  const leftMs = queueDeadline(view, before) - now;
  if (leftMs <= 0)
    return over(view, before, 'Error', {
      class: 'infrastructure',
      reason: waiting?.kind === 'impossible' ? waiting.reason : 'QueueTimeout',
      message: waiting?.kind === 'impossible' ? waiting.message : 'no builder had a place within the queueTimeout',
    });
  if (waiting?.kind === 'impossible')
    return {
      status: condition(view, before, 'Scheduled', 'False', waiting.reason, waiting.message),
      requeueAfterMs: Math.min(10_000, leftMs),
    };
  const notBefore = retryAt(before);
  return {
    status: waiting === undefined ? before : withPosition(view, before, waiting),
    requeueAfterMs: Math.min(leftMs, notBefore > now ? notBefore - now : 30_000),
  };
}

/** Positions are written when they are new or have halved: few writes, and never far off. */
function withPosition(
  view: RunView,
  before: BuildRunStatus,
  { position, limited, because }: Extract<Waiting, { readonly kind: 'position' }>,
): BuildRunStatus {
  const retrying = before.conditions?.some(({ type, reason }) => type === 'Scheduled' && reason === 'Retrying');
  const why =
    limited === undefined
      ? (because ?? (retrying ? undefined : { reason: 'Queued', message: 'waits for a builder' }))
      : {
          reason: 'NamespaceLimit',
          message: `its namespace has ${limited} runs on the pool, as many as runsPerNamespace lets it`,
        };
  const status = why === undefined ? before : condition(view, before, 'Scheduled', 'False', why.reason, why.message);
  const written = status.queue?.position;
  return written !== undefined && position <= written && position > written / 2
    ? status
    : { ...status, queue: { position } };
}

function decideRunning(view: RunView, before: BuildRunStatus): RunDecision {
  const { run, solve } = view;
  if (solve === undefined || solve.kind === 'running')
    return view.evicted === undefined ? { status: before } : attemptFailed(view, before, failureOf(view.evicted));
  if (solve.kind === 'lost') return attemptFailed(view, before, failureOf(solve.error));
  if (solve.kind !== 'ended') return { status: before };
  const { result } = solve;
  const status = { ...before, ...recordOf(result) };
  switch (result.state) {
    case SUCCEEDED:
      if (run.spec.cancel !== undefined) return cancelled(view, status);
      return partBuilt(view, withCacheExported(view, status, result), result);
    case CANCELLED:
      return cancelled(view, status);
    case FAILED: {
      if (run.spec.cancel !== undefined) return cancelled(view, status);
      return attemptFailed(view, status, failureOfResult(result, view.limit?.from));
    }
    default:
      return attemptFailed(
        view,
        status,
        failureOf(CodedError.of('BUILDER_LOST', 'the builder was started again and no longer knows the build')),
      );
  }
}

/** The next part of a run that has some; tags are written once its index is there. */
function partBuilt(view: RunView, status: BuildRunStatus, result: wire.slipway.builder.v1.ResultResponse): RunDecision {
  const { parts } = status;
  const part = partOf(status);
  if (parts === undefined || parts.every(({ digest }) => digest !== undefined))
    return { status: { ...status, phase: 'Committing' } };
  const digest = outputsOf(result.outputs)[0]?.digest;
  if (digest === undefined)
    return attemptFailed(
      view,
      status,
      failureOf(new CodedError('internal', `the builder did not tell what it pushed for ${part}`)),
    );
  const attempts = closeAttempt(status, SUCCEEDED_ATTEMPT, '', view.now);
  const next = { ...status, attempts, parts: withDigest(parts, digest), phase: 'Queued' as const };
  return {
    status: condition(view, next, 'Scheduled', 'False', 'PartBuilt', `${part} is built; ${partOf(next)} is next`),
  };
}

function withCacheExported(
  view: RunView,
  status: BuildRunStatus,
  result: wire.slipway.builder.v1.ResultResponse,
): BuildRunStatus {
  const exported = cacheExported(result);
  if (exported === undefined) return status;
  return condition(view, status, 'CacheExported', exported.status, exported.reason, exported.message);
}

function decideCommitting(view: RunView, before: BuildRunStatus): RunDecision {
  const { solve, now } = view;
  if (solve?.kind === 'commit-failed') return attemptFailed(view, before, failureOf(solve.error));
  if (solve?.kind === 'lost') return attemptFailed(view, before, failureOf(solve.error));
  if (solve?.kind !== 'committed') return { status: before };
  const outputs = outputsOf(solve.outputs);
  const status = {
    ...before,
    ...(outputs.length === 0 ? {} : { outputs }),
    attempts: closeAttempt(before, SUCCEEDED_ATTEMPT, '', now),
    phase: 'Succeeded' as const,
    completedAt: timeText(now),
  };
  const first = outputs[0];
  const message = first === undefined ? 'built; nothing was to be pushed' : `pushed ${first.image}@${first.digest}`;
  return { status: condition(view, status, 'Succeeded', 'True', 'Succeeded', message) };
}

/** The user's and policy's failures end the run; the platform's are tried again, while there are retries left. */
function attemptFailed(view: RunView, before: BuildRunStatus, failure: Failure): RunDecision {
  const { run, now } = view;
  const status = { ...before, attempts: closeAttempt(before, failure.reason, failure.message, now) };
  if (run.spec.cancel !== undefined) return cancelled(view, status);
  if (failure.class === 'user' || failure.class === 'policy') return over(view, status, 'Failed', failure);
  const limit = Math.min(run.spec.buildSpec.retry?.limit ?? DEFAULT_RETRY_LIMIT, MAX_ATTEMPTS - 1);
  // A builder that had to end is nobody's failure.
  const counted = status.attempts.filter(
    ({ reason = '' }) => reason !== SUCCEEDED_ATTEMPT && !UNCOUNTED.has(reason),
  ).length;
  if (counted > limit || status.attempts.length >= MAX_ATTEMPTS) return over(view, status, 'Error', failure);
  const queued = condition(view, { ...status, phase: 'Queued' }, 'Scheduled', 'False', 'Retrying', failure.message);
  return { status: queued, requeueAfterMs: Math.max(0, retryAt(queued) - now) };
}

/** When the next attempt may begin, in ms since the epoch: later with every one that failed. */
export function retryAt(status: BuildRunStatus): number {
  const last = status.attempts?.at(-1);
  if (last?.completedAt === undefined || last.reason === SUCCEEDED_ATTEMPT) return 0;
  return Date.parse(last.completedAt) + Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (failedAttempts(status) - 1));
}

const SUCCEEDED_ATTEMPT = 'Succeeded';

/** A part that is built takes no retry away from the others. */
const failedAttempts = ({ attempts = [] }: BuildRunStatus): number =>
  attempts.filter(({ completedAt, reason }) => completedAt !== undefined && reason !== SUCCEEDED_ATTEMPT).length;

function cancelled(view: RunView, before: BuildRunStatus): RunDecision {
  const cancel = view.run.spec.cancel;
  const reason = cancel?.reason === 'Superseded' ? 'Superseded' : 'Cancelled';
  const message =
    cancel?.message ?? (reason === 'Superseded' ? 'a newer run takes its place' : 'the run was cancelled');
  return over(view, before, 'Cancelled', { class: 'cancelled', reason, message });
}

function over(
  view: RunView,
  before: BuildRunStatus,
  phase: Extract<Phase, 'Failed' | 'Error' | 'Cancelled'>,
  failure: Failure,
): RunDecision {
  const { queue: _, ...rest } = before;
  const attempts =
    before.attempts?.at(-1)?.completedAt === undefined
      ? closeAttempt(before, failure.reason, failure.message, view.now)
      : before.attempts;
  const status: BuildRunStatus = {
    ...rest,
    ...(attempts === undefined || attempts.length === 0 ? {} : { attempts }),
    phase,
    failure,
    completedAt: timeText(view.now),
  };
  return { status: condition(view, status, 'Succeeded', 'False', failure.reason, failure.message) };
}

function closeAttempt(status: BuildRunStatus, reason: string, message: string, now: number): Attempt[] {
  return (status.attempts ?? []).map((attempt, at, all) =>
    at < all.length - 1 || attempt.completedAt !== undefined
      ? attempt
      : {
          ...attempt,
          completedAt: timeText(now),
          reason: clip(reason, 128),
          ...(message === '' ? {} : { message: clip(message, 512) }),
        },
  );
}

function queueDeadline({ run: { spec }, now }: RunView, status: BuildRunStatus): number {
  const { queueTimeout } = spec.buildSpec;
  const limitMs = queueTimeout === undefined ? DEFAULT_QUEUE_TIMEOUT_MS : parseDuration(queueTimeout);
  // The wait for a retry begins anew.
  const since = status.attempts?.at(-1)?.completedAt ?? status.queuedAt ?? timeText(now);
  return Date.parse(since) + limitMs;
}

function condition(
  view: RunView,
  status: BuildRunStatus,
  type: 'Accepted' | 'Scheduled' | 'Succeeded' | 'CacheExported',
  is: Condition['status'],
  reason: string,
  message: string,
): BuildRunStatus {
  const wanted = { type, status: is, reason, message };
  return {
    ...status,
    conditions: withCondition(status.conditions, wanted, view.run.metadata.generation, view.now),
  };
}
