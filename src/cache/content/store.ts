import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AbortOptions,
  CodedError,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  HOUSE,
  isDigest,
  neverAborted,
  newId,
  onAbort,
  parseDigest,
  toCodedError,
  type WorkOptions,
} from '../../base/index.ts';
import {
  fileStream,
  type Pools,
  siblingModule,
  startThread,
  type Thread,
  tasksOf,
  type WorkerPool,
} from '../../sys/index.ts';
import type { ContentStore } from '../ports.ts';
import { markedIn, unmark } from './marks.ts';
import type { FromWriter, ToWriter } from './writer-thread.ts';

interface FsContentStoreOptions {
  /** Directory of committed blobs, `<algorithm>/<hex>` (the layout of OCI image layouts). */
  readonly blobs: string;
  /** Directory of temp files on the same file system; its owner empties it at start. */
  readonly tmp: string;
  readonly pools: Pools;
  /** For syncs, which wait for the disk and nobody for them. */
  readonly background: WorkerPool;
  /** The machine started anew since the last life: what may not have been on the disk by then is dropped. */
  readonly rebooted: boolean;
  /** Wait from a blob to the sync that makes it durable; 3,000 ms by default. */
  readonly syncDelayMs?: number | undefined;
}

type Source = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Uint8Array;

/** Work of the writer thread that is under way. */
interface Writing {
  /** Bytes sent and not yet written. */
  pending: number;
  failure: Error | undefined;
  wake: () => void;
  /** Blocks that the writer has not read yet, in their order. */
  readonly blocks: SharedArrayBuffer[];
  readonly done: PromiseWithResolvers<{ hex?: string; isDone: boolean }>;
}

const task = tasksOf<typeof import('./tasks.ts')>(siblingModule(import.meta.url, './tasks'));
/** Bytes of one ingest under way to the writer thread. */
const WINDOW = 4 << 20;
/** Bytes go to the writer in memory that both threads see, and that is used again: were each chunk copied for it, the collector would run all the time. */
const BLOCK = 128 << 10;
const IDLE_BLOCKS = 32;
const SYNC_DELAY_MS = 3_000;

/** Blobs in a directory. The file system is the only truth: no index that could disagree with it. */
export class FsContentStore implements ContentStore, AsyncDisposable {
  readonly #options: FsContentStoreOptions;
  readonly #writings = new Map<number, Writing>();
  /** Files that are being removed: they are not here any more, and nothing takes their place before they are gone. */
  readonly #removing = new Map<string, Promise<unknown>>();
  #writer: Thread<ToWriter, FromWriter> | undefined;
  readonly #idleBlocks: SharedArrayBuffer[] = [];
  #nextId = 1;
  /** How many blobs the writer has placed. */
  #placed = 0;
  /** Folders with blobs that another writer has placed, and that may not be on the disk. */
  #earlier: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #closed = false;

  constructor(options: FsContentStoreOptions) {
    this.#options = options;
    const { blobs, tmp, rebooted } = options;
    mkdirSync(join(blobs, 'sha256'), { recursive: true });
    mkdirSync(tmp, { recursive: true });
    if (rebooted)
      for (const folder of markedIn(blobs, 'folder')) {
        for (const path of markedIn(folder, 'file')) rmSync(path, { force: true });
        unmark(folder, 'folder');
      }
    this.#takeUp();
  }

  has(digest: Digest): boolean {
    return this.info(digest) !== undefined;
  }

  path(digest: Digest): string {
    if (!this.has(digest)) throw notFound(digest);
    return this.#file(digest);
  }

  info(digest: Digest): { readonly size: number } | undefined {
    const path = this.#file(digest);
    const stat = this.#removing.has(path) ? undefined : statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? undefined : { size: stat.size };
  }

