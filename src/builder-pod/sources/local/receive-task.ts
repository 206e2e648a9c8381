import { CodedError } from '../../../base/index.ts';
// By their rooms, not by the whole of builder-api: a session's thread has no use for its clients.
import {
  type DirectoryRequest,
  directoryMetadata,
  packetsOfCall,
  type ReceiveProgress,
  receiveTree,
} from '../../../builder-api/fsutil/index.ts';
import { methodPath } from '../../../builder-api/grpc/index.ts';
import { FileSync } from '../../../builder-api/services/index.ts';
import type { SessionTaskContext } from '../../../builder-api/session/index.ts';
import { openRoot, type Root } from '../../../sys/index.ts';
import { TreeTracker } from './tree-tracker.ts';

const REPORT_MS = 100;

export interface ReceiveDirectoryArgs {
  readonly directory: string;
  /** Whether the directory is only read: where it may be written is asked for when something differs. */
  readonly readonly: boolean;
  readonly request: DirectoryRequest;
  readonly differ: 'none' | 'metadata';
  /** The content tree of what is in the directory; absent when it is not known. */
  readonly tree: Uint8Array | undefined;
  /** Whether the directory is empty, so that its tree is known without one. */
  readonly empty: boolean;
}

export interface ReceivedDirectory {
  readonly progress: ReceiveProgress;
  /** The content tree, as far as it could be kept. */
  readonly tree: Uint8Array | undefined;
}

/** Session task: brings a directory in line with the client's. May ask for the path of a place to write. Posts a {@link ReceiveProgress} now and then. */
export async function receiveDirectory(
  args: ReceiveDirectoryArgs,
  context: SessionTaskContext,
): Promise<ReceivedDirectory> {
  using roots = new DisposableStack();
  let root = roots.use(openRoot(args.directory));
  using stall = watchStall(args.request.name, context.limits.stallMs);
  const signal = AbortSignal.any([context.signal, stall.signal]);
  context.hold.add(args.tree?.length ?? 0);
  const call = context.channel.open(methodPath(FileSync, FileSync.methods.diffCopy), {
    signal,
    metadata: directoryMetadata(args.request),
  });
  const toWrite = async (): Promise<Root> => {
    root = roots.use(openRoot(await context.ask<string>()));
    return root;
  };
  const tracker = args.empty || args.tree !== undefined ? new TreeTracker(args.tree) : undefined;
  let reported = 0;
  try {
    const progress = await receiveTree(packetsOfCall(call), {
      root,
      ...(args.readonly ? { toWrite } : {}),
      ...(tracker === undefined
        ? {}
        : { onEntry: tracker.onEntry, onRemoved: tracker.onRemoved, hashFile: tracker.hashFile }),
      differ: args.differ,
      signal,
      hold: context.hold,
      onProgress: (progress) => {
        stall.moved();
        const now = performance.now();
        if (now - reported < REPORT_MS) return;
        reported = now;
        context.post(progress);
      },
    });
    return { progress, tree: tracker?.finish(root) };
  } finally {
    call.end();
  }
}

/** Its signal fires when nothing has moved for that long. */
function watchStall(name: string, stallMs: number) {
  const stalled = new AbortController();
  let moves = true;
  const timer = setInterval(() => {
    if (!moves)
      stalled.abort(
        CodedError.of('SESSION_STALLED', `the build client has sent nothing of ${name} for ${stallMs / 1000} s`),
      );
    moves = false;
  }, stallMs);
  return {
    signal: stalled.signal,
    moved: () => {
      moves = true;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
