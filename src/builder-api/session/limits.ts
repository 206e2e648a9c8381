/** What a session may take of the thread that it shares with others. */
export interface SessionLimits {
  /** Bytes kept there on its behalf: listings of directories, messages that are not whole. */
  readonly sessionBytes: number;
  /** Of all sessions of a thread: with more, the one that has most is ended. */
  readonly threadBytes: number;
  /** How long a transfer may stand still, in milliseconds. */
  readonly stallMs: number;
}

const MIB = 1024 * 1024;

/** Room for the listing of a million files. */
export const SESSION_LIMITS: SessionLimits = {
  sessionBytes: 768 * MIB,
  threadBytes: 1024 * MIB,
  stallMs: 600_000,
};

/** MiB of heap of a thread that sessions share: more than all of them may have kept there. */
export const SESSION_HEAP_MIB = 2048;
