import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CodedError, invalidArgument } from './errors.ts';
import { type AbortOptions, onAbort } from './signals.ts';

interface ProbeOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  /** Alive: false makes the pod be started again. */
  readonly healthy: () => boolean;
  readonly ready: () => boolean;
  /** What is answered while it is not (default: `not yet`). */
  readonly notReady?: string;
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Serves `/healthz`, `/readyz` and `/metrics` on a port of their own. Disposing closes it. */
export async function startProbeServer(
  options: ProbeOptions & AbortOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const match = /^(.*):([0-9]{1,5})$/.exec(options.address);
  if (match === null) throw invalidArgument(`address ${JSON.stringify(options.address)}: expected host:port`);
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, contentType = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': contentType });
      response.end(text);
    };
    const probe = (ok: boolean, otherwise = 'not yet') => answer(ok ? 200 : 503, `${ok ? 'ok' : otherwise}\n`);
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return probe(options.healthy());
      case '/readyz':
        return probe(options.ready(), options.notReady);
      case '/metrics':
        options.metrics().then(
          ({ text, contentType }) => answer(200, text, contentType),
          (error: CodedError) => answer(500, `${error.message}\n`),
        );
        return;
      default:
        answer(404, 'there are /healthz, /readyz and /metrics\n');
    }
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(Number(match[2]), (match[1] ?? '').replace(/^\[|\]$/g, '') || '::', resolve);
  using aborted = onAbort(options.signal);
  await Promise.race([promise, aborted.promise]);
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
