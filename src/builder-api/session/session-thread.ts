import { Duplex, duplexPair } from 'node:stream';
import { CodedError, cancelledError, HOUSE, onAbort, Shares, type WorkOwner } from '../../base/index.ts';
import { type LanePort, loadedModule } from '../../sys/index.ts';
import { type Channel, clientOf, type RawCall } from '../grpc/channel.ts';
import { ConnectionChannel } from '../grpc/client.ts';
import { HeldBytes } from '../grpc/held-bytes.ts';
import type { Hold } from '../grpc/messages.ts';
import { Metadata } from '../grpc/metadata.ts';
import { errorOfStatus, statusOfError } from '../grpc/status.ts';
import { SESSION_LIMITS, type SessionLimits } from './limits.ts';
import { BATCH_BYTES, CREDIT_BYTES, type FromSession, type ToSession } from './protocol.ts';

/** What a task in a session's thread gets beside its arguments. */
export interface SessionTaskContext {
  /** The client's services. */
  readonly channel: Channel;
  readonly signal: AbortSignal;
  readonly limits: SessionLimits;
  /** Counts what the task keeps in memory of what the client sends, and throws where that is too much; given back when the task ends. */
  readonly hold: Hold;
  /** To the caller's `onMessage`, in order and before the result. */
  post(message: unknown): void;
  /** What the caller's `onAsk` gives. */
  ask<T>(): Promise<T>;
}

type Port = LanePort<ToSession, FromSession>;

/** The tunnel's end in this thread: bytes come as messages and are acknowledged when read, which is the credit. */
class TunnelEnd extends Duplex {
  readonly #port: Port;
  readonly #inbound: Uint8Array[] = [];
  #wanting = false;
  #ended = false;
  #outstanding = 0;
  #held: (() => void) | undefined;
  #read = 0;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #scheduled = false;

  constructor(port: Port) {
    super({ readableHighWaterMark: 256 * 1024, writableHighWaterMark: 256 * 1024 });
    this.#port = port;
  }

  deliver(data: Uint8Array): void {
    this.#inbound.push(data);
    this.#feed();
  }

  deliverEnd(): void {
    this.#ended = true;
    this.#feed();
  }

  sent(bytes: number): void {
    this.#outstanding -= bytes;
    if (this.#held === undefined || this.#outstanding > CREDIT_BYTES / 2) return;
    const held = this.#held;
    this.#held = undefined;
    held();
  }

  override _read(): void {
    this.#wanting = true;
    this.#feed();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#gather([chunk], done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: () => void): void {
    this.#gather(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#flush();
    this.#port.post({ t: 'eof' });
    done();
  }

  #feed(): void {
    while (this.#wanting) {
      const chunk = this.#inbound.shift();
      if (chunk === undefined) break;
      this.#read += chunk.length;
      this.#wanting = this.push(chunk);
    }
    if (this.#read >= BATCH_BYTES) {
      this.#port.post({ t: 'read', bytes: this.#read });
      this.#read = 0;
    }
    if (this.#wanting && this.#ended && this.#inbound.length === 0) {
      this.#wanting = false;
      this.push(null);
    }
  }

  /** Requests for files are tiny and many: one message to the other thread carries all of a turn. */
  #gather(chunks: readonly Uint8Array[], done: () => void): void {
    for (const chunk of chunks) {
      this.#batch.push(chunk);
      this.#batchBytes += chunk.length;
    }
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    if (this.#outstanding > CREDIT_BYTES) this.#held = done;
    else done();
  }

