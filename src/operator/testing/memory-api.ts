import { type AbortOptions, CodedError, silentLogger } from '../../base/index.ts';
import type { Informer, KubeClient, KubeObject, ObjectKey, ResourceType } from '../runtime/index.ts';
import { startInformer } from '../runtime/index.ts';

type Stored = KubeObject & { readonly status?: object };

/** An API server of one process, as far as controllers need one: versions, uids, applied statuses, watches; and what it is told to refuse. */
export class MemoryApi {
  readonly #objects = new Map<string, Stored>();
  readonly #watchers = new Set<(event: { type: string; object: Stored }) => void>();
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
    for (const tell of this.#watchers) tell({ type: before === undefined ? 'ADDED' : 'MODIFIED', object: stored });
    return stored;
  }

  delete(plural: string, key: ObjectKey): void {
    const object = this.#objects.get(idOf(plural, key));
    if (object === undefined) throw new CodedError('not_found', key.name);
    this.#objects.delete(idOf(plural, key));
    const gone = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    for (const tell of this.#watchers) tell({ type: 'DELETED', object: gone });
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
    get: async <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey) => {
      const found = this.#objects.get(idOf(type.plural, key));
      if (found === undefined) throw new CodedError('not_found', `there is no ${type.kind} ${key.name}`);
      return type.parse(structuredClone(found));
    },
    listPage: async (type: ResourceType) => ({
      items: this.list(type.plural),
      resourceVersion: String(this.#version),
      continue: undefined,
      bytes: 1,
    }),
    watch: (type: ResourceType, { signal }: AbortOptions) => this.#watch(type, signal),
    create: async <T extends KubeObject>(type: ResourceType<T>, object: T) => {
      this.#write('create', type, object);
      if (this.#objects.has(idOf(type.plural, object.metadata))) throw new CodedError('already_exists', 'there is one');
      return type.parse(structuredClone(this.put(type.plural, object)));
    },
    apply: async <T extends KubeObject>(type: ResourceType<T>, object: KubeObject) => {
      this.#write('apply', type, object);
      const found = this.#objects.get(idOf(type.plural, object.metadata));
      if (found === undefined) throw new CodedError('not_found', object.metadata.name);
      const { resourceVersion } = object.metadata;
      if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
        throw new CodedError('aborted', 'the object has been modified');
      const { status } = structuredClone(object) as Stored;
      return type.parse(
        structuredClone(this.put(type.plural, { ...found, ...(status === undefined ? {} : { status }) })),
      );
    },
    patch: async <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, patch: object) => {
      const found = this.#objects.get(idOf(type.plural, key)) as Stored & { readonly spec: object };
      this.#write('patch', type, found);
      const { spec } = patch as { readonly spec: object };
      return type.parse(structuredClone(this.put(type.plural, { ...found, spec: { ...found.spec, ...spec } })));
    },
    delete: async (type: ResourceType, key: ObjectKey) => {
      this.calls.push(`delete ${type.plural} ${key.name}`);
      this.delete(type.plural, key);
    },
    replace: () => Promise.reject(new Error('no controller replaces')),
  };

  #write(verb: string, { plural }: ResourceType, object: KubeObject): void {
    this.calls.push(`${verb} ${plural} ${object.metadata.name}`);
    this.refuse({ verb, plural, object });
  }

  async *#watch({ plural }: ResourceType, signal: AbortSignal) {
    const waiting: { type: string; object: Stored }[] = [];
    let wake = () => {};
    const tell = (event: { type: string; object: Stored }) => {
      if (event.object.kind.toLowerCase() !== plural.replace(/s$/, '')) return;
      waiting.push(structuredClone(event));
      wake();
    };
    this.#watchers.add(tell);
    try {
      while (!signal.aborted) {
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield event as never;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (waiting.length === 0) await promise;
      }
    } finally {
      this.#watchers.delete(tell);
    }
  }

  [Symbol.dispose](): void {
    this.#over.abort(new CodedError('cancelled', 'the test is over'));
  }
}

const idOf = (plural: string, { namespace, name }: ObjectKey): string => `${plural}/${namespace ?? ''}/${name}`;
