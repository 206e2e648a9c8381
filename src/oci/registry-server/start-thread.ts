import { CodedError, type Logger, silentLogger } from '../../base/index.ts';
import { siblingModule, startThread } from '../../sys/index.ts';
import type { FromRegistry, ToRegistry } from './registry-thread.ts';
import type { RegistryServerOptions } from './server.ts';

/** A registry that runs in a thread of its own. Disposing stops it and waits for its end. */
export interface RegistryThread extends AsyncDisposable {
  /** `http://127.0.0.1:40123` */
  readonly url: string;
  /** What image names begin with: `127.0.0.1:40123`. */
  readonly host: string;
  /** Resolves when it ended; rejects when it crashed. */
  readonly ended: Promise<void>;
}

/** Starts the embedded registry beside a busy process, so that hashing and writing what it receives cost that process nothing. */
export async function startRegistryThread(
  options: Omit<RegistryServerOptions, 'logger'>,
  logger: Logger = silentLogger,
): Promise<RegistryThread> {
  const thread = startThread<ToRegistry, FromRegistry>({
    module: siblingModule(import.meta.url, './registry-thread'),
    name: 'registry',
    data: options,
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  thread.onMessage((message) => {
    if (message.kind === 'listening') resolve(message.url);
    else if (message.kind === 'failed')
      reject(CodedError.of('REGISTRY_START', `the embedded registry does not start: ${message.message}`));
    else logger.error(message.message, { err: message.error });
  });
  thread.ended.then(() => reject(new CodedError('internal', 'the embedded registry ended at its start')), reject);
  try {
    const url = await promise;
    return {
      url,
      host: new URL(url).host,
      ended: thread.ended,
      [Symbol.asyncDispose]: async () => {
        thread.post({ kind: 'stop' });
        await thread.ended;
      },
    };
  } catch (error) {
    await thread.terminate();
    throw error;
  }
}
