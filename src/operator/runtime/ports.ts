/** What controllers need of a cluster, and nothing of Builds. */
import type { AbortOptions } from '../../base/index.ts';

/** A kind of object by its place in the API, e.g. `{ group: 'slipway.build', version: 'v1alpha1', plural: 'builds', kind: 'Build', namespaced: true }`. Core is the empty group. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Checks and types what the server sent. @throws for what does not fit */
  readonly parse: (value: unknown) => T;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `namespace/name`, or `name` of what is cluster-scoped. */
export type KeyText = string;

export interface CallOptions extends AbortOptions {
  /** Goes before the calls that wait for their turn, and is told of a 429 instead of waiting it out. */
  readonly urgent?: boolean;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager: string;
}

interface ApplyOptions extends WriteOptions {
  /** Applies to the status instead of the rest. */
  readonly subresource?: 'status';
}

/** Which objects of a type are meant; all by default. */
export interface Selection {
  readonly namespace?: string | undefined;
  /** As `kubectl --selector` has it. */
  readonly labelSelector?: string | undefined;
}

/** One page of a list, as it came: whoever reads it decides what to do with an object that does not parse. */
interface ListPage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Token for the next page; undefined at the end. */
  readonly continue: string | undefined;
  /** As it came over the wire. */
  readonly bytes: number;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

/**
 * The API server, typed by {@link ResourceType}. All failures are CodedErrors: not_found, already_exists, aborted (409 conflict), permission_denied, invalid_argument
 * (422, with the fields), out_of_range (410 Gone), unavailable (5xx, 429, connection); a 429's Retry-After is kept to.
 */
export interface KubeClient {
  /** Milliseconds since the epoch by the API server's clock, where this machine's is far from it: what one operator writes down another one reads. */
  now(): number;
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, options: CallOptions): Promise<T>;
  listPage(
    type: ResourceType,
    options: AbortOptions & Selection & { readonly limit: number; readonly continue?: string | undefined },
  ): Promise<ListPage>;
  /** Events since `resourceVersion`; ends when the server ends it. @throws CodedError out_of_range when that is too old */
  watch(
    type: ResourceType,
    options: AbortOptions & Selection & { readonly resourceVersion: string },
  ): AsyncIterable<WatchEvent>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions): Promise<T>;
  /** PUT; the object's resourceVersion is the precondition. */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions): Promise<T>;
  /** Server-side apply, by force; a resourceVersion in the object is a precondition, and nothing else of a status is. @throws CodedError aborted when the object changed since */
  apply<T extends KubeObject>(type: ResourceType<T>, object: KubeObject, options: ApplyOptions): Promise<T>;
  /** JSON merge patch of the object (not its status). */
  patch<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, patch: object, options: WriteOptions): Promise<T>;
  /** In the background: what it owns goes too. With a uid only the object of that uid. */
  delete(
    type: ResourceType,
    key: ObjectKey,
    options: AbortOptions & { readonly uid?: string | undefined },
  ): Promise<void>;
}

/** A local copy of all objects of one type, kept current by list and watch. */
export interface Informer<T extends KubeObject> {
  /** Settles when the first list is in. */
  readonly synced: Promise<void>;
  get(key: KeyText): T | undefined;
  list(): readonly T[];
  /** Objects whose index function gave `value`. */
  byIndex(index: string, value: string): readonly T[];
  /** Tells of an object that was just written, so that a reconcile never acts on something older than its own writes. Older news are dropped. */
  wrote(object: T): void;
  /** Tells of an object that was just deleted (404 or a successful delete). */
  gone(key: KeyText, uid: string | undefined): void;
  onChange(handler: (change: Change<T>) => void): Disposable;
}

export type Change<T> =
  | { readonly kind: 'set'; readonly object: T; readonly previous: T | undefined }
  | { readonly kind: 'gone'; readonly object: T };

/** What a reconcile wants: nothing more, or to be called again. Throwing means back-off. */
type ReconcileResult = { readonly requeueAfterMs: number } | undefined;

/** Makes the world fit the object of this key. Level-based: reads the present state, whatever the event was. */
export type Reconcile = (key: KeyText, options: AbortOptions) => Promise<ReconcileResult>;

export type EventType = 'Normal' | 'Warning';

/** Events about an object, same ones counted together and bounded in rate; never fails its caller. */
export interface EventRecorder {
  record(about: KubeObject, type: EventType, reason: string, message: string): void;
}

export const keyOf = ({ metadata }: KubeObject): KeyText =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
