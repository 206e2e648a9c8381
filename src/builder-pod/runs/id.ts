import { invalidArgument } from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';

/** Names a solve: the run it is for, and which attempt at it. */
export interface RunId {
  readonly uid: string;
  /** From 1. */
  readonly attempt: number;
}

const MAX_ATTEMPT = 1_000_000;

/** @throws CodedError invalid_argument */
export function runId(message: wire.slipway.builder.v1.SolveId.$Properties | null | undefined): RunId {
  const uid = message?.runUid ?? '';
  const attempt = message?.attempt ?? 0;
  if (!/^[\w.-]{1,128}$/.test(uid))
    throw invalidArgument('id.run_uid must be 1 to 128 letters, digits, dots and dashes', { reason: 'RUN_ID' });
  if (!(attempt >= 1 && attempt <= MAX_ATTEMPT))
    throw invalidArgument(`id.attempt must be from 1 to ${MAX_ATTEMPT}`, { reason: 'RUN_ID' });
  return { uid, attempt };
}

export function formatRunId({ uid, attempt }: RunId): string {
  return `${uid}/${attempt}`;
}
