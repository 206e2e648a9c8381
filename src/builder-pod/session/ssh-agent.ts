import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type AbortOptions, cancelledError, toCodedError, type WorkOptions } from '../../base/index.ts';
import {
  clientOf,
  Metadata,
  type Session,
  type SessionRegistry,
  SSH,
  SSH_ID_METADATA,
} from '../../builder-api/index.ts';
import { makeScratch, type WorkerPool } from '../../sys/index.ts';
import { type SessionIds, withAnySession } from './group.ts';

const TIMEOUT_MS = 15_000;
const PIECE = 32 * 1024;
/** Connections at one agent socket at a time. */
const MAX_CONNECTIONS = 64;

/** A unix socket at which a build client's ssh agent answers; disposing closes it. */
export interface AgentSocket extends AsyncDisposable {
  readonly path: string;
}

/** ssh agents of build clients, each as a unix socket below `directory`. */
export class AgentForwarder {
  readonly #registry: SessionRegistry;
  readonly #directory: string;
  readonly #pool: WorkerPool;

  constructor(registry: SessionRegistry, directory: string, pool: WorkerPool) {
    this.#registry = registry;
    this.#directory = directory;
    this.#pool = pool;
  }

  /** A socket for agent `id`; undefined when no client forwards it. `mode` and owner are the step's wish. */
  async open(
    id: string,
    sessions: SessionIds,
    options: WorkOptions & { readonly mode?: number },
  ): Promise<AgentSocket | undefined> {
    const { signal, owner } = options;
    let sessionId: string | undefined;
    try {
      sessionId = await withAnySession(
        this.#registry,
        sessions,
        async (session) => {
          if (!session.supports(SSH, SSH.methods.forwardAgent)) return undefined;
          const ssh = clientOf(SSH, session);
          await ssh.checkAgent({ id }, { signal, timeoutMs: TIMEOUT_MS });
          return session.id;
        },
        { signal },
      );
    } catch (error) {
      const { code, reason } = toCodedError(error);
      // The client's own answer for an unknown id is a plain error.
      if (reason === 'NO_SESSION' || code === 'cancelled' || code === 'unavailable') throw error;
      return undefined;
    }
    return sessionId === undefined
      ? undefined
      : await this.#listen(id, sessionId, options.mode ?? 0o600, { signal, owner });
  }

  async #listen(id: string, sessionId: string, mode: number, options: WorkOptions): Promise<AgentSocket> {
    const directory = await makeScratch(this.#pool, { parent: this.#directory, prefix: 'agent-' }, options);
    const path = join(directory.path, 'sock');
    const closed = new AbortController();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => {});
      void forward(socket, id, (options) => this.#registry.get(sessionId, options), closed.signal);
    });
    server.maxConnections = MAX_CONNECTIONS;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(path, resolve);
    try {
      await promise;
      chmodSync(path, mode);
    } catch (error) {
      server.close();
      await directory[Symbol.asyncDispose]();
      throw error;
    }
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        closed.abort(cancelledError('the agent socket is closed'));
        for (const socket of sockets) socket.destroy();
        server.close();
        await directory[Symbol.asyncDispose]();
      },
    };
  }
}

/** One connection of a step to the agent; the session is looked up for each, as a logical one may be another connection by then. */
async function forward(
  socket: Socket,
  id: string,
  find: (options: AbortOptions) => Promise<Session>,
  closed: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  socket.on('close', () => over.abort(cancelledError()));
  const signal = AbortSignal.any([closed, over.signal]);
  try {
    const call = clientOf(SSH, await find({ signal })).forwardAgent({
      signal,
      metadata: new Metadata().add(SSH_ID_METADATA, id),
    });
    const outward = (async () => {
      for await (const chunk of socket as AsyncIterable<Buffer>)
        for (let at = 0; at < chunk.length; at += PIECE) await call.write({ data: chunk.subarray(at, at + PIECE) });
      call.end();
    })();
    outward.catch(() => {});
    for await (const { data } of call.responses)
      if (!socket.write(data)) await new Promise<void>((resume) => socket.once('drain', resume).once('close', resume));
    socket.end();
  } catch {
    socket.destroy();
  }
}
