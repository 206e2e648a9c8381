import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Says true when it has dealt with the request itself. */
type Fault = (req: IncomingMessage, res: ServerResponse, forward: () => void) => boolean | undefined;

/** An HTTP proxy in front of one server, which lets tests break what passes through. */
export class FaultProxy implements AsyncDisposable {
  readonly requests: { method: string; path: string; headers: IncomingMessage['headers'] }[] = [];
  readonly host: string;
  readonly #server;
  /** How many have been open at once. */
  mostConnections = 0;
  fault: Fault = () => undefined;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** `target`: e.g. http://127.0.0.1:4000; requests nobody answers get 404 without one. */
  static async start(target?: string): Promise<FaultProxy> {
    let proxy: FaultProxy | undefined;
    const server = createServer((req, res) => proxy?.handle(req, res, target));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = new FaultProxy(server);
    const opened = proxy;
    server.on('connection', () =>
      server.getConnections((_, count) => {
        opened.mostConnections = Math.max(opened.mostConnections, count);
      }),
    );
    return proxy;
  }

  private handle(req: IncomingMessage, res: ServerResponse, target: string | undefined): void {
    this.requests.push({ method: req.method ?? '', path: req.url ?? '', headers: req.headers });
    const forward = () => {
      if (target === undefined) {
        res.writeHead(404).end();
        return;
      }
      const upstream = request(
        new URL(req.url ?? '/', target),
        { method: req.method, headers: req.headers },
        (answer) => {
          if (res.destroyed) {
            answer.destroy();
            return;
          }
          res.writeHead(answer.statusCode ?? 0, answer.headers);
          answer.pipe(res);
          res.on('close', () => answer.destroy());
        },
      );
      upstream.on('error', () => res.destroy());
      req.on('close', () => {
        if (!req.complete) upstream.destroy();
      });
      req.pipe(upstream);
    };
    if (this.fault(req, res, forward) !== true) forward();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
