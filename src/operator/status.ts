import { isDeepStrictEqual } from 'node:util';
import type { AbortOptions } from '../base/index.ts';
import { FIELD_MANAGER } from './resource-types.ts';
import type { Informer, KubeClient, KubeObject, ResourceType } from './runtime/index.ts';

/** Whether a status says what the stored one says; undefined members do not count. */
export function sameStatus(stored: object | undefined, wanted: object): boolean {
  return isDeepStrictEqual(plain(stored ?? {}), plain(wanted));
}

const plain = (value: object): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** What is applied to the status subresource. With `fence` only when the object is as it was read. */
function statusPatch(
  object: KubeObject,
  status: object,
  fence?: 'unchanged',
): KubeObject & { readonly status: object } {
  const { name, namespace, resourceVersion, uid } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      // Never onto another object of the same name.
      ...(uid === undefined ? {} : { uid }),
      ...(fence === undefined || resourceVersion === undefined ? {} : { resourceVersion }),
    },
    status,
  };
}

/** Writes a status, and tells the informer of it. With `fence` only onto the object as it was read. @throws CodedError aborted when that is another by now */
export async function writeStatus<T extends KubeObject>(
  to: { readonly client: KubeClient; readonly informer: Informer<T> },
  type: ResourceType<T>,
  object: T,
  status: object,
  { signal, fence }: AbortOptions & { readonly fence?: 'unchanged' },
): Promise<void> {
  const options = { signal, fieldManager: FIELD_MANAGER, subresource: 'status' } as const;
  to.informer.wrote(await to.client.apply(type, statusPatch(object, status, fence), options));
}
