import { type AbortOptions, HOUSE, type Logger, sleep } from '../../base/index.ts';
import type { GrpcServer } from '../../builder-api/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { DaemonConfig } from './config.ts';

const task = tasksOf<typeof import('./tls-task.ts')>(siblingModule(import.meta.url, './tls-task'));
/** Secrets of Kubernetes come to the pod within a minute or two; nothing tells of it that holds for every kind of volume. */
const LOOK_MS = 5000;

/**
 * Reads certificates again as long as the signal lets it, and has new connections meet what they hold now; those that there are go on. What is read is compared, not times: files may be
 * swapped as links are. A pair that is not one (broken, or half of it still the old one) is left and looked at again.
 */
export async function followTlsFiles(
  server: Pick<GrpcServer, 'setTls'>,
  tls: NonNullable<DaemonConfig['tls']>,
  { pool, log, signal }: AbortOptions & { readonly pool: WorkerPool; readonly log: Logger },
): Promise<void> {
  const textOf = ({ cert, key, ca }: Pick<typeof tls, 'cert' | 'key' | 'ca'>) => JSON.stringify([cert, key, ca]);
  let seen = textOf(tls);
  let told: string | undefined;
  while (!signal.aborted)
    try {
      await sleep(LOOK_MS, { signal });
      const read = await pool.run(task('readTlsFiles'), tls.files, { signal, owner: HOUSE });
      const text = textOf(read);
      if (text === seen) continue;
      seen = text;
      server.setTls(read);
      told = undefined;
      log.info('certificates were read again: new connections meet them', { certificate: tls.files.cert });
    } catch (error) {
      const { message } = error as Error;
      if (signal.aborted || told === message) continue;
      // The same fault is told once.
      told = message;
      log.warn('certificates cannot be used: connections go on meeting the last ones', { err: error });
    }
}
