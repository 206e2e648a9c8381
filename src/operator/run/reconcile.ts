import { type AbortOptions, CodedError, type Logger } from '../../base/index.ts';
import { type Build, type BuildRun, type BuildRunStatus, DEFAULT_POOL, isOver } from '../../resources/index.ts';
import type { Dispatcher, QueuedRun } from '../dispatch/dispatcher.ts';
import { SolveTask } from '../dispatch/solve-task.ts';
import type { OperatorMetrics } from '../metrics/metrics.ts';
import type { Builders } from '../pool/builders.ts';
import { buildRunType } from '../resource-types.ts';
import {
  type EventRecorder,
  type Informer,
  type KeyText,
  type KubeClient,
  keyOf,
  type Reconcile,
} from '../runtime/index.ts';
import { sameStatus, writeStatus } from '../status.ts';
import { decideRun, type RunView, retryAt } from './decide.ts';
import { type Prepared, type PrepareOptions, prepareRun } from './prepare.ts';

export interface RunReconcilerParts extends Omit<PrepareOptions, 'client'> {
  readonly client: KubeClient;
  readonly runs: Informer<BuildRun>;
  readonly builds: Informer<Build>;
  readonly dispatcher: Dispatcher;
  readonly builders: Builders;
  readonly events: EventRecorder;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** How long a builder may be silent before its runs go elsewhere. */
  readonly builderGraceMs: number;
  /** Has the run looked at again. */
  readonly wake: (key: KeyText) => void;
}

/** Between writes that change no phase; those that do are written at once, since what follows waits for them. */
const WRITE_EVERY_MS = 1000;
/** Writes of a run that change no phase: beyond these its record only follows its phases. */
const MAX_PLAIN_WRITES = 12;

/**
 * BuildRun → one solve at a time, and the record. A reconcile reads what is known, lets {@link decideRun} say the next status, writes it where it differs, and only then does
 * what the written status asks for; everything it does can be done twice.
 */
export class RunReconciler {
  readonly #parts: RunReconcilerParts;
  /** Writes of runs that are not over, by uid. */
  readonly #writes = new Map<string, { readonly at: number; readonly plain: number }>();
  /** The attempts that this operator follows, by run uid. */
  readonly #tasks = new Map<string, SolveTask>();

  constructor(parts: RunReconcilerParts) {
    this.#parts = parts;
  }

  /** Runs whose attempt is followed. */
  get active(): number {
    return this.#tasks.size;
  }

  /** Takes the places of runs that run already, before any is granted. */
  takeUp(): void {
    for (const run of this.#parts.runs.list()) this.#occupy(run);
  }

  /** Leaves all solves to themselves: the next operator takes them up. */
  async detach(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map((task) => task.detach()));
    this.#tasks.clear();
  }

