interface RunningTogether {
  /** Aborted by the first failure, for the others to end. */
  readonly failed: AbortController;
  /** Of who waits: when it aborts, that is what is told. */
  readonly signal: AbortSignal;
}

/** Waits for what runs side by side: the first failure is told once all have ended. */
export async function endAll(running: readonly Promise<void>[], { failed, signal }: RunningTogether): Promise<void> {
  for (const one of running) one.catch((error: unknown) => failed.abort(error));
  await Promise.allSettled(running);
  signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
}
