import { type AbortOptions, CodedError, type Logger, Semaphore, toCodedError } from '../../base/index.ts';
import { type Definition, decodeDefinitionInSlices, encodeDefinitionInSlices } from '../../llb/index.ts';
import { type Lane, type LaneEnd, SharedThreads } from '../../sys/index.ts';
import type {
  BridgeCall,
  BridgeRef,
  BridgeResult,
  BridgeSolveRequest,
  BridgeWarning,
  FrontendBridge,
} from './bridge.ts';
import type { FrontendRequest } from './frontend.ts';
import { RUN_LIMITS } from './run-limits.ts';
import type { CrossingSolve, FromFrontend, ThreadData, ToFrontend } from './thread-messages.ts';

export interface ThreadFrontendOptions {
  /** The module that the threads run; it exports `serve` (see thread-client.ts). */
  readonly module: URL;
  readonly name: string;
  readonly threads: number;
  /** MiB of heap of a thread. */
  readonly heapMib?: number;
  /** How long a run may compute without asking anything, in milliseconds. */
  readonly silenceMs?: number;
  /** CPU time that a run may take of its thread before the others there are run elsewhere, in milliseconds. */
  readonly heldMs?: number;
  /** CPU time that a run may take in all, in milliseconds. */
  readonly cpuMs?: number;
  readonly log?: Logger;
}

type Lost = Extract<LaneEnd, { kind: 'lost' }>;

/**
 * Runs a frontend many times at once in a few threads that live on. A run that throws or asks nothing for long fails alone. Where one ends its thread (it took all memory),
 * all that the thread ran is run again, for a frontend makes the same of the same request; whichever may have been the one, in a thread for itself, where it fails for itself.
 * One that computes without a pause keeps its thread, up to its time, while the others are run again elsewhere.
 */
export class FrontendThreads implements AsyncDisposable {
  readonly #options: ThreadFrontendOptions;
  readonly #threads: SharedThreads<ToFrontend, FromFrontend>;
  readonly #alone = new Semaphore(RUN_LIMITS.alone);

