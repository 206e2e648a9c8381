import type { Logger } from '../../base/index.ts';
import { millisecondsOf, type wire } from '../../builder-api/index.ts';

/** Logs every step of a solve that ends, once, with its digest, whether it came from the cache, and how long it took. Output of steps is not logged: it may be anything. */
export async function logEvents(
  events: AsyncIterable<wire.moby.buildkit.v1.StatusResponse>,
  log: Logger,
): Promise<void> {
  const told = new Set<string>();
  for await (const { vertexes } of events)
    for (const { digest, name, cached, error, started, completed } of vertexes) {
      const end = millisecondsOf(completed);
      if (digest == null || end === undefined || told.has(digest)) continue;
      told.add(digest);
      const fields = {
        vertex: digest,
        step: name,
        cached: cached ?? false,
        durationMs: Math.round(end - (millisecondsOf(started) ?? end)),
      };
      if (error) log.info('a step failed', fields);
      else log.info('a step is done', fields);
    }
}
