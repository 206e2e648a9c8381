import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type AbortOptions, CodedError, sleep } from '../../base/index.ts';
import { openBuilderClient } from '../../builder-api/client/index.ts';
import { spawnProcess } from '../../sys/index.ts';
import type { CliIo } from '../io.ts';

/** Host that names the private builder's own registry in manifests. */
export const EMBEDDED_REGISTRY = 'slipway.localhost';
const START_MS = 30_000;

export function privateRoot(io: CliIo): string {
  return io.env['SLIPWAY_ROOT'] ?? '/var/lib/slipway';
}

export function privateSocket(root: string): string {
  return path.join(root, 'builderd.sock');
}

/** Address of the private builder's registry, e.g. `127.0.0.1:40123`; undefined when it has none. */
export function embeddedRegistryAddress(root: string): string | undefined {
  try {
    return readFileSync(path.join(root, 'registry-address'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether a builder answers at this address. */
export async function answers(address: string, { signal }: AbortOptions): Promise<boolean> {
  await using client = openBuilderClient(address);
  try {
    await client.control.info({}, { signal, timeoutMs: 2000 });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CodedError && ['unavailable', 'deadline_exceeded', 'cancelled'].includes(error.code))
      return false;
    throw error;
  }
}

/**
 * Joins the private builder of this state directory, or starts it and waits until it answers. Two commands at once end at one builder: the directory has
 * one lock, and who does not get it finds the other's socket. It ends by itself when nobody used it for a while.
 */
export async function openPrivateBuilder(io: CliIo): Promise<{ readonly address: string; readonly root: string }> {
  const root = privateRoot(io);
  const socket = privateSocket(root);
  const address = `unix://${socket}`;
  if (await answers(address, io)) return { address, root };
  if (io.uid !== 0)
    throw new CodedError(
      'permission_denied',
      'starting a builder on this machine needs root: it mounts file systems and runs containers',
      {
        fault: 'user',
        hint: 'run the command with sudo, or name a running builder with --builder',
      },
    );
  mkdirSync(root, { recursive: true, mode: 0o711 });
  const logFile = path.join(root, 'builderd.log');
  const log = openSync(logFile, 'w', 0o600);
  const builder = spawnProcess({
    path: path.join(io.bin, 'buildkitd'),
    args: ['--root', root, '--addr', address, '--embedded-registry', '127.0.0.1:0', '--idle-timeout', '15m'],
    env: definedOnly(io.env),
    cwd: '/',
    lead: 'session',
    stdin: 'null',
    stdout: log,
    stderr: log,
  });
  closeSync(log);
  const ended = builder.exited.then(() => true);
  for (const until = performance.now() + START_MS; performance.now() < until; ) {
    if (await answers(address, io)) return { address, root };
    if (await Promise.race([ended, sleep(50, io).then(() => false)])) {
      // Another command's builder may have taken the lock first.
      if (await answers(address, io)) return { address, root };
      throw new CodedError('unavailable', `the builder did not start:\n${tail(logFile)}`, {
        hint: `its log is ${logFile}`,
      });
    }
  }
  throw new CodedError(
    'deadline_exceeded',
    `the builder did not answer within ${START_MS / 1000} s:\n${tail(logFile)}`,
    { hint: `its log is ${logFile}` },
  );
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}

function definedOnly(env: CliIo['env']): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
