/** What a session may take of the thread that it shares with others. */
export interface SessionLimits {
  /** Bytes kept there on its behalf: listings of directories, messages that their reader is not done with. */
  readonly sessionBytes: number;
  /** Of all sessions of a thread: with more, one of whose sessions have most in sum is ended. */
  readonly threadBytes: number;
  /** How long a transfer may stand still, in milliseconds. */
  readonly stallMs: number;
  /** Sessions of a daemon at a time: with more, one of who has most is ended, or refused. */
  readonly sessions: number;
  /** Of those, over one connection, or from one process of this machine. */
  readonly ofClient: number;
}

const MIB = 1024 * 1024;

/** Room for the listing of a million files. */
export const SESSION_LIMITS: SessionLimits = {
  sessionBytes: 768 * MIB,
  threadBytes: 1024 * MIB,
  stallMs: 600_000,
  sessions: 1000,
  ofClient: 300,
};

/** MiB of heap of a thread that sessions share: more than all of them may have kept there. */
export const SESSION_HEAP_MIB = 2048;
