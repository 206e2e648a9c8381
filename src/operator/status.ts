import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from './runtime/index.ts';

/** Whether a status says what the stored one says; undefined members do not count. */
export function sameStatus(stored: object | undefined, wanted: object): boolean {
  return isDeepStrictEqual(plain(stored ?? {}), plain(wanted));
}

const plain = (value: object): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** What is applied to the status subresource. With `fence` only when the object is as it was read. */
export function statusPatch(
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
