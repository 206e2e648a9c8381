import { CodedError } from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';

/** Names a solve: the run it is for, which part of that, and which attempt at the part. */
export interface RunId {
  readonly uid: string;
  /** Empty where the run is whole. */
  readonly part: string;
  /** From 1. */
  readonly attempt: number;
}

const MAX_ATTEMPT = 1_000_000;

/** @throws CodedError invalid_argument */
export function runId(message: wire.slipway.builder.v1.SolveId.$Properties | null | undefined): RunId {
  const uid = message?.runUid ?? '';
  const part = message?.part ?? '';
  const attempt = message?.attempt ?? 0;
  if (!/^[\w.-]{1,128}$/.test(uid))
    throw CodedError.of('RUN_ID', 'id.run_uid must be 1 to 128 letters, digits, dots and dashes');
  if (!/^[\w.-]{0,64}$/.test(part))
    throw CodedError.of('RUN_ID', 'id.part must be at most 64 letters, digits, dots and dashes');
  if (!(attempt >= 1 && attempt <= MAX_ATTEMPT))
    throw CodedError.of('RUN_ID', `id.attempt must be from 1 to ${MAX_ATTEMPT}`);
  return { uid, part, attempt };
}

export function formatRunId({ uid, part, attempt }: RunId): string {
  return part === '' ? `${uid}/${attempt}` : `${uid}/${part}/${attempt}`;
}

/** The name of its build in the engine. */
export function buildRefOf(id: RunId): string {
  return `run-${formatRunId(id).replaceAll('/', ':')}`;
}

/** Whether `newer` takes the place of `older`. Parts of a run go on side by side. */
export function supersedes(newer: RunId, older: RunId): boolean {
  return isSamePart(newer, older) && newer.attempt > older.attempt;
}

export function isSamePart(a: RunId, b: RunId): boolean {
  return a.uid === b.uid && a.part === b.part;
}
