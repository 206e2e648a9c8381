import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where steps of a build wait until the test lets them go on, and are counted: a step fetches `<url>/<name>`. */
export interface Gate extends AsyncDisposable {
  readonly url: string;
  /** How often steps came to this gate. */
  visits(name: string): number;
  /** Settles when the `count`th step is at the gate. */
  reached(name: string, count?: number): Promise<void>;
  /** Lets through who waits and who comes. */
  open(name: string): void;
}

interface Door {
  visits: number;
  open: boolean;
  readonly waiting: Set<ServerResponse>;
  readonly watchers: Set<() => void>;
}

export async function startGate(): Promise<Gate> {
  const doors = new Map<string, Door>();
  const door = (name: string): Door => {
    let found = doors.get(name);
    if (found === undefined) {
      found = { visits: 0, open: false, waiting: new Set(), watchers: new Set() };
      doors.set(name, found);
    }
    return found;
  };
  const server = createServer((request, response) => {
    const at = door((request.url ?? '/').slice(1));
    at.visits++;
    for (const watcher of at.watchers) watcher();
    if (at.open) {
      response.end('open\n');
      return;
    }
    at.waiting.add(response);
    response.once('close', () => at.waiting.delete(response));
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    visits: (name) => doors.get(name)?.visits ?? 0,
    reached: (name, count = 1) =>
      new Promise((resolve) => {
        const at = door(name);
        const check = () => {
          if (at.visits < count) return;
          at.watchers.delete(check);
          resolve();
        };
        at.watchers.add(check);
        check();
      }),
    open: (name) => {
      const at = door(name);
      at.open = true;
      for (const response of at.waiting) response.end('open\n');
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