  constructor(options: ThreadFrontendOptions) {
    this.#options = options;
    const { module, name, threads } = options;
    const { heapMib, heldMs, cpuMs } = { ...RUN_LIMITS, ...options };
    this.#threads = new SharedThreads({
      ...{ module, name, threads, heldMs, cpuMs, whenHeld: 'leave' },
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 32 },
    });
  }

  /** How many threads were started so far. */
  get started(): number {
    return this.#threads.started;
  }

  /** Starts a thread before a run needs one. */
  startAhead(): void {
    this.#threads.startAhead();
  }

  async run(request: FrontendRequest, bridge: FrontendBridge, call: BridgeCall): Promise<BridgeResult> {
    const inputs = new Map<string, readonly Uint8Array[]>();
    for (const [name, graph] of request.inputs) inputs.set(name, await encodeDefinitionInSlices(graph, call));
    const data: ThreadData = {
      options: request.options,
      inputs,
      sessionId: bridge.sessionId,
      workers: bridge.workers,
      llbCaps: bridge.llbCaps,
    };
    const warnings = new Warnings(bridge);
    for (let crashes = 0, losses = 0; ; losses++) {
      call.signal.throwIfAborted();
      const alone = crashes >= RUN_LIMITS.crashes;
      using _place = alone ? await this.#alone.acquire(call) : undefined;
      using lane = this.#threads.open({ owner: request.owner, alone, losses });
      lane.post({ kind: 'begin', data });
      const outcome = await new BridgeServer(lane, bridge, warnings, this.#options, call.signal).result();
      if (!('kind' in outcome)) return outcome;
      if (alone || outcome.error.code === 'cancelled') throw outcome.error;
      this.#options.log?.warn('a frontend lost its thread and is run again', { err: outcome.error });
      if (outcome.suspect) crashes = RUN_LIMITS.crashes;
      else if (outcome.error.reason !== 'SYS_THREAD_HELD') crashes++;
      warnings.again();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#threads[Symbol.asyncDispose]();
  }
}

/** The warnings of a run, each passed on once though the run may be run again. */
class Warnings {
  readonly #bridge: FrontendBridge;
  /** How often each was passed on, and how often this time it was given. */
  readonly #passed = new Map<string, number>();
  #given = new Map<string, number>();

  constructor(bridge: FrontendBridge) {
    this.#bridge = bridge;
  }

  again(): void {
    this.#given = new Map();
  }

  warn(warning: BridgeWarning): void {
    const { vertex, message, ranges } = warning;
    const key = JSON.stringify([vertex, message, ranges]);
    const given = (this.#given.get(key) ?? 0) + 1;
    this.#given.set(key, given);
    if (given <= (this.#passed.get(key) ?? 0)) return;
    this.#passed.set(key, given);
    this.#bridge.warn(warning);
  }
}

class BridgeServer {
  readonly #lane: Lane<ToFrontend, FromFrontend>;
  readonly #bridge: FrontendBridge;
  readonly #warnings: Warnings;
  readonly #options: ThreadFrontendOptions;
  readonly #outcome = Promise.withResolvers<BridgeResult | Lost>();
  readonly #calls = new Map<number, AbortController>();
  readonly #signal: AbortSignal;
  #silence: NodeJS.Timeout | undefined;

  constructor(
    lane: Lane<ToFrontend, FromFrontend>,
    bridge: FrontendBridge,
    warnings: Warnings,
    options: ThreadFrontendOptions,
    signal: AbortSignal,
  ) {
    this.#lane = lane;
    this.#bridge = bridge;
    this.#warnings = warnings;
    this.#options = options;
    this.#signal = signal;
  }

  async result(): Promise<BridgeResult | Lost> {
    const onAbort = () => this.#outcome.reject(this.#signal.reason);
    this.#signal.addEventListener('abort', onAbort, { once: true });
    this.#lane.onMessage((message) => this.#receive(message));
    void this.#lane.ended.then((end) => {
      if (end.kind === 'lost') this.#outcome.resolve(end);
      else if (end.kind === 'failed') this.#outcome.reject(this.#failure(end.error));
      else
        this.#outcome.reject(new CodedError('internal', `the frontend ${this.#options.name} ended without a result`));
    });
    this.#watch();
    try {
      return await this.#outcome.promise;
    } finally {
      clearTimeout(this.#silence);
      this.#signal.removeEventListener('abort', onAbort);
      for (const controller of this.#calls.values())
        controller.abort(CodedError.of('FRONTEND_ENDED', 'the frontend ended'));
    }
  }

  #receive(message: FromFrontend): void {
    switch (message.kind) {
      case 'done':
        this.#outcome.resolve(message.result);
        return;
      case 'warn':
        this.#warnings.warn(message.warning);
        return;
      case 'notice':
        this.#options.log?.info(message.message, message.fields);
        return;
      case 'abandon':
        this.#calls.get(message.id)?.abort(new CodedError('cancelled', 'context canceled'));
        return;
      case 'call':
        if (this.#calls.size >= RUN_LIMITS.calls)
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
      const crossed = name === 'solve' ? [await solveRequest(args[0] as CrossingSolve, { signal })] : args;
      const value = await method.call(this.#bridge, ...crossed, { signal });
      reply = { kind: 'reply', id, value: name === 'solve' ? idsOf(value as BridgeResult) : value };
    } catch (error) {
      const { code, message, fault, reason, hint, details } = toCodedError(error);
      reply = { kind: 'failed', id, error: { code, message, fault, reason, hint, details } };
    }
    this.#calls.delete(id);
    try {
      this.#lane.post(reply);
    } catch (error) {
      // What cannot be copied into the thread is a fault of the bridge.
      this.#outcome.reject(error);
    }
    if (this.#calls.size === 0) this.#watch();
  }

  #failure(error: Error): Error {
    if (!(error instanceof CodedError) || error.reason !== 'SYS_THREAD_SPENT') return error;
    return CodedError.of('FRONTEND_SPENT', `the frontend ${this.#options.name} ${error.message}`);
  }

  #watch(): void {
    clearTimeout(this.#silence);
    const silence = this.#options.silenceMs ?? RUN_LIMITS.silenceMs;
    this.#silence = setTimeout(() => {
      // One that computes has its CPU time, however long it waits for a CPU.
      if (this.#lane.computes) this.#watch();
      else
        this.#outcome.reject(
          CodedError.of(
            'FRONTEND_STUCK',
            `the frontend ${this.#options.name} made no progress for ${silence / 1000} s`,
          ),
        );
    }, silence);
    this.#silence.unref();
  }
}

async function solveRequest(
  { frontendInputs, ...request }: CrossingSolve,
  options: AbortOptions,
): Promise<BridgeSolveRequest> {
  if (frontendInputs === undefined) return request;
  const graphs = new Map<string, Definition>();
  for (const [name, bytes] of frontendInputs) graphs.set(name, await decodeDefinitionInSlices(bytes, options));
  return { ...request, frontendInputs: graphs };
}

/** A result for a frontend that knows its refs by their ids: what they stand for stays here, since to copy a graph of thousands of steps fails. */
function idsOf({ ref, refs, metadata, attestations }: BridgeResult): BridgeResult {
  const idOf = ({ id }: BridgeRef): BridgeRef => ({ id });
  const attested = [...(attestations ?? [])].map(
    ([platform, all]) => [platform, all.map((one) => ({ ...one, ref: one.ref && idOf(one.ref) }))] as const,
  );
  return {
    metadata,
    ...(attestations === undefined ? {} : { attestations: new Map(attested) }),
    ...(ref === undefined ? {} : { ref: idOf(ref) }),
    ...(refs === undefined ? {} : { refs: new Map([...refs].map(([name, one]) => [name, idOf(one)])) }),
  };
}