  /** A run that is no more: its solve ends, its place is free. */
  gone(run: BuildRun): void {
    const uid = run.metadata.uid as string;
    this.#parts.dispatcher.release(uid);
    this.#writes.delete(uid);
    const task = this.#tasks.get(uid);
    if (task === undefined) return;
    const { log } = this.#parts;
    log.info('the run was deleted', { run: keyOf(run) });
    void (async () => {
      await task.cancel('the BuildRun was deleted');
      await task.acknowledge();
      if (this.#tasks.get(uid) === task) this.#tasks.delete(uid);
    })();
  }

  readonly reconcile: Reconcile = async (key, { signal }) => {
    const { runs, dispatcher } = this.#parts;
    const run = runs.get(key);
    if (run === undefined) return undefined;
    if (run.metadata.deletionTimestamp !== undefined) {
      this.gone(run);
      return undefined;
    }
    const uid = run.metadata.uid as string;
    if (isOver(run.status?.phase)) {
      this.#finish(uid);
      return undefined;
    }
    // A run that another life of the operator left running.
    this.#act(run, run.status);
    const queued = queuedRun(run);
    const view: RunView = {
      run,
      now: Date.now(),
      prepared: await this.#prepared(run, { signal }),
      place: run.status?.phase === 'Queued' ? dispatcher.placeOf(uid) : undefined,
      waiting: dispatcher.waiting(queued),
      solve: this.#tasks.get(uid)?.view,
    };
    const decision = decideRun(view);
    if (!sameStatus(run.status, decision.status)) {
      const waitMs = this.#holdBack(run, decision.status);
      if (waitMs !== undefined) return { requeueAfterMs: Math.min(waitMs, decision.requeueAfterMs ?? waitMs) };
      await this.#write(run, decision.status, { signal });
    }
    const written = runs.get(key);
    // Deleted meanwhile: its end is told apart.
    if (written === undefined) return undefined;
    this.#act(written, decision.status);
    return decision.requeueAfterMs === undefined ? undefined : { requeueAfterMs: decision.requeueAfterMs };
  };

  async #prepared(run: BuildRun, { signal }: AbortOptions): Promise<Prepared | undefined> {
    if ((run.status?.phase ?? 'Pending') !== 'Pending' || run.spec.cancel !== undefined) return undefined;
    return await prepareRun(run, { ...this.#parts, signal });
  }

  /** How long a write that changes no phase has to wait; undefined for not at all. */
  #holdBack(run: BuildRun, status: BuildRunStatus): number | undefined {
    const uid = run.metadata.uid as string;
    const before = this.#writes.get(uid);
    const plain = status.phase === run.status?.phase;
    const now = performance.now();
    if (plain && before !== undefined) {
      if (before.plain >= MAX_PLAIN_WRITES) return 30_000;
      const waitMs = before.at + WRITE_EVERY_MS - now;
      if (waitMs > 0) return waitMs;
    }
    if (isOver(status.phase)) this.#writes.delete(uid);
    else this.#writes.set(uid, { at: now, plain: (before?.plain ?? 0) + (plain ? 1 : 0) });
    return undefined;
  }

  /** Written only on what was read: a cancellation, or another operator, makes it fail, and the run is looked at again. */
  async #write(run: BuildRun, status: BuildRunStatus, { signal }: AbortOptions): Promise<void> {
    const { client, runs, log } = this.#parts;
    const before = run.status?.phase;
    await writeStatus({ client, informer: runs }, buildRunType, run, status, { signal, fence: 'unchanged' });
    const attempt = status.attempts?.at(-1);
    if (status.phase !== before)
      log.info('the run has another phase', {
        run: keyOf(run),
        uid: run.metadata.uid,
        phase: status.phase,
        ...(attempt === undefined ? {} : { attempt: attempt.number, builder: attempt.builder }),
        ...(status.failure === undefined ? {} : { reason: status.failure.reason }),
      });
    this.#tell(run, before, status);
  }

