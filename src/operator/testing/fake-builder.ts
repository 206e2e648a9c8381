import { type AbortOptions, CodedError, onAbort } from '../../base/index.ts';
import type { BuilderClient } from '../../builder-api/client/index.ts';
import { wire } from '../../builder-api/index.ts';

const { SolveState, ResultResponse } = wire.slipway.builder.v1;
type Options = AbortOptions & { readonly timeoutMs?: number };

/** A builder as the operator sees it: it holds solves until it is told how they end, and answers nothing while it is frozen. */
export class FakeBuilder {
  /** Calls in order. */
  readonly calls: string[] = [];
  /** What was asked of it. */
  readonly requests: {
    readonly uid: string;
    readonly timeoutMs: number;
    readonly scope: string;
    readonly limits?: object | undefined;
  }[] = [];
  frozen = false;
  /** Nobody listens where it was. */
  away = false;
  /** So many answers about how a solve stands are lost, and all to who waits for its end. */
  lost: number | undefined;
  /** Commits that never end. */
  slowCommits = false;
  #connection = Promise.withResolvers<never>();
  readonly #ends = new Map<string, PromiseWithResolvers<wire.slipway.builder.v1.ResultResponse>>();

  #end(uid: string) {
    const end = this.#ends.get(uid) ?? Promise.withResolvers<wire.slipway.builder.v1.ResultResponse>();
    this.#ends.set(uid, end);
    return end;
  }

  /** Has a solve end. */
  end(
    uid: string,
    result: Partial<wire.slipway.builder.v1.ResultResponse.$Properties> = { state: SolveState.SUCCEEDED },
  ) {
    this.#end(uid).resolve(new ResultResponse(result));
  }

  /** Ends all calls that wait for an answer, as a connection that breaks does. */
  cut(): void {
    this.#connection.promise.catch(() => {});
    this.#connection.reject(new CodedError('unavailable', 'the connection was reset'));
    this.#connection = Promise.withResolvers<never>();
  }

  async #answer<T>(
    call: string,
    { signal, timeoutMs }: Options,
    act: (signal: AbortSignal) => Promise<T> | T,
  ): Promise<T> {
    this.calls.push(call);
    if (this.away) throw new CodedError('unavailable', 'connection refused');
    const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const within = late === undefined ? signal : AbortSignal.any([signal, late]);
    using ended = onAbort(within);
    try {
      const answer = this.frozen ? new Promise<never>(() => {}) : act(within);
      return await Promise.race([answer, ended.promise, this.#connection.promise]);
    } catch (error) {
      if (late?.aborted) throw new CodedError('deadline_exceeded', 'no answer in time');
      throw error;
    }
  }

  readonly client = {
    builder: {
      start: (
        request: { id: { runUid: string }; timeoutMs: number; writeScope: string; limits?: object },
        options: Options,
      ) =>
        this.#answer(`start ${request.id.runUid}`, options, () => {
          const { id, timeoutMs, writeScope: scope, limits } = request;
          this.requests.push({ uid: id.runUid, timeoutMs, scope, limits });
          return { state: SolveState.RUNNING };
        }),
      result: ({ id, wait }: { id: { runUid: string }; wait: boolean }, options: Options) =>
        this.#answer(`result ${id.runUid}`, options, () => {
          const end = this.#end(id.runUid).promise;
          if (this.lost === undefined)
            return wait ? end : Promise.race([end, new ResultResponse({ state: SolveState.RUNNING })]);
          return wait || this.lost-- > 0 ? new Promise<never>(() => {}) : end;
        }),
      commit: ({ id }: { id: { runUid: string } }, options: Options) =>
        this.#answer(`commit ${id.runUid}`, options, () =>
          this.slowCommits ? new Promise<never>(() => {}) : { outputs: [] },
        ),
      acknowledge: ({ id }: { id: { runUid: string } }, options: Options) =>
        this.#answer(`acknowledge ${id.runUid}`, options, () => ({})),
      cancel: ({ id }: { id: { runUid: string } }, options: Options) =>
        this.#answer(`cancel ${id.runUid}`, options, () => {
          this.end(id.runUid, { state: SolveState.CANCELLED });
          return { state: SolveState.CANCELLED };
        }),
      attach: async function* () {},
    },
    hostSession: ({ signal }: AbortOptions) => {
      const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      return { ended, [Symbol.asyncDispose]: async () => {} };
    },
  } as unknown as BuilderClient;
}
