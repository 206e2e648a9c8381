import { type AbortOptions, CodedError, cancelledError, type Logger, sleep, toCodedError } from '../../base/index.ts';
import { type BuilderClient, registerSessionServices, type SessionSources } from '../../builder-api/client/index.ts';
import { wire } from '../../builder-api/index.ts';
import { type SolvePlan, solveRequest } from '../../plan/index.ts';
import type { SolveView } from '../run/decide.ts';
import { backoff } from '../runtime/index.ts';
import { withUploads } from '../uploads.ts';
import { logEvents } from './solve-log.ts';

const { UNKNOWN, RUNNING, CANCELLED } = wire.slipway.builder.v1.SolveState;

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5000;
/** How long a cancelled run waits for its builder to say so. */
const CANCEL_MS = 15_000;
const COMMIT_MS = 120_000;
const CALL_MS = 20_000;
/** Part of a builder's grace that one question for the end may take: what hangs is found out after it, and there is time to ask again. */
const ASK_SHARE = 1 / 6;

interface SolveTaskOptions {
  readonly uid: string;
  readonly attempt: number;
  /** Of its builder. */
  readonly address: string;
  readonly timeoutMs: number;
  /** Of its pool. */
  readonly limits: wire.slipway.builder.v1.Limits.$Properties | undefined;
  /** Of the Build. */
  readonly resources?: wire.slipway.builder.v1.Limits.$Properties | undefined;
  /** namespace/name, for logs. */
  readonly subject: string;
  readonly namespace: string;
  readonly scope: string | undefined;
  /** The builder's client as it is now: certificates may turn. */
  readonly builder: () => BuilderClient | undefined;
  /** Plan, secrets and credentials; asked again when the task is taken up by another operator. */
  readonly prepare: (options: AbortOptions) => Promise<{ readonly plan: SolvePlan; readonly sources: SessionSources }>;
  /** A builder that does not answer for so long is given up; what it does then has no tags. */
  readonly builderGraceMs: number;
  /** Why its builder will not answer again, where that is known otherwise than by its silence. Asked when a call to it has failed. */
  readonly gone?: () => string | undefined;
  readonly onChange: () => void;
  readonly log: Logger;
}

/**
 * One attempt of a run on its builder, followed until it is over: starts it (a known one is not started again), serves its session, waits for its result. All calls can be
 * repeated, so a lost connection is made again; only a builder that stays away, or forgot the solve, makes it lost.
 */
export class SolveTask {
  readonly #options: SolveTaskOptions;
  readonly #over = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #view: SolveView = { kind: 'running' };
  #sources: SessionSources | undefined;
  #cancelling: Promise<void> | undefined;
  #committing: Promise<void> | undefined;
  readonly #running: Promise<void>;
  readonly attempt: number;

  constructor(options: SolveTaskOptions) {
    this.#options = options;
    this.attempt = options.attempt;
    this.#started.promise.catch(() => {});
    this.#running = this.#follow();
  }

  get view(): SolveView {
    return this.#view;
  }

  /** Ends the solve on the builder, if it has one; settles, without failing, once the view tells of the end or the task is detached. */
  cancel(reason: string): Promise<void> {
    this.#cancelling ??= this.#cancel(reason);
    return this.#cancelling;
  }

  /** Has the tags written. */
  commit(): void {
    this.#committing ??= this.#commit();
  }

