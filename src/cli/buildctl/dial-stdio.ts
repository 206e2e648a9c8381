import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type AbortOptions, CodedError, invalidArgument } from '../../base/index.ts';
import type { Endpoint } from './command.ts';

const UNIX = 'unix://';

export interface Stdio {
  readonly stdin: Readable;
  readonly stdout: Writable;
}

/**
 * Carries a client's connection over standard input and output, as `kubectl exec` does. Over once the builder has closed it; the end of the input is passed on, and the
 * builder may still answer. @throws CodedError invalid_argument for other addresses than sockets, unavailable when nobody listens there
 */
export async function dialStdio(
  { address, timeoutMs }: Endpoint,
  { stdin, stdout }: Stdio,
  { signal }: AbortOptions,
): Promise<void> {
  if (!address.startsWith(UNIX))
    throw invalidArgument(`dial-stdio reaches a socket alone, not ${address}`, { hint: 'let it be unix:///path' });
  const connection = connect({ path: address.slice(UNIX.length), allowHalfOpen: true });
  try {
    await once(connection, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
  } catch (cause) {
    connection.destroy();
    throw new CodedError('unavailable', `the builder at ${address} cannot be reached: ${(cause as Error).message}`, {
      cause,
    });
  }
  // Whoever gave the input may go without a word, or never end it: the builder's side decides.
  const sent = pipeline(stdin, connection, { signal }).catch(() => undefined);
  await pipeline(connection, stdout, { end: false, signal });
  stdin.destroy();
  await sent;
}
