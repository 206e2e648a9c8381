import { createHash, type Hash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ThreadPort } from '../../sys/index.ts';

export type ToWriter =
  | { readonly kind: 'open'; readonly id: number; readonly path: string; readonly algorithm: string }
  | { readonly kind: 'data'; readonly id: number; readonly bytes: Uint8Array }
  /** Commits as `<blobs>/<algorithm>/<hex>`, only if the hash is `hex` when given. */
  | { readonly kind: 'end'; readonly id: number; readonly blobs: string; readonly hex: string | undefined }
  | { readonly kind: 'cancel'; readonly id: number };

export type FromWriter =
  | { readonly kind: 'wrote'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'done'; readonly id: number; readonly hex: string; readonly committed: boolean }
  | { readonly kind: 'error'; readonly id: number; readonly errno: string | undefined; readonly message: string };

interface Writing {
  readonly path: string;
  readonly algorithm: string;
  readonly fd: number;
  readonly hash: Hash;
}

/**
 * The thread that hashes and writes incoming blobs, many at once: a download that waits for the network holds no place of a pool. Main sends bytes
 * only as far as `wrote` messages allow.
 */
export function start(port: ThreadPort<ToWriter, FromWriter>): void {
  const writings = new Map<number, Writing>();

  function drop(id: number): void {
    const writing = writings.get(id);
    if (writing === undefined) return;
    writings.delete(id);
    closeSync(writing.fd);
    rmSync(writing.path, { force: true });
  }

  function handle(message: ToWriter): void {
    const { id } = message;
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
      if (committed) {
        fsyncSync(writing.fd);
        const target = `${message.blobs}/${writing.algorithm}/${hex}`;
        mkdirSync(dirname(target), { recursive: true });
        renameSync(writing.path, target);
      }
      drop(id);
      port.post({ kind: 'done', id, hex, committed });
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
