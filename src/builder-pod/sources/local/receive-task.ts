import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { CodedError, type Limit } from '../../../base/index.ts';
// By their rooms, not by the whole of builder-api: a session's thread has no use for its clients.
import {
  type DirectoryRequest,
  directoryMetadata,
  failing,
  Listing,
  ListingKeeper,
  listedPackets,
  type PacketStream,
  packetsUnlessSame,
  type ReceiveProgress,
  readAhead,
  receiveTree,
  runTransfer,
} from '../../../builder-api/fsutil/index.ts';
import { methodPath } from '../../../builder-api/grpc/index.ts';
import { FileSync } from '../../../builder-api/services/index.ts';
import { type SessionTaskContext, watchStall } from '../../../builder-api/session/index.ts';
import { NotIndexable } from '../../../oci/layers/index.ts';
import { fileSystemUsage, lstat, openRoot, type Root } from '../../../sys/index.ts';
import { ImageIntake } from './image-intake.ts';
import type { FreeSpace } from './transfer-space.ts';
import { TreeTracker } from './tree-tracker.ts';

const REPORT_MS = 100;

export interface ReceiveDirectoryArgs {
  /** The directory; absent where its listing says all that is asked. */
  readonly directory: string | undefined;
  /** Whether the directory is only read: where it may be written is asked for when something differs. */
  readonly readonly: boolean;
  /** What {@link ReceivedDirectory} gave of what is in the directory. */
  readonly listing: Uint8Array | undefined;
  readonly request: DirectoryRequest;
  readonly differ: 'none' | 'metadata';
  /** The content tree of what is in the directory; absent when it is not known. */
  readonly tree: Uint8Array | undefined;
  /** Whether the directory is empty, so that its tree is known without one. */
  readonly empty: boolean;
  /** Where an image of it may be written instead, and of how many entries on it is to be; for an empty directory. */
  readonly image?: { readonly path: string; readonly minEntries: number } | undefined;
  /** Of the bytes of all files in it. */
  readonly limit: Limit | undefined;
}

/** What is posted now and then. */
export interface ReceiveReport {
  readonly progress: ReceiveProgress;
  /** Beside what was written; absent where nothing was. */
  readonly left: FreeSpace | undefined;
}

export interface ReceivedDirectory {
  readonly progress: ReceiveProgress;
  /** The image was written, and nothing in the directory. */
  readonly isImage: boolean;
  /** The content tree, as far as it could be kept. */
  readonly tree: Uint8Array | undefined;
  /** What the client listed, if that is what came and not too much to be kept. */
  readonly listing: Uint8Array | undefined;
}

const NOTHING: ReceivedDirectory = {
  progress: { entries: 0, requested: 0, bytes: 0, removed: 0, changes: 0, misstated: 0 },
  isImage: false,
  tree: undefined,
  listing: undefined,
};
/** A packed listing that is longer is not kept. */
const MAX_LISTING = 1024 * 1024;

/** Session task: brings a directory in line with the client's. May ask for the path of a place to write. Posts a {@link ReceiveReport} now and then. */
export async function receiveDirectory(
  args: ReceiveDirectoryArgs,
  context: SessionTaskContext,
): Promise<ReceivedDirectory> {
  if (args.image === undefined) return await receive(args, context);
  try {
    return await receive(args, context);
  } catch (error) {
    if (!(error instanceof NotIndexable)) throw error;
  }
  // Nothing of it is in the directory.
  return await receive({ ...args, image: undefined }, context);
}

