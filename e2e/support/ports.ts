import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST = 10_000;
const FIRST_GIVEN = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);

/** One that is asked for next may be wanted before this one is listened on. */
const given = new Set<number>();
/** Files of tests that run side by side have ports of their own: even ones, or odd ones. */
const PART = Number(process.env['VITEST_POOL_ID'] ?? 0) % 2;

/**
 * A TCP port of loopback that nobody uses, for programs that cannot pick one themselves. It lies below those that the kernel gives to whoever asks for any,
 * so that no connection takes it before that program does.
 */
export async function freePort(): Promise<number> {
  while (true) {
    const port = 2 * randomInt(LOWEST / 2, Math.floor(Math.max(FIRST_GIVEN, 2 * LOWEST) / 2)) + PART;
    if (given.has(port)) continue;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    given.add(port);
    return port;
  }
}
