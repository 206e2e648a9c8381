import { createHash } from 'node:crypto';
import { type AbortOptions, type Logger, RecentMap, toCodedError } from '../../base/index.ts';
import { uncheckedType } from './kube-client.ts';
import { clip, plainText } from './plain-text.ts';
import type { EventRecorder, EventType, KubeClient, KubeObject } from './ports.ts';

interface CoreEvent extends KubeObject {
  readonly involvedObject: object;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly reportingComponent: string;
  readonly reportingInstance: string;
  readonly source: { readonly component: string };
}

const eventType = uncheckedType<CoreEvent>({
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
});

const MAX_WAITING = 1000;
const MAX_KNOWN = 5000;
/** Events about one object: so many at once, and one more every so often. */
const BURST = 25;
const REFILL_MS = 60_000;
const MAX_MESSAGE = 1024;

interface RecorderOptions extends AbortOptions {
  readonly component: string;
  readonly log: Logger;
}

/** Writes Events one after the other; what comes faster than the bounds is left out and counted in the log. */
export function startEventRecorder(
  client: KubeClient,
  options: RecorderOptions,
): EventRecorder & { drain(): Promise<void> } {
  const { component, log, signal } = options;
  const waiting: CoreEvent[] = [];
  const counts = new RecentMap<string, number>(MAX_KNOWN);
  const buckets = new RecentMap<string, { tokens: number; at: number }>(MAX_KNOWN);
  let writing: Promise<void> | undefined;

  const allowed = (uid: string): boolean => {
    const now = performance.now();
    const bucket = buckets.getOrMake(uid, () => ({ tokens: BURST, at: now }));
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };

  const write = async (event: CoreEvent): Promise<void> => {
    try {
      const { name } = event.metadata;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      if (count > 1)
        try {
          const { lastTimestamp } = event;
          await client.patch(eventType, event.metadata, { count, lastTimestamp }, { signal, fieldManager: component });
          return;
        } catch (error) {
          // Events expire; then it is a new one.
          if (toCodedError(error).code !== 'not_found') throw error;
        }
      await client.create(eventType, event, { signal, fieldManager: component });
    } catch (error) {
      const { code } = toCodedError(error);
      // The same was told by an earlier life of this operator, or its object is being deleted with its namespace.
      if (code !== 'already_exists' && !signal.aborted) log.debug('an event was not written', { err: error });
    }
  };

  const drain = async (): Promise<void> => {
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) await write(event);
    writing = undefined;
  };

  return {
    record(about, type, reason, message) {
      const { metadata } = about;
      if (waiting.length >= MAX_WAITING || !allowed(metadata.uid ?? metadata.name)) {
        log.debug('an event was left out', { reason, name: metadata.name });
        return;
      }
      const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
      const text = clip(plainText(message), MAX_MESSAGE);
      const hash = createHash('sha256')
        .update([metadata.uid, type, reason, text].join('\0'))
        .digest('hex')
        .slice(0, 16);
      waiting.push({
        apiVersion: 'v1',
        kind: 'Event',
        // Same event, same name: counted together.
        metadata: { name: `${metadata.name.slice(0, 230)}.${hash}`, namespace: metadata.namespace ?? 'default' },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name: metadata.name,
          ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
          uid: metadata.uid,
          resourceVersion: metadata.resourceVersion,
        },
        type,
        reason,
        message: text,
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
        reportingComponent: component,
        reportingInstance: component,
        source: { component },
      });
      writing ??= drain();
    },
    drain: async () => await writing,
  };
}