  async open(
    descriptor: Descriptor,
    { signal, offset = 0 }: AbortOptions & { readonly offset?: number },
  ): Promise<ReadableStream<Uint8Array>> {
    signal.throwIfAborted();
    const info = this.info(descriptor.digest);
    if (info === undefined) throw notFound(descriptor.digest);
    if (info.size !== descriptor.size) {
      throw CodedError.of(
        'CONTENT_SIZE_MISMATCH',
        `blob ${descriptor.digest} has ${info.size} bytes, ${descriptor.size} expected`,
      );
    }
    return fileStream(this.#file(descriptor.digest), { start: offset, signal });
  }

  async ingest(
    source: Source,
    expected: { readonly digest?: Digest; readonly size?: number },
    { signal }: AbortOptions,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    signal.throwIfAborted();
    const chunks = chunksOf(source);
    const algorithm = expected.digest === undefined ? 'sha256' : digestAlgorithm(parseDigest(expected.digest));
    // What is here already is read all the same: that its bytes came is what proves that the source has them.
    if (
      source instanceof Uint8Array &&
      expected.digest !== undefined &&
      (await this.#find(expected.digest))?.size === source.length
    )
      return { digest: expected.digest, size: source.length };
    const { writer, id, ingest } = this.#begin();
    using aborted = onAbort(signal);
    let finished = false;
    let block: { readonly bytes: Uint8Array<SharedArrayBuffer>; used: number } | undefined;
    const flush = () => {
      if (block === undefined) return;
      const { bytes, used } = block;
      block = undefined;
      ingest.pending += used;
      ingest.blocks.push(bytes.buffer);
      writer.post({ kind: 'data', id, bytes: bytes.subarray(0, used) });
    };
    try {
      let size = 0;
      writer.post({ kind: 'open', id, path: this.#tempPath(), algorithm });
      for (;;) {
        const { done, value } = await Promise.race([chunks.next(), aborted.promise]);
        if (done) break;
        size += value.length;
        if (expected.size !== undefined && size > expected.size) checkSize(expected, size);
        for (let at = 0; at < value.length; ) {
          block ??= { bytes: new Uint8Array(this.#idleBlocks.pop() ?? new SharedArrayBuffer(BLOCK)), used: 0 };
          const part = value.subarray(at, at + BLOCK - block.used);
          block.bytes.set(part, block.used);
          block.used += part.length;
          at += part.length;
          if (block.used < BLOCK) continue;
          flush();
          while (ingest.pending > WINDOW && ingest.failure === undefined) {
            const { promise, resolve } = Promise.withResolvers<void>();
            ingest.wake = resolve;
            await Promise.race([promise, aborted.promise]);
          }
        }
        if (ingest.failure !== undefined) throw ingest.failure;
      }
      finished = true;
      checkSize(expected, size);
      flush();
      const hex = expected.digest === undefined ? undefined : digestHex(expected.digest);
      writer.post({ kind: 'end', id, blobs: this.#options.blobs, hex });
      // Not raced with the abort: the blob is then there, or not, when this settles.
      const result = await ingest.done.promise;
      const digest = parseDigest(`${algorithm}:${result.hex}`);
      if (!result.isDone) {
        throw CodedError.of('CONTENT_DIGEST_MISMATCH', `content has digest ${digest}, ${expected.digest} expected`, {
          hint: 'the bytes were changed on their way or at their origin; nothing was kept',
        });
      }
      return { digest, size };
    } catch (error) {
      writer.post({ kind: 'cancel', id });
      if (!finished) void chunks.return?.().catch(() => {});
      throw error;
    } finally {
      this.#end(id, writer);
    }
  }

  async temp(): Promise<{ readonly path: string } & AsyncDisposable> {
    const path = this.#tempPath();
    return { path, [Symbol.asyncDispose]: () => this.#removeFile(path) };
  }

  async adopt(path: string, digest: Digest, size: number, options: WorkOptions): Promise<void> {
    options.signal.throwIfAborted();
    const target = this.#file(digest);
    const actual = statSync(path).size;
    if (actual !== size) throw CodedError.of('CONTENT_SIZE_MISMATCH', `${path}: has ${actual} bytes, ${size} expected`);
    await this.#ask((id) => ({ kind: 'adopt', id, path, target }));
  }

  async remove(digest: Digest, { before = Number.POSITIVE_INFINITY } = {}): Promise<boolean> {
    const path = this.#file(digest);
    // No turn passes where none is under way: whoever asks has just seen that nobody needs it.
    for (let other = this.#removing.get(path); other !== undefined; other = this.#removing.get(path))
      await other.catch(() => {});
    if (!existsSync(path)) return false;
    const removing = this.#ask((id) => ({ kind: 'remove', id, path, before })).finally(() =>
      this.#removing.delete(path),
    );
    this.#removing.set(path, removing);
    return (await removing).isDone;
  }

  async verify(digest: Digest, options: WorkOptions): Promise<boolean> {
    const args = { path: this.#file(digest), algorithm: digestAlgorithm(digest) };
    const hex = await this.#options.pools.bulk.run(task('hashFile'), args, options);
    return hex === digestHex(digest);
  }

  digests(): ReadonlySet<Digest> {
    const found = new Set<Digest>();
    for (const algorithm of readdirSync(this.#options.blobs))
      for (const entry of readdirSync(join(this.#options.blobs, algorithm), { withFileTypes: true })) {
        const digest = `${algorithm}:${entry.name}`;
        if (isDigest(digest) && entry.isFile()) found.add(digest);
      }
    return found;
  }

  /** {@link ContentStore.list}, with the time each blob was last written or asked for (ms since the epoch). */
  async *list(): AsyncGenerator<{ readonly digest: Digest; readonly size: number; readonly writtenAt: number }> {
    const { pools, blobs } = this.#options;
    yield* await pools.bulk.run(task('listBlobs'), { blobs }, { signal: neverAborted, owner: HOUSE });
  }

  /** Puts all that is here on the disk: nobody needs to wait for it, it happens by itself. */
  async sync(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#syncing?.catch(() => {});
    this.#syncing = this.#sync().finally(() => {
      this.#syncing = undefined;
    });
    await this.#syncing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#syncing?.catch(() => {});
    await this.#writer?.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sync(): Promise<void> {
    const { background, blobs } = this.#options;
    const [writer, until, folders] = [this.#writer, this.#placed, this.#earlier];
    const earlier = await background.run(task('syncBlobs'), { blobs, folders }, { signal: neverAborted, owner: HOUSE });
    // Another one counts anew, and finds what this one has left by its marks.
    if (until > 0 && this.#writer !== writer) return;
    await this.#ask((id) => ({ kind: 'synced', id, until, earlier, folders }));
    if (this.#earlier === folders) this.#earlier = [];
  }

  /** What another writer has left to be synced. */
  #takeUp(): void {
    this.#earlier = markedIn(this.#options.blobs, 'folder');
    if (this.#earlier.length > 0) this.#scheduleSync();
  }

  #scheduleSync(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // What could not be marked is tried again.
      this.sync().catch(() => this.#scheduleSync());
    }, this.#options.syncDelayMs ?? SYNC_DELAY_MS);
    this.#timer.unref();
  }

  /** A blob that is here, and is from now on as good as new for whoever removes old ones. */
  async #find(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const path = this.#file(digest);
    await this.#removing.get(path)?.catch(() => {});
    const found = this.info(digest);
    if (found === undefined) return undefined;
    const now = Date.now() / 1000;
    utimesSync(path, now, now);
    return found;
  }

  #begin() {
    const writer = this.#start();
    const id = this.#nextId++;
    const done: Writing['done'] = Promise.withResolvers();
    const ingest: Writing = { pending: 0, failure: undefined, wake: () => {}, blocks: [], done };
    ingest.done.promise.catch(() => {});
    this.#writings.set(id, ingest);
    if (this.#writings.size === 1) writer.ref();
    return { writer, id, ingest };
  }

  #end(id: number, writer: Thread<ToWriter, FromWriter>): void {
    this.#writings.delete(id);
    if (this.#writings.size === 0) writer.unref();
  }

  /** One message that the writer answers. */
  async #ask(message: (id: number) => ToWriter): Promise<{ readonly isDone: boolean }> {
    const { writer, id, ingest } = this.#begin();
    try {
      writer.post(message(id));
      return await ingest.done.promise;
    } finally {
      this.#end(id, writer);
    }
  }

  #file(digest: Digest): string {
    parseDigest(digest);
    return join(this.#options.blobs, digestAlgorithm(digest), digestHex(digest));
  }

  #tempPath(): string {
    return join(this.#options.tmp, `blob-${newId()}`);
  }

  async #removeFile(path: string): Promise<void> {
    if (!existsSync(path)) return;
    await this.#options.pools.short.run(task('removeFiles'), { paths: [path] }, { signal: neverAborted, owner: HOUSE });
  }

  #start(): Thread<ToWriter, FromWriter> {
    if (this.#writer !== undefined) return this.#writer;
    const module = siblingModule(import.meta.url, './writer-thread');
    const writer = startThread<ToWriter, FromWriter>({ module, name: 'blob-writer' });
    writer.onMessage((message) => {
      const ingest = this.#writings.get(message.id);
      if (ingest === undefined) return;
      if (message.kind === 'wrote') {
        ingest.pending -= message.bytes;
        const block = ingest.blocks.shift();
        if (block !== undefined && this.#idleBlocks.length < IDLE_BLOCKS) this.#idleBlocks.push(block);
      } else if (message.kind === 'done') {
        if (message.placed > this.#placed) {
          this.#placed = message.placed;
          this.#scheduleSync();
        }
        ingest.done.resolve(message);
      } else {
        ingest.failure = toCodedError(Object.assign(new Error(message.message), { code: message.errno }));
        ingest.done.reject(ingest.failure);
      }
      ingest.wake();
    });
    const gone = (error?: unknown) => {
      if (this.#writer === writer) {
        this.#writer = undefined;
        // The next one counts anew.
        this.#placed = 0;
        if (!this.#closed) this.#takeUp();
      }
      for (const ingest of this.#writings.values()) {
        ingest.failure = new CodedError('unavailable', 'the blob writer ended', { cause: error });
        ingest.done.reject(ingest.failure);
        ingest.wake();
      }
    };
    writer.ended.then(gone, gone);
    this.#writer = writer;
    return writer;
  }
}

function notFound(digest: Digest): CodedError {
  return CodedError.of('CONTENT_NOT_FOUND', `blob ${digest} is not in the content store`);
}

function checkSize({ digest, size }: { readonly digest?: Digest; readonly size?: number }, actual: number): void {
  if (size === undefined || size === actual) return;
  const what = digest === undefined ? 'content' : `blob ${digest}`;
  const many = actual > size ? `more than ${size}` : `${actual}`;
  throw CodedError.of('CONTENT_SIZE_MISMATCH', `${what} has ${many} bytes, ${size} expected`);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}

function chunksOf(source: Source): AsyncIterator<Uint8Array> {
  if (source instanceof Uint8Array) return once(source);
  if (!(source instanceof ReadableStream)) return source[Symbol.asyncIterator]();
  // Not the stream's own iterator: its return() waits for a read that may never come.
  const reader = source.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done: true, value: undefined } : { done: false, value };
    },
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
