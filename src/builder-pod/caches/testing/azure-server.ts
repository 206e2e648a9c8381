import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BlobServiceClient, type ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { freePort } from '../../../../e2e/support/ports.ts';
import { cache } from '../../../../test/tools.ts';

/** Who may use it. */
export const AZURE_ACCOUNT = 'testaccount';
export const AZURE_KEY = Buffer.from('a secret key of the tests').toString('base64');

/** A server of Azure's blobs that checks signatures, with its data in `folder`; `tls` are paths of a certificate and its key, with which it takes tokens too. */
export async function azureServer(
  folder: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<{ readonly url: string } & AsyncDisposable> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const main = join(cache, 'azurite/node_modules/azurite/dist/src/blob/main.js');
  const secure = tls === undefined ? [] : ['--oauth', 'basic', '--cert', tls.cert, '--key', tls.key];
  const args = ['--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--location', folder, '--silent', ...secure];
  const child = spawn(process.execPath, [main, '--skipApiVersionCheck', '--disableTelemetry', ...args], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], AZURITE_ACCOUNTS: `${AZURE_ACCOUNT}:${AZURE_KEY}` },
  });
  const scheme = tls === undefined ? 'http' : 'https';
  for (;;) {
    if (child.exitCode !== null) throw new Error('azurite ended');
    // It is up as soon as it takes connections; what it says to this matters not.
    const answered = await fetch(`http://127.0.0.1:${port}`).then(
      async (answer) => answer.body?.cancel().then(() => true) ?? true,
      (error: Error) => (error.cause as { code?: string } | undefined)?.code !== 'ECONNREFUSED',
    );
    if (answered) break;
    await delay(50);
  }
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null && child.kill()) await exited;
    },
  };
}

/** The test's own way into a container. */
export function azureContainer(url: string, name: string): ContainerClient {
  const credential = new StorageSharedKeyCredential(AZURE_ACCOUNT, AZURE_KEY);
  return new BlobServiceClient(`${url}/${AZURE_ACCOUNT}`, credential).getContainerClient(name);
}
