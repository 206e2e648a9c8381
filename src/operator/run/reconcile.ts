import { type AbortOptions, CodedError, type Logger } from '../../base/index.ts';
import type { PlannedPart, SharedCache } from '../../plan/index.ts';
import {
  type BuilderPool,
  type BuildRun,
  type BuildRunStatus,
  type BuildSpec,
  DEFAULT_POOL,
  endpointsOf,
  isOver,
  type PoolCache,
} from '../../resources/index.ts';
import { BY_OWNER, ownerOf } from '../build/reconcile.ts';
import type { Dispatcher, QueuedRun } from '../dispatch/dispatcher.ts';
import { poolOf, queuedRun } from '../dispatch/queued-run.ts';
import { SolveTask } from '../dispatch/solve-task.ts';
import { type KnownBuild, type KnownRun, knownRunType } from '../known.ts';
import type { OperatorMetrics } from '../metrics/metrics.ts';
import type { Builders } from '../pool/builders.ts';
import { buildRunType } from '../resource-types.ts';
import {
  type EventRecorder,
  type Informer,
  type KeyText,
  type KubeClient,
  keyOf,
  plainTexts,
  type Reconcile,
} from '../runtime/index.ts';
import { sameStatus, writeStatus } from '../status.ts';
import { buildLimits, stepResources } from './build-limits.ts';
import { decideRun, type RunView, retryAt } from './decide.ts';
import { KUEUE_LOOK_MS, type Kueue } from './kueue.ts';
import { INDEX, type Offers, partOf, platformWanted } from './parts.ts';
import { type Prepared, type PrepareOptions, prepareRun } from './prepare.ts';
import { cachedBuild, writtenCaches } from './shared-cache.ts';
import { timeLimit } from './time-limit.ts';

interface RunReconcilerParts extends Omit<PrepareOptions, 'client' | 'sharedCache' | 'part'> {
  readonly client: KubeClient;
  /** Of all pools that have none of their own. */
  readonly clusterCache: PoolCache | undefined;
  /** Indexed by {@link BY_OWNER}. */
  readonly runs: Informer<KnownRun>;
  readonly builds: Informer<KnownBuild>;
  readonly pools: Informer<BuilderPool>;
  readonly dispatcher: Dispatcher;
  /** Admits runs of Builds that name a queue of it; undefined where their label means nothing. */
  readonly kueue?: Kueue | undefined;
  readonly builders: Builders;
  readonly events: EventRecorder;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** How long a builder may be silent before its runs go elsewhere. */
  readonly builderGraceMs: number;
  /** Keeps the log of an attempt that is over; does not fail. */
  readonly keepLog?: ((uid: string, attempt: number) => Promise<void>) | undefined;
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
  /** Attempts that are over, of which a builder is still told. */
  readonly #ending = new Set<SolveTask>();

  constructor(parts: RunReconcilerParts) {
    this.#parts = parts;
  }

  /** Runs whose attempt is followed, or whose end a builder is being told of. */
  get active(): number {
    return this.#tasks.size + this.#ending.size;
  }

