import { CodedError, toCodedError } from '../../base/index.ts';
import { openRoot } from '../../sys/index.ts';
import type { GrpcServer } from '../grpc/server.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { methodPath } from '../grpc/service.ts';
import { FileSync } from '../services/session-side.ts';
import { readDirectoryMetadata } from './metadata.ts';
import { sendTree } from './send.ts';
import { packetsOfServerCall } from './streams.ts';

/** Serves local directories by name to a builder, as a build client does: owners are sent as 0:0. */
export function serveDirectories(
  server: GrpcServer,
  directories: ReadonlyMap<string, string>,
  options: { readonly onProgress?: (name: string, bytes: number) => void } = {},
): void {
  server.registerRaw(methodPath(FileSync, FileSync.methods.diffCopy), (call) => void serve(call));

  async function serve(call: ServerCall): Promise<void> {
    try {
      const { name, ...filter } = readDirectoryMetadata(call.metadata);
      const directory = directories.get(name);
      if (directory === undefined)
        throw new CodedError('not_found', `no access allowed to dir ${JSON.stringify(name)}`, {
          hint: 'the build names a local directory that the client does not offer',
        });
      using root = openRoot(directory);
      await sendTree(packetsOfServerCall(call), {
        root,
        ...filter,
        resetOwners: true,
        signal: call.signal,
        onProgress: (bytes) => options.onProgress?.(name, bytes),
      });
      call.end();
    } catch (error) {
      call.end(toCodedError(error));
    }
  }
}
