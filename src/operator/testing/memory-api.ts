import { type AbortOptions, CodedError, onAbort, silentLogger } from '../../base/index.ts';
import type { Informer, KubeClient, KubeObject, ObjectKey, ResourceType, WatchEvent } from '../runtime/index.ts';
import { startInformer } from '../runtime/index.ts';

type Stored = KubeObject & { readonly status?: object };

/** An API server of one process, as far as controllers need one: versions, uids, applied statuses, watches; and what it is told to refuse. */
export class MemoryApi {
  readonly #objects = new Map<string, Stored>();
  /** All that has happened, in order. */
  readonly #history: { readonly plural: string; readonly version: number; readonly event: WatchEvent }[] = [];
  #happened = Promise.withResolvers<void>();
  readonly #over = new AbortController();
  /** Calls in order: verb, plural and name. */
  readonly calls: string[] = [];
  /** Throws for writes that are refused. */
  refuse: (call: { readonly verb: string; readonly plural: string; readonly object: KubeObject }) => void = () => {};
  #version = 0;

  /** As a user's `kubectl apply` has it. */
  put<T extends KubeObject>(plural: string, object: T): T {
    const id = idOf(plural, object.metadata);
    const before = this.#objects.get(id);
    const stored = {
      ...object,
      metadata: {
        generation: 1,
        ...object.metadata,
        uid: object.metadata.uid ?? before?.metadata.uid ?? `uid-${++this.#version}`,
        resourceVersion: String(++this.#version),
      },
    };
    this.#objects.set(id, stored);
    this.#tell(plural, before === undefined ? 'ADDED' : 'MODIFIED', stored);
    return stored;
  }

  delete(plural: string, key: ObjectKey): void {
    const object = this.#objects.get(idOf(plural, key));
    if (object === undefined) throw new CodedError('not_found', key.name);
    this.#objects.delete(idOf(plural, key));
    const gone = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#tell(plural, 'DELETED', gone);
  }

  #tell(plural: string, type: WatchEvent['type'], object: Stored): void {
    this.#history.push({ plural, version: this.#version, event: { type, object: structuredClone(object) } });
    this.#happened.resolve();
    this.#happened = Promise.withResolvers();
  }

  get<T extends KubeObject>(plural: string, key: ObjectKey): T | undefined {
    return this.#objects.get(idOf(plural, key)) as T | undefined;
  }

