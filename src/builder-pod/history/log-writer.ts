import { isTurnSpent, type Logger, neverAborted, nextTurn, type WorkOwner } from '../../base/index.ts';
import type { Recording, VertexEvent } from '../../solver/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import { logFrames } from './log-frames.ts';
import type { LogSpace } from './log-space.ts';

export const logTask = tasksOf<typeof import('./log-tasks.ts')>(siblingModule(import.meta.url, './log-tasks'));

interface LogWriterOptions {
  readonly path: string;
  readonly pool: WorkerPool;
  readonly log: Logger;
  readonly space: LogSpace;
  /** Whose build it is: its steps wait for this. */
  readonly owner: WorkOwner;
}

/**
 * Writes what happens in a build to its log while it runs, so that what was written is there even if the builder is killed; steps wait for it when they print
 * faster. A log that may not grow further says so, and goes on with how each step ended. Where the disk is full the log ends: nobody else fails of it.
 *
 * @returns its bytes
 */
export async function writeLog(
  recording: Pick<Recording, 'batches'>,
  { path, pool, log, space, owner }: LogWriterOptions,
): Promise<number> {
  using room = space.open();
  let isBroken = false;
  for await (const batch of recording.batches({ signal: neverAborted })) {
    if (isBroken) continue;
    try {
      for await (const bytes of logFrames([...fitting(batch, room)], { signal: neverAborted })) {
        await pool.run(logTask('append'), { path, bytes }, { signal: neverAborted, owner });
        if (isTurnSpent()) await nextTurn({ signal: neverAborted });
      }
    } catch (error) {
      isBroken = true;
      log.warn('the log of a build is not recorded any further', { path, err: error });
    }
  }
  return room.taken;
}

/** What there is room for; where that ends, a line says why, once. */
function* fitting(events: readonly VertexEvent[], room: ReturnType<LogSpace['open']>): Generator<VertexEvent> {
  for (const event of events) {
    const wasFull = room.full;
    if (room.take(sizeOf(event), { isVital: event.kind === 'vertex' || event.kind === 'warning' })) yield event;
    if (wasFull === undefined && room.full !== undefined)
      yield {
        ...{ kind: 'log', vertex: event.kind === 'vertex' ? event.vertex.digest : event.vertex, stream: 2 },
        ...{ data: Buffer.from(`\n[output is recorded no further: ${room.full}]\n`), timestamp: Date.now() },
      };
  }
}

/** What an event takes beside what of it is long, roughly. */
const EVENT_BYTES = 160;

function sizeOf(event: VertexEvent): number {
  if (event.kind === 'log') return event.data.length + EVENT_BYTES;
  if (event.kind === 'vertex') return event.vertex.name.length + event.vertex.inputs.length * 80 + EVENT_BYTES;
  return event.kind === 'status' ? event.id.length + event.name.length + EVENT_BYTES : 2 * EVENT_BYTES;
}
