import { type Logger, neverAborted, sleep } from '../../base/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { siblingModule, type WorkerPool } from '../../sys/index.ts';
import { logFrames } from './log-frames.ts';

const TASKS = siblingModule(import.meta.url, './log-tasks');
export const logTask = (fn: 'append' | 'read' | 'seal' | 'remove' | 'list') => ({ module: TASKS, fn });

/** What happens in this time is written at once: of a small build all. */
const PAUSE_MS = 200;

export interface LogWriterOptions {
  readonly path: string;
  readonly pool: WorkerPool;
  readonly log: Logger;
  /** Fires when no more events are to be waited for. */
  readonly over: AbortSignal;
}

/**
 * Writes what happens in a build to its log while it runs, so that what was written is there even if the builder is killed. Where there is no room the log
 * ends: nobody else fails of it.
 */
export async function writeLog(
  events: AsyncIterable<readonly VertexEvent[]>,
  { path, pool, log, over }: LogWriterOptions,
): Promise<void> {
  let isBroken = false;
  let pending: VertexEvent[] = [];
  const write = async () => {
    const bytes = logFrames(pending.splice(0));
    if (isBroken || bytes.length === 0) return;
    try {
      await pool.run(logTask('append'), { path, bytes }, { signal: neverAborted });
    } catch (error) {
      isBroken = true;
      log.warn('the log of a build is not recorded any further', { path, err: error });
    }
  };
  for await (const batch of events) {
    pending = pending.concat(batch);
    if (!over.aborted) await sleep(PAUSE_MS, { signal: over }).catch(() => {});
    // What is left is written at once.
    if (!over.aborted) await write();
  }
  await write();
}
