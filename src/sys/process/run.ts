import type { Readable } from 'node:stream';
import { type AbortOptions, CodedError } from '../../base/index.ts';
import type { ExitStatus } from './reaper.ts';
import { type SpawnOptions, spawnProcess } from './spawn.ts';

interface RunOptions extends AbortOptions, Omit<SpawnOptions, 'path' | 'args' | 'stdin' | 'stdout' | 'stderr'> {
  readonly input?: string | Uint8Array;
  /** Bytes kept of each of stdout and stderr, 1 MiB by default; what is above is read and dropped. */
  readonly maxOutput?: number;
}

interface RunResult extends ExitStatus {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Whether output above `maxOutput` was dropped. */
  readonly truncated: boolean;
}

/** Runs a program to its end and collects its output; the abort kills its group. A failing exit is a result, not an error. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { signal, input, maxOutput = 1 << 20, ...spawnOptions } = options;
  signal.throwIfAborted();
  await using child = spawnProcess({
    ...spawnOptions,
    path: command,
    args,
    stdin: input === undefined ? 'null' : 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const abort = () => {
    child.kill();
    // Whoever left the group may hold the pipes open for ever.
    void child.exited.then(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    });
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (input !== undefined) child.stdin?.end(input);
    const [stdout, stderr, status] = await Promise.all([
      collect(child.stdout as Readable, maxOutput),
      collect(child.stderr as Readable, maxOutput),
      child.exited,
    ]);
    signal.throwIfAborted();
    return { ...status, stdout: stdout.data, stderr: stderr.data, truncated: stdout.truncated || stderr.truncated };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** {@link run} for programs that must succeed: stdout as text. @throws CodedError internal with the end of stderr. */
export async function runOrThrow(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const result = await run(command, args, options);
  if (result.code === 0) return result.stdout.toString('utf8');
  const how = result.code === undefined ? `signal ${result.signal}` : `exit code ${result.code}`;
  const said = result.stderr.toString('utf8').trim().slice(-2000);
  throw CodedError.of('SYS_COMMAND_FAILED', `${command} ${args[0] ?? ''}: ${how}${said === '' ? '' : `: ${said}`}`);
}

async function collect(stream: Readable, limit: number): Promise<{ data: Buffer; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  let truncated = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const room = limit - size;
    if (chunk.length > room) truncated = true;
    if (room > 0) chunks.push(chunk.subarray(0, room));
    size += Math.min(chunk.length, Math.max(room, 0));
  }
  return { data: Buffer.concat(chunks), truncated };
}
