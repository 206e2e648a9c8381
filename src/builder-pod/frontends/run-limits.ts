/** What one run of a built-in frontend may take, and what the runs of a builder may take together. */
export const RUN_LIMITS = {
  /** CPU time in all, in milliseconds: a Dockerfile of ten thousand stages takes a tenth of it. */
  cpuMs: 60_000,
  /** CPU time without a turn for the others of the thread, in milliseconds: then they are run elsewhere. */
  heldMs: 1000,
  /** How long it may ask nothing while it does not compute, in milliseconds. */
  silenceMs: 120_000,
  /** Calls in flight at once; more mean a frontend gone wrong. */
  calls: 10_000,
  /** MiB of heap of a thread. */
  heapMib: 256,
  /** Threads that ended under a run before it gets one for itself. */
  crashes: 2,
  /** Runs at once that have a thread for themselves. */
  alone: 2,
} as const;
