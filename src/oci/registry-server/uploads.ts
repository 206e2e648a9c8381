import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Digest, digestAlgorithm, digestHex, neverAborted, Semaphore } from '../../base/index.ts';
import { Problem } from './problem.ts';
import type { RegistryStorage } from './storage.ts';

/** One blob being uploaded: its temp file, how many bytes came so far and their running sha256. */
interface Session {
  readonly id: string;
  readonly repository: string;
  readonly path: string;
  readonly file: FileHandle;
  readonly hash: Hash;
  offset: number;
  /** One request at a time. After a cut the client is often back before the old connection is known to be dead, and waits for it. */
  readonly turn: Semaphore;
  writing: boolean;
  touched: number;
}

/** How long a request waits for another one on the same upload, in ms. */
const BUSY_WAIT_MS = 10_000;

interface UploadLimits {
  /** Bytes of one blob. */
  readonly maxBlobBytes: number;
  /** Sessions open at once; the one idle for longest gives way. */
  readonly maxUploads: number;
}

/** The upload sessions of a server. Content arrives strictly in order, so the digest is known when the last byte is. */
export class Uploads implements AsyncDisposable {
  readonly #sessions = new Map<string, Session>();
  readonly #storage: RegistryStorage;
  readonly #limits: UploadLimits;
  /** One begins at a time, so that the limit holds. */
  readonly #beginning = new Semaphore(1);

  constructor(storage: RegistryStorage, limits: UploadLimits) {
    this.#storage = storage;
    this.#limits = limits;
  }

  /** Begins a session and returns its id. */
  async begin(repository: string): Promise<string> {
    using _turn = await this.#beginning.acquire({ signal: neverAborted });
    if (this.#sessions.size >= this.#limits.maxUploads) {
      const idle = [...this.#sessions.values()].filter((s) => !s.writing).sort((a, b) => a.touched - b.touched)[0];
      if (idle === undefined)
        throw new Problem(429, 'TOOMANYREQUESTS', 'too many uploads at once', { 'retry-after': '1' });
      await this.#end(idle);
    }
    const path = this.#storage.tempPath();
    const session: Session = {
      id: randomUUID(),
      repository,
      path,
      file: await open(path, 'wx', 0o644),
      hash: createHash('sha256'),
      offset: 0,
      turn: new Semaphore(1),
      writing: false,
      touched: Date.now(),
    };
    this.#sessions.set(session.id, session);
    return session.id;
  }

  #find(repository: string, id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.repository !== repository)
      throw new Problem(404, 'BLOB_UPLOAD_UNKNOWN', 'no such upload: it ended, expired, or the server restarted');
    return session;
  }

  /** Bytes received so far, once no request writes any more. */
  async offset(repository: string, id: string): Promise<number> {
    const session = this.#find(repository, id);
    using _turn = await this.#turn(session);
    return session.offset;
  }

  async #turn(session: Session): Promise<Disposable> {
    let permit: Disposable;
    try {
      permit = await session.turn.acquire({ signal: AbortSignal.timeout(BUSY_WAIT_MS) });
    } catch {
      throw new Problem(409, 'BLOB_UPLOAD_INVALID', 'this upload is being written by another request');
    }
    if (this.#sessions.get(session.id) === session) {
      session.writing = true;
      return {
        [Symbol.dispose]: () => {
          session.writing = false;
          session.touched = Date.now();
          permit[Symbol.dispose]();
        },
      };
    }
    permit[Symbol.dispose]();
    throw new Problem(404, 'BLOB_UPLOAD_UNKNOWN', 'this upload has ended');
  }

  /**
   * Appends what the client sends. `from`, where given, must be the present offset (416 otherwise). A cut connection keeps what came,
   * so that the client can go on from there.
   */
  async append(repository: string, id: string, from: number | undefined, body: Readable): Promise<number> {
    const session = this.#find(repository, id);
    using _turn = await this.#turn(session);
    if (from !== undefined && from !== session.offset)
      throw new Problem(416, 'BLOB_UPLOAD_INVALID', `the chunk begins at ${from}, expected ${session.offset}`);
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (session.offset + chunk.length > this.#limits.maxBlobBytes)
        throw new Problem(413, 'SIZE_INVALID', `the blob is larger than ${this.#limits.maxBlobBytes} bytes`);
      let written = 0;
      while (written < chunk.length) {
        const { bytesWritten } = await session.file.write(
          chunk,
          written,
          chunk.length - written,
          session.offset + written,
        );
        written += bytesWritten;
      }
      session.hash.update(chunk);
      session.offset += chunk.length;
    }
    return session.offset;
  }

  /** Ends the session: the blob is there if its digest fits, and nothing is otherwise. */
  async commit(repository: string, id: string, digest: Digest): Promise<void> {
    const session = this.#find(repository, id);
    using _turn = await this.#turn(session);
    try {
      const algorithm = digestAlgorithm(digest);
      const actual = algorithm === 'sha256' ? session.hash.digest('hex') : await hashFile(session.path, algorithm);
      if (actual !== digestHex(digest))
        throw new Problem(400, 'DIGEST_INVALID', `the content is ${algorithm}:${actual}, not ${digest}`);
      await this.#storage.commitBlob(session.path, repository, digest);
    } finally {
      await this.#end(session);
    }
  }

  async cancel(repository: string, id: string): Promise<void> {
    await this.#end(this.#find(repository, id));
  }

  async #end(session: Session): Promise<void> {
    this.#sessions.delete(session.id);
    await session.file.close();
    await rm(session.path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of [...this.#sessions.values()]) await this.#end(session);
  }
}

async function hashFile(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
