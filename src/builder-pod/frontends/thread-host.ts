import { CodedError, type Logger, toCodedError } from '../../base/index.ts';
import { SpareThreads, type Thread } from '../../sys/index.ts';
import type { BridgeCall, BridgeRef, BridgeResult, FrontendBridge } from './bridge.ts';
import type { FrontendRequest } from './frontend.ts';
import type { FromFrontend, ThreadData, ToFrontend } from './thread-messages.ts';

export interface ThreadFrontendOptions {
  /** The module that the thread runs; it exports `start` (see thread-client.ts). */
  readonly module: URL;
  readonly name: string;
  /** MiB of heap. */
  readonly heapMib?: number;
  /** How long it may compute without asking anything, in milliseconds. */
  readonly silenceMs?: number;
  readonly log?: Logger;
}

const DEFAULT_HEAP_MIB = 256;
const DEFAULT_SILENCE_MS = 120_000;
/** Calls in flight at once; more mean a frontend gone wrong. */
const MAX_CALLS = 10_000;

/** Threads started ahead of the runs that they serve; one serves one run only. */
export type FrontendThreads = SpareThreads<ToFrontend, FromFrontend>;

/** `spares` threads are kept ready once {@link SpareThreads.refill} was called. */
export function frontendThreads(options: ThreadFrontendOptions, spares: number): FrontendThreads {
  return new SpareThreads(
    {
      module: options.module,
      name: options.name,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMib ?? DEFAULT_HEAP_MIB, maxYoungGenerationSizeMb: 32 },
    },
    { count: spares, warm: { kind: 'warm' } },
  );
}

/**
 * Runs a frontend in a thread of its own, which ends with the solve. A thread that runs out of memory, computes without end or throws
 * fails this run and nothing else.
 */
export async function runInThread(
  options: ThreadFrontendOptions,
  request: FrontendRequest,
  bridge: FrontendBridge,
  call: BridgeCall,
  threads: FrontendThreads = frontendThreads(options, 0),
): Promise<BridgeResult> {
  call.signal.throwIfAborted();
  await using thread = threads.take();
  const data: ThreadData = {
    options: request.options,
    inputs: request.inputs,
    sessionId: bridge.sessionId,
    workers: bridge.workers,
    llbCaps: bridge.llbCaps,
  };
  thread.post({ kind: 'begin', data });
  return await new BridgeServer(thread, bridge, options, call.signal).result();
}

class BridgeServer {
  readonly #thread: Thread<ToFrontend, FromFrontend>;
  readonly #bridge: FrontendBridge;
  readonly #options: ThreadFrontendOptions;
  readonly #outcome = Promise.withResolvers<BridgeResult>();
  readonly #calls = new Map<number, AbortController>();
  readonly #signal: AbortSignal;
  #silence: NodeJS.Timeout | undefined;

  constructor(
    thread: Thread<ToFrontend, FromFrontend>,
    bridge: FrontendBridge,
    options: ThreadFrontendOptions,
    signal: AbortSignal,
  ) {
    this.#thread = thread;
    this.#bridge = bridge;
    this.#options = options;
    this.#signal = signal;
  }

  async result(): Promise<BridgeResult> {
    const onAbort = () => this.#outcome.reject(this.#signal.reason);
    this.#signal.addEventListener('abort', onAbort, { once: true });
    this.#thread.onMessage((message) => this.#receive(message));
    this.#thread.ended.then(
      () =>
        this.#outcome.reject(new CodedError('internal', `the frontend ${this.#options.name} ended without a result`)),
      (error: unknown) => this.#outcome.reject(error),
    );
    this.#watch();
    try {
      return await this.#outcome.promise;
    } finally {
      clearTimeout(this.#silence);
      this.#signal.removeEventListener('abort', onAbort);
      for (const controller of this.#calls.values())
        controller.abort(new CodedError('cancelled', 'the frontend ended', { reason: 'FRONTEND_ENDED' }));
    }
  }

  #receive(message: FromFrontend): void {
    switch (message.kind) {
      case 'done':
        this.#outcome.resolve(message.result);
        return;
      case 'warn':
        this.#bridge.warn(message.warning);
        return;
      case 'notice':
        this.#options.log?.info(message.message, message.fields);
        return;
      case 'abandon':
        this.#calls.get(message.id)?.abort(new CodedError('cancelled', 'context canceled'));
        return;
      case 'call':
        if (this.#calls.size >= MAX_CALLS)
          this.#outcome.reject(new CodedError('resource_exhausted', 'the frontend asks too much at once'));
        else void this.#serve(message);
    }
  }

  async #serve({ id, name, args }: Extract<FromFrontend, { kind: 'call' }>): Promise<void> {
    const controller = new AbortController();
    this.#calls.set(id, controller);
    clearTimeout(this.#silence);
    const signal = AbortSignal.any([this.#signal, controller.signal]);
    let reply: ToFrontend;
    try {
      const method = this.#bridge[name] as (...all: unknown[]) => Promise<unknown>;
      const value = await method.call(this.#bridge, ...args, { signal });
      reply = { kind: 'reply', id, value: name === 'solve' ? idsOf(value as BridgeResult) : value };
    } catch (error) {
      const { code, message, fault, reason, hint, details } = toCodedError(error);
      reply = { kind: 'failed', id, error: { code, message, fault, reason, hint, details } };
    }
    this.#calls.delete(id);
    try {
      this.#thread.post(reply);
    } catch (error) {
      // What cannot be copied into the thread is a fault of the bridge.
      this.#outcome.reject(error);
    }
    if (this.#calls.size === 0) this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#silence);
    const silence = this.#options.silenceMs ?? DEFAULT_SILENCE_MS;
    this.#silence = setTimeout(() => {
      this.#outcome.reject(
        new CodedError(
          'deadline_exceeded',
          `the frontend ${this.#options.name} made no progress for ${silence / 1000} s`,
          {
            reason: 'FRONTEND_STUCK',
            fault: 'user',
            hint: 'Is there a substitution or pattern in the file that takes very long?',
          },
        ),
      );
    }, silence);
    this.#silence.unref();
  }
}

/** A result for a frontend that knows its refs by their ids: what they stand for stays here, since to copy a graph of thousands of steps fails. */
function idsOf({ ref, refs, metadata }: BridgeResult): BridgeResult {
  const idOf = ({ id }: BridgeRef): BridgeRef => ({ id });
  return {
    metadata,
    ...(ref === undefined ? {} : { ref: idOf(ref) }),
    ...(refs === undefined ? {} : { refs: new Map([...refs].map(([name, one]) => [name, idOf(one)])) }),
  };
}
