import type { Duplex } from 'node:stream';
import { libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** The process that connected to this unix socket; undefined where it cannot be told, e.g. of one in another pid namespace, or of what is no unix socket. */
export function peerProcess(socket: Duplex): number | undefined {
  // Node has no other way to a socket's descriptor.
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
  if (handle?.fd === undefined || handle.fd < 0) return undefined;
  const credentials = new Int32Array(3);
  const length = Int32Array.of(credentials.byteLength);
  if (libc.getsockopt(handle.fd, SOL_SOCKET, SO_PEERCRED, credentials, length) < 0) return undefined;
  const [pid = 0] = credentials;
  return pid > 0 ? pid : undefined;
}
