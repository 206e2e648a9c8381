import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { AbortOptions } from '../../base/index.ts';
import { startProbeServer } from '../../base/probe-server.ts';
import type { wire } from '../../builder-api/index.ts';
import type { BuildObserver } from '../engine/index.ts';

/** What is measured when it is asked for. */
interface BuilderState {
  readonly builds: number;
  readonly runs: number;
  readonly capacity: number;
  readonly draining: boolean;
  readonly busyMs: number;
  readonly usage: wire.slipway.builder.v1.Usage.$Properties | undefined;
}

/** A builder's metrics for Prometheus; their labels have few values, whatever is built. */
export class BuilderMetrics {
  readonly #registry = new Registry();
  readonly #vertices: Counter;
  readonly #builds: Counter;
  readonly #imported: Counter;
  readonly #exported: Counter;
  readonly #cacheErrors: Counter;
  readonly #requests: Counter;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
      new Counter({ name, help, labelNames: [...labelNames], registers });
    this.#vertices = counter('slipway_vertices_total', 'Steps of builds, by what came of them: hit, miss or error.', [
      'result',
    ]);
    this.#builds = counter(
      'slipway_builder_builds_total',
      'Builds that ended, by whose fault it was that they failed.',
      ['fault'],
    );
    this.#imported = counter(
      'slipway_cache_import_bytes_total',
      'Bytes of layers that came from registries and caches.',
    );
    this.#exported = counter('slipway_cache_export_bytes_total', 'Bytes that were sent to remote caches.');
    this.#cacheErrors = counter('slipway_cache_errors_total', 'Remote caches that could not be written.');
    this.#requests = counter(
      'slipway_registry_requests_total',
      'Answers of registries by HTTP status (0: none came).',
      ['code'],
    );
    // Known from the start, so that rates have a beginning.
    for (const result of ['hit', 'miss', 'error']) this.#vertices.inc({ result }, 0);
  }

  /** Once: what the builder is asked for whenever somebody reads. */
  measure(state: () => Promise<BuilderState>): void {
    const registers = [this.#registry];
    let read: Promise<BuilderState> | undefined;
    const gauge = (name: string, help: string, value: (now: BuilderState) => number | undefined) =>
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          // All of one reading are of one state.
          read ??= state().finally(() => setImmediate(() => (read = undefined)));
          const now = value(await read);
          if (now === undefined) this.reset();
          else this.set(now);
        },
      });
    const usage = (name: string, help: string, field: keyof NonNullable<BuilderState['usage']>) =>
      gauge(name, help, (now) => (now.usage === undefined ? undefined : Number(now.usage[field] ?? 0)));
    gauge('slipway_builder_ready', '1 while it takes new builds.', ({ draining }) => (draining ? 0 : 1));
    gauge('slipway_builder_builds', 'Builds under way.', ({ builds }) => builds);
    gauge('slipway_builder_runs', 'Solves of operators under way.', ({ runs }) => runs);
    gauge('slipway_builder_capacity', 'Solves of operators that it takes at once.', ({ capacity }) => capacity);
    gauge('slipway_builder_busy_seconds', 'For how long a build was under way.', ({ busyMs }) => busyMs / 1000);
    usage('slipway_builder_disk_bytes', "Size of its state's file system.", 'diskTotal');
    usage('slipway_builder_disk_free_bytes', 'What is free of it.', 'diskFree');
    usage('slipway_builder_inodes', 'Inodes of it; 0 where they are not counted.', 'inodesTotal');
    usage('slipway_builder_inodes_free', 'Those that are free.', 'inodesFree');
    usage('slipway_builder_memory_limit_bytes', 'What it and its steps may take.', 'memoryLimit');
    usage('slipway_builder_memory_bytes', 'What they take.', 'memoryUsed');
    usage('slipway_builder_cache_bytes', 'What it keeps for later builds, as last measured.', 'cacheBytes');
  }

  /** Of every build. */
  readonly observe: BuildObserver = ({ build }) => {
    const counts = { hit: 0, miss: 0, error: 0 };
    let pulled = 0;
    const metrics = this;
    return {
      *ending() {
        for (const { state } of build.job.loaded()) {
          yield;
          if (state.error !== undefined) counts.error++;
          else if (state.completed !== undefined) counts[state.cached ? 'hit' : 'miss']++;
        }
        for (const bytes of build.pulled.values()) pulled += bytes;
      },
      ended: (end) => {
        for (const [result, count] of Object.entries(counts)) metrics.#vertices.inc({ result }, count);
        metrics.#builds.inc({ fault: end.kind === 'done' ? 'none' : end.error.fault });
        metrics.#imported.inc(pulled);
        for (const { error, moved } of (end.kind === 'done' ? end.outcome.caches : undefined) ?? []) {
          metrics.#exported.inc(moved.pushed);
          if (error !== undefined) metrics.#cacheErrors.inc();
        }
      },
    };
  };

  /** An answer of a registry; 0 where none came. */
  readonly answered = (status: number): void => {
    this.#requests.inc({ code: String(status) });
  };

  async text(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

/** Serves `/metrics`, `/healthz` and, while new builds are taken, `/readyz`. Disposing closes it; the port is its own. */
export async function serveMetrics(
  metrics: BuilderMetrics,
  {
    host,
    port,
    ready,
    signal,
  }: AbortOptions & { readonly host: string; readonly port: number; readonly ready: () => boolean },
): Promise<AsyncDisposable & { readonly address: string }> {
  const named = host.includes(':') ? `[${host}]` : host;
  const probes = { healthy: () => true, ready, notReady: 'draining', metrics: () => metrics.text() };
  const server = await startProbeServer({ address: `${named}:${port}`, ...probes, signal });
  return { address: `${host}:${server.port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
