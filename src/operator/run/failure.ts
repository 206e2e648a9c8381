import { type CodedError, statusWord } from '../../base/index.ts';
import { type MarkedLines, markedLines, toldPlaces } from '../../llb/index.ts';
import type { Failure } from '../../resources/index.ts';
import { clip, plainText } from '../runtime/index.ts';

/** What a builder says about a failed step, beside the error. */
interface FailedStep {
  readonly step?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly logTail?: string | undefined;
}

const MOST = 1024;

/** Why a run did not succeed, as its status tells it; every text within the bounds of the resource. */
export function failureOf(error: CodedError, failed: FailedStep = {}): Failure {
  const { step, exitCode, logTail } = failed;
  const dockerfile = locationOf(error);
  return {
    class: error.fault,
    // Another version of the builder may have a reason of its own for it.
    reason: error.reason === undefined && exitCode ? 'StepFailed' : statusWord(error.code, error.reason),
    message: clip(error.hint === undefined ? error.message : `${error.message} (${error.hint})`, 2048),
    ...(step ? { step: clip(step, 256) } : {}),
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...(exitCode === undefined || exitCode === 0 ? {} : { exitCode: Math.max(-1, Math.min(255, exitCode)) }),
    ...(logTail
      ? {
          logTail: plainText(logTail)
            .slice(-2048)
            .replace(/^[\udc00-\udfff]/, ''),
        }
      : {}),
  };
}

/** The lines of the Dockerfile that an error is about, with those around them. */
function locationOf(error: CodedError): Failure['dockerfile'] {
  // The innermost comes first.
  const [place] = toldPlaces(error.details);
  if (place === undefined) return undefined;
  const { filename, lines, startLine, endLine } = place;
  return {
    ...(filename === undefined ? {} : { path: clip(filename, 1024) }),
    startLine,
    endLine,
    ...(lines === undefined ? {} : { snippet: snippetOf({ lines, startLine, endLine }) }),
  };
}

/** At most 1 KiB. */
export function snippetOf(place: Omit<MarkedLines, 'filename'>): string {
  return clip(markedLines(place, MOST).join('\n'), MOST);
}
