import type { ServerHttp2Session } from 'node:http2';

const INTERVAL_MS = 30_000;
const TIMEOUT_MS = 30_000;

/** Cuts a connection whose peer is gone without a word (a machine without power): its calls end, and who waits for them is told. */
export function watchPeer(
  session: ServerHttp2Session,
  {
    intervalMs = INTERVAL_MS,
    timeoutMs = TIMEOUT_MS,
  }: { readonly intervalMs?: number; readonly timeoutMs?: number } = {},
): void {
  let unanswered: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    if (unanswered !== undefined || session.destroyed) return;
    // An answer that came while this thread was busy is read before the connection is judged.
    const judge = () => setImmediate(() => unanswered !== undefined && session.destroy());
    unanswered = setTimeout(judge, timeoutMs);
    unanswered.unref();
    const sent = session.ping(() => {
      clearTimeout(unanswered);
      unanswered = undefined;
    });
    if (!sent) session.destroy();
  }, intervalMs);
  timer.unref();
  session.once('close', () => {
    clearInterval(timer);
    clearTimeout(unanswered);
  });
}