  /** Its end is recorded: the builder may forget it. */
  async acknowledge(): Promise<void> {
    try {
      await this.#retry('acknowledge', CALL_MS, (builder, options) =>
        builder.builder.acknowledge({ id: this.#id }, options),
      );
    } catch (error) {
      // The builder forgets by itself after some days.
      this.#options.log.debug('a result was not acknowledged', { err: error });
    }
    await this.detach();
  }

  /** Leaves the solve to itself, or to the operator that comes next. */
  async detach(): Promise<void> {
    this.#over.abort(cancelledError('detached'));
    await Promise.allSettled([this.#running, this.#cancelling, this.#committing]);
    this.#sources = undefined;
  }

  get address(): string {
    return this.#options.address;
  }

  get #id() {
    // A run is solved whole, as one part.
    return { runUid: this.#options.uid, part: '', attempt: this.#options.attempt };
  }

  get #session(): string {
    return `${this.#options.uid}.${this.#options.attempt}`;
  }

  #set(view: SolveView): void {
    if (this.#over.signal.aborted) return;
    this.#view = view;
    this.#options.onChange();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#over;
    try {
      const { plan, sources } = await this.#prepared();
      this.#sources = sources;
      void this.#serveSession();
      const solve = solveRequest(withUploads(plan, this.#session));
      const { namespace, scope, subject, timeoutMs, limits, resources } = this.#options;
      await this.#retry('start', this.#options.builderGraceMs, (builder, options) =>
        builder.builder.start(
          {
            id: this.#id,
            solve,
            sessionId: this.#session,
            writeScope: scope === undefined ? namespace : `${namespace}/${scope}`,
            timeoutMs,
            subject,
            ...(limits === undefined ? {} : { limits }),
            ...(resources === undefined ? {} : { resources }),
          },
          options,
        ),
      );
      this.#started.resolve();
      void this.#logSteps();
      while (!signal.aborted) {
        const result = await this.#result();
        if (result.state === RUNNING) continue;
        if (result.state === UNKNOWN)
          throw CodedError.of('BUILDER_LOST', 'the builder ended with the build, or was started again');
        // A cancellation that was not answered, or a commit, came before.
        if (this.#view.kind === 'running') this.#set({ kind: 'ended', result });
        return;
      }
    } catch (error) {
      this.#started.reject(error);
      if (signal.aborted || this.#view.kind !== 'running') return;
      const coded = toCodedError(error);
      this.#set({
        kind: 'lost',
        // Whatever keeps a solve from its builder is the platform's fault; what the plan or the request has wrong is the user's.
        error: coded.fault === 'cancelled' ? new CodedError('unavailable', coded.message, { cause: coded }) : coded,
      });
    }
  }

  /** The end, or how it stands after a while. A builder that does not answer at all is given up, however it does that: from a wait alone, which it need not answer, that is not seen. */
  async #result() {
    const { signal } = this.#over;
    const { builder, builderGraceMs, log } = this.#options;
    const since = performance.now();
    try {
      const waited = await builder()?.builder.result({ id: this.#id, wait: true }, { signal, timeoutMs: this.#askMs });
      if (waited !== undefined && waited.state !== RUNNING) return waited;
    } catch {
      // Whatever it was, the next question tells.
      await sleep(FIRST_DELAY_MS, { signal });
    }
    let asked = 0;
    const result = await this.#retry(
      'result',
      builderGraceMs,
      (one) => {
        asked++;
        return this.#ask(one, { signal });
      },
      { since },
    );
    if (asked > 1) log.info('the builder answered again', { asked, silentMs: Math.round(performance.now() - since) });
    return result;
  }

  /** How it stands now: one answer that is lost is not a builder that is. */
  #ask(builder: BuilderClient, { signal }: AbortOptions) {
    return builder.builder.result({ id: this.#id, wait: false }, { signal, timeoutMs: this.#askMs });
  }

  get #askMs(): number {
    return Math.ceil(this.#options.builderGraceMs * ASK_SHARE);
  }

  /** Whatever is missing now was there when the run was planned: it may come back. */
  async #prepared() {
    for (let failures = 0; ; failures++)
      try {
        return await this.#options.prepare({ signal: this.#over.signal });
      } catch (error) {
        this.#over.signal.throwIfAborted();
        if (toCodedError(error).fault === 'user' || failures >= 20) throw error;
        this.#options.log.warn('what the build needs could not be read', { err: error });
        await sleep(backoff(failures, FIRST_DELAY_MS, MAX_DELAY_MS), { signal: this.#over.signal });
      }
  }

  /** Serves secrets and credentials until the task is over: the session is logical, so each connection goes on with it. */
  async #serveSession(): Promise<void> {
    const { signal } = this.#over;
    for (let failures = 0; !signal.aborted; failures++) {
      const opened = performance.now();
      try {
        const builder = this.#options.builder();
        const sources = this.#sources;
        if (builder !== undefined && sources !== undefined) {
          await using session = builder.hostSession({
            id: this.#session,
            signal,
            register: (server) => registerSessionServices(server, sources),
          });
          await session.ended;
        }
      } catch (error) {
        if (!signal.aborted) this.#options.log.debug('the session was cut', { err: error });
      }
      if (performance.now() - opened > 10_000) failures = 0;
      await sleep(backoff(failures, FIRST_DELAY_MS, MAX_DELAY_MS), { signal }).catch(() => {});
    }
  }

  /** What the steps do, into the log. */
  async #logSteps(): Promise<void> {
    const { signal } = this.#over;
    try {
      const builder = this.#options.builder();
      if (builder !== undefined)
        await logEvents(builder.builder.attach({ id: this.#id }, { signal }), this.#options.log);
    } catch {
      // Its result says what matters.
    }
  }

  async #cancel(reason: string): Promise<void> {
    const until = performance.now() + CANCEL_MS;
    try {
      while (this.#view.kind === 'running') {
        const { state } = await this.#retry('cancel', Math.max(1000, until - performance.now()), (builder, options) =>
          builder.builder.cancel({ id: this.#id, reason }, options),
        );
        if (state !== RUNNING) break;
        if (performance.now() > until) break;
        await sleep(FIRST_DELAY_MS, { signal: this.#over.signal });
      }
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#options.log.warn('the builder could not be told of the cancellation', { err: error });
    }
    // Told or not: without a commit nothing of it gets a tag.
    const ended = new wire.slipway.builder.v1.ResultResponse({ state: CANCELLED });
    if (this.#view.kind === 'running') this.#set({ kind: 'ended', result: ended });
  }

  async #commit(): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([this.#over.signal, over.signal]);
    try {
      await this.#started.promise;
      const commit = this.#retry(
        'commit',
        COMMIT_MS,
        (builder) => builder.builder.commit({ id: this.#id }, { signal, timeoutMs: COMMIT_MS }),
        { signal },
      );
      // Tags may take their time; a builder that is no more does not.
      const { outputs } = await Promise.race([commit, this.#whileAnswering({ signal })]);
      this.#set({ kind: 'committed', outputs });
    } catch (error) {
      if (!this.#over.signal.aborted) this.#set({ kind: 'commit-failed', error: toCodedError(error) });
    } finally {
      over.abort(cancelledError('the commit is over'));
    }
  }

  /** @throws once the builder has not answered for its grace */
  async #whileAnswering({ signal }: AbortOptions): Promise<never> {
    const { builderGraceMs } = this.#options;
    for (;;) {
      await sleep(builderGraceMs * ASK_SHARE, { signal });
      await this.#retry('result', builderGraceMs, (builder) => this.#ask(builder, { signal }), { signal });
    }
  }

  /** Again while the builder cannot be reached or has no place. @throws what it answered, that it is gone, or that it has stayed away for `patienceMs` since `since` */
  async #retry<T>(
    what: string,
    patienceMs: number,
    call: (builder: BuilderClient, options: AbortOptions & { readonly timeoutMs: number }) => Promise<T>,
    { since = performance.now(), signal = this.#over.signal }: { since?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      const restMs = () => Math.round(patienceMs - (performance.now() - since));
      try {
        const builder = this.#options.builder();
        if (builder === undefined) throw CodedError.of('BUILDER_GONE', 'the builder is in no pool');
        return await call(builder, { signal, timeoutMs: Math.max(1000, Math.min(CALL_MS, restMs())) });
      } catch (error) {
        signal.throwIfAborted();
        const coded = toCodedError(error);
        const again =
          ['unavailable', 'cancelled', 'deadline_exceeded'].includes(coded.code) ||
          coded.reason === 'BUILDER_BUSY' ||
          coded.reason === 'BUILDER_DRAINING';
        if (!again) throw error;
        if (restMs() <= 0) throw coded.reason === undefined ? silent(coded, patienceMs) : error;
        const gone = this.#options.gone?.();
        if (gone !== undefined) throw CodedError.of('BUILDER_LOST', gone, { cause: coded });
        this.#options.log.debug('a call to the builder is made again', { call: what, err: coded });
        await sleep(Math.min(restMs(), backoff(failures, FIRST_DELAY_MS, MAX_DELAY_MS)), { signal });
      }
    }
  }
}

function silent(cause: CodedError, patienceMs: number): CodedError {
  const message = `the builder did not answer for ${Math.round(patienceMs / 1000)} s: ${cause.message}`;
  return CodedError.of('BUILDER_LOST', message, { cause });
}
