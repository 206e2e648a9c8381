import {
  type AbortOptions,
  CodedError,
  type Logger,
  onAbort,
  Shares,
  silentLogger,
  type WorkOwner,
} from '../../base/index.ts';
import type { GrpcServer } from '../grpc/server.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { methodPath } from '../grpc/service.ts';
import { Control } from '../services/control.ts';
import { watchHealth } from './health.ts';
import { SESSION_LIMITS, type SessionLimits } from './limits.ts';
import { SESSION_HEALTH_TIMEOUT, SESSION_ID, SESSION_METHOD, SESSION_SHARED_KEY } from './metadata-names.ts';
import type { Session } from './session.ts';
import { END_GRACE_MS, SessionTunnel, sessionThreads } from './tunnel.ts';

interface Waiter {
  readonly ids: readonly string[];
  readonly resolve: (session: Session) => void;
}

const MAX_SESSION_ID = 256;
const LOOKUP_WAIT_MS = 5000;
/** How long a logical session may be away. */
const LOGICAL_GRACE_MS = 120_000;
const LAST_CHANCE_MS = 1000;

/** The sessions of a daemon, by id. */
export class SessionRegistry implements AsyncDisposable {
  readonly #sessions = new Map<string, { session: Session; tunnel: SessionTunnel }>();
  readonly #waiters = new Set<Waiter>();
  /** Ids that are expected to come back: how many solves expect it, and since when it is away. */
  readonly #logical = new Map<string, { readonly scope: string | undefined; count: number; awaySince: number }>();
  readonly #shares = new Shares<SessionTunnel>();
  readonly #logicalGraceMs: number;
  readonly #limits: SessionLimits;
  readonly #log: Logger;
  readonly #threads: ReturnType<typeof sessionThreads>;

  /**
   * Sessions share `threads` threads, one by default, that load the modules `preload` of the tasks that sessions run. A logical session that is
   * away is waited for for `logicalGraceMs`.
   */
  constructor(
    options: {
      readonly logger?: Logger;
      readonly threads?: number;
      readonly preload?: readonly URL[];
      readonly logicalGraceMs?: number;
      readonly limits?: Partial<SessionLimits>;
    } = {},
  ) {
    this.#log = options.logger ?? silentLogger;
    this.#logicalGraceMs = options.logicalGraceMs ?? LOGICAL_GRACE_MS;
    this.#limits = { ...SESSION_LIMITS, ...options.limits };
    this.#threads = sessionThreads(options.threads ?? 1, options.preload ?? []);
  }

  /** Starts a thread before a session needs one. */
  startAhead(): void {
    this.#threads.startAhead();
  }