  #flush(): void {
    if (this.#batchBytes === 0) return;
    const data = new Uint8Array(this.#batchBytes);
    let at = 0;
    for (const chunk of this.#batch) {
      data.set(chunk, at);
      at += chunk.length;
    }
    this.#batch = [];
    this.#batchBytes = 0;
    this.#outstanding += data.length;
    this.#port.post({ t: 'bytes', data }, [data.buffer]);
  }
}

/** One call over a connection to nobody else: what it compiles, the session's first need not. */
export async function warm(): Promise<void> {
  // Loaded here alone: a session that finds no spare thread need not wait for them.
  const [{ GrpcServer }, { Health }] = await Promise.all([
    import('../grpc/server.ts'),
    import('../services/common.ts'),
  ]);
  const [ours, theirs] = duplexPair();
  const server = new GrpcServer();
  server.register(Health, { check: () => ({ status: 1 }) });
  server.serveConnection(theirs);
  await using channel = new ConnectionChannel(ours);
  const { signal } = new AbortController();
  await clientOf(Health, channel)
    .check({}, { signal, timeoutMs: 5000 })
    .catch(() => {});
  await server.close();
}

interface ProxiedCall {
  readonly call: RawCall;
  readonly controller: AbortController;
  gate: PromiseWithResolvers<void> | undefined;
}

/** What sessions have in this thread. */
const inThread = new Shares<HeldBytes>();

const tooMuch = (): CodedError =>
  CodedError.of('SESSION_TOO_LARGE', 'the build client sends more at once than a builder can hold');

/** One session: the nested HTTP/2 client, and the tasks that use it. Settles once it is closed and its work has ended. */
export function serve(port: Port): Promise<void> {
  const tunnel = new TunnelEnd(port);
  tunnel.on('error', () => {});
  let limits = SESSION_LIMITS;
  let held = heldBy(HOUSE);
  const channel = new ConnectionChannel(tunnel, { hold: () => held.hold() });
  const calls = new Map<number, ProxiedCall>();
  const tasks = new Map<number, AbortController>();
  const asks = new Map<number, PromiseWithResolvers<unknown>>();
  let nextAsk = 1;
  const over = Promise.withResolvers<void>();
  let closing = false;
  let ended = false;

  const end = () => {
    if (ended || !closing || tasks.size > 0) return;
    ended = true;
    channel.destroy();
    tunnel.destroy();
    void channel.closed.then(over.resolve);
  };
  /** Ends the session once its work has ended. */
  const close = () => {
    closing = true;
    for (const task of tasks.values()) task.abort(cancelledError());
    end();
  };
  // Something of it has failed that nobody waits for: it is over for the other end.
  port.closed.addEventListener('abort', () => {
    channel.destroy();
    close();
  });
  void channel.closed.then(() => {
    port.post({ t: 'gone' });
    const reason = new CodedError('unavailable', 'the session is closed');
    for (const task of tasks.values()) task.abort(reason);
  });

  port.onMessage((message) => {
    switch (message.t) {
      case 'begin':
        limits = message.limits;
        held = heldBy(message.owner);
        return;
      case 'bytes':
        return tunnel.deliver(message.data);
      case 'eof':
        return tunnel.deliverEnd();
      case 'sent':
        return tunnel.sent(message.bytes);
      case 'open':
        return open(message);
      case 'write': {
        const bytes = message.data.length;
        const wait = calls.get(message.id)?.call.write(message.data);
        const wrote = () => port.post({ t: 'wrote', id: message.id, bytes });
        if (wait === undefined) wrote();
        else void wait.then(wrote);
        return;
      }
      case 'half':
        return calls.get(message.id)?.call.end();
      case 'pause': {
        const call = calls.get(message.id);
        if (call !== undefined) call.gate ??= Promise.withResolvers();
        return;
      }
      case 'resume': {
        const call = calls.get(message.id);
        call?.gate?.resolve();
        if (call !== undefined) call.gate = undefined;
        return;
      }
      case 'cancel': {
        const call = calls.get(message.id);
        call?.controller.abort(cancelledError());
        call?.gate?.resolve();
        return;
      }
      case 'task':
        return void runTask(message);
      case 'abort':
        return tasks.get(message.id)?.abort(cancelledError());
      case 'answer':
        return asks.get(message.ask)?.resolve(message.value);
      case 'refusal':
        return asks.get(message.ask)?.reject(errorOfStatus(message.error));
      case 'close':
        return close();
    }
  });
  return over.promise;

  function heldBy(owner: WorkOwner): HeldBytes {
    const { sessionBytes: each, threadBytes: all } = limits;
    return new HeldBytes({ shares: inThread, limits: { each, all }, owner, end: refuse, tooMuch });
  }

  /** The client has sent too much. */
  function refuse(error: CodedError): void {
    port.post({ t: 'refused', error: statusOfError(error) });
    for (const task of tasks.values()) task.abort(error);
    channel.destroy();
  }

  function open(message: ToSession & { t: 'open' }): void {
    const { id, path, timeoutMs, maxMessageBytes } = message;
    const controller = new AbortController();
    const call = channel.open(path, {
      signal: controller.signal,
      metadata: Metadata.fromPairs(message.metadata),
      maxMessageBytes,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    const proxied: ProxiedCall = { call, controller, gate: undefined };
    calls.set(id, proxied);
    void call.headers.then((headers) => port.post({ t: 'headers', id, metadata: headers.pairs() }));
    void (async () => {
      try {
        for await (const response of call.responses) {
          const data = Uint8Array.from(response);
          port.post({ t: 'message', id, data }, [data.buffer]);
          if (proxied.gate !== undefined) await proxied.gate.promise;
        }
        port.post({ t: 'done', id, error: undefined });
      } catch (error) {
        port.post({ t: 'done', id, error: statusOfError(error) });
      } finally {
        calls.delete(id);
      }
    })();
  }

  async function ask(id: number, signal: AbortSignal): Promise<unknown> {
    const number = nextAsk++;
    const asked = Promise.withResolvers<unknown>();
    asks.set(number, asked);
    using aborted = onAbort(signal);
    try {
      port.post({ t: 'ask', id, ask: number });
      return await Promise.race([asked.promise, aborted.promise]);
    } finally {
      asks.delete(number);
    }
  }

  async function runTask({ id, module, fn, args }: ToSession & { t: 'task' }): Promise<void> {
    const controller = new AbortController();
    tasks.set(id, controller);
    using hold = held.hold();
    try {
      const run = (await loadedModule(module))[fn];
      if (typeof run !== 'function') throw new CodedError('internal', `${module} exports no function ${fn}`);
      controller.signal.throwIfAborted();
      const context: SessionTaskContext = {
        channel,
        signal: controller.signal,
        limits,
        hold,
        post: (posted) => port.post({ t: 'post', id, message: posted }),
        ask: <T>() => ask(id, controller.signal) as Promise<T>,
      };
      const value: unknown = await run(args, context);
      port.post({ t: 'result', id, value });
    } catch (error) {
      port.post({
        t: 'failed',
        id,
        error: statusOfError(controller.signal.aborted ? controller.signal.reason : error),
      });
    } finally {
      tasks.delete(id);
      end();
    }
  }
}
