import { once } from 'node:events';
import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { CodedError, toCodedError } from '../../base/index.ts';
import { openRoot } from '../../sys/index.ts';
import { MessageQueue } from '../grpc/messages.ts';
import type { GrpcServer } from '../grpc/server.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { methodPath } from '../grpc/service.ts';
import { FileSend } from '../services/session-side.ts';
import { decodeBytesMessage } from '../session/bytes-message.ts';
import { receiveTree } from './receive.ts';
import { packetsOfServerCall } from './streams.ts';

/** Where a result goes: one file (a tarball), or a directory that keeps what it has. */
export type ExportDestination =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'directory'; readonly path: string };

/** Serves FileSend, as a build client does: `destinations` by the position of the exporter in the solve request. */
export function serveExports(server: GrpcServer, destinations: ReadonlyMap<number, ExportDestination>): void {
  server.registerRaw(methodPath(FileSend, FileSend.methods.diffCopy), (call) => void serve(call));

  async function serve(call: ServerCall): Promise<void> {
    try {
      const id = Number(call.metadata.get('buildkit-attachable-exporter-id') ?? '0');
      const destination = destinations.get(id);
      if (destination === undefined)
        throw new CodedError('not_found', `no destination for the files of exporter ${id}`);
      if (destination.kind === 'file') await receiveFile(call, destination.path);
      else {
        mkdirSync(destination.path, { recursive: true });
        using root = openRoot(destination.path);
        const ignoreOwners = process.getuid?.() !== 0;
        const packets = packetsOfServerCall(call);
        await receiveTree(packets, { root, differ: 'none', merge: true, ignoreOwners, signal: call.signal });
      }
      call.end();
    } catch (error) {
      call.end(toCodedError(error));
    }
  }
}

/** Writes beside the destination and renames, so that a broken transfer leaves no half file. */
async function receiveFile(call: ServerCall, path: string): Promise<void> {
  const queue = new MessageQueue<Uint8Array>(call);
  call.signal.addEventListener('abort', () => queue.finish(call.signal.reason, true), { once: true });
  call.read({
    onMessage: (message) => queue.push(message, message.length),
    onEnd: () => queue.finish(),
    onError: (error) => queue.finish(error),
  });
  const partial = `${path}.partial`;
  const file = createWriteStream(partial);
  // A full disk ends the transfer, wherever it is; so does giving up in the middle of a write, which the stream calls an error as well.
  file.on('error', (error) => queue.finish(toCodedError(error), true));
  try {
    await once(file, 'open');
    for await (const message of queue)
      if (!file.write(decodeBytesMessage(message))) await once(file, 'drain', { signal: call.signal });
    file.end();
    await once(file, 'close');
    if (file.errored !== null) throw file.errored;
    renameSync(partial, path);
  } catch (error) {
    file.destroy();
    rmSync(partial, { force: true });
    throw error;
  }
}