  /** Builders on which attempts are followed. */
  get addresses(): ReadonlySet<string> {
    return new Set([...this.#tasks.values(), ...this.#ending].map(({ address }) => address));
  }

  /** Takes the places of runs that run already, before any is granted. */
  takeUp(): void {
    for (const run of this.#parts.runs.list()) this.#occupy(run);
  }

  /** Leaves all solves to themselves: the next operator takes them up. */
  async detach(): Promise<void> {
    await Promise.all([...this.#tasks.values(), ...this.#ending].map((task) => task.detach()));
    this.#tasks.clear();
  }

  /** A run that is no more: its solve ends, its place is free. */
  gone(run: KnownRun): void {
    const uid = run.metadata.uid as string;
    this.#parts.dispatcher.release(uid);
    this.#writes.delete(uid);
    this.#parts.kueue?.forget(uid);
    const task = this.#tasks.get(uid);
    if (task === undefined) return;
    const { log } = this.#parts;
    log.info('the run was deleted', { run: keyOf(run) });
    this.#drop(uid, task, 'the BuildRun was deleted');
  }

  readonly reconcile: Reconcile = async (key, { signal }) => {
    const { client, runs, dispatcher } = this.#parts;
    const run = runs.get(key);
    if (run === undefined) return undefined;
    if (run.metadata.deletionTimestamp !== undefined) {
      this.gone(run);
      return undefined;
    }
    const uid = run.metadata.uid as string;
    if (isOver(run.status?.phase)) {
      this.#finish(uid);
      await this.#parts.kueue?.finish(run, { signal });
      return undefined;
    }
    const kueue = run.queueName === undefined ? undefined : this.#parts.kueue;
    const looks = run.status?.phase === 'Queued' || run.status?.phase === 'Running';
    const admission = looks && run.spec.cancel === undefined ? await kueue?.look(run, { signal }) : undefined;
    // What it was given before it was taken back is for others.
    if (run.status?.phase === 'Queued' && kueue?.holds(run)) dispatcher.release(uid);
    const foreign = this.#tasks.has(uid) ? undefined : this.#foreignPlace(run);
    // A run that another life of the operator left running.
    if (foreign === undefined) this.#act(run, run.status);
    const queued = this.#queued(run);
    const view: RunView = {
      run,
      now: client.now(),
      prepared: await this.#prepared(run, { signal }),
      place: run.status?.phase === 'Queued' ? dispatcher.placeOf(uid) : undefined,
      waiting:
        admission === undefined || admission.kind === 'admitted'
          ? dispatcher.waiting(queued)
          : { ...admission, kind: 'impossible' },
      offers: this.#offers(run),
      solve: foreign === undefined ? this.#tasks.get(uid)?.view : { kind: 'lost', error: foreign },
      evicted: admission?.kind === 'evicted' ? CodedError.of('KUEUE_EVICTED', admission.message) : undefined,
      limit: timeLimit(run, this.#parts.pools.get(poolOf(run))),
    };
    const { requeueAfterMs, ...decision } = decideRun(view);
    const status = plainTexts(decision.status);
    if (!sameStatus(run.status, status)) {
      const waitMs = this.#holdBack(run, status);
      if (waitMs !== undefined) return { requeueAfterMs: Math.min(waitMs, requeueAfterMs ?? waitMs) };
      try {
        await this.#write(run, status, { signal });
      } catch (error) {
        // A place that was granted is for others until this can be written.
        if (view.place !== undefined) dispatcher.release(uid);
        throw error;
      }
    }
    const written = runs.get(key);
    // Deleted meanwhile: its end is told apart.
    if (written === undefined) return undefined;
    // It waited as a whole.
    if (run.status?.phase === 'Queued' && run.status.parts === undefined && written.status?.parts !== undefined)
      dispatcher.release(uid);
    this.#act(written, written.status);
    const againMs = kueue === undefined ? requeueAfterMs : Math.min(requeueAfterMs ?? KUEUE_LOOK_MS, KUEUE_LOOK_MS);
    return againMs === undefined ? undefined : { requeueAfterMs: againMs };
  };

  async #prepared(run: KnownRun, { signal }: AbortOptions): Promise<Prepared | undefined> {
    if ((run.status?.phase ?? 'Pending') !== 'Pending' || run.spec.cancel !== undefined) return undefined;
    return await this.prepare(run, { signal });
  }

  /** From the whole of the run, which is got for it unless a spec is given in its place. */
  async prepare(run: KnownRun, { signal, spec }: AbortOptions & { readonly spec?: BuildSpec }): Promise<Prepared> {
    if (spec !== undefined) {
      const whole = { ...run, spec: { ...run.spec, buildSpec: spec } } as BuildRun;
      return await prepareRun(whole, { ...this.#parts, sharedCache: this.#sharedCache(run), signal });
    }
    if (run.fault !== undefined) return { kind: 'refused', failure: { class: 'user', ...run.fault } };
    const whole = await this.#parts.client.get(buildRunType, run.metadata, { signal });
    if (whole.metadata.uid !== run.metadata.uid) throw new CodedError('aborted', 'the run is another by now');
    const pool = this.#parts.pools.get(poolOf(run));
    return await prepareRun(whole, {
      ...this.#parts,
      sharedCache: this.#sharedCache(run),
      part: plannedPart(run),
      pool,
      signal,
    });
  }

  #sharedCache(run: KnownRun): SharedCache | undefined {
    const { pools, runs, clusterCache } = this.#parts;
    const cache = pools.get(poolOf(run))?.spec.cache ?? clusterCache;
    return cache && { cache, build: cachedBuild(run), others: writtenCaches(runs.list()) };
  }

  /** Of the builders of its pool that answer. */
  #offers(run: KnownRun): Offers {
    return this.#parts.builders
      .states(poolOf(run))
      .flatMap(({ ready, platforms }) => (ready && platforms !== undefined ? [platforms] : []));
  }

  #queued(run: KnownRun, runs: readonly KnownRun[] = []): QueuedRun {
    const queued = queuedRun(run, runs);
    const status = run.status ?? {};
    const part = partOf(status);
    return {
      ...queued,
      platform: platformWanted(run.spec.buildSpec.platforms ?? [], status, this.#offers(run)),
      // What is the same of two runs is so part by part.
      work: queued.work === undefined || part === undefined ? queued.work : `${queued.work} ${part}`,
    };
  }

  /** How long a write that changes no phase has to wait; undefined for not at all. */
  #holdBack(run: KnownRun, status: BuildRunStatus): number | undefined {
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
  async #write(run: KnownRun, status: BuildRunStatus, { signal }: AbortOptions): Promise<void> {
    const { client, runs, log } = this.#parts;
    const before = run.status?.phase;
    await writeStatus({ client, informer: runs }, knownRunType, run, status, { signal });
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
  #tell(run: KnownRun, before: BuildRunStatus['phase'], status: BuildRunStatus): void {
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
      record(
        'Normal',
        'Running',
        `${name} runs on ${status.attempts?.at(-1)?.pod ?? status.attempts?.at(-1)?.builder}`,
      );
    } else if (isOver(phase)) {
      metrics.ended(status);
      if (phase === 'Succeeded') {
        const first = status.outputs?.[0];
        record(
          'Normal',
          phase,
          first === undefined ? `${name} is built` : `${name} pushed ${first.image}@${first.digest}`,
        );
        const cache = status.conditions?.find(({ type }) => type === 'CacheExported');
        if (cache?.status === 'False')
          record('Warning', 'CacheNotExported', `${name}: ${cache.reason}: ${cache.message}`);
      } else if (phase === 'Cancelled') record('Normal', phase, `${name}: ${status.failure?.message}`);
      else record('Warning', phase, `${name}: ${status.failure?.reason}: ${status.failure?.message}`);
    } else if (phase === 'Queued' && (before === 'Running' || before === 'Committing'))
      record('Warning', 'Retrying', `${name}: ${status.attempts?.at(-1)?.message ?? 'the attempt failed'}`);
  }

  /** What a status that is stored asks for. */
  #act(run: KnownRun, status: BuildRunStatus | undefined): void {
    const { dispatcher } = this.#parts;
    const uid = run.metadata.uid as string;
    switch (status?.phase) {
      case 'Queued': {
        // Of an attempt that failed.
        const task = this.#tasks.get(uid);
        if (task !== undefined) {
          this.#drop(uid, task);
          dispatcher.release(uid);
        }
        if (this.#parts.kueue?.holds(run)) return;
        if (retryAt(status) <= this.#parts.client.now())
          dispatcher.enqueue(this.#queued({ ...run, status }, this.#ofSameBuild(run)));
        return;
      }
      case 'Running':
      case 'Committing': {
        const task = this.#task(run, status);
        // A place is for computing: what comes after waits for others.
        if (task.view.kind === 'running') this.#occupy({ ...run, status });
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

  /**
   * Why the place that a record names is none of the run's. Records are the operator's own and survive it; but should somebody else be let write them, they still open no pool that the namespace may
   * not use.
   */
  #foreignPlace(run: KnownRun): CodedError | undefined {
    const { phase, attempts } = run.status ?? {};
    const attempt = attempts?.at(-1);
    if (phase !== 'Running' && phase !== 'Committing') return undefined;
    if (attempt === undefined) return CodedError.of('PLACE_NOT_ALLOWED', `it is ${phase} without an attempt`);
    const name = poolOf(run);
    const pools = this.#parts.pools.list();
    const pool = pools.find(({ metadata }) => metadata.name === name);
    const { builders } = this.#parts;
    const has = (one: BuilderPool) =>
      endpointsOf(one).some(({ address }) => address === attempt.builder) ||
      builders.has(one.metadata.name, attempt.builder);
    const allowed = pool?.spec.allowedNamespaces?.includes(run.metadata.namespace as string) ?? true;
    // One that is in no pool any more may have been taken out while the run was on it.
    const there = pool !== undefined && has(pool) ? true : !pools.some(has);
    if ((attempt.pool ?? DEFAULT_POOL) === name && allowed && there) return undefined;
    return CodedError.of('PLACE_NOT_ALLOWED', `${attempt.builder} is no builder that the run may use`);
  }

  #ofSameBuild(run: KnownRun): readonly KnownRun[] {
    const owner = ownerOf(run);
    return owner === undefined ? [] : this.#parts.runs.byIndex(BY_OWNER, owner);
  }

  #occupy(run: KnownRun): void {
    const { metadata, status } = run;
    if (status?.phase !== 'Running' && status?.phase !== 'Committing') return;
    if (!this.#tasks.has(metadata.uid as string) && this.#foreignPlace(run) !== undefined) return;
    const attempt = status.attempts?.at(-1);
    if (attempt !== undefined)
      this.#parts.dispatcher.occupy(this.#queued(run, this.#ofSameBuild(run)), {
        address: attempt.builder,
        pool: attempt.pool ?? DEFAULT_POOL,
      });
  }

  #finish(uid: string): void {
    this.#parts.dispatcher.release(uid);
    const task = this.#tasks.get(uid);
    if (task !== undefined) this.#drop(uid, task);
  }

  #drop(uid: string, task: SolveTask, why = 'the run is over'): void {
    this.#tasks.delete(uid);
    this.#ending.add(task);
    void (async () => {
      // Before a cancelled solve is forgotten, its builder must have been told.
      if (task.view.kind === 'running') await task.cancel(why);
      await this.#parts.keepLog?.(uid, task.attempt);
      await task.acknowledge();
      this.#ending.delete(task);
    })();
  }

  #task(run: KnownRun, status: BuildRunStatus): SolveTask {
    const uid = run.metadata.uid as string;
    const attempt = status.attempts?.at(-1);
    if (attempt === undefined) throw new CodedError('internal', `${keyOf(run)} is ${status.phase} without an attempt`);
    const known = this.#tasks.get(uid);
    if (known?.attempt === attempt.number) return known;
    if (known !== undefined) this.#drop(uid, known);
    const { builders, dispatcher, pools, wake } = this.#parts;
    const pool = pools.get(poolOf(run));
    const task: SolveTask = new SolveTask({
      uid,
      attempt: attempt.number,
      address: attempt.builder,
      timeoutMs: timeLimit(run, pool).ms,
      limits: buildLimits(pool),
      resources: stepResources(run.spec.buildSpec, keyOf(run)),
      subject: keyOf(run),
      namespace: run.metadata.namespace as string,
      scope: run.spec.buildSpec.cache?.scope,
      builder: () => builders.client(attempt.builder),
      prepare: async (options) => {
        const prepared = await this.prepare({ ...run, status }, options);
        if (prepared.kind === 'ready') return prepared;
        if (prepared.kind === 'waiting') throw CodedError.of('REFERENCE_GONE', prepared.message);
        throw new CodedError('failed_precondition', prepared.failure.message, { fault: 'user' });
      },
      builderGraceMs: this.#parts.builderGraceMs,
      gone: () => builders.gone(attempt.builder, attempt.pod),
      onChange: () => {
        // Only of the newest attempt: an older one's place is given back.
        if (task.view.kind !== 'running' && this.#tasks.get(uid) === task) dispatcher.release(uid);
        if (task.view.kind === 'ended') builders.learn(attempt.builder, task.view.result.keys);
        wake(keyOf(run));
      },
      log: this.#parts.log.child({ run: keyOf(run), uid, attempt: attempt.number }),
    });
    this.#tasks.set(uid, task);
    return task;
  }
}

function plannedPart({ status }: KnownRun): PlannedPart | undefined {
  const part = partOf(status ?? {});
  if (part === undefined) return undefined;
  if (part !== INDEX) return { kind: 'platform', platform: part };
  const images = (status?.parts ?? []).map(({ platform, digest = '' }) => ({ platform, digest }));
  return { kind: 'index', images };
}
