import {
  type AbortOptions,
  CodedError,
  cancelledError,
  type Logger,
  silentLogger,
  type WorkOwner,
} from '../../base/index.ts';
import { type Lane, SharedThreads, siblingModule } from '../../sys/index.ts';
import type { CallOptions, Channel, RawCall } from '../grpc/channel.ts';
import { assertSendable } from '../grpc/framing.ts';
import { MessageQueue } from '../grpc/messages.ts';
import { Metadata } from '../grpc/metadata.ts';
import { clientPreamble } from '../grpc/options.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { errorOfStatus, statusOfError } from '../grpc/status.ts';
import { decodeBytesMessage, encodeBytesMessage } from './bytes-message.ts';
import { SESSION_HEAP_MIB, type SessionLimits } from './limits.ts';
import { BATCH_BYTES, CREDIT_BYTES, type FromSession, type ToSession } from './protocol.ts';

/** A closed session whose work goes on for longer is worth a line in the log. */
export const END_GRACE_MS = 5000;
/** A thread of sessions that stands still for longer is ended with all of them: a task there hangs in a call of the system. */
const HELD_MS = 60_000;
const WRITE_WINDOW = 1024 * 1024;
/**
 * Said at once for the session's thread, whose own saying of it is left out: a client gives the connection up when it has heard nothing for ten
 * seconds, and where many come at once a thread may take as long to start.
 */
const PREAMBLE = clientPreamble();
/** Largest piece of the tunnel in one message. */
const OUT_PIECE = 128 * 1024;

/** Work in a session's thread: an exported `fn(args, context: SessionTaskContext)`; the URL comes from `siblingModule`. */
interface SessionTask {
  readonly module: URL;
  readonly fn: string;
}

/** Threads that sessions share, `threads` at most; `preload` are the modules of their tasks. */
export function sessionThreads(threads: number, preload: readonly URL[]): SharedThreads<ToSession, FromSession> {
  const module = siblingModule(import.meta.url, './session-thread');
  return new SharedThreads({
    ...{ module, name: 'session', threads, preload, heldMs: HELD_MS, whenHeld: 'end' },
    resourceLimits: { maxOldGenerationSizeMb: SESSION_HEAP_MIB },
  });
}

interface TaskCaller {
  readonly onMessage?: (message: unknown) => void;
  /** Answers what the task asks its caller for. */
  readonly onAsk?: () => Promise<unknown>;
}

interface PendingTask extends TaskCaller {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The daemon's end of one session: forwards the tunnel's bytes between the Control.Session call and the session's thread, and carries calls
 * and tasks to that thread. `closed` fires, with a CodedError, once the client can no longer be reached.
 */
export class SessionTunnel implements Channel, AsyncDisposable {
  readonly #call: ServerCall;
  readonly #lane: Lane<ToSession, FromSession>;
  readonly #log: Logger;
  readonly #over = Promise.withResolvers<void>();
  readonly #closed = new AbortController();
  readonly #calls = new Map<number, ProxyCall>();
  readonly #tasks = new Map<number, PendingTask>();
  #nextId = 1;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #flushing = false;
  #unread = 0;
  #paused = false;
  #sent = 0;
  /** Bytes of the thread's that have been said already. */
  #said = PREAMBLE.length;
  #sending: Promise<void> = Promise.resolve();

  constructor(
    call: ServerCall,
    options: {
      readonly threads: SharedThreads<ToSession, FromSession>;
      readonly limits: SessionLimits;
      /** Whose it is: they take turns in the thread, and who has most kept there gives way. */
      readonly owner: WorkOwner;
      readonly logger?: Logger;
    },
  ) {
    this.#call = call;
    this.#log = options.logger ?? silentLogger;
    const { limits, owner } = options;
    this.#lane = options.threads.open({ owner });
    this.#lane.post({ t: 'begin', limits, owner });
    this.#lane.onMessage((message) => this.#onMessage(message));
    void this.#lane.ended.then((end) => {
      if (end.kind !== 'done' && !this.closed.aborted) {
        this.#log.warn('the work of a session failed', { err: end.error });
        this.#close(sessionLost(end.error));
      }
      this.#over.resolve();
    });
    call.sendHeaders();
    call.write(encodeBytesMessage(PREAMBLE));
    call.signal.addEventListener('abort', () => this.#close(sessionClosed(call.signal.reason)), { once: true });
    call.read({
      onMessage: (message) => this.#receive(message),
      onEnd: () => {
        this.#flush();
        this.#post({ t: 'eof' });
        // A half-close is the client's goodbye: nothing more can be asked of it.
        this.#close(sessionClosed());
      },
      onError: (error) => this.#close(sessionClosed(error)),
    });
  }

