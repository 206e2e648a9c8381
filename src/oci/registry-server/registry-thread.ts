import { toCodedError } from '../../base/index.ts';
import type { ThreadPort } from '../../sys/index.ts';
import { RegistryServer, type RegistryServerOptions } from './server.ts';

export type ToRegistry = { readonly kind: 'stop' };
export type FromRegistry =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'log'; readonly message: string; readonly error: string };

/** The inside of {@link startRegistryThread}. */
export async function start(port: ThreadPort<ToRegistry, FromRegistry>, options: RegistryServerOptions): Promise<void> {
  const stop = Promise.withResolvers<void>();
  port.onMessage(() => stop.resolve());
  const logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message: string, fields?: Readonly<Record<string, unknown>>) =>
      port.post({ kind: 'log', message, error: String(fields?.['err'] ?? '') }),
    child: () => logger,
  };
  let server: RegistryServer;
  try {
    server = await RegistryServer.start({ ...options, logger });
  } catch (error) {
    port.post({ kind: 'failed', message: toCodedError(error).message });
    port.close();
    return;
  }
  port.post({ kind: 'listening', url: server.url });
  await stop.promise;
  await server[Symbol.asyncDispose]();
  port.close();
}
