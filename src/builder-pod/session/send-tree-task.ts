import {
  FileSend,
  type FileStat,
  Metadata,
  methodPath,
  packetsOfCall,
  type SessionTaskContext,
  sendTree,
  watchStall,
} from '../../builder-api/index.ts';
import { openRoot } from '../../sys/index.ts';

export interface SendTreeArgs {
  readonly trees: readonly DirectoryTree[];
  readonly metadata: readonly (readonly [string, string | Uint8Array])[];
}

/** A directory's tree as it is sent. */
export interface DirectoryTree {
  readonly directory: string;
  /** Puts everything below a directory of this name. */
  readonly prefix?: { readonly name: string; readonly mtimeNs: bigint } | undefined;
  /** The modification time of everything; undefined leaves each its own. */
  readonly mtimeNs?: bigint | undefined;
}

/** Session task: sends the trees of directories to the client, as one. Posts the bytes sent so far. */
export async function sendDirectory(args: SendTreeArgs, context: SessionTaskContext): Promise<void> {
  using stall = watchStall('taken nothing of the result', context.limits.stallMs);
  const signal = AbortSignal.any([context.signal, stall.signal]);
  const call = context.channel.open(methodPath(FileSend, FileSend.methods.diffCopy), {
    signal,
    metadata: Metadata.fromPairs(args.metadata),
  });
  using stack = new DisposableStack();
  const [first, ...beside] = args.trees.map(({ directory, prefix, mtimeNs }) => ({
    root: stack.use(openRoot(directory)),
    ...(prefix === undefined ? {} : { prefix: directoryStat(prefix) }),
    ...(mtimeNs === undefined ? {} : { mtimeNs }),
  }));
  if (first === undefined) throw new Error('no tree to send');
  await sendTree(packetsOfCall(call), {
    ...first,
    beside,
    signal,
    hold: context.hold,
    onMove: stall.moved,
    onProgress: (bytes) => context.post(bytes),
  });
  call.end();
}

function directoryStat({ name, mtimeNs }: { name: string; mtimeNs: bigint }): FileStat {
  return {
    path: name,
    mode: 0x8000_0000 + 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    modTime: mtimeNs,
    linkname: '',
    devmajor: 0,
    devminor: 0,
    xattrs: {},
  };
}
