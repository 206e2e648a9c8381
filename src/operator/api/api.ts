import { type AbortOptions, CodedError, type Logger, sleep } from '../../base/index.ts';
import { FIELD_MANAGER } from '../resource-types.ts';
import { backoff, type KubeClient, type KubeObject, uncheckedType } from '../runtime/index.ts';
import { API_SERVICE } from './names.ts';
import { type ApiHandlers, type ApiServer, type ServingCertificate, startApiServer } from './server.ts';
import { readFrontProxy } from './user.ts';

/** The API's certificate with the authority that vouches for it, which the API server is told. */
export interface ApiCertificate extends ServingCertificate {
  readonly ca: string;
}

interface ApiOptions extends AbortOptions {
  readonly kube: KubeClient;
  readonly address: string;
  /** As it is now. */
  readonly certificate: (options: AbortOptions) => Promise<ApiCertificate>;
  readonly handlers: ApiHandlers;
  readonly log: Logger;
}

interface ApiService extends KubeObject {
  readonly spec: { readonly caBundle?: string };
}

const apiServiceType = uncheckedType<ApiService>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  plural: 'apiservices',
  kind: 'APIService',
  namespaced: false,
});

const FRESH_MS = 30_000;
const FIRST_DELAY_MS = 1000;

/** Serves the aggregated API until the signal, with certificates and authorities as they turn. What is missing for it is waited for: nothing else of the operator does. */
export async function serveApi({ kube, address, certificate, handlers, log, signal }: ApiOptions): Promise<void> {
  let server: ApiServer | undefined;
  let trusted = '';
  try {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const [own, frontProxy] = await Promise.all([certificate({ signal }), readFrontProxy(kube, { signal })]);
        const now = JSON.stringify([own.cert, own.key, frontProxy]);
        if (server === undefined) {
          server = await startApiServer({ address, certificate: own, frontProxy, handlers, log, signal });
          log.info('the API of logs is served', { port: server.port });
        } else if (now !== trusted) server.trust(own, frontProxy);
        trusted = now;
        await register(kube, own.ca, { signal });
        failures = 0;
        await sleep(FRESH_MS, { signal });
      } catch (error) {
        if (signal.aborted) return;
        log.warn('the API of logs is not set up', { err: error });
        await sleep(backoff(failures++, FIRST_DELAY_MS, FRESH_MS), { signal });
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await server?.[Symbol.asyncDispose]();
  }
}

/** Has the API server know the authority of the API's certificate. */
async function register(kube: KubeClient, ca: string, { signal }: AbortOptions): Promise<void> {
  const caBundle = Buffer.from(ca).toString('base64');
  const found = await kube.get(apiServiceType, { name: API_SERVICE }, { signal }).catch((error: unknown) => {
    if (error instanceof CodedError && error.code === 'not_found') return undefined;
    throw error;
  });
  if (found === undefined || found.spec.caBundle === caBundle) return;
  await kube.patch(
    apiServiceType,
    { name: API_SERVICE },
    { spec: { caBundle } },
    { signal, fieldManager: FIELD_MANAGER },
  );
}
