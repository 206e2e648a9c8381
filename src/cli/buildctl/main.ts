import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { cancelledError } from '../../base/index.ts';
import { renderError } from '../print-error.ts';
import { parseBuildctl } from './command.ts';

const HELP = `buildctl: asks the builder of this container; BuildKit's own buildctl builds with it from outside

Usage:
  buildctl [flags] debug workers   list the builder's workers: ends well where it serves builds (a probe)
  buildctl [flags] dial-stdio      a client's connection over standard input and output

Flags:
      --addr ADDRESS               unix:///path or tcp://host:port (default: $BUILDKIT_HOST, unix:///run/buildkit/buildkitd.sock)
      --timeout SECONDS            how long to wait for the builder (default 5)
      --tlscacert, --tlscert, --tlskey FILE
      --tlsdir FOLDER              the three as ca.pem, cert.pem, key.pem or ca.crt, tls.crt, tls.key
      --tlsservername NAME         to expect in the builder's certificate
  -f, --filter FILTER              of workers
  -v, --version
`;

/** The folder of package.json, of the source as of what is built of it. */
const root = path.resolve(import.meta.dirname, '../../..');

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function run(): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => stop.abort(cancelledError('interrupted')));
  const command = parseBuildctl(process.argv.slice(2), process.env, isFile);
  switch (command.kind) {
    case 'help':
      process.stdout.write(HELP);
      return;
    case 'version': {
      const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
      process.stdout.write(`buildctl slipway ${version}\n`);
      return;
    }
    case 'workers': {
      const { listWorkers } = await import('./workers.ts');
      process.stdout.write(await listWorkers(command.endpoint, command.filters, { signal }));
      return;
    }
    case 'dial-stdio': {
      const { dialStdio } = await import('./dial-stdio.ts');
      await dialStdio(command.endpoint, process, { signal });
      return;
    }
  }
}

process.stdout.on('error', () => undefined);
let code = 0;
try {
  await run();
} catch (error) {
  process.stderr.write(renderError(error));
  code = 1;
}
// What was written to a pipe may still be on its way.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(code);
