import { isDeepStrictEqual } from 'node:util';
import type { AbortOptions } from '../base/index.ts';
import { FIELD_MANAGER } from './resource-types.ts';
import {
  clip,
  type Informer,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ResourceType,
} from './runtime/index.ts';

/** Whether a status says what the stored one says; undefined members do not count. */
export function sameStatus(stored: object | undefined, wanted: object): boolean {
  return isDeepStrictEqual(plain(stored ?? {}), plain(wanted));
}

const plain = (value: object): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** What is applied to the status subresource, of the object as it was read: of a status the server holds a uid against nothing, so only the version says that it is this one and no later one of its name. */
function statusPatch(object: KubeObject, status: object): KubeObject & { readonly status: object } {
  const { name, namespace, resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    status,
  };
}

/** Whether the API server refuses a write for good: the same would be refused again. */
export function isRefused(error: unknown): boolean {
  return (
    error instanceof KubeError && ['invalid_argument', 'permission_denied', 'resource_exhausted'].includes(error.code)
  );
}

/**
 * Writes a status onto the object as it was read, and tells the informer of it. One that is refused as it is, e.g. since the object would be larger than what can be stored, is written with
 * the least that must be known. @throws CodedError aborted when that is another by now
 */
export async function writeStatus<T extends KubeObject>(
  to: { readonly client: KubeClient; readonly informer: Informer<T> },
  type: ResourceType<T>,
  object: T,
  status: object,
  { signal }: AbortOptions,
): Promise<void> {
  const options = { signal, fieldManager: FIELD_MANAGER, subresource: 'status' } as const;
  const write = (what: object) => to.client.apply(type, statusPatch(object, what), options);
  to.informer.wrote(
    await write(status).catch(async (error: unknown) => {
      if (!isRefused(error)) throw error;
      return await write(leastStatus(status)).catch(() => {
        throw error;
      });
    }),
  );
}

const LEAST_FIELDS = [
  'triggered',
  ...['observedGeneration', 'phase', 'conditions', 'ready', 'lastRun', 'attempts', 'outputs', 'image', 'failure'],
  ...['queuedAt', 'startedAt', 'completedAt'],
];
/** Messages are cut to this. */
const LEAST_MESSAGE = 256;

/** What must survive of a status. */
function leastStatus(status: object): object {
  const short = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(short);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !['logTail', 'dockerfile', 'step', 'tags', 'platforms', 'attestations'].includes(key))
        .map(([key, member]) => [
          key,
          key === 'message' && typeof member === 'string' ? clip(member, LEAST_MESSAGE) : short(member),
        ]),
    );
  };
  const kept = Object.entries(status).filter(([key]) => LEAST_FIELDS.includes(key));
  return Object.fromEntries(kept.map(([key, member]) => [key, short(member)]));
}
