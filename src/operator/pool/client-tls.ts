import { type AbortOptions, CodedError } from '../../base/index.ts';
import type { ClientTls } from '../../builder-api/client/index.ts';
import type { Endpoint } from '../../resources/index.ts';
import { secretType } from '../resource-types.ts';
import type { KubeClient } from '../runtime/index.ts';

/** Certificates for a builder, from the Secret that its pool names; undefined where it names none. @throws CodedError */
export async function clientTls(
  kube: Pick<KubeClient, 'get'>,
  { tlsSecretRef, serverName }: Endpoint,
  options: AbortOptions,
): Promise<ClientTls | undefined> {
  if (tlsSecretRef === undefined) return undefined;
  const { data = {} } = await kube.get(secretType, tlsSecretRef, options);
  const part = (key: string): Uint8Array => {
    const value = data[key];
    if (value === undefined)
      throw new CodedError(
        'failed_precondition',
        `the Secret ${tlsSecretRef.namespace}/${tlsSecretRef.name} has no ${key}`,
      );
    return Buffer.from(value, 'base64');
  };
  return {
    ca: part('ca.crt'),
    cert: part('tls.crt'),
    key: part('tls.key'),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** As clients are given it. */
export function builderTarget({ address }: Pick<Endpoint, 'address'>): string {
  return address.startsWith('tcp://') ? address : `tcp://${address}`;
}
