import { type AbortOptions, CodedError, type Logger, onAbort, silentLogger } from '../../base/index.ts';
import type { GrpcServer } from '../grpc/server.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { AnyMethod, ServiceDefinition } from '../grpc/service.ts';
import { methodPath } from '../grpc/service.ts';
import { Control } from '../services/control.ts';
import { watchHealth } from './health.ts';
import { SESSION_HEALTH_TIMEOUT, SESSION_ID, SESSION_METHOD, SESSION_SHARED_KEY } from './metadata-names.ts';
import { SessionTunnel } from './tunnel.ts';

/** A connected build client: a channel to what it serves. */
export interface Session extends Pick<SessionTunnel, 'open' | 'run' | 'closed' | 'close'> {
  readonly id: string;
  /** Opaque key under which local sources of one place find each other between builds; may be empty. */
  readonly sharedKey: string;
  /** Whether the client advertised the method. */
  supports(definition: ServiceDefinition, method: AnyMethod): boolean;
}

interface Waiter {
  readonly id: string;
  readonly resolve: (session: Session) => void;
}

const MAX_SESSION_ID = 256;
const LOOKUP_WAIT_MS = 5000;

/** The sessions of a daemon, by id. */
export class SessionRegistry implements AsyncDisposable {
  readonly #sessions = new Map<string, { session: Session; tunnel: SessionTunnel }>();
  readonly #waiters = new Set<Waiter>();
  readonly #log: Logger;

  constructor(options: { readonly logger?: Logger } = {}) {
    this.#log = options.logger ?? silentLogger;
  }

  /** Serves Control.Session on `server`. */
  register(server: GrpcServer): void {
    server.registerRaw(methodPath(Control, Control.methods.session), (call) => this.accept(call));
  }

  /** Takes a Control.Session call. @throws CodedError for missing or taken ids */
  accept(call: ServerCall): void {
    const id = call.metadata.get(SESSION_ID) ?? '';
    if (id === '' || id.length > MAX_SESSION_ID)
      throw new CodedError('invalid_argument', `metadata ${SESSION_ID} is missing or too long`);
    if (this.#sessions.has(id)) throw new CodedError('already_exists', `session ${id} is connected already`);
    const methods = new Set(call.metadata.getAll(SESSION_METHOD).map((method) => method.toLowerCase()));
    const log = this.#log.child({ session: id });
    const tunnel = new SessionTunnel(call, { name: `session ${id}`, logger: log });
    const session: Session = {
      id,
      sharedKey: call.metadata.get(SESSION_SHARED_KEY) ?? '',
      closed: tunnel.closed,
      supports: (definition, method) => methods.has(methodPath(definition, method).toLowerCase()),
      open: (path, options) => tunnel.open(path, options),
      run: (task, args, options) => tunnel.run(task, args, options),
      close: (reason) => tunnel.close(reason),
    };
    this.#sessions.set(id, { session, tunnel });
    log.debug('session connected', { methods: methods.size, peer: call.peer.address });
    tunnel.closed.addEventListener(
      'abort',
      () => {
        if (this.#sessions.get(id)?.tunnel === tunnel) this.#sessions.delete(id);
        log.debug('session closed', { err: tunnel.closed.reason });
      },
      { once: true },
    );
    watchHealth(session, { customTimeoutMs: customTimeout(call.metadata.get(SESSION_HEALTH_TIMEOUT)), logger: log });
    for (const waiter of [...this.#waiters]) if (waiter.id === id) waiter.resolve(session);
  }

  /** The session, if it is connected now. */
  peek(id: string): Session | undefined {
    return this.#sessions.get(stripPrefix(id))?.session;
  }

  /** The session; one that is about to connect is waited for. @throws CodedError not_found */
  async get(id: string, options: AbortOptions & { readonly waitMs?: number }): Promise<Session> {
    const wanted = stripPrefix(id);
    const there = this.peek(wanted);
    if (there !== undefined) return there;
    const { promise, resolve } = Promise.withResolvers<Session | undefined>();
    const waiter: Waiter = { id: wanted, resolve };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => resolve(undefined), options.waitMs ?? LOOKUP_WAIT_MS);
    using aborted = onAbort(options.signal);
    try {
      const session = await Promise.race([promise, aborted.promise]);
      if (session !== undefined) return session;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
    throw new CodedError('not_found', `no active session for ${wanted}`, {
      reason: 'NO_SESSION',
      hint: 'the build client is gone; run the build again',
    });
  }

  ids(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  /** Ends all sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ tunnel }) => tunnel[Symbol.asyncDispose]()));
  }
}

/** Ids may come as `prefix:id`. */
function stripPrefix(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}

function customTimeout(text: string | undefined): number | undefined {
  const ms = Number(text);
  return text === undefined || !Number.isFinite(ms) || ms < 1000 ? undefined : Math.min(ms, 3_600_000);
}
