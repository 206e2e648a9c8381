import { CodedError } from '../../base/index.ts';

/** Its signal fires when nothing has moved for that long; `what` the client has done is told. */
export function watchStall(what: string, stallMs: number) {
  const stalled = new AbortController();
  let moves = true;
  const timer = setInterval(() => {
    if (!moves) stalled.abort(stalledError(what, stallMs));
    moves = false;
  }, stallMs);
  return {
    signal: stalled.signal,
    moved: () => {
      moves = true;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Waits for the client, for so long at most. @throws CodedError SESSION_STALLED */
export async function inTime<T>(wait: Promise<T>, what: string, stallMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(stalledError(what, stallMs)), stallMs);
  try {
    return await Promise.race([wait, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function stalledError(what: string, stallMs: number): CodedError {
  return CodedError.of('SESSION_STALLED', `the build client has ${what} for ${stallMs / 1000} s`);
}
