import type { WorkOwner } from '../../base/index.ts';
import type { google } from '../wire/core.js';
import type { SessionLimits } from './limits.ts';

/** A failure between threads, as google.rpc.Status holds it. */
type PlainStatus = google.rpc.Status.$Properties;

type PlainMetadata = readonly (readonly [string, string | Uint8Array])[];

/** From the serving thread to a session's lane in its thread. */
export type ToSession =
  /** The first. */
  | { readonly t: 'begin'; readonly limits: SessionLimits; readonly owner: WorkOwner }
  /** Bytes of the tunnel, and their end. */
  | { readonly t: 'bytes'; readonly data: Uint8Array }
  | { readonly t: 'eof' }
  /** So many bytes of the other direction went out. */
  | { readonly t: 'sent'; readonly bytes: number }
  /** Calls on the client's services. */
  | {
      readonly t: 'open';
      readonly id: number;
      readonly path: string;
      readonly metadata: PlainMetadata;
      readonly timeoutMs: number | undefined;
      readonly maxMessageBytes: number | undefined;
    }
  | { readonly t: 'write'; readonly id: number; readonly data: Uint8Array }
  | { readonly t: 'half'; readonly id: number }
  | { readonly t: 'pause' | 'resume' | 'cancel'; readonly id: number }
  /** Work beside the connection: `fn` of `module` gets the channel. */
  | { readonly t: 'task'; readonly id: number; readonly module: string; readonly fn: string; readonly args: unknown }
  | { readonly t: 'abort'; readonly id: number }
  /** What a task asked for. */
  | { readonly t: 'answer'; readonly ask: number; readonly value: unknown }
  | { readonly t: 'refusal'; readonly ask: number; readonly error: PlainStatus }
  /** Ends the session once its work has ended. */
  | { readonly t: 'close' };

/** From a session's thread to the serving thread. */
export type FromSession =
  | { readonly t: 'bytes'; readonly data: Uint8Array }
  | { readonly t: 'eof' }
  /** So many bytes were read. */
  | { readonly t: 'read'; readonly bytes: number }
  | { readonly t: 'headers'; readonly id: number; readonly metadata: PlainMetadata }
  | { readonly t: 'message'; readonly id: number; readonly data: Uint8Array }
  | { readonly t: 'wrote'; readonly id: number; readonly bytes: number }
  | { readonly t: 'done'; readonly id: number; readonly error: PlainStatus | undefined }
  | { readonly t: 'post'; readonly id: number; readonly message: unknown }
  | { readonly t: 'ask'; readonly id: number; readonly ask: number }
  | { readonly t: 'result'; readonly id: number; readonly value: unknown }
  | { readonly t: 'failed'; readonly id: number; readonly error: PlainStatus }
  /** The session took too much. */
  | { readonly t: 'refused'; readonly error: PlainStatus }
  /** The nested connection is gone. */
  | { readonly t: 'gone' };

/** Most bytes of the tunnel in flight between the two threads, each way. */
export const CREDIT_BYTES = 4 * 1024 * 1024;
/** Bytes gathered before a message to the other thread is posted without waiting for the turn's end; also the step of acknowledgements. */
export const BATCH_BYTES = 256 * 1024;
