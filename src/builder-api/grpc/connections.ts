import type { Duplex } from 'node:stream';
import { type Logger, Shares, type WorkOwner } from '../../base/index.ts';
import { originOf } from './options.ts';

export interface ConnectionLimits {
  /** Of all clients; with more, who has most loses its newest. */
  readonly connections: number;
  /** Of one host, or one process of this machine. */
  readonly ofClient: number;
}

/** Far below what a process may have open, far above what builds need. */
export const CONNECTION_LIMITS: ConnectionLimits = { connections: 2048, ofClient: 512 };

/** That connections are refused is worth a line in the log, but not one each. */
const WARN_MS = 60_000;

/** The connections at a server's listeners, also those that never speak. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #log: Logger;
  readonly #shares = new Shares<Duplex>();
  #warned = Number.NEGATIVE_INFINITY;

  constructor(limits: ConnectionLimits, log: Logger) {
    this.#limits = limits;
    this.#log = log;
  }

  /** Counts it until it closes. It, or another, is closed at once where there are too many. */
  take(socket: Duplex): void {
    const owner = originOf(socket);
    this.#shares.add(owner, socket, 1);
    socket.once('close', () => this.#shares.add(owner, socket, -1));
    const ofClient = owner.tenant === 'unix' ? this.#shares.ofBuild(owner) : this.#shares.ofTenant(owner.tenant);
    if (ofClient > this.#limits.ofClient) this.#drop(socket, owner);
    else if (this.#shares.total > this.#limits.connections) this.#drop(this.#shares.largest() ?? socket, owner);
  }

  #drop(socket: Duplex, { tenant, build }: WorkOwner): void {
    const now = performance.now();
    if (now - this.#warned >= WARN_MS) {
      this.#warned = now;
      this.#log.warn('too many connections: the newest of who has most are closed', { from: tenant, and: build });
    }
    socket.destroy();
  }
}
