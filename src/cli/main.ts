import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { cancelledError } from '../base/index.ts';
import { parseCommandLine } from './command-line.ts';
import { helpText } from './help.ts';
import type { CliIo } from './io.ts';
import { exitCodeOf, renderError } from './print-error.ts';
import type { Terminal } from './progress/display.ts';

const root = path.resolve(import.meta.dirname, '../..');

function terminal(stream: NodeJS.WriteStream): Terminal {
  return {
    write: (text) => void stream.write(text),
    get isTTY() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns || 120;
    },
    get rows() {
      return stream.rows || 40;
    },
  };
}

/** When all that was written to the stream is with its reader, or the reader is gone. */
const flushed = (stream: NodeJS.WriteStream) => new Promise<void>((resolve) => stream.write('', () => resolve()));

/** First signal: cancel the work and wait for it to wind up. Second: end at once. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(cancelledError('interrupted'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

async function main(io: CliIo, args: readonly string[]): Promise<number> {
  let phase: 'command-line' | 'run' = 'command-line';
  try {
    const command = parseCommandLine(args);
    phase = 'run';
    switch (command.kind) {
      case 'help':
        io.stdout.write(helpText(command.topic));
        return 0;
      case 'version':
        io.stdout.write(
          `slipway ${(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }).version}\n`,
        );
        return 0;
      case 'stop': {
        const { stopPrivateBuilder } = await import('./build/stop.ts');
        io.stdout.write(
          (await stopPrivateBuilder(io)) ? 'the private builder has ended\n' : 'no private builder runs\n',
        );
        return 0;
      }
      case 'operator': {
        const { runOperatorCommand } = await import('./operator/run-operator.ts');
        await runOperatorCommand(command, io);
        return 0;
      }
      case 'cache': {
        const { runCache } = await import('./cache/run-cache.ts');
        await runCache(command, io);
        return 0;
      }
      case 'explain': {
        const { runExplain } = await import('./explain/run-explain.ts');
        await runExplain(command, io);
        return 0;
      }
      case 'logs':
      case 'get':
      case 'describe':
      case 'cancel':
      case 'rerun':
      case 'pool': {
        const { runClusterCommand } = await import('./cluster/run-command.ts');
        await runClusterCommand(command, io);
        return 0;
      }
      case 'cluster-build': {
        const { runClusterBuild } = await import('./cluster/upload.ts');
        await runClusterBuild(command, io);
        return 0;
      }
      case 'build': {
        const { runBuild } = await import('./build/run-build.ts');
        await runBuild(command, io);
        return 0;
      }
    }
  } catch (error) {
    io.stderr.write(renderError(error));
    return exitCodeOf(error, phase);
  }
}

let unwritten = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader who has seen enough (`| head`) is no failure of the command.
  if (error.code === 'EPIPE') return;
  unwritten = true;
  process.stderr.write(renderError(error));
});
process.stderr.on('error', () => undefined);

const code = await main(
  {
    stdout: terminal(process.stdout),
    stderr: terminal(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    uid: process.getuid?.() ?? -1,
    bin: path.join(root, 'bin'),
    signal: interruptible(),
  },
  process.argv.slice(2),
);
// What was written to a pipe may still be on its way; connections that wind down in the background must not hold a
// finished command.
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(code === 0 && unwritten ? 1 : code);