  /** Fires when the session is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  open(path: string, options: CallOptions): RawCall {
    const id = this.#nextId++;
    const call = new ProxyCall(
      id,
      (message, transfer) => this.#post(message, transfer),
      options,
      this.#closed.signal,
      () => this.#calls.delete(id),
    );
    if (!call.over) {
      this.#calls.set(id, call);
      this.#post({
        t: 'open',
        id,
        path,
        metadata: options.metadata?.pairs() ?? [],
        timeoutMs: options.timeoutMs,
        maxMessageBytes: options.maxMessageBytes,
      });
    }
    return call;
  }

  /** Runs a task in the session's thread. Settles only once it ended there, or the session is gone. */
  async run<T>(task: SessionTask, args: unknown, options: AbortOptions & TaskCaller): Promise<T> {
    options.signal.throwIfAborted();
    this.closed.throwIfAborted();
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#tasks.set(id, { ...options, resolve, reject });
    const onAbort = () => this.#post({ t: 'abort', id });
    options.signal.addEventListener('abort', onAbort, { once: true });
    this.#post({ t: 'task', id, module: task.module.href, fn: task.fn, args });
    try {
      return (await promise) as T;
    } catch (error) {
      throw options.signal.aborted ? options.signal.reason : error;
    } finally {
      options.signal.removeEventListener('abort', onAbort);
      this.#tasks.delete(id);
    }
  }

  /** Ends the session from our side. */
  close(reason: CodedError = sessionClosed()): void {
    this.#close(reason);
  }