async function receive(args: ReceiveDirectoryArgs, context: SessionTaskContext): Promise<ReceivedDirectory> {
  using roots = new DisposableStack();
  let root = args.directory === undefined ? undefined : roots.use(openRoot(args.directory));
  using stall = watchStall(`sent nothing of ${args.request.name}`, context.limits.stallMs);
  const signal = AbortSignal.any([context.signal, stall.signal]);
  using hold = new HeldPart(context.hold);
  hold.add(args.tree?.length ?? 0);
  const call = context.channel.open(methodPath(FileSync, FileSync.methods.diffCopy), {
    signal,
    metadata: directoryMetadata(args.request),
  });
  let written = args.readonly ? undefined : args.directory;
  const toWrite = async (): Promise<Root> => {
    written = await context.ask<string>();
    const opened = roots.use(openRoot(written));
    root = opened;
    return opened;
  };
  let reported = 0;
  let size = 0;
  try {
    const keeper = new ListingKeeper(hold);
    const last = args.listing === undefined ? undefined : new Listing(await unpack(args.listing), hold);
    const stream =
      last === undefined
        ? listedPackets(call, keeper)
        : await packetsUnlessSame(call, last, keeper, { signal, onMessage: stall.moved });
    if (stream === undefined) return NOTHING;
    const tracker = args.empty || args.tree !== undefined ? await TreeTracker.open(args.tree, { signal }) : undefined;
    const options = {
      ...(tracker === undefined
        ? {}
        : { onEntry: tracker.onEntry, onRemoved: tracker.onRemoved, hashFile: tracker.hashFile }),
      differ: args.differ,
      signal,
      hold,
      onSize: (bytes: number) => {
        size += bytes;
        if (args.limit !== undefined && size > args.limit.most) throw tooLarge(args.request.name, args.limit);
      },
      onProgress: (progress: ReceiveProgress) => {
        stall.moved();
        const now = performance.now();
        if (now - reported < REPORT_MS) return;
        reported = now;
        const left = written === undefined ? undefined : fileSystemUsage(written);
        context.post({ progress, left } satisfies ReceiveReport);
      },
    };
    const intoDirectory = (packets: PacketStream) =>
      receiveTree(packets, {
        ...options,
        ...(root === undefined ? { toWrite } : { root, ...(args.readonly ? { toWrite } : {}) }),
      });
    const intoImage = (packets: PacketStream, image: string) =>
      failing(packets, options, async () => {
        const request = (id: number) => packets.send({ type: 'request', id });
        using intake = new ImageIntake(image, lstat(args.directory!), request, options);
        return await runTransfer(packets, intake, options);
      });
    const { image } = args;
    const ahead =
      image === undefined
        ? { isLong: false, stream }
        : await readAhead(stream, image.minEntries, { hold, onPacket: stall.moved });
    const isImage = ahead.isLong && image !== undefined;
    const progress = await (isImage ? intoImage(ahead.stream, image.path) : intoDirectory(ahead.stream));
    // A file that came otherwise than it was listed is not there as it was listed, should the client have it so again.
    const listing = progress.misstated === 0 ? await packed(keeper) : undefined;
    return { progress, isImage, tree: await tracker?.finish(root!, { signal }), listing };
  } finally {
    call.end();
  }
}

/** What one transfer of a task has of what is held for it. */
class HeldPart implements Disposable {
  readonly #hold: SessionTaskContext['hold'];
  #bytes = 0;

  constructor(hold: SessionTaskContext['hold']) {
    this.#hold = hold;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#hold.add(bytes);
  }

  [Symbol.dispose](): void {
    this.#hold.add(-this.#bytes);
  }
}

function tooLarge(name: string, limit: Limit): CodedError {
  return CodedError.of('CONTEXT_TOO_LARGE', `the files of ${name} have more than ${limit.most} bytes (${limit.name})`, {
    hint: `leave out what the build does not need, e.g. with a .dockerignore file; whoever runs the builder can raise ${limit.name}`,
  });
}

const pack = promisify(zstdCompress);
const unpack = promisify(zstdDecompress);

async function packed(keeper: ListingKeeper): Promise<Uint8Array | undefined> {
  const listing = keeper.finish();
  const bytes = listing === undefined ? undefined : await pack(listing);
  return bytes === undefined || bytes.length > MAX_LISTING ? undefined : bytes;
}
