import { CodedError } from '../../base/index.ts';
import type { LanePort } from '../../sys/index.ts';
import type { BridgeCall, BridgeResult, BridgeWarning, FrontendBridge } from './bridge.ts';
import type { CallArguments, CallFailure, CallName, FromFrontend, ThreadData, ToFrontend } from './thread-messages.ts';

/** The thread's end of the bridge, for one run. */
export class BridgeClient {
  readonly #port: LanePort<ToFrontend, FromFrontend>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #begun = Promise.withResolvers<ThreadData>();
  #next = 1;

  constructor(port: LanePort<ToFrontend, FromFrontend>) {
    this.#port = port;
    port.onMessage((message) => {
      if (message.kind === 'begin') {
        this.#begun.resolve(message.data);
        return;
      }
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === 'reply') waiting?.resolve(message.value);
      else waiting?.reject(errorOf(message.error));
    });
  }

  /** What the run is given. */
  get begun(): Promise<ThreadData> {
    return this.#begun.promise;
  }

  async call<N extends CallName>(
    name: N,
    args: CallArguments<N>,
    { signal }: BridgeCall,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Awaited<ReturnType<FrontendBridge[N]>>> {
    signal.throwIfAborted();
    const id = this.#next;
    this.#next += 1;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    const onAbort = () => {
      this.#waiting.delete(id);
      this.#port.post({ kind: 'abandon', id });
      waiting.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#port.post({ kind: 'call', id, name, args }, transfer);
      return (await waiting.promise) as Awaited<ReturnType<FrontendBridge[N]>>;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  warn(warning: BridgeWarning): void {
    this.#port.post({ kind: 'warn', warning });
  }

  /** A line for the builder's log. */
  notice(message: string, fields: Readonly<Record<string, string>>): void {
    this.#port.post({ kind: 'notice', message, fields });
  }

  done(result: BridgeResult): void {
    this.#port.post({ kind: 'done', result });
  }
}

function errorOf({ code, message, ...same }: CallFailure): CodedError {
  return new CodedError(code, message, same);
}