  /** Ends the session and waits for its work. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(sessionClosed());
    await this.#over.promise;
  }

  #receive(message: Uint8Array): void {
    const data = decodeBytesMessage(message);
    if (data.length === 0) return;
    // A view of the connection's buffer, which is shared: copied once, when the batch is posted.
    this.#batch.push(data);
    this.#batchBytes += data.length;
    this.#unread += data.length;
    if (!this.#paused && this.#unread > CREDIT_BYTES) {
      this.#paused = true;
      this.#call.pause();
    }
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
    else if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#batchBytes === 0) return;
    const data = new Uint8Array(this.#batchBytes);
    let at = 0;
    for (const piece of this.#batch) {
      data.set(piece, at);
      at += piece.length;
    }
    this.#batch = [];
    this.#batchBytes = 0;
    this.#post({ t: 'bytes', data }, [data.buffer]);
  }

  #onMessage(message: FromSession): void {
    switch (message.t) {
      case 'bytes':
        this.#send(message.data);
        return;
      case 'eof':
        void this.#sending.then(() => this.#call.end());
        return;
      case 'read':
        this.#unread -= message.bytes;
        if (this.#paused && this.#unread < CREDIT_BYTES / 2) {
          this.#paused = false;
          this.#call.resume();
        }
        return;
      case 'headers':
      case 'message':
      case 'wrote':
      case 'done':
        this.#calls.get(message.id)?.take(message);
        return;
      case 'post':
        this.#tasks.get(message.id)?.onMessage?.(message.message);
        return;
      case 'ask':
        void this.#answer(message);
        return;
      case 'result':
        this.#tasks.get(message.id)?.resolve(message.value);
        return;
      case 'failed':
        this.#tasks.get(message.id)?.reject(errorOfStatus(message.error));
        return;
      case 'refused':
        this.#close(errorOfStatus(message.error));
        return;
      case 'gone':
        this.#close(sessionClosed());
    }
  }

  async #answer({ id, ask }: FromSession & { t: 'ask' }): Promise<void> {
    try {
      this.#post({ t: 'answer', ask, value: await this.#tasks.get(id)?.onAsk?.() });
    } catch (error) {
      this.#post({ t: 'refusal', ask, error: statusOfError(error) });
    }
  }

  #post(message: ToSession, transfer: readonly ArrayBuffer[] = []): void {
    if (!this.#closed.signal.aborted) this.#lane.post(message, transfer);
  }

  #send(data: Uint8Array): void {
    let flowing = true;
    const said = Math.min(this.#said, data.length);
    this.#said -= said;
    for (let at = said; at < data.length; at += OUT_PIECE)
      flowing = this.#call.write(encodeBytesMessage(data.subarray(at, at + OUT_PIECE)));
    this.#sent += data.length;
    const sent = () => {
      if (this.#sent < BATCH_BYTES) return;
      this.#post({ t: 'sent', bytes: this.#sent });
      this.#sent = 0;
    };
    if (flowing) sent();
    else {
      this.#sending = this.#call.drained();
      void this.#sending.then(sent);
    }
  }

  #close(reason: CodedError): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(reason);
    for (const call of this.#calls.values()) call.fail(reason);
    this.#calls.clear();
    this.#lane.post({ t: 'close' });
    const timer = setTimeout(() => this.#log.warn('the work of a session goes on though it is closed'), END_GRACE_MS);
    timer.unref();
    void this.#over.promise.then(() => {
      clearTimeout(timer);
      for (const task of this.#tasks.values()) task.reject(reason);
      this.#call.end(reason.reason === 'SESSION_CLOSED' ? undefined : reason);
    });
  }
}

type PostToSession = (message: ToSession, transfer?: readonly ArrayBuffer[]) => void;

/** A call whose other half is in the session's thread. */
class ProxyCall implements RawCall {
  readonly headers: Promise<Metadata>;
  readonly responses: AsyncIterable<Uint8Array>;
  readonly #id: number;
  readonly #post: PostToSession;
  readonly #headers = Promise.withResolvers<Metadata>();
  readonly #queue: MessageQueue<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #onOver: () => void;
  readonly #onAbort = () => this.#cancel(this.#signal.reason);
  #over = false;
  #unwritten = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(id: number, post: PostToSession, options: CallOptions, closed: AbortSignal, onOver: () => void) {
    this.#id = id;
    this.#post = post;
    this.#signal = options.signal;
    this.#onOver = onOver;
    this.headers = this.#headers.promise;
    this.#queue = new MessageQueue<Uint8Array>(
      { pause: () => post({ t: 'pause', id }), resume: () => post({ t: 'resume', id }) },
      { onReturn: () => this.#cancel(cancelledError()) },
    );
    this.responses = this.#queue;
    if (options.signal.aborted) this.#finish(options.signal.reason, true);
    else if (closed.aborted) this.#finish(closed.reason, true);
    else options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  get over(): boolean {
    return this.#over;
  }

  write(message: Uint8Array): Promise<void> | undefined {
    assertSendable(message);
    if (this.#over) return undefined;
    const data = Uint8Array.from(message);
    this.#unwritten += data.length;
    this.#post({ t: 'write', id: this.#id, data }, [data.buffer]);
    if (this.#unwritten <= WRITE_WINDOW) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  end(): void {
    if (!this.#over) this.#post({ t: 'half', id: this.#id });
  }

  take(message: FromSession & { t: 'headers' | 'message' | 'wrote' | 'done' }): void {
    switch (message.t) {
      case 'headers':
        this.#headers.resolve(Metadata.fromPairs(message.metadata));
        return;
      case 'message':
        this.#queue.push(message.data, message.data.length);
        return;
      case 'wrote':
        this.#unwritten -= message.bytes;
        if (this.#unwritten <= WRITE_WINDOW / 2) this.#release();
        return;
      case 'done':
        this.#finish(message.error === undefined ? undefined : errorOfStatus(message.error), false);
    }
  }

  /** The session is gone. */
  fail(reason: CodedError): void {
    this.#finish(reason, false);
  }

  #cancel(reason: unknown): void {
    if (this.#over) return;
    this.#post({ t: 'cancel', id: this.#id });
    this.#finish(reason, true);
  }

  #finish(error: unknown, now: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#headers.resolve(new Metadata());
    this.#release();
    this.#queue.finish(error, now);
    this.#onOver();
  }

  #release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

function sessionClosed(cause?: unknown): CodedError {
  return CodedError.of('SESSION_CLOSED', 'no active session: the build client has left', {
    ...(cause === undefined ? {} : { cause }),
  });
}

function sessionLost(cause: unknown): CodedError {
  return CodedError.of('SESSION_LOST', 'the session was lost, its thread in the builder has failed', {
    hint: 'run the build again',
    cause,
  });
}
