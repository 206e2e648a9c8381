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
  readonly directory: string;
  readonly metadata: readonly (readonly [string, string | Uint8Array])[];
  /** Puts everything below a directory of this name. */
  readonly prefix: { readonly name: string; readonly mtimeNs: bigint } | undefined;
  /** The modification time of everything. */
  readonly mtimeNs: bigint | undefined;
}

/** Session task: sends a directory's tree to the client. Posts the bytes sent so far. */
export async function sendDirectory(args: SendTreeArgs, context: SessionTaskContext): Promise<void> {
  using stall = watchStall('taken nothing of the result', context.limits.stallMs);
  const signal = AbortSignal.any([context.signal, stall.signal]);
  const call = context.channel.open(methodPath(FileSend, FileSend.methods.diffCopy), {
    signal,
    metadata: Metadata.fromPairs(args.metadata),
  });
  using root = openRoot(args.directory);
  await sendTree(packetsOfCall(call), {
    root,
    signal,
    hold: context.hold,
    onMove: stall.moved,
    ...(args.prefix === undefined ? {} : { prefix: directoryStat(args.prefix) }),
    ...(args.mtimeNs === undefined ? {} : { mtimeNs: args.mtimeNs }),
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
