import { type AbortOptions, CodedError, isCancelled, sleep, toCodedError } from '../../base/index.ts';
import type { Session, SessionRegistry } from '../../builder-api/index.ts';

/** Session ids of the builds that want something now, first come first; re-read at each use. */
export type SessionIds = () => readonly string[];

/** How long a session that is named but not connected is waited for, when others could help. */
const WAIT_MS = 3000;
/** How long after a call's end its session may still be found to have been lost. */
const LOSS_NOTICE_MS = 1000;
/** How often work is begun anew because its logical session was lost. */
const MAX_AGAIN = 100;

/**
 * Does something with the first session of a group that works, so that what several builds share survives one client leaving. With logical
 * sessions `use` is run again when one of them comes back, so it must be idempotent. The last failure is thrown.
 * @throws CodedError not_found when no session is connected
 */
export async function withAnySession<T>(
  registry: SessionRegistry,
  ids: SessionIds,
  use: (session: Session) => Promise<T>,
  { signal }: AbortOptions,
): Promise<T> {
  let failure: unknown;
  const tried = new Set<string>();
  const away = new Set<string>();
  for (let again = 0; again < MAX_AGAIN; again++) {
    for (let next = nextId(ids, tried); next !== undefined; next = nextId(ids, tried)) {
      tried.add(next);
      let session: Session | undefined;
      try {
        // A logical one that is away is waited for once the others were asked.
        session = await registry.get(next, { signal, waitMs: registry.isLogical(next) ? 0 : WAIT_MS });
        return await use(session);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        // A session that ended under its work is told apart from the work's own end.
        failure = isCancelled(error) ? (failure ?? error) : error;
        if (registry.isLogical(next) && (session === undefined || (await wasLost(session, error)))) away.add(next);
      }
    }
    const awaited = ids().filter((id) => away.has(id));
    const back = awaited.length === 0 ? undefined : await registry.anyLogical(awaited, { signal });
    if (awaited.length > 0 && back === undefined) {
      throw CodedError.of('NO_SESSION', `session ${awaited.join(', ')} did not come back`, {
        code: 'unavailable',
        cause: failure,
        hint: 'whoever serves the secrets and credentials of the build has been away for too long',
      });
    }
    if (back === undefined) break;
    for (const id of awaited) tried.delete(id);
    away.clear();
  }
  throw failure ?? CodedError.of('NO_SESSION', 'no active session: the build has no client that could be asked');
}

/** Whether a call failed because its connection went; which is known of the connection a little later than of the call. */
async function wasLost(session: Session, error: unknown): Promise<boolean> {
  if (session.closed.aborted) return true;
  const { code } = toCodedError(error);
  if (code !== 'unavailable' && code !== 'cancelled' && code !== 'internal') return false;
  try {
    await sleep(LOSS_NOTICE_MS, { signal: session.closed });
    return false;
  } catch {
    return true;
  }
}

function nextId(ids: SessionIds, tried: ReadonlySet<string>): string | undefined {
  return ids().find((id) => !tried.has(id));
}
