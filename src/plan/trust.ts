import { invalidArgument, readTrust } from '../base/index.ts';
import type { BuildSpec } from '../resources/index.ts';
import type { ClusterValues, PlannedTrust } from './solve-plan.ts';

/** @throws CodedError invalid_argument naming the field */
export function planTrust(
  { trust }: Pick<BuildSpec, 'trust'>,
  values: ClusterValues | undefined,
): PlannedTrust | undefined {
  if (trust === undefined) return undefined;
  const { caBundle, caBundleFrom, proxy = '', noProxy = '' } = trust;
  if (caBundleFrom !== undefined && values?.caBundle === undefined)
    throw invalidArgument('spec.trust.caBundleFrom: only a cluster has ConfigMaps and Secrets: give caBundle');
  const given = { caBundle: caBundle ?? values?.caBundle ?? '', proxy, noProxy };
  if (caBundleFrom !== undefined && given.caBundle === '')
    throw invalidArgument('spec.trust.caBundleFrom: what it names is empty');
  return readTrust(given, 'spec.trust') === undefined ? undefined : given;
}

/** What RUN steps are told of a proxy: the arguments that every Dockerfile has, but those that the Build sets itself. In no key and in no image. */
export function proxyArgs(trust: PlannedTrust | undefined, args: BuildSpec['args']): Readonly<Record<string, string>> {
  if (trust === undefined || trust.proxy === '') return {};
  const { proxy, noProxy } = trust;
  const own = new Set((args ?? []).map(({ name }) => name.toUpperCase()));
  const told = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ...(noProxy === '' ? {} : { NO_PROXY: noProxy }) };
  return Object.fromEntries(
    Object.entries(told).flatMap(([name, value]) => (own.has(name) ? [] : [[`build-arg:${name}`, value]])),
  );
}
