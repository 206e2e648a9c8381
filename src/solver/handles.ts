import { isTurnSpent, neverAborted, nextTurn } from '../base/index.ts';
import type { Result } from './ports.ts';

/** Releases a handle nobody waits for; a handle that cannot be released is the store's to sweep. */
export function discard(result: Result): void {
  result.release().catch(() => {});
}

/** The same for any number of handles; others have their turn in between. Never rejects. */
export async function releaseAll(handles: readonly Result[]): Promise<void> {
  for (const handle of handles) {
    await handle.release().catch(() => {});
    if (isTurnSpent()) await nextTurn({ signal: neverAborted });
  }
}
