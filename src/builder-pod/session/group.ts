import { type AbortOptions, CodedError, isCancelled } from '../../base/index.ts';
import type { Session, SessionRegistry } from '../../builder-api/index.ts';

/** Session ids of the builds that want something now, first come first; re-read at each use. */
export type SessionIds = () => readonly string[];

/** How long a session that is named but not connected is waited for, when others could help. */
const WAIT_MS = 3000;

/**
 * Does something with the first session of a group that works, so that what several builds share survives one client leaving. The last
 * failure is thrown. @throws CodedError not_found when no session is connected
 */
export async function withAnySession<T>(
  registry: SessionRegistry,
  ids: SessionIds,
  use: (session: Session) => Promise<T>,
  { signal }: AbortOptions,
): Promise<T> {
  let failure: unknown;
  const tried = new Set<string>();
  for (let next = nextId(ids, tried); next !== undefined; next = nextId(ids, tried)) {
    tried.add(next);
    try {
      return await use(await registry.get(next, { signal, waitMs: WAIT_MS }));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // A session that ended under its work is told apart from the work's own end.
      failure = isCancelled(error) ? (failure ?? error) : error;
    }
  }
  throw (
    failure ??
    new CodedError('not_found', 'no active session: the build has no client that could be asked', {
      reason: 'NO_SESSION',
    })
  );
}

function nextId(ids: SessionIds, tried: ReadonlySet<string>): string | undefined {
  return ids().find((id) => !tried.has(id));
}
