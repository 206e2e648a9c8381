import {
  type AbortOptions,
  CodedError,
  invalidArgument,
  isTurnSpent,
  nextTurn,
  toCodedError,
} from '../../base/index.ts';
import { hasErrno } from '../../sys/index.ts';
import { entryBytes } from './kept-bytes.ts';
import { assertCleanPath, comparePaths } from './order.ts';
import type { FileStat, PacketStream } from './packets.ts';

export interface TransferOptions extends AbortOptions {
  readonly onProgress?: (progress: ReceiveProgress) => void;
  /** Counts what is kept of the listing and of content; what it throws ends the transfer. */
  readonly hold?: { add(bytes: number): void };
}

/** Asks the sender for the content of an entry. A promise where the next has to wait. */
export type ContentAsking = (id: number) => Promise<void> | undefined;

export interface IntakeProgress {
  /** Files whose content was asked for. */
  readonly requested: number;
  /** Bytes of content so far. */
  readonly bytes: number;
  readonly removed: number;
  /** Whatever was made, replaced, removed, or given other metadata: 0 means the directory was the same already. */
  readonly changes: number;
  /** Files that came with another length than was listed: they changed while they were sent. */
  readonly misstated: number;
}

export interface ReceiveProgress extends IntakeProgress {
  readonly entries: number;
}

/** What becomes of a transfer. Its calls come one after another; a promise is waited for. */
export interface Intake {
  /** What is being made. */
  about: string;
  /** Files whose content is to come. */
  readonly pending: number;
  /** An entry, clean and in its order. `asLast`: it is there already, just so. */
  entry(stat: FileStat, id: number, asLast: boolean): Promise<void> | undefined;
  /** That was the last. */
  listed(): Promise<void>;
  /** A piece of a file, or its end. */
  data(id: number, data: Uint8Array): Promise<void> | undefined;
  /** All is there. */
  finish(): Promise<void>;
  progress(): IntakeProgress;
}

/** What the system says of an entry that no file here can be. */
const IMPOSSIBLE = [
  'ENAMETOOLONG',
  'EINVAL',
  'E2BIG',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ERANGE',
  'EOVERFLOW',
  'EMLINK',
] as const;

const shown = (path: string): string => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);

/** Receives a transfer; whatever ends it early is told to the sender. @throws CodedError */
export async function failing<T>(
  stream: PacketStream,
  { signal }: AbortOptions,
  receiving: () => Promise<T>,
): Promise<T> {
  try {
    return await receiving();
  } catch (error) {
    const failure = signal.aborted ? signal.reason : error;
    void stream.send({ type: 'error', message: toCodedError(failure).message });
    throw failure;
  }
}

/** The receiving side of an fsutil transfer as far as it is about packets: what is allowed when, and who is told of it. @throws CodedError */
export async function runTransfer(
  stream: PacketStream,
  intake: Intake,
  options: TransferOptions,
): Promise<ReceiveProgress> {
  try {
    return await run(stream, intake, options);
  } catch (error) {
    const code = IMPOSSIBLE.find((code) => hasErrno(error, code));
    if (code === undefined) throw error;
    throw CodedError.of('CONTEXT_ENTRY', `file transfer: ${shown(intake.about)} cannot be made: ${code}`, {
      cause: error,
    });
  }
}

async function run(stream: PacketStream, intake: Intake, options: TransferOptions): Promise<ReceiveProgress> {
  const { signal, hold, onProgress } = options;
  let last: string | undefined;
  let entries = 0;
  let isListed = false;
  let isFinished = false;
  const progress = (): ReceiveProgress => ({ entries, ...intake.progress() });
  for await (const packet of stream.packets) {
    signal.throwIfAborted();
    if (isTurnSpent()) await nextTurn(options);
    switch (packet.type) {
      case 'stat': {
        const { stat } = packet;
        intake.about = stat.path;
        if (isListed) throw invalidArgument('file transfer: an entry after the end of the listing');
        assertCleanPath(stat.path);
        if (last !== undefined && comparePaths(last, stat.path) >= 0)
          throw invalidArgument(`file transfer: ${JSON.stringify(stat.path)} is out of order`);
        last = stat.path;
        hold?.add(entryBytes(stat));
        const wait = intake.entry(stat, entries++, packet.asLast === true);
        if (wait !== undefined) await wait;
        break;
      }
      case 'statEnd':
        if (isListed) throw invalidArgument('file transfer: the listing ended twice');
        isListed = true;
        await intake.listed();
        break;
      case 'data': {
        const wait = intake.data(packet.id, packet.data);
        if (wait !== undefined) await wait;
        break;
      }
      case 'error':
        throw new CodedError('unknown', `file transfer: the sender failed: ${packet.message}`, { fault: 'user' });
      case 'fin':
        if (!isFinished) throw invalidArgument('file transfer: the sender finished too early');
        return progress();
      case 'request':
        throw invalidArgument('file transfer: unexpected request from the sender');
    }
    if (isListed && intake.pending === 0 && !isFinished) {
      await intake.finish();
      isFinished = true;
      void stream.send({ type: 'fin' });
    }
    onProgress?.(progress());
  }
  signal.throwIfAborted();
  throw new CodedError('unavailable', 'file transfer: the stream ended before the files were there');
}

/** Of a clean path; the root's is empty. */
export function parentOf(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}

/**
 * Reads so many entries of a listing ahead, which its sender tells unasked. @returns whether there are as many, and the packets from the first one on
 */
export async function readAhead(
  stream: PacketStream,
  count: number,
  { hold, onPacket }: { readonly hold: { add(bytes: number): void }; readonly onPacket: () => void },
): Promise<{ readonly isLong: boolean; readonly stream: PacketStream }> {
  const packets = stream.packets[Symbol.asyncIterator]();
  const read: IteratorResult<Awaited<ReturnType<typeof packets.next>>['value']>[] = [];
  let held = 0;
  let isLong = count === 0;
  try {
    while (!isLong) {
      const next = await packets.next();
      onPacket();
      read.push(next);
      if (next.done === true || next.value.type !== 'stat') break;
      const bytes = entryBytes(next.value.stat);
      held += bytes;
      hold.add(bytes);
      isLong = read.length === count;
    }
  } catch (error) {
    await packets.return?.();
    throw error;
  }
  const from = async function* () {
    try {
      hold.add(-held);
      for (const next of read) {
        if (next.done === true) return;
        yield next.value;
      }
      read.length = 0;
      for (let next = await packets.next(); next.done !== true; next = await packets.next()) yield next.value;
    } finally {
      await packets.return?.();
    }
  };
  return { isLong, stream: { packets: from(), send: (packet) => stream.send(packet) } };
}
