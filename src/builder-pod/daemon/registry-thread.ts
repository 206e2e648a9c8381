import type { Logger } from '../../base/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { siblingModule, startThread, type ThreadPort } from '../../sys/index.ts';

interface RegistryData {
  readonly root: string;
  readonly host: string;
  readonly port: number;
}

/** The embedded registry in a thread of its own: it hashes and writes what it takes. */
export interface RegistryThread extends AsyncDisposable {
  /** `127.0.0.1:40123`: what image names begin with. */
  readonly host: string;
}

export async function startRegistryThread(data: RegistryData, log: Logger): Promise<RegistryThread> {
  const thread = startThread<'close', string>({
    module: siblingModule(import.meta.url, './registry-thread'),
    name: 'registry',
    data,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  thread.onMessage(resolve);
  let closing = false;
  const failed = thread.ended.then(() => Promise.reject(new Error('the registry ended')));
  failed.catch((error: unknown) => {
    if (!closing) log.error('the embedded registry ended', { err: error });
  });
  const host = await Promise.race([promise, failed]);
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      closing = true;
      thread.post('close');
      await thread.ended.catch(() => {});
    },
  };
}

/** Inside the thread. */
export async function start(port: ThreadPort<'close', string>, data: RegistryData): Promise<void> {
  const server = await RegistryServer.start(data);
  port.onMessage(() => {
    void server[Symbol.asyncDispose]().finally(() => port.close());
  });
  port.post(server.host);
}
