import { type AbortOptions, type Logger, sleep, toCodedError } from '../../base/index.ts';
import { type Informer, type KubeClient, type KubeObject, keyOf, type ResourceType, type Selection } from './ports.ts';
import { type Indexes, ObjectStore } from './store.ts';

/** Objects of a page: few at first, then as many as keep it below this size, since how large they are is up to others. */
const FIRST_PAGE = 50;
const MAX_PAGE = 250;
const PAGE_BYTES = 8 * 1024 * 1024;
const FIRST_DELAY_MS = 200;
/** Short, since until it is over nothing is heard of. */
const MAX_DELAY_MS = 5000;
const SHORT_WATCH_MS = 1000;

/** Half to whole of a delay that doubles with each failure in a row. */
export function backoff(failures: number, first: number, most: number): number {
  return Math.min(most, first * 2 ** Math.min(failures, 30)) * (0.5 + Math.random() / 2);
}

interface InformerOptions<T> {
  readonly indexes?: Indexes<T>;
  readonly log: Logger;
  /** Which objects it is to know. */
  readonly selection?: Selection;
  /** Told of an object that does not fit, each time that it comes. */
  readonly onMisfit?: (object: KubeObject, error: Error) => void;
}

/**
 * Lists in pages, then watches from there; a watch that ends or is cut goes on from the last version seen, and only one that is too old (410) makes it list again. An
 * object that does not fit its type is told of and left out; what was known of it before stays.
 */
export function startInformer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: InformerOptions<T> & AbortOptions,
): Informer<T> & { readonly ended: Promise<void> } {
  const log = options.log.child({ resource: type.plural });
  const { signal, selection } = options;
  const store = new ObjectStore<T>(options.indexes ?? {}, log);
  const synced = Promise.withResolvers<void>();
  synced.promise.catch(() => {});

  const parse = (value: unknown): T | undefined => {
    try {
      return type.parse(value);
    } catch (error) {
      const { metadata } = value as KubeObject;
      log.error('an object does not fit its type', {
        err: error,
        namespace: metadata.namespace,
        name: metadata.name,
      });
      options.onMisfit?.(value as KubeObject, error as Error);
      return undefined;
    }
  };

  const list = async (): Promise<string> => {
    const objects: T[] = [];
    let next: string | undefined;
    let version = '';
    let limit = FIRST_PAGE;
    do {
      const page = await client.listPage(type, { ...selection, signal, limit, continue: next });
      const each = page.bytes / Math.max(1, page.items.length);
      limit = Math.max(1, Math.min(MAX_PAGE, 2 * limit, Math.floor(PAGE_BYTES / Math.max(1, each))));
      objects.push(...page.items.map(parse).filter((object) => object !== undefined));
      // All pages show the same moment, that of the first.
      version ||= page.resourceVersion;
      next = page.continue;
    } while (next !== undefined);
    store.replace(objects, version);
    synced.resolve();
    return version;
  };

  const run = async (): Promise<void> => {
    let version: string | undefined;
    let failures = 0;
    // Nothing has come since the last list.
    let fresh = false;
    while (!signal.aborted) {
      try {
        if (version === undefined) {
          version = await list();
          fresh = true;
        }
        const began = performance.now();
        for await (const event of client.watch(type, { ...selection, signal, resourceVersion: version })) {
          failures = 0;
          fresh = false;
          const { metadata } = event.object as KubeObject;
          version = metadata.resourceVersion ?? version;
          if (event.type === 'BOOKMARK') continue;
          if (event.type === 'DELETED') store.remove(keyOf(event.object as KubeObject), metadata.uid);
          else {
            const object = parse(event.object);
            if (object !== undefined) store.set(object);
          }
        }
        // Servers end watches after some minutes; one that ends them at once is not asked without a pause.
        if (performance.now() - began > SHORT_WATCH_MS) continue;
      } catch (error) {
        if (signal.aborted) break;
        if (toCodedError(error).code === 'out_of_range') {
          log.info('the watch is too old, listing again', { err: error });
          version = undefined;
          // At once, however long the outage was before it; a list that is too old itself is another matter.
          if (!fresh) continue;
        } else log.warn('the watch was cut', { err: error });
      }
      await sleep(backoff(failures++, FIRST_DELAY_MS, MAX_DELAY_MS), options).catch(() => {});
    }
    synced.reject(signal.reason);
  };

  return {
    synced: synced.promise,
    ended: run(),
    get: (key) => store.get(key),
    list: () => store.list(),
    byIndex: (index, value) => store.byIndex(index, value),
    wrote: (object) => store.set(object),
    gone: (key, uid) => store.remove(key, uid),
    onChange: (handler) => store.onChange(handler),
  };
}