  /** Events and metrics of a change of phase. */
  #tell(run: BuildRun, before: BuildRunStatus['phase'], status: BuildRunStatus): void {
    const { events, metrics, builds } = this.#parts;
    const { phase } = status;
    if (phase === before || phase === undefined) return;
    const owner = builds.get(`${run.metadata.namespace}/${run.spec.buildRef.name}`);
    const record = (type: 'Normal' | 'Warning', reason: string, message: string) => {
      events.record(run, type, reason, message);
      if (owner !== undefined) events.record(owner, type, reason, message);
    };
    const name = run.metadata.name;
    if (phase === 'Running') {
      metrics.started(status);
      record('Normal', 'Running', `${name} runs on ${status.attempts?.at(-1)?.builder}`);
    } else if (isOver(phase)) {
      metrics.ended(status);
      if (phase === 'Succeeded') {
        const first = status.outputs?.[0];
        record(
          'Normal',
          phase,
          first === undefined ? `${name} is built` : `${name} pushed ${first.image}@${first.digest}`,
        );
      } else if (phase === 'Cancelled') record('Normal', phase, `${name}: ${status.failure?.message}`);
      else record('Warning', phase, `${name}: ${status.failure?.reason}: ${status.failure?.message}`);
    } else if (phase === 'Queued' && before === 'Running')
      record('Warning', 'Retrying', `${name}: ${status.attempts?.at(-1)?.message ?? 'the attempt failed'}`);
  }

  /** What a status that is stored asks for. */
  #act(run: BuildRun, status: BuildRunStatus | undefined): void {
    const { dispatcher, wake } = this.#parts;
    const uid = run.metadata.uid as string;
    switch (status?.phase) {
      case 'Queued': {
        // Of an attempt that failed.
        const task = this.#tasks.get(uid);
        if (task !== undefined) {
          this.#drop(uid, task);
          dispatcher.release(uid);
        }
        if (retryAt(status) <= Date.now()) dispatcher.enqueue(queuedRun({ ...run, status }));
        return;
      }
      case 'Running':
      case 'Committing': {
        this.#occupy({ ...run, status });
        const task = this.#task(run, status, () => wake(keyOf(run)));
        if (status.phase === 'Committing') task.commit();
        else if (run.spec.cancel !== undefined) void task.cancel(run.spec.cancel.message ?? 'the run was cancelled');
        return;
      }
      case 'Succeeded':
      case 'Failed':
      case 'Error':
      case 'Cancelled':
        this.#finish(uid);
    }
  }

  #occupy({ metadata, status }: BuildRun): void {
    if (status?.phase !== 'Running' && status?.phase !== 'Committing') return;
    const attempt = status.attempts?.at(-1);
    if (attempt !== undefined)
      this.#parts.dispatcher.occupy(metadata.uid as string, {
        address: attempt.builder,
        pool: attempt.pool ?? DEFAULT_POOL,
      });
  }

  #finish(uid: string): void {
    this.#parts.dispatcher.release(uid);
    const task = this.#tasks.get(uid);
    if (task !== undefined) this.#drop(uid, task);
  }

  #drop(uid: string, task: SolveTask): void {
    this.#tasks.delete(uid);
    void (async () => {
      // Before a cancelled solve is forgotten, its builder must have been told.
      if (task.view.kind === 'running') await task.cancel('the run is over');
      await task.acknowledge();
    })();
  }

  #task(run: BuildRun, status: BuildRunStatus, onChange: () => void): SolveTask {
    const uid = run.metadata.uid as string;
    const attempt = status.attempts?.at(-1);
    if (attempt === undefined) throw new CodedError('internal', `${keyOf(run)} is ${status.phase} without an attempt`);
    const known = this.#tasks.get(uid);
    if (known?.attempt === attempt.number) return known;
    if (known !== undefined) this.#drop(uid, known);
    const { builders } = this.#parts;
    const task = new SolveTask({
      uid,
      attempt: attempt.number,
      subject: keyOf(run),
      namespace: run.metadata.namespace as string,
      scope: run.spec.buildSpec.cache?.scope,
      builder: () => builders.client(attempt.builder),
      prepare: async (options) => {
        const prepared = await prepareRun(run, { ...this.#parts, ...options });
        if (prepared.kind === 'ready') return prepared;
        if (prepared.kind === 'waiting')
          throw new CodedError('unavailable', prepared.message, { reason: 'REFERENCE_GONE' });
        throw new CodedError('failed_precondition', prepared.failure.message, { fault: 'user' });
      },
      builderGraceMs: this.#parts.builderGraceMs,
      onChange,
      log: this.#parts.log.child({ run: keyOf(run), uid, attempt: attempt.number }),
    });
    this.#tasks.set(uid, task);
    return task;
  }
}

function queuedRun(run: BuildRun): QueuedRun {
  const { metadata, spec, status } = run;
  const failed = (status?.attempts ?? []).filter(({ completedAt }) => completedAt !== undefined);
  return {
    uid: metadata.uid as string,
    key: keyOf(run),
    namespace: metadata.namespace as string,
    pool: spec.buildSpec.poolRef?.name ?? DEFAULT_POOL,
    priority: spec.buildSpec.priority ?? 0,
    queuedAt: Date.parse(status?.queuedAt ?? metadata.creationTimestamp ?? new Date().toISOString()),
    affinity: `${metadata.namespace}/${spec.buildRef.name}`,
    avoid: failed.map(({ builder }) => builder),
  };
}
