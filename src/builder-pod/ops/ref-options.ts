import type { RefOptions } from '../../cache/ports.ts';
import { lineLog } from '../../solver/index.ts';
import type { OpContext } from '../../solver/ports.ts';

/** Lets refs pull what is lazy with the credentials of whoever wants the step now, shown as rows of its vertex. */
export function refOptionsOf(context: OpContext): RefOptions {
  const started = new Map<string, number>();
  return {
    signal: context.signal,
    owner: context.owner,
    sessions: () => context.sessions(),
    limits: () => context.limits(),
    told: lineLog(context.progress),
    onProgress: ({ id, current, total, completed }) => {
      const now = performance.timeOrigin + performance.now();
      const since = started.get(id) ?? now;
      started.set(id, since);
      const name = id.startsWith('extracting ') ? 'extract' : completed ? 'done' : 'downloading';
      context.progress.status({ id, name, current, total, started: since, ...(completed ? { completed: now } : {}) });
    },
  };
}
