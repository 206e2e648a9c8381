import {
  type DirectoryRequest,
  directoryMetadata,
  FileSync,
  methodPath,
  packetsOfCall,
  type ReceiveProgress,
  receiveTree,
  type SessionTaskContext,
} from '../../../builder-api/index.ts';
import { openRoot } from '../../../sys/index.ts';

const REPORT_MS = 100;

export interface ReceiveDirectoryArgs {
  readonly directory: string;
  readonly request: DirectoryRequest;
  readonly differ: 'none' | 'metadata';
}

/** Session task: brings a directory in line with the client's. Posts a {@link ReceiveProgress} now and then. */
export async function receiveDirectory(
  args: ReceiveDirectoryArgs,
  context: SessionTaskContext,
): Promise<ReceiveProgress> {
  const call = context.channel.open(methodPath(FileSync, FileSync.methods.diffCopy), {
    signal: context.signal,
    metadata: directoryMetadata(args.request),
  });
  using root = openRoot(args.directory);
  let reported = 0;
  try {
    return await receiveTree(packetsOfCall(call), {
      root,
      differ: args.differ,
      signal: context.signal,
      onProgress: (progress) => {
        const now = performance.now();
        if (now - reported < REPORT_MS) return;
        reported = now;
        context.post(progress);
      },
    });
  } finally {
    call.end();
  }
}
