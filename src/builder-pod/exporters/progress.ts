import { systemClock } from '../../base/index.ts';
import type { ExportContext } from './ports.ts';

/** Shows a progress row while the work runs; a failed one stays open, as its vertex tells the error. */
export async function withRow<T>(
  { progress }: Pick<ExportContext, 'progress'>,
  id: string,
  work: (update: (current: number, total?: number) => void) => Promise<T> | T,
): Promise<T> {
  const started = systemClock.now();
  let last = { current: 0, total: 0 };
  let shown = started;
  progress.status({ id, started });
  const result = await work((current, total = 0) => {
    last = { current, total };
    const now = systemClock.now();
    if (now - shown < 150) return;
    shown = now;
    progress.status({ id, started, ...last });
  });
  progress.status({ id, started, ...last, completed: systemClock.now() });
  return result;
}
