import { closeSync, constants as fs, readSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { type AbortOptions, CodedError, invalidArgument, toCodedError } from '../../base/index.ts';
import type { Root } from '../../sys/index.ts';
import { followLinks } from './follow-links.ts';
import { typeOfGoMode } from './mode.ts';
import { comparePaths } from './order.ts';
import type { FileStat, FsPacket, PacketStream } from './packets.ts';
import { walkTree } from './walk.ts';

/** Largest piece of content in one packet. */
const PIECE = 32 * 1024;
/** Entries listed before other work gets its turn. */
const LIST_BATCH = 256;
/** What is kept of a file until it is sent, beside its path. */
const FILE_BYTES = 128;

interface SentFile {
  readonly root: Root;
  readonly path: string;
}

interface Request extends SentFile {
  readonly id: number;
}

/** A tree that is sent. */
interface SentTree {
  readonly root: Root;
  /** Puts all entries below this directory, which is sent first. */
  readonly prefix?: FileStat;
  /** The modification time of everything; undefined leaves each its own. */
  readonly mtimeNs?: bigint;
}

export interface SendOptions extends AbortOptions, SentTree {
  /** Others that are sent with it as one; of what has the same path the first is taken. */
  readonly beside?: readonly SentTree[];
  readonly includePatterns?: readonly string[];
  readonly excludePatterns?: readonly string[];
  readonly followPaths?: readonly string[];
  readonly resetOwners?: boolean;
  readonly onProgress?: (bytes: number) => void;
  /** Told whenever the receiver has taken or asked for something. */
  readonly onMove?: () => void;
  /** Counts what is kept of the listing; what it throws ends the transfer. */
  readonly hold?: { add(bytes: number): void };
}

/** An entry, and the tree that it is of. */
interface SentEntry {
  readonly stat: FileStat;
  readonly tree: SentTree;
}

/** The sending side of an fsutil transfer: lists the tree, then sends what is asked for, until the receiver is done. @throws CodedError */
export async function sendTree(stream: PacketStream, options: SendOptions): Promise<void> {
  const files = new Map<number, SentFile>();
  const requests: Request[] = [];
  let wake: (() => void) | undefined;
  let finished = false;
  let failure: unknown;
  let bytes = 0;

  const notify = () => {
    wake?.();
    wake = undefined;
  };
  const reading = (async () => {
    try {
      for await (const packet of stream.packets) {
        options.onMove?.();
        if (packet.type === 'request') {
          const file = files.get(packet.id);
          if (file === undefined)
            throw invalidArgument(`file transfer: file ${packet.id} was asked for twice or is none`);
          files.delete(packet.id);
          requests.push({ id: packet.id, ...file });
        } else if (packet.type === 'fin') {
          finished = true;
          return;
        } else if (packet.type === 'error') throw new CodedError('unknown', `error from receiver: ${packet.message}`);
        else throw invalidArgument(`file transfer: unexpected ${packet.type} packet from the receiver`);
        notify();
      }
      throw new CodedError('unavailable', 'file transfer: the receiver left before it was done');
    } catch (error) {
      failure = error;
    } finally {
      notify();
    }
  })();

  const check = () => {
    options.signal.throwIfAborted();
    if (failure !== undefined) throw failure;
  };
  const send = async (packet: FsPacket) => {
    const wait = stream.send(packet);
    if (wait !== undefined) await wait;
    options.onMove?.();
  };

  try {
    let id = 0;
    for (const { stat, tree } of allEntries(options)) {
      if (typeOfGoMode(stat.mode) === 'file') {
        files.set(id, { root: tree.root, path: sourcePath(stat.path, tree.prefix) });
        options.hold?.add(FILE_BYTES + 2 * stat.path.length);
      }
      await send({ type: 'stat', stat });
      if (++id % LIST_BATCH === 0) await turn();
      check();
    }
    await send({ type: 'statEnd' });
    for (let at = 0; ; ) {
      check();
      const next = requests[at];
      if (next !== undefined) {
        at++;
        if (at % LIST_BATCH === 0) await turn();
        await sendFile(next);
      } else if (finished) break;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const onAbort = () => resolve();
        options.signal.addEventListener('abort', onAbort, { once: true });
        await promise;
        options.signal.removeEventListener('abort', onAbort);
      }
    }
    await reading;
    await send({ type: 'fin' });
  } catch (error) {
    const cause = options.signal.aborted ? options.signal.reason : error;
    void stream.send({ type: 'error', message: toCodedError(cause).message });
    throw cause;
  }

  async function sendFile({ id, root, path }: Request): Promise<void> {
    const fd = root.open(path, fs.O_RDONLY | fs.O_NOFOLLOW | fs.O_NONBLOCK);
    try {
      while (true) {
        const data = Buffer.allocUnsafe(PIECE);
        const length = readSync(fd, data, 0, PIECE, null);
        if (length === 0) break;
        bytes += length;
        await send({ type: 'data', id, data: data.subarray(0, length) });
        check();
      }
    } finally {
      closeSync(fd);
    }
    await send({ type: 'data', id, data: new Uint8Array() });
    options.onProgress?.(bytes);
  }
}

function* allEntries(options: SendOptions): Generator<SentEntry> {
  const { beside = [] } = options;
  const trees: readonly SendOptions[] = [options, ...beside.map((tree) => ({ ...tree, signal: options.signal }))];
  const open = trees.map((tree) => ({ tree, entries: entries(tree), next: undefined as FileStat | undefined }));
  const step = (one: (typeof open)[number]) => {
    const { value, done } = one.entries.next();
    one.next = done === true ? undefined : value;
  };
  for (const one of open) step(one);
  for (let last = ''; ; ) {
    let first: (typeof open)[number] | undefined;
    for (const one of open)
      if (one.next !== undefined && (first?.next === undefined || comparePaths(one.next.path, first.next.path) < 0))
        first = one;
    const stat = first?.next;
    if (first === undefined || stat === undefined) return;
    if (stat.path !== last) yield { stat, tree: first.tree };
    last = stat.path;
    step(first);
  }
}

function* entries(options: SendOptions): Generator<FileStat> {
  const { followPaths = [], includePatterns = [], prefix, mtimeNs } = options;
  const followed = followPaths.length === 0 ? [] : followLinks(options.root, followPaths);
  const all = { ...options, includePatterns: [...includePatterns, ...followed] };
  if (prefix !== undefined) yield prefix;
  for (const own of walkTree(all)) {
    const stat = mtimeNs === undefined ? own : { ...own, modTime: mtimeNs };
    if (prefix === undefined) {
      yield stat;
      continue;
    }
    const hardlink = typeOfGoMode(stat.mode) === 'file' && stat.linkname !== '';
    yield {
      ...stat,
      path: `${prefix.path}/${stat.path}`,
      ...(hardlink ? { linkname: `${prefix.path}/${stat.linkname}` } : {}),
    };
  }
}

function sourcePath(path: string, prefix: FileStat | undefined): string {
  return prefix === undefined ? path : path.slice(prefix.path.length + 1);
}
