import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../../e2e/support/ports.ts';
import { tool } from '../../../../test/tools.ts';

/** Who may use it. */
export const S3_KEYS = { access_key_id: 'test-key', secret_access_key: 'test-secret' } as const;
export const S3_REGION = 'eu-test-1';

/** An S3 server that checks signatures, with one bucket in `folder`. */
export async function s3Server(folder: string, bucket: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const port = await freePort();
  for (const part of ['data', 'sidecar']) mkdirSync(join(folder, part, bucket), { recursive: true });
  const keys = ['--access', S3_KEYS.access_key_id, '--secret', S3_KEYS.secret_access_key, '--region', S3_REGION];
  const args = [...keys, '--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', join(folder, 'sidecar')];
  const child = spawn(tool('versitygw'), [...args, join(folder, 'data')], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error('versitygw ended');
    const answered = await fetch(url).catch(() => undefined);
    await answered?.body?.cancel();
    if (answered !== undefined) break;
    await delay(50);
  }
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null && child.kill()) await exited;
    },
  };
}
