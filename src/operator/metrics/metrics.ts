import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type BuildRunStatus, PHASES } from '../../resources/index.ts';
import type { ClientMetrics } from '../runtime/index.ts';

/** What is measured when it is asked for. */
interface MetricSources {
  readonly phases: () => Iterable<string>;
  readonly active: () => number;
  readonly queues: () => ReadonlyMap<string, number>;
  readonly builders: () => ReadonlyMap<string, number>;
  readonly leading: () => boolean;
}

export interface OperatorMetrics extends ClientMetrics {
  started(status: BuildRunStatus): void;
  ended(status: BuildRunStatus): void;
  reconciled(controller: string, outcome: 'ok' | 'error', seconds: number): void;
  /** Prometheus' text format. */
  text(): Promise<{ readonly contentType: string; readonly text: string }>;
  observe(sources: MetricSources): void;
}

const SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

export function operatorMetrics(): OperatorMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const runs = new Counter({
    name: 'slipway_buildruns_total',
    help: 'Runs that ended, by phase and reason, since the operator started.',
    labelNames: ['phase', 'reason'],
    registers,
  });
  const duration = new Histogram({
    name: 'slipway_buildrun_duration_seconds',
    help: 'From the start of the first attempt to the end of the run.',
    labelNames: ['phase'],
    buckets: SECONDS,
    registers,
  });
  const queued = new Histogram({
    name: 'slipway_buildrun_queue_seconds',
    help: 'From when a run was first seen to its first attempt.',
    buckets: SECONDS,
    registers,
  });
  const attempts = new Counter({
    name: 'slipway_attempts_total',
    help: 'Attempts of runs that ended, by how the attempt ended.',
    labelNames: ['reason'],
    registers,
  });
  const steps = new Counter({
    name: 'slipway_steps_total',
    help: 'Steps of runs that ended, by whether they came from the cache.',
    labelNames: ['result'],
    registers,
  });
  const reconciles = new Counter({
    name: 'slipway_reconcile_total',
    help: 'Reconciles by controller and outcome.',
    labelNames: ['controller', 'outcome'],
    registers,
  });
  const reconcileSeconds = new Histogram({
    name: 'slipway_reconcile_duration_seconds',
    help: 'How long a reconcile took.',
    labelNames: ['controller'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  const requests = new Counter({
    name: 'slipway_kube_requests_total',
    help: 'Calls to the API server by verb and HTTP status (0: no answer).',
    labelNames: ['verb', 'code'],
    registers,
  });
  const requestSeconds = new Histogram({
    name: 'slipway_kube_request_duration_seconds',
    help: 'How long a call to the API server took.',
    labelNames: ['verb'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  return {
    started({ queuedAt, attempts: tries }) {
      const [first, second] = tries ?? [];
      if (second === undefined && first !== undefined && queuedAt !== undefined)
        queued.observe(secondsBetween(queuedAt, first.startedAt));
    },
    ended({ phase, startedAt, completedAt, failure, attempts: tries, cache }) {
      for (const { reason } of tries ?? []) attempts.inc({ reason: reason ?? '' });
      if (cache !== undefined) {
        steps.inc({ result: 'hit' }, cache.hits);
        steps.inc({ result: 'miss' }, Math.max(0, cache.vertices - cache.hits));
      }
      runs.inc({ phase: phase ?? '', reason: failure?.reason ?? phase ?? '' });
      if (startedAt !== undefined && completedAt !== undefined)
        duration.observe({ phase: phase ?? '' }, secondsBetween(startedAt, completedAt));
    },
    reconciled(controller, outcome, seconds) {
      reconciles.inc({ controller, outcome });
      reconcileSeconds.observe({ controller }, seconds);
    },
    request(verb, status, seconds) {
      requests.inc({ verb, code: String(status) });
      requestSeconds.observe({ verb }, seconds);
    },
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    observe(sources) {
      new Gauge({
        name: 'slipway_buildruns',
        help: 'Runs that there are, by phase.',
        labelNames: ['phase'],
        registers,
        collect() {
          const counts = new Map<string, number>(PHASES.map((phase) => [phase, 0]));
          for (const phase of sources.phases()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
          for (const [phase, count] of counts) this.set({ phase }, count);
        },
      });
      new Gauge({
        name: 'slipway_buildruns_active',
        help: 'Runs whose attempt this operator follows.',
        registers,
        collect() {
          this.set(sources.active());
        },
      });
      new Gauge({
        name: 'slipway_queue_length',
        help: 'Runs that wait for a place, by pool.',
        labelNames: ['pool'],
        registers,
        collect() {
          this.reset();
          for (const [pool, length] of sources.queues()) this.set({ pool }, length);
        },
      });
      new Gauge({
        name: 'slipway_builders_ready',
        help: 'Builders that answer, by pool.',
        labelNames: ['pool'],
        registers,
        collect() {
          this.reset();
          for (const [pool, ready] of sources.builders()) this.set({ pool }, ready);
        },
      });
      new Gauge({
        name: 'slipway_leader',
        help: '1 while this operator leads.',
        registers,
        collect() {
          this.set(sources.leading() ? 1 : 0);
        },
      });
    },
  };
}

const secondsBetween = (from: string, to: string): number => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
