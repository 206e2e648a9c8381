import { type AbortOptions, CodedError, toCodedError } from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';
import type { Attempt } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import type { RunBuilders } from './run-builders.ts';

type StatusResponse = wire.moby.buildkit.v1.StatusResponse;

/** All that a builder told of an attempt, whole; with `follow` until its solve is over. @throws CodedError not_found where nobody has it */
export type AttemptLog = (
  run: KnownRun,
  attempt: Attempt,
  options: AbortOptions & { readonly follow: boolean },
) => AsyncIterable<StatusResponse>;

const READY_MS = 5000;

/** From the builder that the attempt is, or was, on. */
export function builderLog(builders: RunBuilders): AttemptLog {
  return async function* (run, attempt, { signal, follow }) {
    using found = await builders.open(attempt, { signal });
    const id = { runUid: run.metadata.uid as string, part: '', attempt: attempt.number };
    // A pod that is gone does not refuse, it is silent.
    if (!follow || attempt.completedAt !== undefined) await found.client.ready({ signal, timeoutMs: READY_MS });
    try {
      yield* found.client.builder.attach({ id, recorded: true, follow }, { signal });
    } catch (error) {
      signal.throwIfAborted();
      const coded = toCodedError(error);
      if (coded.code !== 'not_found') throw error;
      throw new CodedError('not_found', `${attempt.builder} has no record of it any more`, {
        cause: error,
        fault: 'user',
      });
    }
  };
}