  list<T extends KubeObject>(plural: string): readonly T[] {
    return [...this.#objects].filter(([id]) => id.startsWith(`${plural}/`)).map(([, object]) => object as unknown as T);
  }

  async informer<T extends KubeObject>(
    type: ResourceType<T>,
    indexes: Readonly<Record<string, (object: T) => string | undefined>> = {},
  ): Promise<Informer<T>> {
    const informer = startInformer(this.client, type, { indexes, log: silentLogger, signal: this.#over.signal });
    await informer.synced;
    return informer;
  }

  readonly client: KubeClient = {
    now: () => Date.now(),
    get: async <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, { signal }: AbortOptions) => {
      signal.throwIfAborted();
      return type.parse(structuredClone(this.#find(type, key)));
    },
    listPage: async (type: ResourceType, { signal }: AbortOptions) => {
      signal.throwIfAborted();
      const items = structuredClone(this.list(type.plural));
      return { items, resourceVersion: String(this.#version), continue: undefined, bytes: 1 };
    },
    watch: (type: ResourceType, options: AbortOptions & { readonly resourceVersion: string }) =>
      this.#watch(type, options),
    create: async <T extends KubeObject>(type: ResourceType<T>, object: T, { signal }: AbortOptions) => {
      signal.throwIfAborted();
      this.#write('create', type, object);
      if (this.#objects.has(idOf(type.plural, object.metadata))) throw new CodedError('already_exists', 'there is one');
      return type.parse(structuredClone(this.put(type.plural, object)));
    },
    apply: async <T extends KubeObject>(type: ResourceType<T>, object: KubeObject, { signal }: AbortOptions) => {
      signal.throwIfAborted();
      this.#write('apply', type, object);
      const found = this.#find(type, object.metadata);
      const { resourceVersion } = object.metadata;
      checkIs(found, { resourceVersion });
      const { status } = structuredClone(object) as Stored;
      return type.parse(
        structuredClone(this.put(type.plural, { ...found, ...(status === undefined ? {} : { status }) })),
      );
    },
    patch: async <T extends KubeObject>(
      type: ResourceType<T>,
      key: ObjectKey,
      patch: object,
      { signal }: AbortOptions,
    ) => {
      signal.throwIfAborted();
      const found = this.#find(type, key) as Stored & { readonly spec: object };
      this.#write('patch', type, found);
      const { spec, metadata: meta } = patch as { readonly spec?: object; readonly metadata?: KubeObject['metadata'] };
      checkIs(found, { uid: meta?.uid });
      const metadata = {
        ...found.metadata,
        labels: merged(found.metadata.labels, meta?.labels),
        annotations: merged(found.metadata.annotations, meta?.annotations),
        generation: (found.metadata.generation ?? 0) + (spec === undefined ? 0 : 1),
      };
      return type.parse(
        structuredClone(this.put(type.plural, { ...found, metadata, spec: { ...found.spec, ...spec } })),
      );
    },
    delete: async (
      type: ResourceType,
      key: ObjectKey,
      { signal, uid }: AbortOptions & { readonly uid?: string | undefined },
    ) => {
      signal.throwIfAborted();
      this.calls.push(`delete ${type.plural} ${key.name}`);
      checkIs(this.#find(type, key), { uid });
      this.delete(type.plural, key);
    },
    replace: () => Promise.reject(new Error('no controller replaces')),
  };

  #find(type: ResourceType, key: ObjectKey): Stored {
    const found = this.#objects.get(idOf(type.plural, key));
    if (found === undefined) throw new CodedError('not_found', `there is no ${type.kind} ${key.name}`);
    return found;
  }

  #write(verb: string, { plural }: ResourceType, object: KubeObject): void {
    this.calls.push(`${verb} ${plural} ${object.metadata.name}`);
    this.refuse({ verb, plural, object });
  }

  async *#watch(
    { plural }: ResourceType,
    { signal, resourceVersion }: AbortOptions & { readonly resourceVersion: string },
  ): AsyncGenerator<WatchEvent> {
    using aborted = onAbort(signal);
    for (let next = 0; ; ) {
      signal.throwIfAborted();
      const happened = this.#happened.promise;
      const one = this.#history[next];
      if (one === undefined) {
        await Promise.race([happened, aborted.promise]);
        continue;
      }
      next++;
      if (one.plural === plural && one.version > Number(resourceVersion)) yield structuredClone(one.event);
    }
  }

  [Symbol.dispose](): void {
    this.#over.abort(new CodedError('cancelled', 'the test is over'));
  }
}

/** As a JSON merge patch has it: null takes away. */
const merged = (before: Texts | undefined, patch: Texts | undefined): Texts | undefined =>
  before === undefined && patch === undefined
    ? undefined
    : Object.fromEntries(Object.entries({ ...before, ...patch }).filter(([, value]) => value !== null));
type Texts = Readonly<Record<string, string>>;

const idOf = (plural: string, { namespace, name }: ObjectKey): string => `${plural}/${namespace ?? ''}/${name}`;

/** What is said of an object's identity must be so. */
function checkIs({ metadata }: KubeObject, { uid, resourceVersion }: Partial<KubeObject['metadata']>): void {
  if (
    (uid ?? metadata.uid) === metadata.uid &&
    (resourceVersion ?? metadata.resourceVersion) === metadata.resourceVersion
  )
    return;
  throw new CodedError('aborted', 'the object has been modified');
}
