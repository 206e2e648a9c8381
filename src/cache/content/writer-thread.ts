import { createHash, type Hash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ThreadPort } from '../../sys/index.ts';
import { mark, unmark } from './marks.ts';

export type ToWriter =
  | { readonly kind: 'open'; readonly id: number; readonly path: string; readonly algorithm: string }
  /** In shared memory, which is the sender's again with the `wrote` that answers it. */
  | { readonly kind: 'data'; readonly id: number; readonly bytes: Uint8Array<SharedArrayBuffer> }
  /** Commits as `<blobs>/<algorithm>/<hex>`, only if the hash is `hex` when given. */
  | { readonly kind: 'end'; readonly id: number; readonly blobs: string; readonly hex: string | undefined }
  | { readonly kind: 'cancel'; readonly id: number }
  /** A finished file becomes `target`. */
  | { readonly kind: 'adopt'; readonly id: number; readonly path: string; readonly target: string }
  /** Only if it was last written or asked for at `before` at the latest (ms since the epoch). */
  | { readonly kind: 'remove'; readonly id: number; readonly path: string; readonly before: number }
  /** On the disk are all blobs up to the one of this number, and these of an earlier life; `folders` may have none left that is not. */
  | {
      readonly kind: 'synced';
      readonly id: number;
      readonly until: number;
      readonly earlier: readonly string[];
      readonly folders: readonly string[];
    };

export type FromWriter =
  | { readonly kind: 'wrote'; readonly id: number; readonly bytes: number }
  /** Of the last message for this id: whether it was carried out. `placed` counts the blobs that were given names. */
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly isDone: boolean;
      readonly hex?: string;
      readonly placed: number;
    }
  | { readonly kind: 'error'; readonly id: number; readonly errno: string | undefined; readonly message: string };

interface Writing {
  readonly path: string;
  readonly algorithm: string;
  readonly fd: number;
  readonly hash: Hash;
}

/**
 * The thread that hashes and writes incoming blobs, many at once: a download that waits for the network holds no place of a pool. Main sends bytes
 * only as far as `wrote` messages allow. Nobody else gives blobs their names or takes them away, so that neither ever crosses the other.
 */
export function start(port: ThreadPort<ToWriter, FromWriter>): void {
  const writings = new Map<number, Writing>();
  let placed = 0;
  /** Blobs that may not be on the disk yet, each with its number; and folders that are marked for them. */
  const unsynced = new Map<string, number>();
  const marked = new Set<string>();

  /** Gives a file its name, for good. */
  function place(path: string, target: string): void {
    const folder = dirname(target);
    if (!marked.has(folder)) {
      mkdirSync(folder, { recursive: true });
      mark(folder, 'folder');
      marked.add(folder);
    }
    mark(path, 'file');
    renameSync(path, target);
    unsynced.set(target, ++placed);
  }

  function unmarkSynced({ until, earlier, folders }: ToWriter & { kind: 'synced' }): void {
    const durable = [...unsynced].flatMap(([path, number]) => (number <= until ? [path] : []));
    for (const path of durable) unsynced.delete(path);
    // What was written anew since is younger than the sync.
    for (const path of [...durable, ...earlier]) if (!unsynced.has(path)) unmark(path, 'file');
    const needed = new Set([...unsynced.keys()].map(dirname));
    for (const folder of new Set([...marked, ...folders])) {
      if (needed.has(folder)) continue;
      unmark(folder, 'folder');
      marked.delete(folder);
    }
  }

  const done = (id: number, isDone: boolean, hex?: string) =>
    port.post({ kind: 'done', id, isDone, placed, ...(hex === undefined ? {} : { hex }) });

  function drop(id: number): void {
    const writing = writings.get(id);
    if (writing === undefined) return;
    writings.delete(id);
    closeSync(writing.fd);
    rmSync(writing.path, { force: true });
  }

  function handle(message: ToWriter): void {
    const { id } = message;
    if (message.kind === 'adopt') {
      place(message.path, message.target);
      done(id, true);
      return;
    }
    if (message.kind === 'synced') {
      unmarkSynced(message);
      done(id, true);
      return;
    }
    if (message.kind === 'remove') {
      const stat = statSync(message.path, { throwIfNoEntry: false });
      const isDone = stat !== undefined && stat.mtimeMs <= message.before;
      if (isDone) {
        rmSync(message.path, { force: true });
        unsynced.delete(message.path);
      }
      done(id, isDone);
      return;
    }
    if (message.kind === 'open') {
      const fd = openSync(message.path, 'wx', 0o644);
      writings.set(id, { path: message.path, algorithm: message.algorithm, fd, hash: createHash(message.algorithm) });
      return;
    }
    const writing = writings.get(id);
    // After an error or a cancel, messages that were already under way find nothing.
    if (writing === undefined) return;
    if (message.kind === 'cancel') drop(id);
    else if (message.kind === 'data') {
      const { bytes } = message;
      for (let at = 0; at < bytes.length; ) at += writeSync(writing.fd, bytes, at, bytes.length - at);
      writing.hash.update(bytes);
      port.post({ kind: 'wrote', id, bytes: bytes.length });
    } else {
      const hex = writing.hash.digest('hex');
      const committed = message.hex === undefined || message.hex === hex;
      if (committed) place(writing.path, `${message.blobs}/${writing.algorithm}/${hex}`);
      drop(id);
      done(id, committed, hex);
    }
  }

  port.onMessage((message) => {
    try {
      handle(message);
    } catch (error) {
      drop(message.id);
      const { code, message: text } = error as NodeJS.ErrnoException;
      port.post({ kind: 'error', id: message.id, errno: code, message: text });
    }
  });
}
