import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../../e2e/support/ports.ts';

/** Debian's docker-registry on a port of its own, with its data in `folder`; `auth` is a part of its configuration. */
export async function dockerRegistry(folder: string, auth = ''): Promise<{ readonly host: string } & AsyncDisposable> {
  const port = await freePort();
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    `version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: ${folder}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:${port}\n${auth}`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const host = `127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error('docker-registry ended');
    const answered = await fetch(`http://${host}/v2/`).catch(() => undefined);
    await answered?.body?.cancel();
    if (answered !== undefined) break;
    await delay(50);
  }
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null && child.kill()) await exited;
    },
  };
}