  /** How many threads were started so far. */
  get threadsStarted(): number {
    return this.#threads.started;
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
    const older = this.#sessions.get(id);
    if (older !== undefined && !this.isLogical(id))
      throw new CodedError('already_exists', `session ${id} is connected already`);
    const methods = new Set(call.metadata.getAll(SESSION_METHOD).map((method) => method.toLowerCase()));
    const log = this.#log.child({ session: id });
    const owner = this.#ownerOf(id, call);
    if (this.#shares.ofBuild(owner) >= this.#limits.ofClient) throw tooMany();
    const tunnel = new SessionTunnel(call, { threads: this.#threads, limits: this.#limits, owner, logger: log });
    this.#shares.add(owner, tunnel, 1);
    tunnel.closed.addEventListener('abort', () => this.#shares.add(owner, tunnel, -1), { once: true });
    const session: Session = {
      id,
      sharedKey: call.metadata.get(SESSION_SHARED_KEY) ?? '',
      closed: tunnel.closed,
      limits: this.#limits,
      supports: (definition, method) => methods.has(methodPath(definition, method).toLowerCase()),
      open: (path, options) => tunnel.open(path, options),
      run: (task, args, options) => tunnel.run(task, args, options),
      close: (reason) => tunnel.close(reason),
    };
    this.#sessions.set(id, { session, tunnel });
    older?.tunnel.close(CodedError.of('SESSION_REPLACED', `session ${id} has connected anew`));
    log.debug('session connected', { methods: methods.size, peer: call.peer.address });
    tunnel.closed.addEventListener(
      'abort',
      () => {
        if (this.#sessions.get(id)?.tunnel === tunnel) {
          this.#sessions.delete(id);
          const logical = this.#logical.get(id);
          if (logical !== undefined) logical.awaySince = performance.now();
        }
        log.debug('session closed', { err: tunnel.closed.reason });
      },
      { once: true },
    );
    watchHealth(session, { customTimeoutMs: customTimeout(call.metadata.get(SESSION_HEALTH_TIMEOUT)), logger: log });
    for (const waiter of [...this.#waiters]) if (waiter.ids.includes(id)) waiter.resolve(session);
    if (this.#shares.total > this.#limits.sessions) this.#shares.largest()?.close(tooMany());
  }

  /** A logical session is its solve's, whoever serves it. */
  #ownerOf(id: string, { peer }: ServerCall): WorkOwner {
    const logical = this.#logical.get(id);
    if (logical === undefined) return peer.owner;
    const { scope } = logical;
    return { tenant: scope === undefined ? `session ${id}` : `scope ${scope}`, build: id };
  }

  /** The session, if it is connected now. */
  peek(id: string): Session | undefined {
    return this.#sessions.get(stripPrefix(id))?.session;
  }

  /**
   * Says that a session id belongs to a solve and not to a connection: whoever needs it waits for it to come back, and a newer connection takes
   * an older one's place. `scope`: what the solve writes, where there is one. Until disposed.
   */
  declareLogical(id: string, scope?: string): Disposable {
    const logical = this.#logical.get(id) ?? { scope, count: 0, awaySince: performance.now() };
    this.#logical.set(id, logical);
    logical.count++;
    let declared = true;
    return {
      [Symbol.dispose]: () => {
        if (!declared) return;
        declared = false;
        if (--logical.count === 0) this.#logical.delete(id);
      },
    };
  }

  isLogical(id: string): boolean {
    return this.#logical.has(stripPrefix(id));
  }

  /** The first of these that is connected; waits for logical ones as long as they may be away. Undefined when none comes. */
  async anyLogical(ids: readonly string[], { signal }: AbortOptions): Promise<Session | undefined> {
    const wanted = ids.map(stripPrefix);
    const there = wanted.map((id) => this.peek(id)).find((session) => session !== undefined);
    if (there !== undefined || wanted.length === 0) return there;
    return await this.#wait(wanted, signal, Math.max(...wanted.map((id) => this.#graceLeft(id))));
  }

  /** Milliseconds that a session may still be away; a little even when its time is up, so that one that connects just now is found. */
  #graceLeft(id: string): number {
    const logical = this.#logical.get(id);
    if (logical === undefined) return 0;
    return Math.max(LAST_CHANCE_MS, logical.awaySince + this.#logicalGraceMs - performance.now());
  }

  /** The session; one that is about to connect is waited for, a logical one for its grace time. @throws CodedError not_found */
  async get(id: string, options: AbortOptions & { readonly waitMs?: number }): Promise<Session> {
    const wanted = stripPrefix(id);
    const there = this.peek(wanted);
    if (there !== undefined) return there;
    const waitMs = options.waitMs ?? (this.isLogical(wanted) ? this.#graceLeft(wanted) : LOOKUP_WAIT_MS);
    const session = await this.#wait([wanted], options.signal, waitMs);
    if (session !== undefined) return session;
    throw CodedError.of('NO_SESSION', `no active session for ${wanted}`, {
      hint: 'the build client is gone; run the build again',
    });
  }

  async #wait(ids: readonly string[], signal: AbortSignal, waitMs: number): Promise<Session | undefined> {
    const { promise, resolve } = Promise.withResolvers<Session | undefined>();
    const waiter: Waiter = { ids, resolve };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => resolve(undefined), waitMs);
    using aborted = onAbort(signal);
    try {
      return await Promise.race([promise, aborted.promise]);
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  ids(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  /** Ends all sessions, and their work with the threads where it does not end in time. */
  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => void this.#threads[Symbol.asyncDispose](), END_GRACE_MS);
    await Promise.all([...this.#sessions.values()].map(({ tunnel }) => tunnel[Symbol.asyncDispose]()));
    clearTimeout(timer);
    await this.#threads[Symbol.asyncDispose]();
  }
}

function tooMany(): CodedError {
  return CodedError.of('SESSION_TOO_MANY', 'the build client, or whoever else it belongs to, has too many sessions');
}

/** Ids may come as `prefix:id`. */
function stripPrefix(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}

function customTimeout(text: string | undefined): number | undefined {
  const ms = Number(text);
  return text === undefined || !Number.isFinite(ms) || ms < 1000 ? undefined : Math.min(ms, 3_600_000);
}
